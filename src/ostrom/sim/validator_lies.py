"""Validators that misbehave: what they say instead of what they have computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ostrom.codec import sha256
from ostrom.errors import InputError
from ostrom.node import Action, Attest
from ostrom.protocol import TaskState
from ostrom.records import decode_metric, decode_scores, encode_scores
from ostrom.types import Address
from ostrom.verification.contributions import SCORE_MAX

Scores: TypeAlias = Mapping[Address, int]
Trainers: TypeAlias = tuple[Address, ...]
"""All trainers of the task, in the order of their numbers."""


def _honest_scores(scores: Scores, trainers: Trainers) -> Scores:
    return scores


def _honest_actions(actions: list[Action]) -> list[Action]:
    return actions


@dataclass(frozen=True)
class Lie:
    """What becomes of a validator's scores, given all trainers in order, and of its actions."""

    scores: Callable[[Scores, Trainers], Scores] = _honest_scores
    actions: Callable[[list[Action]], list[Action]] = _honest_actions


def silent_validator() -> Lie:
    """A validator that never scores and never attests.

    >>> from ostrom.node import Advance
    >>> silent_validator().actions([Advance()])
    []

    Source: this project; deadlines and strikes answer it.
    """
    return Lie(actions=lambda actions: [])


def wrong_digest() -> Lie:
    """A validator that attests to a result of its own invention.

    >>> wrong_digest().actions([])
    []

    Source: this project; the quorum answers it.
    """

    def invented(action: Action) -> Action:
        if not isinstance(action, Attest):
            return action
        return replace(action, result=replace(action.result, model=sha256(action.result.model)))

    return Lie(actions=lambda actions: [invented(one) for one in actions])


def inflate(friend: int = 0) -> Lie:
    """A validator that gives one trainer the highest score that there is: s_friend = SCORE_MAX.

    Args:
        friend: the trainer's number, from 0.

    Returns:
        A lie about scores; the others' stay honest.

    Raises:
        InputError: friend is negative.

    >>> inflate(friend=1).scores({"a": 5, "b": -7}, ("a", "b"))
    {'a': 5, 'b': 1000000000}

    Source: this project; the stake-weighted median answers it.
    """
    if friend < 0:
        raise InputError(f"inflate needs friend to be a trainer's number, not {friend}")

    def scores(honest: Scores, trainers: Trainers) -> Scores:
        known = trainers[friend : friend + 1]
        return {one: SCORE_MAX if one in known else score for one, score in honest.items()}

    return Lie(scores=scores)


def lazy_validator() -> Lie:
    """A validator that gives every update the score 0 and saves itself the work.

    >>> lazy_validator().scores({"a": 5, "b": -7}, ("a", "b"))
    {'a': 0, 'b': 0}

    Source: this project.
    """
    return Lie(scores=lambda scores, trainers: dict.fromkeys(scores, 0))


LIES: Mapping[str, Callable[..., Lie]] = {
    "silent_validator": silent_validator,
    "wrong_digest": wrong_digest,
    "inflate": inflate,
    "lazy_validator": lazy_validator,
}


def forged(
    document: bytes, told: Lie, *, state: TaskState, me: Address, trainers: Trainers
) -> bytes:
    """The score vector's document of a validator that lies about the scores of an honest one."""
    scores = told.scores(decode_scores(document, state, me), trainers)
    return encode_scores(state, me, scores, metric=decode_metric(document))
