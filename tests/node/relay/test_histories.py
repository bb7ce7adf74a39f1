"""Random histories: offers, batches, kills, lost transactions and reorganisations, in any order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ostrom import types as t
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import keccak
from ostrom.node import Commit
from ostrom.node.journal import Connection, connect
from ostrom.node.relay import Batch, Book, Place, Relay, commit_message, lanes_of
from ostrom.protocol import TaskState, apply
from ostrom.types import Phase, Role

SECONDS = 1_200
PLACE = Place(1, simulation_key(0, "training").address)
KEYS = [simulation_key(0, f"trainer {number}") for number in range(6)]


def hasty(path: Path) -> Connection:
    """A file that is not waited for: these kills are of a process, not of a machine."""
    file = connect(path)
    list(file.execute("PRAGMA synchronous = OFF"))
    return file


class History:
    """One relay, one round, and a chain that may forget its newest blocks."""

    def __init__(self, play: Any, path: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.path, self.id = path, play.id
        state = play.state
        for key in KEYS:
            state = apply(state, t.Joined(play.id, key.address, Role.TRAINER, 100), play.now)
        begin = t.PhaseStarted(play.id, 1, Phase.COMMIT, play.now + SECONDS)
        self.blocks, self.now = [apply(state, begin, play.now)], play.now
        self.relay = self.open()
        self.taken: dict[str, bytes] = {}
        self.calls: dict[str, Call] = {}
        self.sent = 0

    @property
    def state(self) -> TaskState:
        return self.blocks[-1]

    def open(self) -> Relay:
        self.book = Book(self.path, {"task": self.id.hex()}, connect=hasty)
        return Relay(PLACE, self.id, book=self.book, lanes=lanes_of(PLACE))

    def offer(self) -> None:
        key, number = self.rng.choice(KEYS), self.rng.randrange(2)
        hidden = keccak(f"{key.address} {number}".encode())
        data = commit_message(PLACE, self.id, Commit(1, key.address, hidden), key)
        found = self.relay.accept(data, self.state, self.now)
        first = self.taken.get(key.address)
        if found.status == 202:
            assert first is None
            self.taken[key.address] = hidden
        elif first is not None:
            assert found.status == (200 if hidden == self.shown(key, first) else 409)

    def shown(self, key: Key, first: bytes) -> bytes:
        """What counts for a trainer: what the chain has, else what the relay has."""
        return self.state.round.commits.get(key.address, first)

    def look(self) -> list[Batch]:
        batches = self.relay.due(self.state, self.now)
        for batch in batches:
            assert self.calls.setdefault(batch.key, batch.call) == batch.call
            for slot, signed in zip(batch.slots, self.commits_in(batch)):
                assert self.taken[slot.account] == signed.commitment
        return batches

    def commits_in(self, batch: Batch) -> Any:
        return batch.call.args[2]

    def mine(self, *, tell: bool = True) -> None:
        """A block with the first batch; the contract skips who is in it already."""
        for batch in self.look()[:1]:
            self.sent += 1
            state, logs = self.state, []
            for index, (slot, signed) in enumerate(zip(batch.slots, self.commits_in(batch))):
                if slot.account in state.round.commits:
                    skip = t.CommitSkipped(self.id, 1, index, b"\0\0\0\0")
                    logs.append(t.Logged(skip, len(self.blocks), self.now, index, b""))
                    continue
                done = t.Committed(self.id, 1, slot.account, signed.commitment)
                state = apply(state, done, self.now)
            self.blocks.append(state)
            if tell:
                self.relay.mined(batch.key, logs)

    def directly(self) -> None:
        """A trainer loses patience and commits by itself, to the same."""
        account = self.rng.choice(KEYS).address
        if account in self.taken and account not in self.state.round.commits:
            done = t.Committed(self.id, 1, account, self.taken[account])
            self.blocks.append(apply(self.state, done, self.now))

    def act(self) -> None:
        how = self.rng.random()
        if how < 0.4:
            self.offer()
        elif how < 0.6:
            self.mine(tell=self.rng.random() < 0.7)
        elif how < 0.65:
            self.directly()
        elif how < 0.75:
            self.blocks = self.blocks[: max(1, len(self.blocks) - self.rng.randrange(4))]
        elif how < 0.8:
            for batch in self.look()[:1]:
                self.relay.lost(batch.key)
        elif how < 0.9:
            self.book.close()
            self.relay = self.open()
        else:
            self.now = min(self.now + 40, self.state.deadline - 200)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_relay_took_reaches_the_chain_once(
    new_play: Any, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostrom.node.relay.desk.TRIES_MAX", 10**6)
    history = History(new_play([]).join(), tmp_path / "book", seed)
    for _ in range(60):
        history.act()
    sent = history.sent
    for step in range(1, 13):
        history.now = max(history.now, history.state.deadline - 150 + 10 * step)
        history.mine()
        history.mine()
    assert history.state.round.commits == history.taken
    assert history.look() == []
    assert history.sent - sent <= 4
