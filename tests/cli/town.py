"""A real chain with a deployed network, and people with keystores who run commands there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tests.chain.anvil import Anvil
from typer.testing import CliRunner

from ostrom.chain.deployed import Deployed, read_deployed
from ostrom.chain.keystore import WORK_LIGHT, create, load
from ostrom.chain.rpc import RpcLedger
from ostrom.cli.app import app
from ostrom.data import load_dataset, split
from ostrom.node import Trainer, Validator, ValidatorMemory, trainer_step, validator_step
from ostrom.node.transactions import call_of
from ostrom.protocol import TaskState, replay
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore
from ostrom.training import ModelHoldout, build_model
from ostrom.types import Address, Update

PASSPHRASE = "correct horse"
COINS = 10**18
START_SECONDS_MAX = 60
HOUR = 3_600

TASK = """\
name = "{name}"
pool = 1_000
trainer_stake = 10
validator_stake = "100.5"
rounds = {rounds}
max_trainers = {seats}
validators = [{validators}]
store = "store"

[phases]
join = 3600

[model]
name = "logistic"
shape = [8, 8]
classes = 10

[mechanisms]
algorithm = "fedavg(epochs=1)"
"""


@dataclass(frozen=True)
class Person:
    """An account and the keystore that holds its key."""

    keystore: Path
    address: Address


@dataclass
class Town:
    """A chain, a network's contracts, and a folder for everything that is written."""

    url: str
    folder: Path
    people: dict[str, Person] = field(default_factory=dict)

    @cached_property
    def ledger(self) -> RpcLedger:
        """The chain as the tests see it."""
        return RpcLedger(self.url)

    @property
    def deployment(self) -> Path:
        """The file that `ostrom deploy` writes."""
        return self.folder / "deployment.json"

    @property
    def deployed(self) -> Deployed:
        """The network."""
        return read_deployed(self.deployment)

    @property
    def store(self) -> DirectoryStore:
        """Where tasks publish."""
        return DirectoryStore(self.folder / "store")

    def environment(self, **more: str) -> Mapping[str, str]:
        """What spares the commands their options."""
        return {
            "OSTROM_RPC": self.url,
            "OSTROM_DEPLOYMENT": str(self.deployment),
            "OSTROM_PASSPHRASE": PASSPHRASE,
            **more,
        }

    def run(self, *words: object, who: Person | None = None, **environment: str) -> Any:
        """Run a command; `who` signs."""
        text = [str(word) for word in words]
        more = environment if who is None else {"OSTROM_KEYSTORE": str(who.keystore)} | environment
        return CliRunner().invoke(app, text, env=self.environment(**more))

    def done(self, *words: object, who: Person | None = None) -> Any:
        """What a command that succeeds prints as JSON."""
        ended = self.run(*words, "--json", who=who)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    def refused(self, *words: object, who: Person | None = None) -> str:
        """The one line of a command that refuses, which must send nothing."""
        before = self.ledger.block_number
        ended = self.run(*words, who=who)
        assert ended.exit_code == 2, ended.output
        assert self.ledger.block_number == before
        assert ended.stderr.count("\n") == 1, ended.stderr
        return str(ended.stderr).removeprefix("ostrom: ").strip()

    def person(self, name: str, *, tokens: int = 0, coins: int = COINS) -> Person:
        """A new account with coins for gas and tokens from the sponsor."""
        path = self.folder / f"{name}.json"
        made = Person(path, create(path, PASSPHRASE, work=WORK_LIGHT).address)
        self.ledger.request("anvil_setBalance", made.address, hex(coins))
        if tokens:
            give = ("fund", "--account", made.address, "--amount", tokens)
            assert self.run(*give, who=self.people["sponsor"]).exit_code == 0
        self.people[name] = made
        return made

    def task_file(self, name: str, *validators: Person, rounds: int = 3, seats: int = 2) -> Path:
        """A task that names these validators."""
        named = ", ".join(f'"{one.address}"' for one in validators)
        path = self.folder / f"{name}.toml"
        path.write_text(TASK.format(name=name, validators=named, rounds=rounds, seats=seats))
        return path

    def task(self, name: str, *validators: Person, rounds: int = 3, seats: int = 2) -> str:
        """A created task."""
        file = self.task_file(name, *validators, rounds=rounds, seats=seats)
        made = self.done("task", "create", "-f", file, who=self.people["sponsor"])
        return str(made["task"])

    def pass_time(self, seconds: int) -> None:
        """A block that comes that much later than the last."""
        self.ledger.request("evm_setNextBlockTimestamp", hex(self.ledger.now() + seconds))
        self.ledger.request("evm_mine")

    def state(self, task: str) -> TaskState:
        """The task as its events tell it."""
        self.deployed.contracts.watch(self.ledger)
        log = self.ledger.events(0, self.ledger.block_number)
        return replay(TaskState(task_id=bytes.fromhex(task)), log)

    def settle_round(self, task: str, trainer: Person, validator: Person) -> None:
        """One round of one trainer and one validator, by the steps that their nodes take."""
        spec = Spec.decode((self.store).get(self._spec(task), max_bytes=1 << 20))
        digits = split(load_dataset("digits"), np.random.default_rng(0)).dev.subset(np.arange(50))
        model = build_model(spec.model, shape=spec.shape, classes=spec.classes)
        rng = np.random.default_rng(0)

        def train(state: TaskState) -> Update:
            return Update(rng.integers(-9, 9, spec.parameters).astype(np.int32), samples=7)

        def salt(number: int) -> bytes:
            return bytes([number]) * 32

        trains = Trainer(trainer.address, train, self.store, salt, spec)
        scores = Validator(validator.address, ModelHoldout(model, digits), self.store, salt, spec)
        sealed: Any = {}
        held = ValidatorMemory()
        number = self.state(task).number
        while (state := self.state(task)).number == number and not state.over:
            sealed, acts = trainer_step(trains, sealed, state)
            self._send(task, trainer, acts)
            held, acts = validator_step(scores, held, self.state(task), now=self.ledger.now())
            self._send(task, validator, acts)

    def _spec(self, task: str) -> str:
        shown = self.done("task", "show", task)
        return str(shown["spec"])

    def _send(self, task: str, who: Person, acts: Any) -> None:
        key = load(who.keystore, PASSPHRASE)
        for act in acts:
            call = call_of(act, self.deployed.contracts.training, bytes.fromhex(task))
            self.ledger.send(call, key)

    @contextmanager
    def relay(self, carrier: Person, name: str, folder: Path) -> Iterator[str]:
        """The URL of a relay that runs as a process of its own and pays with the carrier's key."""
        # Publishing once more, into the relay's own store, pays nothing.
        file, store = self.folder / f"{name}.toml", folder / "relay" / "store"
        publish = ("task", "create", "-f", file, "--store", store)
        task = self.done(*publish, who=self.people["sponsor"])["task"]
        # A node acts when there is a new block.
        self.ledger.request("evm_setIntervalMining", 1)
        words = ["--role", "relay", "--task", task, "--folder", str(folder / "relay")]
        words += ["--listen", "127.0.0.1:0", "--confirmations", "0", "--poll-seconds", "0.2"]
        process = subprocess.Popen(
            [sys.executable, "-m", "ostrom.cli", "node", *words],
            env=os.environ | self.environment(OSTROM_KEYSTORE=str(carrier.keystore)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address, until = folder / "relay" / "address", time.monotonic() + START_SECONDS_MAX
        try:
            while not (address.exists() and is_relay(address.read_text().strip())):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
            yield address.read_text().strip()
        finally:
            process.terminate()
            process.wait(START_SECONDS_MAX)
            self.ledger.request("evm_setIntervalMining", 0)


@contextmanager
def found_town(folder: Path) -> Iterator[Town]:
    """A chain with a network that the sponsor has deployed."""
    with Anvil() as node:
        town = Town(node.url, folder)
        sponsor = town.person("sponsor")
        town.done("deploy", "--bond-delay", 60, "--out", town.deployment, who=sponsor)
        yield town


def is_relay(url: str) -> bool:
    """True once the node there carries messages, which is a while after it listens."""
    try:
        return httpx.get(f"{url}/v1/status", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
