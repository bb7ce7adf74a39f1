"""A simulated machine with real files, and on it a node as `ostrom node` puts it together.

The chain, the network and the learning are simulated; lock, keystore, journal, relay's book, store
and kept weights are files.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np
from tests.simulation.chain import CHAIN_ID
from tests.simulation.faults import Faults, Log
from tests.simulation.lies import Taste
from tests.simulation.machine import Machine, forget_computations, wanted_model
from tests.simulation.peers import SimNet, SimStore
from tests.simulation.setting import LENGTH, Setting
from tests.soak.failing import FailingDisk

from ostrom.chain.deployed import Deployed, write_deployed
from ostrom.chain.keystore import WORK_LIGHT, import_key, load
from ostrom.errors import OstromError
from ostrom.node.assembly import JOURNAL, STATES, STORE, Assembly, salts
from ostrom.node.config import NodeConfig
from ostrom.node.journal import Connection
from ostrom.node.journal import connect as real_connect
from ostrom.node.kept import Kept
from ostrom.node.logs import Secrets
from ostrom.node.looking import Ending, Looking, Pace, Stop, diagnose
from ostrom.node.parts import Part, TrainerPart, ValidatorPart
from ostrom.node.relay.receipts import NOT_NOW, Receipt, receipt
from ostrom.node.server import Board, Server
from ostrom.node.service import ADDRESS, Desk, _announced, locked
from ostrom.node.trainer import Train, Trainer
from ostrom.node.validator import Validator
from ostrom.node.wiring import CountedFetch
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.storage import DirectoryStore
from ostrom.storage.peers import PeerStore
from ostrom.types import Cid, Digest, Update

PASSPHRASE = "of no importance"
BLOCK_BYTES_MAX = 1 << 21


class RealMachine(Machine):
    """A machine with real files, and a node as the command makes it; all else is simulated."""

    def __init__(
        self,
        name: str,
        setting: Setting,
        net: SimNet,
        faults: Faults,
        log: Log,
        *,
        folder: Path,
        failing: FailingDisk,
    ) -> None:
        self.folder, self.failing = folder, failing
        super().__init__(name, setting, net, faults, log)
        self.disk = _Camera(self)  # type: ignore[assignment]
        self.store = _FileStore(name, net, faults, folder / "node" / STORE)
        for content in setting.contents:
            DirectoryStore(folder / "node" / STORE).put(content)
        self.config = _settle(self)
        self.trained = 0
        self.endings: list[tuple[Ending, str]] = []
        self._process = ExitStack()
        self._looking: Looking | None = None
        self._assembly: _SimAssembly | None = None
        self.booted = 0

    def poll(self) -> bool:
        """Let the process look once; False if it has ended."""
        forget_computations()
        self.client.begin()
        with self.failing.watched():
            try:
                if self._looking is None:
                    self._looking = self._start()
                self._looking.stop = _OneLook()
                self._looking.run()
            except Exception as error:
                # As `ostrom.node.service.run` does it.
                self._ends(error)
                self.end(tear=False)
                return False
        return True

    def _start(self) -> Looking:
        """What the command does before the first look."""
        config, secrets = self.config, Secrets()
        self.booted += 1
        self._process.enter_context(locked(config.folder))
        self.key = load(config.keystore, PASSPHRASE)
        board = Board(lambda: float(self._faults.time), 1e9)
        server = cast(Server, _NoServer())
        self._process.enter_context(_announced(config.folder / ADDRESS, config.announce or ""))
        self._assembly = _SimAssembly(Desk(config, self.key, secrets, board, server), self)
        self._process.callback(self._assembly.close)
        return Looking(self._assembly, board, Pace(1.0), threading.Event())

    def hold(self, assembly: Assembly) -> None:
        """Show what the process has made to those who look on."""
        self.agent, self.reads = assembly.agent, cast(PeerStore, assembly.store)
        self.relay = assembly.relay if self.config.has("relay") else None

    def accept(self, data: bytes) -> Receipt:
        """What the relay's page answers."""
        agent, relay = self.agent, self.relay
        if agent is None or relay is None or agent.view is None:
            return receipt(NOT_NOW, "the relay is not up")
        with self.failing.watched():
            try:
                return relay.accept(data, agent.view.state, agent.view.head.time)
            except OstromError as error:
                return receipt(NOT_NOW, str(error))

    def end(self, *, tear: bool) -> None:
        """End the process."""
        self.agent = self.relay = self._looking = self._assembly = None
        process, self._process = self._process, ExitStack()
        try:
            process.close()
        except (OSError, OstromError, sqlite3.Error) as error:
            self._ends(error)
        self.failing.let_go()

    def _ends(self, error: Exception) -> None:
        why = diagnose(error) or Stop(Ending.BROKEN, repr(error))
        self.endings.append((why.ending, why.line))

    @property
    def about(self) -> dict[str, str]:
        """As the assembly's."""
        contracts = self.setting.deployment
        return {
            **super().about,
            "chain": str(CHAIN_ID),
            "training": contracts.training.address,
        }

    def validator_salt(self, number: int) -> Digest:
        """The real one, from the key."""
        training = self.setting.deployment.training.address
        return salts(self.key, CHAIN_ID, training, self.setting.task_id)(number)

    def train(self) -> Train:
        """Training that draws something else each time, and keeps a state as learners do."""
        kept = Kept(self.config.folder / STATES)

        def train(state: TaskState) -> Update:
            sent = [n for n, r in state.rounds.items() if self.key.address in r.reveals]
            base = max((n for n in kept.rounds() if n in sent), default=None)
            self.trained += 1
            dice = Random(f"{self.setting.plan.seed} {state.number} {self.trained}")
            parent = load_model(self.reads, parent_of_round(state), self.setting.spec)
            towards = (wanted_model() - parent["parameters"]) // 3
            noise = np.array([dice.randint(-99, 99) for _ in range(LENGTH)])
            values = (towards + noise).astype(np.int32)
            kept.save(state.number, {"momentum": values}, base=base)
            return Update(values, samples=10)

        return train


class _SimAssembly(Assembly):
    """The node's own assembly, but for the chain, the network and the learning."""

    def __init__(self, desk: Desk, machine: RealMachine) -> None:
        self._machine = machine
        super().__init__(desk)

    def poll(self) -> None:
        """Look; then do what the command has threads for."""
        self.contents.start = _nothing  # type: ignore[method-assign]
        self._machine.hold(self)
        super().poll()
        assert self.contents.keeper is not None
        for step in (self.contents.keeper.step, self.contents.collect):
            # The threads try again, too, and pass over nothing else.
            with suppress(OstromError):
                step()

    @cached_property
    def chain(self) -> Any:
        client, at = self._machine.client, self.deployed.contracts
        client.watch({one.address: type(one).__name__ for one in (at.registry, at.models)})
        client.watch({at.training.address: type(at.training).__name__})
        return client

    @cached_property
    def fetch(self) -> CountedFetch:
        return CountedFetch(self._machine.store.fetch)

    @cached_property
    def carrier(self) -> Any:
        return self._machine.carrier and _Counted(self._machine.carrier)

    def _trainer(self) -> Part:
        machine = self._machine
        me = Trainer(self.key.address, machine.train(), self.store, self._salt, self.spec)
        return TrainerPart(me, self.deployed.contracts.training, self.journal, self._courier())

    def _validator(self) -> Part:
        taste = Taste(wanted_model(), 1.0)
        me = Validator(self.key.address, taste, self.store, self._salt, self.spec)
        return ValidatorPart(me, self.deployed.contracts.training, self.journal)


@dataclass
class _Counted:
    carrier: Any
    counts: Counter[str] = field(default_factory=Counter)

    def offer(self, data: bytes) -> Receipt:
        return cast(Receipt, self.carrier.offer(data))


def _nothing() -> None:
    """Starts no thread."""


class _OneLook(threading.Event):
    """Ends the loop after one look."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


class _NoServer:
    """Pages that nobody asks for."""

    def add(self, routes: Sequence[object]) -> None:
        return None


class _FileStore(SimStore):
    """What a machine with real files serves to its peers."""

    def __init__(self, name: str, net: SimNet, faults: Faults, path: Path) -> None:
        self._files = DirectoryStore(path)
        super().__init__(name, net, faults)

    @property
    def blocks(self) -> dict[Cid, bytes]:
        """All blocks, from the disk."""
        files = self._files
        return {cid: files.read_block(cid, BLOCK_BYTES_MAX) for cid in files.cids()}

    @blocks.setter
    def blocks(self, _: dict[Cid, bytes]) -> None:
        return None

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """A block."""
        return self._files.read_block(cid, limit)


class _Camera:
    """Copies of a machine's journal, for who wants to see what it holds at a moment."""

    def __init__(self, machine: RealMachine) -> None:
        self._machine = machine

    def copy(self) -> _Copy:
        """Copy the journal as it lies there."""
        with self._machine.failing.unwatched():
            folder = self._machine.folder / "copy"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for file in self._machine.config.folder.glob(f"{JOURNAL}*"):
                shutil.copy(file, folder)
            return _Copy(real_connect(folder / JOURNAL))

    def unmount(self) -> None:
        """End the process."""
        self._machine.end(tear=False)


@dataclass(frozen=True)
class _Copy:
    """A journal's copy, as `SimDisk` has it."""

    opened: Connection

    def connect(self, _: Path) -> Connection:
        """The copy, under whatever name."""
        return self.opened

    def unmount(self) -> None:
        """Let it go."""
        self.opened.close()


def _settle(machine: RealMachine) -> NodeConfig:
    """Write what the node needs before it starts: keystore and deployment; its settings."""
    folder, setting, name = machine.folder, machine.setting, machine.name
    import_key(folder / "key.json", machine.key._private.secret, PASSPHRASE, work=WORK_LIGHT)
    write_deployed(folder / "deployment.json", Deployed(CHAIN_ID, 0, setting.deployment))
    role: Any = name.partition("-")[0]
    return NodeConfig(
        role=(role,),
        rpc=("http://127.0.0.1:1",),
        task=setting.task_id.hex(),
        deployment=folder / "deployment.json",
        keystore=folder / "key.json",
        data=None if role == "relay" else "digits",
        folder=folder / "node",
        announce=f"http://{name}",
        peers=tuple(f"http://{one}" for one in setting.plan.nodes),
        relays=("http://relay",) if role == "trainer" else (),
        confirmations=setting.plan.confirmations,
        first_block=setting.first,
    )
