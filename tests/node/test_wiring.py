"""The small pieces between a node's parts, over real HTTP where there is any."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from ostrom.errors import LedgerError, NotFound, StoreError
from ostrom.node.config import Listen
from ostrom.node.relay import Receipt
from ostrom.node.server import Board, Server, application
from ostrom.node.wiring import Asking, CountedCarrier, CountedFetch, Repeated, Soon
from ostrom.storage import MemoryStore, cid_of
from ostrom.storage.gateway import gateway_routes
from ostrom.storage.http import GatewayFetch
from ostrom.storage.peers import PeerStore


@pytest.fixture
def serve() -> Iterator[Callable[[MemoryStore], str]]:
    """Serves a store from a node's own pages; gives the URL."""
    with ExitStack() as stack:

        def start(store: MemoryStore) -> str:
            app = application(Board(time.monotonic), gateway_routes(store))
            return stack.enter_context(Server(app, Listen("127.0.0.1", 0))).url

        yield start


@pytest.fixture
def fetch() -> Iterator[CountedFetch]:
    gateways = GatewayFetch(allow_private=True, seconds_max=5)
    yield CountedFetch(gateways)
    gateways.close()


def nobody() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_faults_of_peers_are_counted_and_absences_are_not(serve: Any, fetch: CountedFetch) -> None:
    alice = MemoryStore()
    url, cid = serve(alice), alice.put(b"a model")
    assert fetch(url, cid, 100) == b"a model"
    with pytest.raises(NotFound):
        fetch(url, cid_of(b"absent"), 100)
    assert fetch.faults == 0
    with pytest.raises(StoreError):
        fetch(nobody(), cid, 100)
    assert fetch.faults == 1


def test_what_is_repeated_outlives_faults(caplog: pytest.LogCaptureFixture) -> None:
    faults: list[Exception] = [
        LedgerError("not yet"),
        LedgerError("not yet"),
        ZeroDivisionError("x"),
        OSErrorBelow(),
    ]
    done = threading.Event()

    def step() -> None:
        if faults:
            raise faults.pop(0)
        done.set()

    repeated = Repeated("finding peers", step, seconds=0.01)
    repeated.start()
    assert done.wait(20)
    repeated.close()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "finding peers: not yet",
        "finding peers failed",
        "finding peers: the disk is full: make room, and the node goes on by itself",
    ]


class OSErrorBelow(StoreError):
    """A store's complaint about a full disk."""

    def __init__(self) -> None:
        super().__init__("cannot write block x")
        self.__cause__ = OSError(errno.ENOSPC, "No space left on device")


def test_what_never_began_is_closed_too() -> None:
    Repeated("nothing", lambda: None, seconds=1).close()


def test_pages_that_are_not_there_yet_answer_503_below_their_place() -> None:
    pages = Soon("/v1", "later")
    app = application(Board(time.monotonic), [Mount("", app=pages)])
    with Server(app, Listen("127.0.0.1", 0)) as server:

        def ask(path: str) -> tuple[int, str]:
            answer = httpx.get(f"{server.url}{path}", trust_env=False, verify=False)
            return answer.status_code, answer.text

        assert ask("/v1/status") == (503, '{"error":"later"}')
        assert ask("/elsewhere")[0] == 404
        assert ask("/health")[0] == 503, "the node's own pages come first"
        pages.app = Starlette(routes=[Route("/v1/status", lambda _: PlainTextResponse("here"))])
        assert ask("/v1/status") == (200, "here")
        assert ask("/v1/nothing")[0] == 404


def test_offers_are_counted() -> None:
    answers = [Receipt(202, "taken"), Receipt(200, "known"), Receipt(503, "later")]

    class Relays:
        def offer(self, data: bytes) -> Receipt:
            return answers.pop(0)

    carrier = CountedCarrier(Relays())
    assert [carrier.offer(b"").accepted for _ in range(3)] == [True, True, False]
    assert carrier.counts == {"taken": 2, "refused": 1}


def test_a_shared_connection_is_made_once_and_only_when_it_is_needed() -> None:
    made: list[Any] = []

    class Chain:
        closed = False

        def call(self, call: Any) -> str:
            time.sleep(0.001)
            return f"answer to {call}"

        def close(self) -> None:
            self.closed = True

    def connect() -> Any:
        if not made:
            made.append(None)
            raise LedgerError("not yet")
        made.append(Chain())
        return made[-1]

    asking = Asking(connect)
    asking.close()
    with pytest.raises(LedgerError, match="not yet"):
        asking("a")  # type: ignore[arg-type]
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(asking("a")))  # type: ignore[arg-type]
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["answer to a"] * 20
    asking.close()
    assert len(made) == 2
    assert made[1].closed


def test_files_of_a_store_are_served_as_they_are(serve: Any, tmp_path: Path) -> None:
    alice = MemoryStore()
    url, cid = serve(alice), alice.put(bytes(3_000_000))
    gateways = GatewayFetch(allow_private=True)
    bob = PeerStore(MemoryStore(), lambda: [url], gateways)
    assert bob.get(cid, max_bytes=1 << 22) == bytes(3_000_000)
    gateways.close()
