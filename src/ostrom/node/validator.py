"""The validator: checks and scores every update, recomputes the result and attests to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ostrom.chain.hashes import score_commitment
from ostrom.codec import sha256
from ostrom.evidence import gather, read_scores
from ostrom.node.actions import Action, Attest, CommitScores, RevealScores
from ostrom.node.trainer import claim_action
from ostrom.protocol import TaskState
from ostrom.records import encode_scores
from ostrom.settlement import Outcome, candidate, settle
from ostrom.spec import Spec
from ostrom.storage import Store
from ostrom.types import Address, Digest, Phase, Role
from ostrom.verification import scorer
from ostrom.verification.scorers import Value


@dataclass(frozen=True)
class Validator:
    """A validator's identity and tools. `value` rates models on its own holdout."""

    address: Address
    value: Value
    store: Store
    salt: Callable[[int], Digest]
    spec: Spec


@dataclass(frozen=True)
class ValidatorMemory:
    """What a validator must not forget: the score vector that its commitment hides."""

    round: int = 0
    scores: bytes = b""


def validator_step(
    me: Validator, memory: ValidatorMemory, state: TaskState, *, now: int
) -> tuple[ValidatorMemory, list[Action]]:
    """What the validator does now, and what it must remember from then on."""
    here = state.round
    if state.over:
        return memory, claim_action(me.address, me.store, state)
    if not state.may_act(me.address, Role.VALIDATOR):
        return memory, []
    if state.phase == Phase.SCORE and me.address not in here.score_commits:
        if memory.round != state.number:
            memory = replace(memory, round=state.number, scores=score_updates(me, state))
        return memory, [_commit_scores(me, state, memory.scores)]
    owes_reveal = me.address in here.score_commits and me.address not in here.score_reveals
    if state.phase == Phase.SCORE_REVEAL and owes_reveal and memory.round == state.number:
        me.store.put(memory.scores)
        salt = me.salt(state.number)
        return memory, [RevealScores(state.number, me.address, sha256(memory.scores), salt)]
    if state.phase == Phase.ATTEST and me.address not in here.attestations:
        return memory, attest(me, state, now)
    return memory, []


def score_updates(me: Validator, state: TaskState) -> bytes:
    """The score vector's document: what each accepted update adds on the own holdout."""
    made = candidate(gather(me.store, state, me.spec), exact=False)
    trainers = [one.verdict.trainer for one in made.accepted]
    points: list[int] = []
    if trainers:
        rate = scorer(me.spec.scorer)
        points = rate(made.tensors["parameters"], made.without_each(), me.value)
    return encode_scores(state, me.address, dict(zip(trainers, points)))


def _commit_scores(me: Validator, state: TaskState, scores: bytes) -> CommitScores:
    hidden = score_commitment(
        state.task_id,
        state.number,
        validator=me.address,
        scores=sha256(scores),
        salt=me.salt(state.number),
    )
    return CommitScores(state.number, me.address, hidden)


def recompute(me: Validator, state: TaskState) -> Outcome:
    """The result that follows from all that this validator holds."""
    return settle(candidate(gather(me.store, state, me.spec)), read_scores(me.store, state))


def attest(me: Validator, state: TaskState, now: int) -> list[Action]:
    """Attest to the first proposal that equals the own result; propose when it is one's turn.

    The own result uses everything that this validator holds, so equality means that a proposal can
    be checked in full and leaves nothing out.
    """
    votes = state.round.attestations.values()
    if not votes and not is_my_turn(me.address, state, now):
        return []
    own = recompute(me, state)
    if all(vote.result != own.result for vote in votes) and not is_my_turn(me.address, state, now):
        return []
    me.store.put(own.model)
    me.store.put(own.record)
    return [Attest(state.number, me.address, own.result)]


def is_my_turn(address: Address, state: TaskState, now: int) -> bool:
    """Validators propose in rotation: the k-th waits k slots, all have had a turn by half-time."""
    order = state.accounts(state.members[address].role)
    if address not in order:
        return False
    rank = (order.index(address) - state.number) % len(order)
    opened = state.deadline - state.rules.attest_time
    return now >= opened + rank * (state.rules.attest_time // (2 * len(order)))
