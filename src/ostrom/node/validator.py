"""The validator: checks and scores every update, recomputes the result and attests to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ostrom.chain.hashes import score_commitment
from ostrom.evidence import gather, last_change, read_metrics, read_scores
from ostrom.node.actions import Action, Attest, CommitScores, RevealScores
from ostrom.node.trainer import claim_action
from ostrom.protocol import TaskState
from ostrom.records import encode_scores
from ostrom.settlement import Outcome, Tensors, candidate, settle
from ostrom.spec import Spec
from ostrom.storage import Store, cid_of, digest_of
from ostrom.targets import target, to_metric
from ostrom.types import Address, Digest, Phase, Role
from ostrom.verification import Holdout, scorer


@dataclass(frozen=True)
class Validator:
    """A validator's identity and tools. `holdout` rates models on its own examples."""

    address: Address
    holdout: Holdout
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
        digest, salt = digest_of(cid_of(memory.scores)), me.salt(state.number)
        return memory, [RevealScores(state.number, me.address, digest, salt)]
    if state.phase == Phase.ATTEST and me.address not in here.attestations:
        return memory, attest(me, state, now)
    return memory, []


def score_updates(me: Validator, state: TaskState) -> bytes:
    """The score vector's document: what each accepted update adds on the own holdout."""
    made = candidate(gather(me.store, state, me.spec), exact=False)
    trainers = [one.verdict.trainer for one in made.accepted]
    points: list[int] = []
    if trainers:
        given = made.contributions(partial(last_change, me.store, state, me.spec))
        points = scorer(me.spec.scorer)(given, me.holdout)
    metric = _measure(me, made.tensors)
    return encode_scores(state, me.address, dict(zip(trainers, points)), metric=metric)


def _measure(me: Validator, tensors: Tensors) -> int | None:
    """The metric of the round's model on the own holdout, where the task has a target."""
    if target(me.spec.target) is None:
        return None
    return to_metric(me.holdout.accuracy(tensors["parameters"]))


def _commit_scores(me: Validator, state: TaskState, scores: bytes) -> CommitScores:
    hidden = score_commitment(
        state.task_id,
        state.number,
        validator=me.address,
        scores=digest_of(cid_of(scores)),
        salt=me.salt(state.number),
    )
    return CommitScores(state.number, me.address, hidden)


def recompute(me: Validator, state: TaskState) -> Outcome:
    """The result that follows from all that this validator holds."""
    made = candidate(gather(me.store, state, me.spec))
    metrics = read_metrics(me.store, state, me.spec)
    return settle(made, read_scores(me.store, state), metrics)


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
