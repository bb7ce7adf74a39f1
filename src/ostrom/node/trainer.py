"""The trainer: trains on its own data, commits, and reveals once commitments are closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ostrom.chain.hashes import update_commitment
from ostrom.evidence import target_reached
from ostrom.node.actions import Action, Claim, Commit, Reveal
from ostrom.node.balances import last_settled_balances
from ostrom.participation import participation
from ostrom.protocol import TaskState
from ostrom.spec import Spec
from ostrom.storage import Store, cid_of, digest_of
from ostrom.tensors import chunk_root
from ostrom.types import Address, Digest, Opening, Phase, Update
from ostrom.updates import encode_update

Train: TypeAlias = Callable[[TaskState], Update]
"""Trains the current round's parent model on the trainer's own data."""


@dataclass(frozen=True)
class Trainer:
    """A trainer's identity and tools. `salt(round)` must be secret, fresh and repeatable."""

    address: Address
    train: Train
    store: Store
    salt: Callable[[int], Digest]
    spec: Spec


@dataclass(frozen=True)
class Sealed:
    """An update that is committed to and not yet published."""

    content: bytes
    opening: Opening


Memory: TypeAlias = Mapping[int, Sealed]
"""What a trainer must not forget: by round, the update that its commitment hides."""


def trainer_step(me: Trainer, memory: Memory, state: TaskState) -> tuple[Memory, list[Action]]:
    """What the trainer does now, and what it must remember from then on.

    An update is published only when no commitment can be made any more, so nobody can copy it.
    """
    here = state.round
    if state.phase == Phase.COMMIT and me.address not in here.commits:
        if not contributes(me.address, me.spec, me.store, state):
            return memory, []
        sealed = memory.get(state.number) or seal(me, state)
        return {state.number: sealed}, [_commit(me.address, state, sealed.opening)]
    if state.phase == Phase.REVEAL and here.owes_reveal(me.address) and state.number in memory:
        sealed = memory[state.number]
        me.store.put(sealed.content)
        return memory, [Reveal(state.number, me.address, sealed.opening)]
    if state.over:
        return {}, claim_action(me.address, me.store, state)
    return memory, []


def contributes(address: Address, spec: Spec, store: Store, state: TaskState) -> bool:
    """True if the current round wants an update of this trainer."""
    drawn = participation(spec.participation)(state)
    return state.is_active(address) and address in drawn and not target_reached(store, state, spec)


def seal(me: Trainer, state: TaskState) -> Sealed:
    """Train and close the update in a commitment."""
    update = me.train(state)
    return seal_content(
        encode_update(update),
        Opening(bytes(32), chunk_root(update.values), update.samples, me.salt(state.number)),
    )


def seal_content(content: bytes, opening: Opening) -> Sealed:
    """Bind an opening to the content's own digest."""
    digest = digest_of(cid_of(content))
    return Sealed(content, Opening(digest, opening.chunk_root, opening.samples, opening.salt))


def _commit(address: Address, state: TaskState, opening: Opening) -> Commit:
    hidden = update_commitment(state.task_id, state.number, trainer=address, opening=opening)
    return Commit(state.number, address, hidden)


def claim_action(account: Address, store: Store, state: TaskState) -> list[Action]:
    """The claim of all that `account` has earned and not yet been paid, if anything."""
    settled = last_settled_balances(store, state)
    amount = settled.payouts.amounts.get(account, 0) if settled else 0
    if settled is None or amount <= state.claimed.get(account, 0):
        return []
    return [Claim(account, amount, settled.payouts.proof(account))]
