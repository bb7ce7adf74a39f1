"""Every change of a node's files fails once: the node goes on, and nothing is lost.

A whole simulated network (`tests/simulation`), of which one node is put together as `ostrom node`
does it, with real files in a folder: journal, relay's book, store, kept weights, lock, keystore. In
each run the i-th write, sync, rename, deletion, truncation or creation of that node's round fails.
The node waits or ends, is started again from its folder, and the round must be settled with the
same model, without a strike, all stakes back.
"""

from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tests.simulation.network import Network, Outcome
from tests.simulation.setting import Plan
from tests.soak.failing import NEED_ROOM, Connection, FailingDisk
from tests.soak.real import BLOCK_BYTES_MAX, PASSPHRASE, RealMachine

from ostrom.chain.keystore import load
from ostrom.codec import sha256
from ostrom.node import assembly
from ostrom.node.assembly import STORE
from ostrom.node.journal import Journal
from ostrom.node.looking import Ending
from ostrom.node.relay import Book
from ostrom.protocol import TaskState
from ostrom.storage import DirectoryStore, digest_of, pins
from ostrom.types import Digest

NODES = ("trainer-0", "validator-0", "relay")
ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO}


class DiskNetwork(Network):
    """A network in which nothing goes wrong but for one node's disk."""

    def __init__(self, plan: Plan, name: str, folder: Path, failing: FailingDisk) -> None:
        super().__init__(plan, only={})
        self.node = RealMachine(
            name, self.setting, self.net, self.faults, self.log, folder=folder, failing=failing
        )
        self.machines[name] = self.node
        for machine in self.machines.values():
            self._listen(machine)
        self._storm_ends = 0


@dataclass
class Run:
    """One network, with one change of one node's files that failed."""

    disk: FailingDisk
    model: Digest = b""
    trained: int = 0
    booted: int = 0
    faults: list[str] = field(default_factory=list)


def run_once(
    seed: int, name: str, folder: Path, *, fail_at: int = 0, number: int = errno.ENOSPC
) -> Run:
    """The network of that seed; the change `fail_at` of the node `name` fails, 0 for none."""
    failing = FailingDisk(fail_at, number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    plan = Plan(seed, rounds=1, relay=True)
    network = DiskNetwork(plan, name, folder, failing)
    with _on(failing):
        outcome = network.run()
    node, state = network.node, network.invariants.state
    made = Run(failing, state.versions[state.head].model, node.trained, node.booted)
    made.faults = [*_judge(outcome, state, node), *_files(node, folder)]
    return made


@contextmanager
def _on(failing: FailingDisk) -> Iterator[None]:
    """Let the node find that disk, and say nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            patch.object(assembly, "Journal", partial(Journal, connect=failing.connect)),
            patch.object(assembly, "Book", partial(Book, connect=failing.connect)),
            patch.object(pins, "sqlite3", _Sqlite(failing)),
            failing.mounted(),
        ):
            yield
    finally:
        logging.disable(before)


@dataclass(frozen=True)
class _Sqlite:
    """What the pins use of the module `sqlite3`."""

    failing: FailingDisk
    Error = sqlite3.Error

    def connect(self, path: str, **_: object) -> Connection:
        """A connection to that disk."""
        return self.failing.connect(Path(path))


def _judge(outcome: Outcome, state: TaskState, node: RealMachine) -> list[str]:
    """What does not hold of the round and of the node's part in it."""
    faults = [outcome.fault] if outcome.fault else []
    if (outcome.settled, outcome.void) != (1, 0):
        faults.append(f"{outcome.settled} rounds settled, {outcome.void} void")
    here, me = state.rounds[1], node.key.address
    did = {
        "trainer": lambda: me in here.reveals,
        "validator": lambda: me in here.score_reveals and me in here.attestations,
        "relay": lambda: True,
    }
    if not did[node.name.partition("-")[0]]():
        faults.append("the node missed a deadline")
    struck = [node.setting.accounts[a] for a, m in state.members.items() if m.strikes]
    if struck:
        faults.append(f"{struck} have strikes")
    for ending, line in node.endings:
        if ending == Ending.BROKEN or "\n" in line:
            faults.append(f"it ended as a broken program: {line}")
    return faults


def _files(node: RealMachine, folder: Path) -> list[str]:
    """What does not hold of the files that are left."""
    faults = []
    if load(folder / "key.json", PASSPHRASE).address != node.setting.plan.key(node.name).address:
        faults.append("the key is another")
    store = DirectoryStore(folder / "node" / STORE, read_only=True)
    for cid in store.cids():
        if sha256(store.read_block(cid, BLOCK_BYTES_MAX)) != digest_of(cid):
            faults.append(f"block {cid} is damaged")
    return faults


@dataclass
class Tally:
    """What came of failing one node's changes."""

    node: str
    changes: list[str]
    networks: int = 0
    again: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(self.changes).most_common())
        return (
            f"{self.node}: {len(self.changes)} changes in a round ({kinds}); {self.networks} "
            f"networks, the node was started again in {self.again}, {len(self.faults)} faults, "
            f"{self.seconds:.0f} s"
        )


def run(seed: int, name: str, folder: Path, *, every: int = 1, only: int | None = None) -> Tally:
    """Fail each `every`-th change of a node's round, or `only` one, on a full and a broken disk."""
    began, whole = time.monotonic(), run_once(seed, name, folder)
    tally = Tally(name, whole.disk.kinds)
    tally.faults += [f"{name}, nothing fails: {line}" for line in whole.faults]
    for fail_at in range(1, len(tally.changes) + 1, every) if only is None else [only]:
        errors = dict(ERRORS)
        if tally.changes[fail_at - 1] not in NEED_ROOM:
            del errors["full"]
        for word, number in errors.items():
            one = run_once(seed, name, folder, fail_at=fail_at, number=number)
            found = list(one.faults)
            if not one.disk.failed:
                found.append("nothing failed")
            if one.trained == whole.trained and one.model != whole.model:
                found.append("the model is another")
            tally.networks, tally.again = tally.networks + 1, tally.again + (one.booted > 1)
            tally.faults += [
                f"{name}, {word}, change {fail_at} ({one.disk.failed}): {line}\nreplay: "
                f"python -m tests.soak disk --seed {seed} --node {name} --change {fail_at}"
                for line in found
            ]
    tally.seconds = time.monotonic() - began
    return tally
