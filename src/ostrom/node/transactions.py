"""From an action to the contract call that does it, and whether it can still be done."""

from __future__ import annotations

from functools import singledispatch

from ostrom.chain.contracts import Training
from ostrom.chain.ledger import Call
from ostrom.node.actions import (
    Action,
    Advance,
    Attest,
    Claim,
    Commit,
    CommitScores,
    Refund,
    Reveal,
    RevealScores,
    Sanction,
)
from ostrom.protocol import Command, TaskState, due
from ostrom.types import Digest, Phase, Role


@singledispatch
def call_of(action: Action, training: Training, task_id: Digest) -> Call:
    """The call with which the account that the action names does it without a relay."""
    raise TypeError(f"no transaction carries a {type(action).__name__}")


@call_of.register
def _(action: Commit, training: Training, task_id: Digest) -> Call:
    return training.commit(task_id, action.round, commitment=action.commitment)


@call_of.register
def _(action: Reveal, training: Training, task_id: Digest) -> Call:
    return training.reveal(task_id, action.round, opening=action.opening)


@call_of.register
def _(action: CommitScores, training: Training, task_id: Digest) -> Call:
    return training.commit_scores(task_id, action.round, commitment=action.commitment)


@call_of.register
def _(action: RevealScores, training: Training, task_id: Digest) -> Call:
    return training.reveal_scores(task_id, action.round, scores=action.scores, salt=action.salt)


@call_of.register
def _(action: Attest, training: Training, task_id: Digest) -> Call:
    return training.attest(task_id, action.round, result=action.result)


@call_of.register
def _(action: Advance, training: Training, task_id: Digest) -> Call:
    return training.advance(task_id)


@call_of.register
def _(action: Sanction, training: Training, task_id: Digest) -> Call:
    return training.sanction(task_id, action.account, strikes=action.strikes, proof=action.proof)


@call_of.register
def _(action: Claim, training: Training, task_id: Digest) -> Call:
    return training.claim(task_id, action.account, cumulative=action.cumulative, proof=action.proof)


@call_of.register
def _(action: Refund, training: Training, task_id: Digest) -> Call:
    return training.refund(task_id)


def is_open(action: Action, state: TaskState, *, now: int) -> bool:
    """True if the task still waits for the action: not done, not out of date, not overdue."""
    here, in_time = state.round, now <= state.deadline
    match action:
        case Commit(number, trainer):
            fits = _phase(state, Phase.COMMIT, number) and state.is_active(trainer)
            return in_time and fits and trainer not in here.commits
        case Reveal(number, trainer):
            return in_time and _phase(state, Phase.REVEAL, number) and here.owes_reveal(trainer)
        case CommitScores(number, account):
            fits = _phase(state, Phase.SCORE, number) and state.may_act(account, Role.VALIDATOR)
            return in_time and fits and account not in here.score_commits
        case RevealScores(number, account):
            owed = account in here.score_commits and account not in here.score_reveals
            return in_time and _phase(state, Phase.SCORE_REVEAL, number) and owed
        case Attest(number, account):
            fits = _phase(state, Phase.ATTEST, number) and state.may_act(account, Role.VALIDATOR)
            return in_time and fits and account not in here.attestations
        case Advance():
            return Command("advance") in due(state, now)
        case Sanction(account, strikes):
            member = state.members.get(account)
            return member is not None and not member.expelled and member.strikes < strikes
        case Claim(account, cumulative):
            return state.claimed.get(account, 0) < cumulative
        case Refund():
            return state.over and not state.refunded


def _phase(state: TaskState, phase: Phase, number: int) -> bool:
    return state.phase == phase and state.number == number


def name_of(action: Action, state: TaskState) -> str:
    """What tells one act of an account from every other, for the journal and for people.

    >>> name_of(Advance(), TaskState())
    'advance 0 NONE'
    """
    kind = _KINDS[type(action)]
    match action:
        case Advance():
            return f"{kind} {state.number} {state.phase.name}"
        case Sanction(account, strikes):
            return f"{kind} {account} {strikes}"
        case Claim(account, cumulative):
            return f"{kind} {account} {cumulative}"
        case Refund():
            return kind
        case _:
            return f"{kind} {action.round}"


_KINDS: dict[type, str] = {
    Commit: "commit",
    Reveal: "reveal",
    CommitScores: "commit scores",
    RevealScores: "reveal scores",
    Attest: "attest",
    Advance: "advance",
    Sanction: "sanction",
    Claim: "claim",
    Refund: "refund",
}
