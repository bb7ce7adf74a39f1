"""A relay that says nothing costs a trainer little of the phase in which it must commit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ostrom.node.relay.client import SILENT_PAUSES, RelayClient
from ostrom.node.relay.receipts import NOT_NOW

SECONDS_MAX = 0.3


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of who takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_silent_relay_is_left_alone_and_asked_again_later(town: Any, silent: str) -> None:
    clock = Clock()
    client = RelayClient([silent], seconds_max=SECONDS_MAX, clock=clock)
    for seconds, words in (
        (0.0, "took more than"),
        (0.0, "left alone"),
        (SECONDS_MAX * SILENT_PAUSES - 0.01, "left alone"),
        (SECONDS_MAX * SILENT_PAUSES, "took more than"),
    ):
        clock.now = seconds
        given = client.offer(town.commit(town.trainers[0]))
        assert given.status == NOT_NOW
        assert words in given.line


def test_a_message_goes_to_the_next_relay_while_one_is_left_alone(
    town: Any, serve: Any, silent: str
) -> None:
    with serve(town, town.relay()) as good:
        client = RelayClient([silent, good], seconds_max=2.0, clock=Clock())
        for key in town.trainers:
            assert client.offer(town.commit(key)).accepted
