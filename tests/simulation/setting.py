"""What stands before the first virtual second: a plan drawn from the seed, contracts, a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from tests.simulation.chain import CHAIN_ID, GAS_LIMIT, WEI, SimChain

from ostrom.chain.artifacts import encode_call
from ostrom.chain.deployment import SUPPLY, Deployment, deploy
from ostrom.chain.hashes import task_id_of
from ostrom.chain.ledger import CONSTRUCTOR, Call, Receipt
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import checksum_address, sha256
from ostrom.spec import Spec, example
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import chunk_root, encode_tensors
from ostrom.types import Address, Digest, Logged, Role, TaskParams

LENGTH = 10
"""Parameters of the simulated model."""

BLOCK_SECONDS = 12
POOL = 9_000_000_007
TRAINER_STAKE = 100_000
VALIDATOR_STAKE = 1_000_000
BOND_DELAY = 120
COINS = 10**24
NOBODY = checksum_address(bytes(20))

TRAINER_LIES = ("garbage", "silent reveal", "copy")
VALIDATOR_LIES = ("wrong result", "silent", "inflated")


@dataclass(frozen=True)
class Plan:
    """A network. `lies` says who misbehaves and how, by name."""

    seed: int
    trainers: int = 3
    validators: int = 4
    rounds: int = 2
    confirmations: int = 2
    phase_blocks: int = 24
    relay: bool = False
    lies: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        """The network of that seed: liars hold less than a third of the stake."""
        dice = Random(f"plan {seed}")
        trainers, validators = dice.randint(3, 4), dice.choice([3, 4, 4])
        lies: dict[str, str] = {}
        if dice.random() < 0.4:
            lies[f"trainer-{dice.randrange(trainers)}"] = dice.choice(TRAINER_LIES)
        if validators > 3 and dice.random() < 0.4:
            lies[f"validator-{dice.randrange(validators)}"] = dice.choice(VALIDATOR_LIES)
        relay = dice.random() < 0.6
        if relay and dice.random() < 0.2:
            lies["relay"] = "censor"
        deep = dice.random() < 0.1
        return cls(
            seed=seed,
            relay=relay,
            trainers=trainers,
            validators=validators,
            rounds=2 if deep else dice.randint(2, 3),
            confirmations=12 if deep else dice.randint(1, 4),
            phase_blocks=64 if deep else 24,
            lies=lies,
        )

    @property
    def names(self) -> list[str]:
        """Trainers and validators, in this order."""
        return [f"trainer-{i}" for i in range(self.trainers)] + [
            f"validator-{i}" for i in range(self.validators)
        ]

    @property
    def nodes(self) -> list[str]:
        """Everybody with a node: members, the sponsor, perhaps a relay."""
        return [*self.names, "sponsor", *(["relay"] if self.relay else [])]

    def key(self, name: str) -> Key:
        """The key of a party; the same in every run, for speed."""
        return simulation_key(0, name)

    def secret(self, *words: object) -> Digest:
        """32 bytes that follow from the seed."""
        return sha256(f"{self.seed} {words}".encode())


@dataclass(frozen=True)
class Setting:
    """A chain with the contracts and one task that everybody has joined."""

    plan: Plan
    chain: SimChain
    deployment: Deployment
    params: TaskParams
    spec: Spec
    first: int
    """The number of the block that created the task."""
    contents: tuple[bytes, ...]
    """The spec and the first model, which every store holds."""

    @property
    def task_id(self) -> Digest:
        """The task's name."""
        return task_id_of(self.params)

    @property
    def accounts(self) -> dict[Address, str]:
        """Who holds tokens, by address: parties, contracts, treasury."""
        named = {self.plan.key(name).address: name for name in self.plan.nodes}
        return {
            **named,
            self.deployment.training.address: "training",
            self.deployment.registry.address: "registry",
            treasury(): "treasury",
        }


class SetupLedger:
    """A `Ledger` that mines every call at once: for the time before the simulation."""

    chain_id = CHAIN_ID

    def __init__(self, chain: SimChain) -> None:
        self._chain, self._dice = chain, Random("setup")

    @property
    def block_number(self) -> int:
        """The head's number."""
        return self._chain.head.header.number

    def now(self) -> int:
        """The head's time."""
        return self._chain.head.header.time

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Nobody listens yet."""

    def send(self, call: Call, key: Key) -> Receipt:
        """Sign and mine one call."""
        made = self._chain.submit(signed(self._chain, call, key))
        block = self._chain.mine(0, self._dice)
        (done,) = block.included
        assert done.ok, f"{call.contract}.{call.function} is refused"
        number, time = block.header.number, block.header.time
        return Receipt(made.hash, number, time, done.gas_used, len(made.data), (), done.created)

    def call(self, call: Call) -> Any:
        """A view at the head."""
        return self._chain.read(call, self._chain.head)

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Nobody asks."""
        return []

    def code(self, address: Address) -> bytes:
        """The code at an address."""
        return self._chain.code(address)


def signed(chain: SimChain, call: Call, key: Key) -> bytes:
    """A transaction that pays well, at the next nonce."""
    fields: dict[str, object] = {
        "chainId": CHAIN_ID,
        "nonce": chain.head.nonces.get(key.address, 0),
        "maxFeePerGas": 100 * WEI,
        "maxPriorityFeePerGas": 50 * WEI,
        "gas": GAS_LIMIT // 4,
        "value": call.value,
        "data": encode_call(call),
    }
    return key.sign_transaction(
        fields if call.function == CONSTRUCTOR else fields | {"to": call.address}
    )


def treasury() -> Address:
    """Where slashed stakes go."""
    return checksum_address(sha256(b"treasury")[:20])


def small_spec() -> Spec:
    """Updates of `LENGTH` integers, a robust rule, and a scorer that asks the holdout."""
    return example().model_copy(update={"parameters": LENGTH, "layout": ((LENGTH,),)})


def build_setting(plan: Plan) -> Setting:
    """Deploy, create the task, let everybody join; the first round begins in the last block."""
    keys = {name: plan.key(name) for name in plan.nodes}
    chain = SimChain({key.address: COINS for key in keys.values()}, salt=plan.secret("chain"))
    ledger, sponsor, spec = SetupLedger(chain), keys["sponsor"], small_spec()
    deployment = deploy(ledger, sponsor, treasury=treasury(), bond_delay=BOND_DELAY)
    model = encode_tensors({"parameters": np.zeros(LENGTH, dtype=np.int32)})
    params = _params(plan, deployment, spec, model)
    ledger.send(deployment.token.approve(deployment.training.address, POOL), sponsor)
    first = ledger.send(deployment.training.create_task(params), sponsor).block
    for name in plan.names:
        _join(ledger, deployment, params, keys[name], sponsor=sponsor)
    return Setting(plan, chain, deployment, params, spec, first, (spec.encode(), model))


def _join(
    ledger: SetupLedger, deployed: Deployment, params: TaskParams, key: Key, *, sponsor: Key
) -> None:
    validates = key.address in params.validators
    role = Role.VALIDATOR if validates else Role.TRAINER
    stake = params.validator_stake if validates else params.trainer_stake
    ledger.send(deployed.token.transfer(key.address, stake), sponsor)
    for call in (
        deployed.token.approve(deployed.registry.address, stake),
        deployed.registry.deposit(stake),
        deployed.registry.register(role, bytes(32)),
        deployed.training.join(task_id_of(params), role=role, stake=stake),
    ):
        ledger.send(call, key)


def _params(plan: Plan, deployed: Deployment, spec: Spec, model: bytes) -> TaskParams:
    committee = [plan.key(f"validator-{i}").address for i in range(plan.validators)]
    phase = plan.phase_blocks * BLOCK_SECONDS
    return TaskParams(
        sponsor=plan.key("sponsor").address,
        token=deployed.token.address,
        pool=POOL,
        trainer_stake=TRAINER_STAKE,
        validator_stake=VALIDATOR_STAKE,
        rounds=plan.rounds,
        max_trainers=plan.trainers,
        quorum_bps=6_667,
        join_time=86_400,
        commit_time=phase,
        reveal_time=phase,
        score_time=phase,
        score_reveal_time=phase,
        attest_time=phase,
        membership=NOBODY,
        validators=tuple(sorted(committee, key=str.lower)),
        spec=digest_of(cid_of(spec.encode())),
        model=digest_of(cid_of(model)),
        model_root=chunk_root(np.zeros(LENGTH, dtype=np.int32)),
        salt=plan.secret("task"),
    )


__all__ = ["SUPPLY", "Plan", "Setting", "SetupLedger", "build_setting", "signed", "treasury"]
