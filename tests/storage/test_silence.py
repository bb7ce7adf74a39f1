"""A peer that says nothing costs little, so that a node which reads from it keeps its deadlines."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from ostrom.errors import NotFound, StoreError
from ostrom.storage import MemoryStore, cid_of, http
from ostrom.storage.http import SECONDS_MAX, SILENCE_SECONDS_MAX, GatewayFetch
from ostrom.storage.peers import COST_PAUSES, PeerStore
from ostrom.types import Cid

SOUGHT = cid_of(b"an update")


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of who takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_silent_peer_is_given_up_long_before_a_slow_one(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 4 * SILENCE_SECONDS_MAX <= SECONDS_MAX
    monkeypatch.setattr(http, "SILENCE_SECONDS_MAX", 0.2)
    fetch = GatewayFetch(allow_private=True)
    began = time.monotonic()
    with pytest.raises(StoreError, match="too slow"):
        fetch(silent, SOUGHT, 100)
    assert time.monotonic() - began < SECONDS_MAX / 4
    fetch.close()


class Clock:
    """A clock that a fetch moves by as long as it takes."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds, self.asked = 0.0, seconds, 0

    def fetch(self, url: str, cid: Cid, limit: int) -> bytes:
        self.asked += 1
        self.now += self.seconds
        raise StoreError("too slow")


def test_silent_peers_take_a_small_part_of_the_time_of_who_asks_all_the_time() -> None:
    clock = Clock(5.0)
    store = PeerStore(MemoryStore(), lambda: ["mallory"], clock.fetch, clock=lambda: clock.now)
    for _ in range(1_000):
        with pytest.raises(NotFound):
            store.get(SOUGHT, max_bytes=100)
        clock.now += 0.25
    share = clock.asked * clock.seconds / clock.now
    assert share <= 1 / (1 + COST_PAUSES) + 0.02


def test_many_contents_wait_for_a_silent_peer_once() -> None:
    clock = Clock(5.0)
    store = PeerStore(MemoryStore(), lambda: ["mallory"], clock.fetch, clock=lambda: clock.now)
    for number in range(7):
        with pytest.raises(NotFound):
            store.get(cid_of(bytes([number])), max_bytes=100)
    assert clock.asked == 1
