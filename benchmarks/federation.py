"""A chain with a task that many trainers have joined, and one relay: what `network` measures.

A trainer here is a key. Joining is real, and done as fast as it can be: `RpcLedger.send` asks for
an estimate, fees and a receipt, one transaction after the other; here all are signed first and
mined in as few blocks as hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ostrom.chain.answers import quantity
from ostrom.chain.artifacts import encode_call
from ostrom.chain.contracts import SignedJoin, SignedPermit
from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.follower import Follower
from ostrom.chain.ledger import Call
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
from ostrom.node.relay import Book, Place, Relay, lanes_of
from ostrom.node.relay.admission import JOINS_MAX
from ostrom.node.taskfile import EXAMPLE, PreparedTask, TaskFile
from ostrom.protocol import TaskState
from ostrom.types import Phase, Role

HOUR_SECONDS = 3_600
PHASE_SECONDS = 3_600
COINS = 10_000

_RECEIPTS = "eth_getBlockReceipts"


@dataclass(frozen=True)
class Federation:
    """Trainers that only sign, and one relay.

    Attributes:
        joining_gas: what it took to register the trainers and let them join, without the transfers
            of their stakes.
    """

    ledger: RpcLedger
    at: Deployment
    task: PreparedTask
    relay_key: Key
    trainers: Sequence[Key]
    relay: Relay
    follower: Follower
    joining_gas: int

    def state(self) -> TaskState:
        """The task at the head, as a relay's node follows it."""
        return self.follower.look().state

    def skip_to_next_round(self) -> None:
        """Let the validators' phases run out: the round is void."""
        while self.state().phase != Phase.COMMIT:
            self.ledger.request("evm_increaseTime", hex(PHASE_SECONDS + 1))
            self.ledger.request("evm_mine")
            self.ledger.send(self.at.training.advance(self.task.task_id), self.relay_key)


def federation(folder: Path, stack: ExitStack, trainers: int) -> Federation:
    """A task that so many trainers have joined, on a chain that ends with the stack."""
    chain = Anvil(folder / "chain", lasting=False)
    stack.callback(chain.stop)
    sponsor, relay, validator = (simulation_key(0, name) for name in ("sponsor", "relay", "judge"))
    for key in (sponsor, relay, validator):
        chain.give(key.address, COINS)
    ledger = RpcLedger(chain.url)
    stack.callback(ledger.close)
    at = deploy(ledger, sponsor, treasury=sponsor.address, bond_delay=HOUR_SECONDS)
    task = _task(at, trainers, sponsor=sponsor, validator=validator)
    ledger.send(at.token.approve(at.training.address, task.params.pool), sponsor)
    made = ledger.send(at.training.create_task(task.params), sponsor)
    keys = [simulation_key(0, f"trainer-{i}") for i in range(trainers)]
    stake = task.params.trainer_stake
    stakes = [at.token.transfer(key.address, stake) for key in keys]
    send_together(ledger, stakes, sponsor)
    gas = _register(ledger, at, relay=relay, keys=keys) + _join(
        ledger, at, task, relay=relay, keys=keys
    )
    _join_validator(ledger, at, task, sponsor=sponsor, key=validator)
    place = Place(ledger.chain_id, at.training.address)
    about = {"chain": str(ledger.chain_id), "task": task.task_id.hex()}
    book = Book(folder / "relay.sqlite", about)
    stack.callback(book.close)
    carrier = Relay(place, task.task_id, book=book, lanes=lanes_of(place))
    follower = Follower(ledger.client, at.training, task.task_id, first=made.block)
    return Federation(ledger, at, task, relay, keys, carrier, follower, gas)


def _task(at: Deployment, trainers: int, *, sponsor: Key, validator: Key) -> PreparedTask:
    """The example's task with that many seats and one validator."""
    judge = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    text = EXAMPLE.replace(judge, validator.address)
    text = text.replace("max_trainers = 10", f"max_trainers = {trainers}")
    phases = ("commit", "reveal", "score", "score_reveal", "attest")
    times = "".join(f"{one} = {PHASE_SECONDS}\n" for one in phases)
    text = text.replace("commit = 600\n", times)
    return TaskFile.parse(text).prepare(sponsor=sponsor.address, token=at.token.address)


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


def _register(ledger: RpcLedger, at: Deployment, *, relay: Key, keys: Sequence[Key]) -> int:
    """Everybody registers by signature; the gas."""
    deadline = ledger.now() + 24 * HOUR_SECONDS
    domain = registry_domain(ledger.chain_id, at.registry.address)
    calls = []
    for key in keys:
        register = Register(key.address, Role.TRAINER, bytes(32), 0, deadline)
        mark = key.sign(register.digest(domain))
        calls.append(at.registry.register_by_signature(register, mark))
    return send_together(ledger, calls, relay)


def _join(
    ledger: RpcLedger, at: Deployment, task: PreparedTask, *, relay: Key, keys: Sequence[Key]
) -> int:
    """Everybody joins by signature, in batches; the gas."""
    deadline, chain = ledger.now() + 24 * HOUR_SECONDS, ledger.chain_id
    ours = training_domain(chain, at.training.address)
    tokens = token_domain(chain, at.token.address)
    stake, signed = task.params.trainer_stake, []
    for key in keys:
        permit = Permit(key.address, at.registry.address, stake, 0, deadline)
        allowed = key.sign(permit.digest(tokens))
        wish = Join(key.address, Role.TRAINER, stake, deadline)
        signed.append(
            SignedJoin.of(
                wish,
                key.sign(wish.digest(ours, task.task_id)),
                permit=SignedPermit.of(stake, deadline, signature=allowed),
            )
        )
    starts = range(0, len(signed), JOINS_MAX)
    batches = [signed[start : start + JOINS_MAX] for start in starts]
    calls = [at.training.join_batch(task.task_id, batch) for batch in batches]
    return send_together(ledger, calls, relay)


def send_together(ledger: RpcLedger, calls: Sequence[Call], key: Key) -> int:
    """Mine calls of one kind in as few of anvil's blocks as hold them; their gas.

    The first call is the longest: each is given twice the gas that this one needs.
    """
    client = ledger.client
    nonce, fees, head = client.nonce(key.address), client.fees(), client.head()
    gas = min(2 * max(client.estimate(calls[0], key.address), calls[0].gas), head.gas_limit)
    ledger.request("evm_setAutomine", False)
    for place, call in enumerate(calls):
        fields: dict[str, object] = {"chainId": ledger.chain_id, "nonce": nonce + place}
        fields |= {"gas": gas, "value": 0, "to": call.address, "data": encode_call(call)}
        fields |= {"maxFeePerGas": fees.most, "maxPriorityFeePerGas": fees.tip}
        client.submit(key.sign_transaction(fields))
    while client.nonce(key.address) < nonce + len(calls):
        ledger.request("evm_mine")
    ledger.request("evm_setAutomine", True)
    blocks = range(head.number + 1, ledger.block_number + 1)
    receipts = [one for number in blocks for one in ledger.request(_RECEIPTS, hex(number))]
    assert len(receipts) == len(calls)
    assert all(quantity(one["status"]) for one in receipts)
    return sum(quantity(one["gasUsed"]) for one in receipts)
