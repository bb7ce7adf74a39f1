"""A disk that fills under a running node, and has room again: real chain, store and journal."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from typing import Any

import pytest
from tests.node.test_assembly import Network, free_ports, settings_of
from tests.node.test_assembly import network as network
from tests.node.test_assembly import node as node

from ostrom.node.config import Listen
from ostrom.node.looking import Ending, Looking, Pace
from ostrom.node.server import Board
from ostrom.node.space import FULL_LINE
from ostrom.storage import DirectoryStore

LOOKS_FULL = 4


def test_a_node_whose_disk_is_full_says_so_once_and_goes_on_when_there_is_room(
    network: Network, node: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ostrom.node.looking")
    port = free_ports(1)[0]
    seed = node(
        "seed",
        network.world.keys.relay,
        **settings_of(network, "relay", listen=Listen("127.0.0.1", port)),
    )
    content = DirectoryStore(network.store)
    for cid in content.cids():
        seed.local.write_block(cid, content.read_block(cid, 1 << 20))
    key = network.world.keys.trainers[0]
    peers = {"peers": (f"http://127.0.0.1:{port}",), "allow_private_peers": True}
    alice = node("alice", key, **settings_of(network, "trainer", **peers))

    stop, full, board = threading.Event(), [True], Board(time.monotonic)
    really = os.write

    def write(descriptor: int, data: Any) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    looking = Looking(alice, board, Pace(0.01, most=0.02), stop)
    said = []
    for _ in range(LOOKS_FULL):
        looking._look()
        said.append(board.health())
    assert said == [(False, f"has not seen the chain yet: {FULL_LINE}")] * LOOKS_FULL
    assert list(alice.local.cids()) == [], "nothing half-written is left"

    full[0] = False
    looking._look()
    assert board.health()[0]
    assert alice.status()["last_act"] == "commit 1"
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == [FULL_LINE, "there is room on the disk again"]
    assert lines.count(FULL_LINE) == 1
    stop.set()
    assert looking.run() == Ending.STOPPED
