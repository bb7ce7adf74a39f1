"""A machine with one real node on it: its disk, its store, its view of the chain."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import apsw
import numpy as np

from ostrom.chain.follower import Follower
from ostrom.errors import LedgerError, StoreError
from ostrom.node.agent import Agent
from ostrom.node.journal import Journal
from ostrom.node.outbox import Outbox
from ostrom.node.parts import KeeperPart, Part, TrainerPart, ValidatorPart
from ostrom.node.trainer import Train, Trainer
from ostrom.node.validator import Validator
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.settlement import _answer, _informed, _left_out
from ostrom.tensors import FRACTION_BITS
from ostrom.types import Digest, Update
from tests.simulation.client import SimNodeClient
from tests.simulation.disk import SimDisk
from tests.simulation.faults import Crash, Faults, Log
from tests.simulation.lies import TWISTS, Taste, Twisted, garbage
from tests.simulation.peers import SimNet, SimStore
from tests.simulation.setting import LENGTH, Setting

JOURNAL = Path("/journal.sqlite")


class Machine:
    """One party. The agent is thrown away at a crash and made anew from disk and store."""

    def __init__(self, name: str, setting: Setting, net: SimNet, faults: Faults, log: Log) -> None:
        self.name, self.setting, self._faults, self._log = name, setting, faults, log
        plan = setting.plan
        self.key = plan.key(name)
        self.lie = plan.lies.get(name)
        self.dice = Random(f"machine {plan.seed} {name}")
        self.disk = SimDisk(self.dice)
        self.disk.hook = self._disk_changes
        self.store = SimStore(name, net, faults, self.dice)
        for content in setting.contents:
            self.store.put(content)
        self.client = SimNodeClient(name, setting.chain, faults)
        self.agent: Agent | None = None
        self.trouble = ""
        self.crashes = 0
        self._alive = False

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

    def _boot(self) -> Agent:
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
        about = {"task": setting.task_id.hex(), "account": self.key.address}
        journal = Journal(JOURNAL, about, connect=self.disk.connect)
        follower = Follower(
            self.client,
            setting.deployment.training,
            setting.task_id,
            first=setting.first,
            confirmations=plan.confirmations,
        )
        outbox = Outbox(self.client, self.key, journal, confirmations=plan.confirmations)
        return Agent(follower, outbox, self._part(journal))

    def _part(self, journal: Journal) -> Part:
        part = self._honest_part(journal)
        return Twisted(part, TWISTS[self.lie]) if self.lie in TWISTS else part

    def _honest_part(self, journal: Journal) -> Part:
        setting = self.setting
        training, address = setting.deployment.training, self.key.address
        if self.name == "sponsor":
            return KeeperPart(self.store, training)
        if self.name.startswith("trainer"):
            me = Trainer(address, self._train(), self.store, self._fresh_salt, setting.spec)
            return TrainerPart(me, training, journal)
        factor = 1_000.0 if self.lie == "inflated" else 1.0
        taste = Taste(wanted_model(), factor)
        return ValidatorPart(
            Validator(address, taste, self.store, self.validator_salt, setting.spec), training, journal
        )

    def _train(self) -> Train:
        """Simulated training: a step towards what the holdouts like, never the same twice."""

        def train(state: TaskState) -> Update:
            parent = load_model(self.store, parent_of_round(state), self.setting.spec)
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
