"""A machine with one real node on it: its disk, its store, its view of the chain."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import apsw
import numpy as np
from tests.simulation.chain import CHAIN_ID
from tests.simulation.client import SimNodeClient
from tests.simulation.disk import SimDisk
from tests.simulation.faults import Crash, Faults, Log
from tests.simulation.lies import TWISTS, Taste, Twisted, garbage
from tests.simulation.peers import SimNet, SimStore
from tests.simulation.setting import LENGTH, Setting

from ostrom.chain.follower import Follower
from ostrom.errors import LedgerError, StoreError
from ostrom.node.agent import Agent
from ostrom.node.journal import Journal
from ostrom.node.outbox import Outbox
from ostrom.node.parts import Courier, KeeperPart, Part, TrainerPart, ValidatorPart
from ostrom.node.relay import Book, Carrier, Place, Relay, lanes_of
from ostrom.node.relay.part import RelayPart
from ostrom.node.relay.receipts import NOT_NOW, Receipt, receipt
from ostrom.node.trainer import Train, Trainer
from ostrom.node.validator import Validator
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.settlement import _answer, _informed, _left_out
from ostrom.storage.peers import PeerStore
from ostrom.tensors import FRACTION_BITS
from ostrom.types import Digest, Update

JOURNAL = Path("/journal.sqlite")
BOOK = Path("/book.sqlite")


class Machine:
    """One party. The agent is thrown away at a crash and made anew from disk and store."""

    def __init__(self, name: str, setting: Setting, net: SimNet, faults: Faults, log: Log) -> None:
        self.name, self.setting, self._faults, self._log = name, setting, faults, log
        plan = setting.plan
        self.key = plan.key(name)
        self.lie = plan.lies.get(name)
        self.dice = Random(f"machine {plan.seed} {name}")
        # The machine's own clock, which only the store's patience with peers goes by.
        self._clock_starts, self._clock_rate = (
            self.dice.uniform(-1e6, 1e6),
            self.dice.uniform(0.9, 1.1),
        )
        self.disk = SimDisk(self.dice)
        self.disk.hook = self._disk_changes
        self.store = SimStore(name, net, faults)
        self.reads = self._peer_store()
        self.carrier: Carrier | None = None
        self.relay: Relay | None = None
        for content in setting.contents:
            self.store.put(content)
        self.client = SimNodeClient(name, setting.chain, faults)
        self.agent: Agent | None = None
        self.trouble = ""
        self.crashes = 0
        self._alive = False

    @property
    def place(self) -> Place:
        """What relayed messages are for."""
        return Place(CHAIN_ID, self.setting.deployment.training.address)

    @property
    def honest(self) -> bool:
        """True unless the plan says otherwise."""
        return self.lie is None

    def poll(self) -> bool:
        """Let the node look once; False if its process has ended."""
        forget_computations()
        self._alive = True
        self.client.begin()
        try:
            if self.agent is None:
                self.agent = self._boot()
            self.agent.poll()
            self._note(self.agent.fault)
        except Crash:
            self.end(tear=self._faults.strikes("crash tears the disk", self.name))
            return False
        except (LedgerError, StoreError) as error:
            self._note(f"{type(error).__name__}: {error}")
            if self.agent is None:
                self.end(tear=False)
                return False
        except sqlite3.Error as error:
            # What `ostrom node` does: it stops with one line, and somebody starts it again.
            self._note(f"disk: {error}")
            self.end(tear=False)
            return False
        finally:
            self.disk.bury()
        return True

    def accept(self, data: bytes) -> Receipt:
        """What this machine's relay answers to a message; 503 where nobody answers."""
        agent, relay = self.agent, self.relay
        if agent is None or relay is None or agent.view is None:
            return receipt(NOT_NOW, "the relay is not up")
        try:
            return relay.accept(data, agent.view.state, agent.view.head.time)
        except Crash:
            self.end(tear=self._faults.strikes("crash tears the disk", self.name))
        except (sqlite3.Error, StoreError) as error:
            self._note(f"disk: {error}")
        return receipt(NOT_NOW, "the relay is gone")

    def end(self, *, tear: bool) -> None:
        """The process is gone, if it is not already."""
        if not self._alive:
            return
        self._alive = False
        self.crashes += 1
        self.agent = None
        self.disk.crash(tear=tear)
        self._log.write(self._faults.time, self.name, "ends" + (" and tears" if tear else ""))

    def _note(self, trouble: str) -> None:
        """Write a fault down once."""
        if trouble and trouble != self.trouble:
            self._log.write(self._faults.time, self.name, trouble[:160])
        self.trouble = trouble

    def _disk_changes(self, what: str) -> None:
        if self._alive and self._faults.strikes("crash before", self.name):
            # What follows in this process reaches a ghost of the disk only.
            self.end(tear=self._faults.strikes("crash tears the disk", self.name))
            raise Crash(self.name)
        if self._faults.strikes("disk fails", self.name):
            raise self._faults.dice.choice([apsw.FullError, apsw.IOError])(f"simulated: {what}")

    def _peer_store(self) -> PeerStore:
        """The real store of a node: its own blocks, then its peers'."""

        def clock() -> float:
            return self._clock_starts + self._clock_rate * self._faults.time

        return PeerStore(self.store, self.store.urls, self.store.fetch, clock=clock)

    def _boot(self) -> Agent:
        self.reads = self._peer_store()
        setting, plan = self.setting, self.setting.plan
        self.client.watch(
            {
                contract.address: type(contract).__name__
                for contract in (
                    setting.deployment.registry,
                    setting.deployment.models,
                    setting.deployment.training,
                )
            }
        )
        journal = Journal(JOURNAL, self.about, connect=self.disk.connect)
        follower = Follower(
            self.client,
            setting.deployment.training,
            setting.task_id,
            first=setting.first,
            confirmations=plan.confirmations,
        )
        outbox = Outbox(self.client, self.key, journal, confirmations=plan.confirmations)
        part = self._part(journal, outbox)
        twist = TWISTS.get(self.lie or "")
        return Agent(follower, outbox, Twisted(part, twist) if twist else part)

    @property
    def about(self) -> dict[str, str]:
        """Whose files these are."""
        return {"task": self.setting.task_id.hex(), "account": self.key.address}

    def _part(self, journal: Journal, outbox: Outbox) -> Part:
        setting = self.setting
        training, address = setting.deployment.training, self.key.address
        if self.name == "sponsor":
            return KeeperPart(self.reads, training)
        if self.name == "relay":
            book = Book(BOOK, self.about, connect=self.disk.connect)
            self.relay = Relay(self.place, setting.task_id, book=book, lanes=lanes_of(self.place))
            return RelayPart(self.relay, outbox, self.client, training, self.reads)
        if self.name.startswith("trainer"):
            me = Trainer(address, self._train(), self.reads, self._fresh_salt, setting.spec)
            return TrainerPart(me, training, journal, self._courier())
        factor = 1_000.0 if self.lie == "inflated" else 1.0
        taste = Taste(wanted_model(), factor)
        return ValidatorPart(
            Validator(address, taste, self.reads, self.validator_salt, setting.spec),
            training,
            journal,
        )

    def _courier(self) -> Courier | None:
        """Liars send their lies themselves."""
        if self.carrier is None or not self.honest:
            return None
        return Courier(self.carrier, self.place, self.key)

    def _train(self) -> Train:
        """Simulated training: a step towards what the holdouts like, never the same twice."""

        def train(state: TaskState) -> Update:
            parent = load_model(self.reads, parent_of_round(state), self.setting.spec)
            towards = (wanted_model() - parent["parameters"]) // 3
            noise = [self.dice.randint(-99, 99) for _ in range(LENGTH)]
            values = (towards + np.array(noise)).astype(np.int32)
            made = Update(values, samples=self.dice.randint(10, 20))
            return garbage(made) if self.lie == "garbage" else made

        return train

    def _fresh_salt(self, number: int) -> Digest:
        """Never the same twice: only the journal remembers it."""
        return self.dice.randbytes(32)

    def validator_salt(self, number: int) -> Digest:
        """From the key, so that it can be made again."""
        return self.setting.plan.secret("salt", self.name, number)


def wanted_model() -> np.ndarray:
    """(d,) What all holdouts like best, in fixed point."""
    return (np.arange(LENGTH) - LENGTH // 2) << FRACTION_BITS - 3


def forget_computations() -> None:
    """Each node is a process of its own: it finds none of the others' results."""
    for cached in (_answer, _left_out, _informed):
        cached.cache_clear()
