"""Who trains in a round: everybody, or a sample that the chain draws.

A draw is a pure function of the task's state, so that everyone knows who may contribute. An update
by anybody else is refused, without a strike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from ostrom.codec import address_bytes, sha256
from ostrom.errors import InputError
from ostrom.mechanisms import bind, only
from ostrom.protocol import TaskState
from ostrom.types import Address, Role

Participation: TypeAlias = Callable[[TaskState], frozenset[Address]]
"""The members who may contribute to the state's current round."""


def everybody() -> Participation:
    """Every trainer, in every round; the catalogue calls it `all`.

    >>> sorted(everybody()(TaskState()))
    []
    """
    return _once_a_round(lambda state: frozenset(_members(state)))


def uniform(*, share: float) -> Participation:
    """A share of the trainers, drawn anew in every round.

    S_t = the ceil(share * n) trainers with the smallest sha256(task, t, model_t, trainer)

    The model that a round starts from is what a quorum attested to, so that no trainer can choose
    the draw. Who has left is still counted, so that a draw does not change in mid-round.

    Args:
        share: the part of the trainers that a round takes, 0 < share <= 1.

    Returns:
        A draw.

    Raises:
        InputError: the share is out of range.

    >>> sorted(uniform(share=0.1)(TaskState()))
    []

    Source: McMahan et al. (2017), "Communication-Efficient Learning of Deep Networks from
    Decentralized Data", where the share is C.
    """
    if not 0 < share <= 1:
        raise InputError(f"uniform needs 0 < share <= 1, not {share}")
    part = Fraction(str(share))

    def draw(state: TaskState) -> frozenset[Address]:
        members, seed = _members(state), _seed(state)
        ranked = sorted(members, key=lambda trainer: sha256(seed + address_bytes(trainer)))
        return frozenset(ranked[: math.ceil(part * len(members))])

    return _once_a_round(draw)


PARTICIPATIONS: Mapping[str, Callable[..., Participation]] = {"all": everybody, "uniform": uniform}


@lru_cache(maxsize=16)
def participation(text: str) -> Participation:
    """The draw that a mechanism text names.

    Raises:
        InputError: there is no such draw, or an argument is out of range.

    >>> sorted(participation("uniform(share=0.5)")(TaskState()))
    []
    """
    return bind(PARTICIPATIONS, only(text))()


def _once_a_round(draw: Participation) -> Participation:
    """Everybody of a process asks the same question in every round: keep the last answer."""
    last: list[tuple[TaskState, frozenset[Address]]] = []

    def remembered(state: TaskState) -> frozenset[Address]:
        if last:
            asked, answer = last[0]
            if asked.members is state.members and _seed(asked) == _seed(state):
                return answer
        answer = draw(state)
        last[:] = [(state, answer)]
        return answer

    return remembered


def _members(state: TaskState) -> list[Address]:
    """The trainers who had joined when the round began."""
    joined = state.members.items()
    return [a for a, m in joined if m.role == Role.TRAINER and m.since <= state.number]


def _seed(state: TaskState) -> bytes:
    parent = state.versions.get(state.round.parent)
    model = bytes(32) if parent is None else parent.model
    return state.task_id + state.number.to_bytes(32, "big") + model
