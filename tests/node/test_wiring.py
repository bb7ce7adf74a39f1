"""The small pieces between a node's parts, over real HTTP where there is any."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import LedgerError, NotFound, StoreError
from ostrom.node.config import Listen
from ostrom.node.relay import Receipt
from ostrom.node.server import Board, Server, application
from ostrom.node.wiring import Asking, CountedCarrier, CountedFetch, Keeper, roots_of
from ostrom.protocol import TaskState
from ostrom.storage import MemoryStore, cid_of, digest_of
from ostrom.storage.gateway import gateway_routes
from ostrom.storage.http import GatewayFetch
from ostrom.storage.peers import PeerStore
from ostrom.storage.replication import Replicator


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


def test_a_keeper_fetches_what_falls_to_it(serve: Any, fetch: CountedFetch) -> None:
    alice, bob = MemoryStore(), MemoryStore()
    url, cids = serve(alice), [alice.put(bytes([i]) * 100) for i in range(5)]
    store = PeerStore(bob, lambda: [url], fetch)
    keeper = Keeper(Replicator(store, "http://bob"), lambda: cids, [url], seconds=0.02)
    keeper.start()
    end = time.monotonic() + 20
    while keeper.held < 5 and time.monotonic() < end:
        time.sleep(0.02)
    keeper.close()
    assert sorted(bob.cids()) == sorted(cids)


def test_a_keeper_outlives_faults(caplog: pytest.LogCaptureFixture) -> None:
    faults: list[Exception] = [LedgerError("not yet"), ZeroDivisionError("x")]
    done = threading.Event()

    def roots() -> list[Any]:
        if faults:
            raise faults.pop(0)
        done.set()
        return []

    keeper = Keeper(Replicator(MemoryStore(), "me"), roots, [], seconds=0.01)
    keeper.start()
    assert done.wait(20)
    keeper.close()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "cannot keep content for others: not yet",
        "keeping content for others failed",
    ]


def test_what_a_task_needs_is_named(new_play: Any) -> None:
    play = new_play().begin()
    play.store.put(play.spec.encode())
    first = play.play_round()
    play.start(type(play.state.phase).COMMIT).to_score()
    found = list(roots_of(play.state, play.spec, play.store))
    digests = [digest_of(cid) for cid in found]
    assert play.state.rules.spec in digests
    assert first.result.record in digests
    assert {one.model for one in play.state.versions.values()} <= set(digests)
    assert {one.update for one in play.state.round.reveals.values()} <= set(digests)
    for cid in found:
        assert play.store.has(cid)


def test_before_the_task_exists_nothing_is_needed(new_play: Any) -> None:
    play = new_play()
    assert list(roots_of(TaskState(), play.spec, play.store)) == []


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
