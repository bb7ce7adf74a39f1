"""Small pieces between the parts of a node: they count, share, and run beside the looks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ostrom.chain.ledger import Call
from ostrom.chain.rpc_client import RpcClient
from ostrom.errors import InputError, NotFound, OstromError, StoreError
from ostrom.node.relay import Carrier, Receipt
from ostrom.node.space import FULL_LINE, is_full
from ostrom.storage.peers import Fetch
from ostrom.types import Cid

log = logging.getLogger(__name__)

CLOSE_SECONDS_MAX = 5.0


@dataclass
class CountedCarrier:
    """Hands messages to a carrier, counts what it says, and logs what no relay takes."""

    carrier: Carrier
    counts: Counter[str] = field(default_factory=Counter)

    def offer(self, data: bytes) -> Receipt:
        """As the carrier's."""
        answer = self.carrier.offer(data)
        self.counts["taken" if answer.accepted else "refused"] += 1
        if answer.accepted:
            log.info("a relay has it: %s", answer.line)
        else:
            log.warning("no relay takes it: %s", answer.line)
        return answer


@dataclass
class CountedFetch:
    """Fetches from peers and counts faults; to lack a block is none. Threads may share it."""

    fetch: Fetch
    faults: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, url: str, cid: Cid, limit: int) -> bytes:
        """As the fetch's."""
        try:
            return self.fetch(url, cid, limit)
        except NotFound:
            raise
        except (StoreError, InputError) as error:
            with self._lock:
                self.faults += 1
            log.debug("a peer failed: %s", error, extra={"url": url})
            raise


class Asking:
    """A chain's views for threads that share one connection, which is made when first needed."""

    def __init__(self, connect: Callable[[], RpcClient]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._chain: RpcClient | None = None

    def __call__(self, call: Call) -> Any:
        """What a view answers at the head.

        Raises:
            ContractError: the contract refuses the call.
            LedgerError: the chain cannot be asked.
        """
        with self._lock:
            if self._chain is None:
                self._chain = self._connect()
            return self._chain.call(call)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            if self._chain is not None:
                self._chain.close()
                self._chain = None


class Repeated:
    """Does something again and again in a thread; faults are logged, and it goes on."""

    def __init__(self, name: str, step: Callable[[], object], *, seconds: float) -> None:
        self._name, self._step, self._seconds = name, step, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._said = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further step."""
        self._stop.set()

    def close(self) -> None:
        """End, without waiting for a peer that drips."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS_MAX)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._step()
            except OstromError as error:
                line = FULL_LINE if is_full(error) else str(error)
                # The same line again and again helps nobody.
                level = logging.DEBUG if line == self._said else logging.WARNING
                log.log(level, "%s: %s", self._name, line)
                self._said = line
            except Exception:
                # The node can do without; without a line nobody would ever know.
                log.exception("%s failed", self._name)
            else:
                self._said = ""


class Soon:
    """An application that is not there yet: 503 and one line for the paths below `prefix`."""

    def __init__(self, prefix: str, line: str) -> None:
        self._prefix, self._line = prefix, line
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application do so once it is there."""
        below = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        answer: ASGIApp = PlainTextResponse("Not Found", 404)
        if below:
            answer = JSONResponse({"error": self._line}, 503, headers={"Retry-After": "5"})
        await (self.app or answer)(scope, receive, send)
