"""A real HTTP proxy between a client and its node that does wrong by a seeded schedule.

Each question is passed on unless the schedule says otherwise. With `mine` above zero the chain
moves with the questions, so that a client which asks again sees time pass.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ostrom.chain.transport import Transport

ANY = "any method"
FAULTS: Mapping[str, str] = {
    "gone": ANY,
    "slow": ANY,
    "dripping": ANY,
    "broken off": ANY,
    "truncated": ANY,
    "unavailable": ANY,
    "redirected": ANY,
    "html": ANY,
    "null": ANY,
    "wrong type": ANY,
    "wrong id": ANY,
    "internal error": ANY,
    "reorganised": ANY,
    "wrong chain": "eth_chainId",
    "stale head": "eth_getBlockByNumber",
    "dropped receipt": "eth_getTransactionReceipt",
    "missing logs": "eth_getLogs",
    "reordered logs": "eth_getLogs",
    "error after acceptance": "eth_sendRawTransaction",
    "gone after acceptance": "eth_sendRawTransaction",
}
"""Every fault and the method that it is done to."""

NONSENSE: tuple[Any, ...] = (17, "0xzz", "0x", [], {}, [None], {"hash": 1}, True, -1.5, "0x" * 40)
INTERNAL_ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error"}}'
REORGANISED_BLOCKS_MAX = 5


@dataclass
class Limits:
    """How the node is worse than it is, all the time.

    `lacks` names methods; `numbers_only` is a node without EIP-1898, `head_max` one that stands
    still, `log_blocks_max` one that refuses long ranges, `full_blooms` a chain with busy blocks,
    and one that is `behind` has blocks which it has not executed.
    """

    lacks: frozenset[str] = frozenset()
    numbers_only: bool = False
    head_max: int | None = None
    log_blocks_max: int | None = None
    full_blooms: bool = False
    behind: bool = False

    def refused(self, question: dict[str, Any]) -> dict[str, Any]:
        """The error that a question meets, empty for none."""
        method, params = question["method"], question["params"]
        if method in self.lacks:
            return {"code": -32601, "message": "Method not found"}
        if self.numbers_only and method == "eth_call" and not isinstance(params[1], str):
            return {"code": -32602, "message": "invalid argument 1: argument must be a string"}
        if self.log_blocks_max and method == "eth_getLogs" and "fromBlock" in params[0]:
            span = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            if span > self.log_blocks_max:
                return {"code": -32005, "message": "block range is too large"}
        return {}

    def changed(
        self, question: dict[str, Any], answer: dict[str, Any], node: Transport
    ) -> dict[str, Any]:
        """An answer as such a node gives it."""
        method, result = question["method"], answer.get("result")
        if self.behind and method in ("eth_getLogs", "eth_getBlockReceipts"):
            return {**_bare(answer), "result": []}
        if method.startswith("eth_getBlockBy") and result:
            latest = question["params"][0] == "latest"
            if latest and self.head_max is not None and int(result["number"], 16) > self.head_max:
                result = node.ask("eth_getBlockByNumber", hex(self.head_max), False)
            bloom = "0x" + "f" * 512 if self.full_blooms else result["logsBloom"]
            return {**_bare(answer), "result": {**result, "logsBloom": bloom}}
        return answer


class FaultProxy:
    """A proxy at `url` for the node behind `node_url`; `done` counts the faults.

    Args:
        rate: the share of questions that something is done to.
        mine: how many blocks the node makes before a question at most.
        slow_seconds: how long a slow answer takes; more than the client waits.
    """

    def __init__(
        self,
        node_url: str,
        *,
        seed: int = 0,
        rate: float = 0.0,
        faults: Iterable[str] = FAULTS,
        mine: int = 0,
        slow_seconds: float = 1.0,
    ) -> None:
        self.node = Transport(node_url)
        self.rate, self.mine, self.slow_seconds = rate, mine, slow_seconds
        self.faults = tuple(faults)
        self.limits = Limits()
        self._link = HTTPConnection(urlsplit(node_url).netloc)
        self.done: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.planned: list[str] = []
        self.headers = ("", "")
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.node.close()
        self._link.close()

    def plan(self, *faults: str) -> None:
        """Do these faults to the next questions that they fit, in this order."""
        self.planned += faults

    def answer(self, question: dict[str, Any]) -> tuple[str, bytes]:
        """The fault that is done, "" for none, and the body of the answer."""
        with self._lock:
            method = question["method"]
            self.asked[method] += 1
            fault = self._fault(question)
            if fault:
                self.done[fault] += 1
            if fault == "reorganised":
                self._reorganise()
            if blocks := self._random.randint(0, self.mine):
                self.node.ask("anvil_mine", hex(blocks))
            if fault in ("gone", "unavailable", "redirected", "html", "internal error"):
                return fault, b""
            return fault, json.dumps(self._spoilt(fault, question)).encode()

    def _fault(self, question: dict[str, Any]) -> str:
        fitting = [each for each in self.faults if _fits(each, question)]
        if self.planned and _fits(self.planned[0], question):
            return self.planned.pop(0)
        if not fitting or self._random.random() >= self.rate:
            return ""
        return self._random.choices(fitting, [_share(each) for each in fitting])[0]

    def _reorganise(self) -> None:
        """Replace the newest blocks by empty ones; their transactions are lost."""
        height = int(self.node.ask("eth_blockNumber"), 16)
        depth = self._random.randint(1, REORGANISED_BLOCKS_MAX)
        if height > depth:
            self.node.ask("anvil_reorg", depth, [])

    def _spoilt(self, fault: str, question: dict[str, Any]) -> dict[str, Any]:
        answer = self._passed(question)
        if fault == "error after acceptance":
            text = self._random.choice(["request timed out", "internal error", "no peers"])
            return {
                "jsonrpc": "2.0",
                "id": question["id"],
                "error": {"code": -32000, "message": text},
            }
        result = answer.get("result")
        if fault in ("null", "dropped receipt"):
            answer = {**_bare(answer), "result": None}
        elif fault == "wrong type":
            answer = {**_bare(answer), "result": self._random.choice(NONSENSE)}
        elif fault == "wrong id":
            answer["id"] = 10**9
        elif fault == "wrong chain":
            answer["result"] = "0x5"
        elif fault == "stale head" and result:
            number = max(int(result["number"], 16) - self._random.randint(1, 3), 0)
            answer["result"] = self.node.ask("eth_getBlockByNumber", hex(number), False)
        elif fault == "missing logs" and result:
            answer["result"] = []
        elif fault == "reordered logs" and result:
            self._random.shuffle(result)
        return answer

    def _passed(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the node answers, if it were the node that `limits` describes."""
        frame = {"jsonrpc": "2.0", "id": question["id"]}
        refused = self.limits.refused(question)
        if refused:
            return frame | {"error": refused}
        self._link.request("POST", "/", json.dumps(question), {"Content-Type": "application/json"})
        answer = json.loads(self._link.getresponse().read())
        return self.limits.changed(question, answer, self.node)


def _fits(fault: str, question: dict[str, Any]) -> bool:
    """True if a fault can be done to a question; only the newest block can be stale."""
    method, params = question["method"], question["params"]
    if fault == "stale head":
        return bool(method == "eth_getBlockByNumber" and params[0] == "latest")
    return FAULTS[fault] in (ANY, method)


def _share(fault: str) -> float:
    """What costs the client's time is rarer; what fits few questions is more frequent."""
    if fault in ("slow", "dripping"):
        return 0.2
    return 1 if FAULTS[fault] == ANY else 6


def _bare(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: answer[key] for key in ("jsonrpc", "id")}


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            proxy.headers = (self.path, self.headers.get("Authorization", ""))
            length = int(self.headers["Content-Length"])
            fault, body = proxy.answer(json.loads(self.rfile.read(length)))
            if fault in ("gone", "gone after acceptance"):
                self.close_connection = True
            elif fault == "unavailable":
                self._send(503, b"busy")
            elif fault == "redirected":
                self._send(307, b"", location="http://127.0.0.1:1/")
            elif fault == "html":
                self._send(200, b"<!DOCTYPE html><title>Sign in</title>")
            elif fault == "internal error":
                self._send(200, INTERNAL_ERROR)
            elif fault == "truncated":
                self._send(200, body[: len(body) // 2])
            elif fault == "broken off":
                self._send(200, body[: len(body) // 2], length=len(body))
                self.close_connection = True
            elif fault == "dripping":
                self._drip(body)
            else:
                time.sleep(proxy.slow_seconds if fault == "slow" else 0)
                self._send(200, body)

        def _send(
            self, status: int, body: bytes, *, length: int | None = None, location: str = ""
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def _drip(self, body: bytes) -> None:
            """A byte at a time, each in good time, longer than anybody should wait."""
            self.close_connection = True
            end = time.monotonic() + proxy.slow_seconds
            for at in range(10**9):
                if time.monotonic() > end:
                    return
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: "[at : at + 1] or b"x")
                self.wfile.flush()
                time.sleep(0.05)

        def handle(self) -> None:
            # The client may go away first.
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
