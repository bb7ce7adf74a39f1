"""The first blocks: contracts, stakes, the task, and everybody's joining."""

from __future__ import annotations

from dataclasses import dataclass

from ostrom.chain.contracts import SignedJoin, SignedPermit
from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.hashes import task_id_of
from ostrom.chain.ledger import Call, Ledger
from ostrom.chain.wallet import (
    Join,
    Key,
    Permit,
    Register,
    registry_domain,
    token_domain,
    training_domain,
)
from ostrom.codec import checksum_address
from ostrom.sim.config import POOL, TRAINER_STAKE, VALIDATOR_STAKE
from ostrom.sim.world import World
from ostrom.storage import Store, digest_of
from ostrom.tensors import chunk_root, encode_tensors
from ostrom.types import Address, Digest, Role, TaskParams

HOUR = 3_600
BOND_DELAY = 24 * HOUR
JOINS_MAX = 50
"""Joins in one transaction: about twelve million gas."""

NOBODY = checksum_address(bytes(20))


@dataclass(frozen=True)
class Launch:
    """A deployed system with one task in it."""

    deployment: Deployment
    task_id: Digest


def launch(world: World, ledger: Ledger, store: Store) -> Launch:
    """Deploy the contracts, publish spec and first model, create the task, and let all join."""
    sponsor = world.keys.sponsor
    treasury = checksum_address(world.secret("treasury")[:20])
    deployment = deploy(ledger, sponsor, treasury=treasury, bond_delay=BOND_DELAY)
    params = _task(world, store, deployment)
    ledger.send(deployment.token.approve(deployment.training.address, POOL), sponsor)
    ledger.send(deployment.training.create_task(params), sponsor)
    started = Launch(deployment, task_id_of(params))
    for key in world.keys.validators:
        _join_directly(key, sponsor, ledger, started)
    _join_by_relay(world, ledger, started)
    return started


def _task(world: World, store: Store, deployment: Deployment) -> TaskParams:
    """The task's parameters; everything that they name is in the store first."""
    spec = store.put(world.spec.encode())
    initial = world.initial()
    model = store.put(encode_tensors(initial))
    committee = sorted((key.address for key in world.keys.validators), key=str.lower)
    return TaskParams(
        sponsor=world.keys.sponsor.address,
        token=deployment.token.address,
        pool=POOL,
        trainer_stake=TRAINER_STAKE,
        validator_stake=VALIDATOR_STAKE,
        rounds=world.config.rounds,
        max_trainers=world.config.clients,
        quorum_bps=6_667,
        join_time=24 * HOUR,
        commit_time=HOUR,
        reveal_time=HOUR,
        score_time=HOUR,
        score_reveal_time=HOUR,
        attest_time=HOUR,
        membership=NOBODY,
        validators=tuple(committee),
        spec=digest_of(spec),
        model=digest_of(model),
        model_root=chunk_root(initial["parameters"]),
        salt=world.secret("task"),
    )


def _join_directly(key: Key, sponsor: Key, ledger: Ledger, started: Launch) -> None:
    """A validator brings its stake and joins with transactions of its own."""
    deployed = started.deployment
    ledger.send(deployed.token.transfer(key.address, VALIDATOR_STAKE), sponsor)
    calls: list[Call] = [
        deployed.token.approve(deployed.registry.address, VALIDATOR_STAKE),
        deployed.registry.deposit(VALIDATOR_STAKE),
        deployed.registry.register(Role.VALIDATOR, bytes(32)),
        deployed.training.join(started.task_id, role=Role.VALIDATOR, stake=VALIDATOR_STAKE),
    ]
    for call in calls:
        ledger.send(call, key)


def _join_by_relay(world: World, ledger: Ledger, started: Launch) -> None:
    """Trainers only sign: the registration, the permit for the stake and the join."""
    deployed, relay = started.deployment, world.keys.relay
    domain = registry_domain(ledger.chain_id, deployed.registry.address)
    deadline = ledger.now() + 24 * HOUR
    signed: list[SignedJoin] = []
    for key in world.keys.trainers:
        ledger.send(deployed.token.transfer(key.address, TRAINER_STAKE), world.keys.sponsor)
        register = Register(key.address, Role.TRAINER, bytes(32), nonce=0, deadline=deadline)
        signature = key.sign(register.digest(domain))
        ledger.send(deployed.registry.register_by_signature(register, signature), relay)
        signed.append(_signed_join(key, ledger.chain_id, started, deadline=deadline))
    for first in range(0, len(signed), JOINS_MAX):
        batch = signed[first : first + JOINS_MAX]
        ledger.send(deployed.training.join_batch(started.task_id, batch), relay)


def _signed_join(key: Key, chain_id: int, started: Launch, *, deadline: int) -> SignedJoin:
    deployed = started.deployment
    spender = deployed.registry.address
    permit = Permit(key.address, spender, TRAINER_STAKE, nonce=0, deadline=deadline)
    allowed = key.sign(permit.digest(token_domain(chain_id, deployed.token.address)))
    join = Join(key.address, Role.TRAINER, TRAINER_STAKE, deadline)
    domain = training_domain(chain_id, deployed.training.address)
    return SignedJoin.of(
        join,
        key.sign(join.digest(domain, started.task_id)),
        permit=SignedPermit.of(TRAINER_STAKE, deadline, signature=allowed),
    )


def accounts(world: World) -> dict[Address, Key]:
    """Every party's key by its address."""
    keys = (*world.keys.trainers, *world.keys.validators, world.keys.sponsor, world.keys.relay)
    return {key.address: key for key in keys}
