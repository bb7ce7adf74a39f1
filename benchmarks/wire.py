"""Messages handed to a relay over HTTP by many trainers at once, and every byte of it counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ostrom.node.config import Listen
from ostrom.node.relay import Relay
from ostrom.node.relay.client import RelayClient
from ostrom.node.relay.http import relay_app
from ostrom.node.server import PatientProtocol, Server
from ostrom.protocol import TaskState

AT_ONCE = 16
"""Trainers that ask at the same time; a node's server takes 128 connections."""


@dataclass
class Wire:
    """What went over a node's connections: bytes of HTTP, heads included, and seconds.

    The seconds are those of the relay and of the trainers' clients, which share the machine.
    """

    asked: int = 0
    answered: int = 0
    seconds: float = 0.0

    @property
    def bytes_total(self) -> int:
        """Both ways."""
        return self.asked + self.answered

    def hand_in(self, relay: Relay, messages: Sequence[bytes], state: TaskState, now: int) -> None:
        """Serve the relay, and let everybody hand in a message over a connection of its own."""
        app = relay_app(relay, lambda: (state, now))
        with Server(app, Listen("127.0.0.1", 0), protocol=_counting(self)) as server:
            client = RelayClient([server.url])
            began = time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as trainers:
                receipts = list(trainers.map(client.offer, messages))
            self.seconds += time.perf_counter() - began
        assert all(one.accepted for one in receipts)


class _Counted:
    """A transport that counts what is written to it."""

    def __init__(self, transport: asyncio.Transport, wire: Wire) -> None:
        self._transport, self._wire = transport, wire

    def write(self, data: bytes) -> None:
        self._wire.answered += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _counting(wire: Wire) -> type[PatientProtocol]:
    """The node's own protocol, which counts as well."""

    class Counting(PatientProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            counted: Any = _Counted(transport, wire)
            super().connection_made(counted)

        def data_received(self, data: bytes) -> None:
            wire.asked += len(data)
            super().data_received(data)

    return Counting
