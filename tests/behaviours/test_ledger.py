"""What every ledger must do: one suite on the chain in this process and on a node behind a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.chain.anvil import Anvil

from ostrom.chain.contracts import (
    SignedCommit,
    SignedJoin,
    SignedPermit,
    Token,
    TrainerOpening,
)
from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.chain.hashes import (
    result_digest,
    score_commitment,
    task_id_of,
    update_commitment,
)
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call, Ledger
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import (
    Join,
    Key,
    Permit,
    Register,
    Signature,
    commit_digest,
    registry_domain,
    simulation_key,
    token_domain,
    training_domain,
)
from ostrom.codec import keccak, merkle_proof, merkle_root
from ostrom.errors import CONTRACT_ERRORS, LedgerError
from ostrom.incentives import balance_leaves
from ostrom.types import (
    Address,
    Attested,
    Claimed,
    CommitSkipped,
    Committed,
    ModelPublished,
    Opening,
    Phase,
    PhaseStarted,
    Result,
    Revealed,
    Role,
    RoundSettled,
    TaskCreated,
    TaskParams,
)

ZERO = bytes(32)
HOUR = 3600


@dataclass(frozen=True)
class Chain:
    """A ledger under test, and what only its environment can do."""

    ledger: Ledger
    pass_time: Callable[[int], object]
    fund: Callable[[Key], object]


@pytest.fixture(scope="module")
def anvil() -> Iterator[str]:
    with Anvil() as node:
        yield node.url


@pytest.fixture(params=["embedded", "rpc"])
def chain(request: pytest.FixtureRequest) -> Chain:
    if request.param == "embedded":
        embedded = EmbeddedLedger()
        return Chain(embedded, embedded.advance_time, lambda key: None)
    rpc = RpcLedger(request.getfixturevalue("anvil"), chain_id=31337)

    def pass_time(seconds: int) -> None:
        rpc.request("evm_increaseTime", hex(seconds))
        rpc.request("evm_mine")

    return Chain(rpc, pass_time, lambda k: rpc.request("anvil_setBalance", k.address, hex(10**20)))


@dataclass(frozen=True)
class Network:
    """A chain with the contracts on it, and keys that can pay for gas (trainers cannot)."""

    chain: Chain
    ledger: Ledger
    at: Deployment
    owner: Key

    def send(self, call: Call, key: Key | None = None) -> Any:
        return self.ledger.send(call, key or self.owner)


@pytest.fixture
def network(chain: Chain) -> Network:
    owner = Key.generate()
    chain.fund(owner)
    at = deploy(chain.ledger, owner, treasury=simulation_key(0, "treasury").address, bond_delay=60)
    return Network(chain, chain.ledger, at, owner)


def test_a_refused_call_raises_the_class_of_its_solidity_error(network: Network) -> None:
    at, mallory = network.at, Key.generate()
    network.chain.fund(mallory)
    before = network.ledger.block_number
    for call, name, shown in (
        (at.token.transfer(mallory.address, 1), "ERC20InsufficientBalance", "needed=1"),
        (at.registry.withdraw(7), "RegistryInsufficientFree", "amount=7"),
        (at.training.advance(ZERO), "TrainingUnknownTask", f"task_id=0x{ZERO.hex()}"),
        (at.models.enable_publisher(mallory.address), "OwnableUnauthorizedAccount", "account=0x"),
    ):
        with pytest.raises(CONTRACT_ERRORS[name], match=shown) as caught:
            network.send(call, mallory)
        assert str(caught.value).startswith(f"the contract refused: {name}(")
    assert network.ledger.block_number == before


def test_a_refused_constructor_and_view_raise_too(network: Network) -> None:
    bad = ("Registry", NOWHERE, CONSTRUCTOR, (network.owner.address, network.owner.address, 1))
    with pytest.raises(CONTRACT_ERRORS["RegistryBadParameter"], match="stakingToken"):
        network.send(Call(*bad[:3], (*bad[3], network.owner.address)))
    with pytest.raises(CONTRACT_ERRORS["ModelRegistryUnknownVersion"]):
        network.at.models.version(network.ledger, ZERO, number=1)


def test_a_view_of_an_empty_address_is_a_ledger_error(network: Network) -> None:
    nobody = Token(simulation_key(0, "nobody").address)
    with pytest.raises(LedgerError, match="do not decode"):
        nobody.balance_of(network.ledger, nobody.address)
    assert network.ledger.code(nobody.address) == b""


def test_a_receipt_says_what_the_call_did(network: Network) -> None:
    alice = simulation_key(0, "alice").address
    network.ledger.watch({network.at.token.address: "Token"})
    call = network.at.token.transfer(alice, 5)
    before = network.ledger.block_number
    receipt = network.send(call)
    assert receipt.block == before + 1 == network.ledger.block_number
    assert receipt.time == network.ledger.now()
    assert receipt.calldata == 4 + 64
    assert 21_000 < receipt.gas_used < 100_000
    assert receipt.created is None
    (logged,) = receipt.events
    assert logged.transaction == receipt.transaction
    assert logged.event.name == "Transfer"
    assert dict(logged.event.arguments) == {"from": network.owner.address, "to": alice, "value": 5}
    assert network.ledger.events(receipt.block, receipt.block) == [logged]


def test_events_of_foreign_contracts_are_not_heard(network: Network) -> None:
    fake = Call("Token", NOWHERE, CONSTRUCTOR, (network.owner.address, 10))
    receipt = network.send(fake)
    assert receipt.created
    assert receipt.events == ()
    assert network.ledger.events(receipt.block, receipt.block) == []


def test_time_passes(chain: Chain) -> None:
    before, block = chain.ledger.now(), chain.ledger.block_number
    chain.pass_time(HOUR)
    assert chain.ledger.now() - before >= HOUR
    assert chain.ledger.block_number == block + 1


def test_the_wrong_chain_is_refused(anvil: str) -> None:
    with pytest.raises(LedgerError, match="serves chain 31337, not 1"):
        RpcLedger(anvil, chain_id=1)


def test_a_sender_without_ether_is_a_ledger_error(anvil: str) -> None:
    ledger = RpcLedger(anvil)
    with pytest.raises(LedgerError, match="failed"):
        ledger.send(
            Call("Token", NOWHERE, CONSTRUCTOR, (Address("0x" + "11" * 20), 1)), Key.generate()
        )


def test_a_round_settles_from_signed_messages_alone(network: Network) -> None:
    task = Task.started(network)
    commits, openings = task.updates(1)
    forged = replace(commits[0], r=ZERO)
    batch = network.send(task.at.training.commit_batch(task.id, 1, commits=[forged, *commits]))
    assert sorted(
        e.event.trainer for e in batch.events if isinstance(e.event, Committed)
    ) == sorted(key.address for key in task.trainers)
    assert [e.event.index for e in batch.events if isinstance(e.event, CommitSkipped)] == [0]
    shown = network.send(task.at.training.reveal_batch(task.id, 1, openings=openings))
    assert {
        e.event.trainer: e.event.samples for e in shown.events if isinstance(e.event, Revealed)
    } == {key.address: 60 for key in task.trainers}
    task.score(1)
    result, leaves = task.result(1)
    settled = [task.attest(1, result, key) for key in task.validators][-1]
    events = {type(e.event): e.event for e in settled.events}
    digest = result_digest(task.id, 1, result=result)
    assert events[RoundSettled] == RoundSettled(task.id, 1, digest, 2, result.paid)
    assert events[Attested].result == result
    assert events[ModelPublished].model == result.model
    assert task.at.models.version(network.ledger, task.id, number=2).record == result.record
    paid = claim(task, leaves, task.trainers[0].address)
    assert paid == Claimed(task.id, task.trainers[0].address, 10, 10)


def test_the_chains_history_tells_the_task(network: Network) -> None:
    task = Task.started(network)
    history = network.ledger.events(0, network.ledger.block_number)
    ours = [e for e in history if getattr(e.event, "task_id", None) == task.id]
    assert ours[0].event == TaskCreated(task.id, task.params)
    phases = [e.event.phase for e in ours if isinstance(e.event, PhaseStarted)]
    assert phases == [Phase.JOINING, Phase.COMMIT]
    assert [(e.block, e.index) for e in history] == sorted((e.block, e.index) for e in history)
    assert task.at.training.task(network.ledger, task.id).phase is Phase.COMMIT
    seat = task.at.training.member(network.ledger, task.id, account=task.trainers[0].address)
    assert (seat.role, seat.stake, seat.seated) == (Role.TRAINER, 100, True)


def test_an_overdue_phase_is_seen_and_anyone_can_move_it(network: Network) -> None:
    task = Task.started(network)
    assert task.at.training.phase_of(network.ledger, task.id) == (Phase.COMMIT, 1)
    network.chain.pass_time(HOUR + 1)
    mallory = Key.generate()
    network.chain.fund(mallory)
    moved = network.send(task.at.training.advance(task.id), mallory)
    assert "RoundVoided" in {type(e.event).__name__ for e in moved.events}
    assert task.at.training.phase_of(network.ledger, task.id) == (Phase.COMMIT, 2)


@dataclass(frozen=True)
class Task:
    """A task with two trainers, who hold no ether, and two validators."""

    network: Network
    params: TaskParams
    trainers: tuple[Key, ...]
    validators: tuple[Key, ...]

    @property
    def at(self) -> Deployment:
        return self.network.at

    @property
    def id(self) -> bytes:
        return task_id_of(self.params)

    @classmethod
    def started(cls, network: Network) -> Task:
        """All registered, staked and joined by relayed signatures, so that round 1 has begun."""
        trainers = tuple(Key.generate() for _ in range(2))
        validators = tuple(
            sorted((Key.generate() for _ in range(2)), key=lambda k: k.address.lower())
        )
        for key in validators:
            network.chain.fund(key)
        task = cls(network, rules(network, validators), trainers, validators)
        network.send(task.at.token.approve(task.at.training.address, task.params.pool))
        created = network.send(task.at.training.create_task(task.params))
        assert created.events[0].event == TaskCreated(task.id, task.params)
        joins = [task.signed_join(key, Role.TRAINER, 100) for key in trainers]
        joins += [task.signed_join(key, Role.VALIDATOR, 1_000) for key in validators]
        network.send(task.at.training.join_batch(task.id, joins))
        return task

    def signed_join(self, key: Key, role: Role, stake: int) -> SignedJoin:
        ledger, at = self.network.ledger, self.at
        deadline = ledger.now() + HOUR
        register = Register(key.address, role, ZERO, 0, deadline)
        signature = key.sign(register.digest(registry_domain(ledger.chain_id, at.registry.address)))
        self.network.send(at.registry.register_by_signature(register, signature))
        self.network.send(at.token.transfer(key.address, stake))
        permit = Permit(key.address, at.registry.address, stake, 0, deadline)
        allowed = key.sign(permit.digest(token_domain(ledger.chain_id, at.token.address)))
        join = Join(key.address, role, stake, deadline)
        return SignedJoin.of(
            join,
            key.sign(join.digest(training_domain(ledger.chain_id, at.training.address), self.id)),
            permit=SignedPermit.of(stake, deadline, signature=allowed),
        )

    def updates(self, round: int) -> tuple[list[SignedCommit], list[TrainerOpening]]:
        commits, openings = [], []
        for key in self.trainers:
            opening = Opening(keccak(key.address.encode()), ZERO, 60, keccak(b"salt"))
            what = update_commitment(self.id, round, trainer=key.address, opening=opening)
            commits.append(SignedCommit.of(what, self.signature(key, round, what)))
            openings.append(TrainerOpening(key.address, opening))
        return commits, openings

    def signature(self, key: Key, round: int, commitment: bytes) -> Signature:
        domain = training_domain(self.network.ledger.chain_id, self.at.training.address)
        return key.sign(commit_digest(domain, self.id, round=round, commitment=commitment))

    def score(self, round: int) -> None:
        scores, salt = keccak(b"scores"), keccak(b"salt")
        for key in self.validators:
            what = score_commitment(self.id, round, validator=key.address, scores=scores, salt=salt)
            self.network.send(self.at.training.commit_scores(self.id, round, commitment=what), key)
        for key in self.validators:
            call = self.at.training.reveal_scores(self.id, round, scores=scores, salt=salt)
            self.network.send(call, key)

    def result(self, round: int) -> tuple[Result, list[bytes]]:
        leaves = [balance_leaves(self.id, {key.address: 10 * round})[0] for key in self.trainers]
        root = merkle_root(leaves)
        return Result(keccak(b"m"), keccak(b"r"), keccak(b"record"), root, 20, ZERO), leaves

    def attest(self, round: int, result: Result, key: Key) -> Any:
        return self.network.send(self.at.training.attest(self.id, round, result=result), key)


def claim(task: Task, leaves: list[bytes], account: Address) -> Any:
    index = leaves.index(balance_leaves(task.id, {account: 10})[0])
    call = task.at.training.claim(
        task.id, account, cumulative=10, proof=merkle_proof(leaves, index)
    )
    before = task.at.token.balance_of(task.network.ledger, account)
    receipt = task.network.send(call)
    assert task.at.token.balance_of(task.network.ledger, account) == before + 10
    return next(e.event for e in receipt.events if isinstance(e.event, Claimed))


def rules(network: Network, validators: tuple[Key, ...]) -> TaskParams:
    return TaskParams(
        sponsor=network.owner.address,
        token=network.at.token.address,
        pool=1_000,
        trainer_stake=100,
        validator_stake=1_000,
        rounds=2,
        max_trainers=2,
        quorum_bps=6_667,
        join_time=HOUR,
        commit_time=HOUR,
        reveal_time=HOUR,
        score_time=HOUR,
        score_reveal_time=HOUR,
        attest_time=HOUR,
        membership=Address("0x" + "00" * 20),
        validators=tuple(key.address for key in validators),
        spec=keccak(b"spec"),
        model=keccak(b"model"),
        model_root=keccak(b"root"),
        salt=ZERO,
    )
