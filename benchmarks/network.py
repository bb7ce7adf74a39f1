"""What a relay costs from ten to a thousand trainers: signed messages, a real chain, one relay.

Training is left out: an update is a digest. Everything else is real: keys, signatures, the relay's
checks and its book on a disk, the contracts, and anvil as the chain.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Result
from ostrom.chain.contracts import SignedJoin, SignedPermit, Training
from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.hashes import update_commitment
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import (
    Join,
    Key,
    Permit,
    Register,
    registry_domain,
    simulation_key,
    token_domain,
    training_domain,
)
from ostrom.network.anvil import Anvil
from ostrom.node.actions import Commit, Reveal
from ostrom.node.relay import Book, Place, Relay, commit_message, lanes_of, reveal_message
from ostrom.node.taskfile import EXAMPLE, PreparedTask, TaskFile
from ostrom.protocol import TaskState, replay
from ostrom.types import Opening, Phase, Role

COMMAND = "python -m benchmarks network"
SIZES = (10, 100, 1_000)
WARM_ROUND = 2
"""In the first round every slot is written for the first time; later ones are alike."""

HOUR_SECONDS = 3_600
JOINS_MAX = 50
PHASE_SECONDS = 600


@dataclass(frozen=True)
class Round:
    """One round's commits and reveals: gas, seconds of this machine, bytes of the messages."""

    trainers: int
    gas: int
    seconds_signing: float
    seconds_carrying: float
    message_bytes: int


@dataclass
class Federation:
    """Trainers that only sign, and one relay."""

    ledger: RpcLedger
    at: Deployment
    task: PreparedTask
    relay_key: Key
    trainers: list[Key]
    relay: Relay
    first: int

    def state(self) -> TaskState:
        """The task at the head."""
        task_id = self.task.task_id
        log = self.ledger.events(self.first, self.ledger.block_number)
        return replay(TaskState(task_id=task_id), log)

    def run_round(self) -> Round:
        """Commit and reveal once."""
        gas, signing, carrying, size = 0, 0.0, 0.0, 0
        openings: dict[str, Opening] = {}
        for phase in (Phase.COMMIT, Phase.REVEAL):
            state = self.state()
            assert state.phase == phase, state.phase
            began = time.perf_counter()
            messages = [self._message(key, state, openings) for key in self.trainers]
            signed = time.perf_counter()
            now = self.ledger.now()
            for message in messages:
                assert self.relay.accept(message, state, now).accepted
            gas += self._carry(state, now)
            signing += signed - began
            carrying += time.perf_counter() - signed
            size += sum(map(len, messages))
        return Round(len(self.trainers), gas, signing, carrying, size)

    def _message(self, key: Key, state: TaskState, openings: dict[str, Opening]) -> bytes:
        task_id, number = self.task.task_id, state.number
        if state.phase == Phase.REVEAL:
            return reveal_message(
                self.relay.place, task_id, Reveal(number, key.address, openings[key.address])
            )
        opening = Opening(secrets.token_bytes(32), secrets.token_bytes(32), 1, bytes(32))
        openings[key.address] = opening
        hidden = update_commitment(task_id, number, trainer=key.address, opening=opening)
        act = Commit(number, key.address, hidden)
        return commit_message(self.relay.place, task_id, act, key)

    def _carry(self, state: TaskState, now: int) -> int:
        """Send what is due; its gas."""
        receipts = []
        for batch in self.relay.due(state, now):
            receipts.append(self.ledger.send(batch.call, self.relay_key))
            self.relay.mined(batch.key, receipts[-1].events)
        return sum(one.gas_used for one in receipts)

    def skip_to_next_round(self) -> None:
        """Let the validators' phases run out: the round is void."""
        training: Training = self.at.training
        while self.state().phase != Phase.COMMIT:
            self.ledger.request("evm_increaseTime", hex(PHASE_SECONDS + 1))
            self.ledger.request("evm_mine")
            self.ledger.send(training.advance(self.task.task_id), self.relay_key)


def federation(folder: Path, stack: ExitStack, trainers: int) -> Federation:
    """A chain with a task that `trainers` have joined."""
    chain = Anvil(folder / "chain")
    stack.callback(chain.stop)
    sponsor, relay, validator = (simulation_key(0, name) for name in ("sponsor", "relay", "judge"))
    for key in (sponsor, relay, validator):
        chain.give(key.address, 10_000)
    ledger = RpcLedger(chain.url)
    stack.callback(ledger.close)
    first = ledger.block_number
    at = deploy(ledger, sponsor, treasury=sponsor.address, bond_delay=HOUR_SECONDS)
    judge = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    text = EXAMPLE.replace(judge, validator.address)
    text = text.replace("max_trainers = 10", f"max_trainers = {trainers}")
    phases = ("reveal", "score", "score_reveal", "attest")
    text = text.replace(
        "[phases]\n", "[phases]\n" + "".join(f"{one} = {PHASE_SECONDS}\n" for one in phases)
    )
    task = TaskFile.parse(text).prepare(sponsor=sponsor.address, token=at.token.address)
    ledger.send(at.token.approve(at.training.address, task.params.pool), sponsor)
    ledger.send(at.training.create_task(task.params), sponsor)
    keys = [simulation_key(0, f"trainer-{i}") for i in range(trainers)]
    join(ledger, at, task, sponsor=sponsor, relay=relay, keys=keys)
    _join_validator(ledger, at, task, sponsor=sponsor, key=validator)
    place = Place(ledger.chain_id, at.training.address)
    about = {"chain": str(ledger.chain_id), "task": task.task_id.hex()}
    book = Book(folder / "relay.sqlite", about)
    stack.callback(book.close)
    carrier = Relay(place, task.task_id, book=book, lanes=lanes_of(place))
    return Federation(ledger, at, task, relay, keys, carrier, first)


def _join_validator(
    ledger: RpcLedger, at: Deployment, task: PreparedTask, *, sponsor: Key, key: Key
) -> None:
    stake = task.params.validator_stake
    ledger.send(at.token.transfer(key.address, stake), sponsor)
    for call in (
        at.token.approve(at.registry.address, stake),
        at.registry.deposit(stake),
        at.registry.register(Role.VALIDATOR, bytes(32)),
        at.training.join(task.task_id, role=Role.VALIDATOR, stake=stake),
    ):
        ledger.send(call, key)


def join(
    ledger: RpcLedger,
    at: Deployment,
    task: PreparedTask,
    *,
    sponsor: Key,
    relay: Key,
    keys: list[Key],
) -> None:
    """Everybody registers and joins by signature."""
    deadline, chain = ledger.now() + 24 * HOUR_SECONDS, ledger.chain_id
    stake, signed = task.params.trainer_stake, []
    for key in keys:
        ledger.send(at.token.transfer(key.address, stake), sponsor)
        register = Register(key.address, Role.TRAINER, bytes(32), 0, deadline)
        mark = key.sign(register.digest(registry_domain(chain, at.registry.address)))
        ledger.send(at.registry.register_by_signature(register, mark), relay)
        permit = Permit(key.address, at.registry.address, stake, 0, deadline)
        allowed = key.sign(permit.digest(token_domain(chain, at.token.address)))
        wish = Join(key.address, Role.TRAINER, stake, deadline)
        domain = training_domain(chain, at.training.address)
        signed.append(
            SignedJoin.of(
                wish,
                key.sign(wish.digest(domain, task.task_id)),
                permit=SignedPermit.of(stake, deadline, signature=allowed),
            )
        )
    for start in range(0, len(signed), JOINS_MAX):
        batch = signed[start : start + JOINS_MAX]
        ledger.send(at.training.join_batch(task.task_id, batch), relay)


def measure_round(trainers: int) -> Round:
    """A later round with that many trainers."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = federation(Path(folder), stack, trainers)
        while made.state().number < WARM_ROUND:
            made.run_round()
            made.skip_to_next_round()
        return made.run_round()


def measure() -> Iterable[Result]:
    """Gas, seconds and bytes of a trainer's round, and how they grow with the trainers."""
    rounds = {size: measure_round(size) for size in SIZES}
    setting = "commit and reveal of round 2, one relay, anvil"
    for size, one in rounds.items():
        yield Result(
            f"Commit and reveal through a relay, per trainer of {size:,}",
            one.gas / size,
            "gas",
            25_000.0 if size >= 100 else None,
            "no other relays commitments",
            "lower",
            COMMAND,
            setting=setting,
        )
        yield Result(
            f"The relay's time for a trainer's round, of {size:,}",
            1_000 * one.seconds_carrying / size,
            "ms",
            None,
            "",
            "lower",
            COMMAND,
            setting=f"{setting}; trainers sign in {1_000 * one.seconds_signing / size:.2f} ms each",
        )
        yield Result(
            f"A trainer's two messages, of {size:,}",
            one.message_bytes / size,
            "bytes",
            None,
            "",
            "lower",
            COMMAND,
            setting=setting,
        )
    yield Result(
        "Gas per trainer with 1,000 trainers, against 100",
        (rounds[1_000].gas / 1_000) / (rounds[100].gas / 100),
        "times",
        1.05,
        "",
        "lower",
        COMMAND,
        setting=setting,
    )
