"""What a scorer is given: a round's models by coalition, and a holdout to rate them on.

Floats stop here: a value becomes an integer before anything is added up, so that scores depend on
no order, no batch and no number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.codec import address_bytes, sha256
from ostrom.errors import InputError
from ostrom.protocol import TaskState
from ostrom.types import Digest, IntVector

SCORE_UNIT = 1_000_000
"""A score of one million is one nat of mean loss, or one whole point of accuracy."""

SCORE_MAX = 1_000 * SCORE_UNIT
"""Scores are clamped, so that one exploding candidate cannot overflow a sum."""

Parameters: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]


class Holdout(Protocol):
    """A validator's own examples, as scorers see them."""

    def value(self, parameters: Parameters, /) -> Floats:
        """(k, d) fixed-point models -> (k,) values, the larger the better."""

    def gradients(self, parameters: Parameters, /) -> Floats:
        """(d,) -> (classes, d): the mean loss's gradient on each class, zeros where it has none."""

    def accuracy(self, parameters: Parameters, /) -> float:
        """(d,) -> the share of right answers, in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """A round's accepted updates and what any of them make together.

    `parent` (d,) int32 is the model that the round started from, `candidate` (d,) the one that all
    updates make, `updates` (n, m) int32 or int64. `seed` follows from the chain. `model_of` takes
    rows of `updates` and gives the model of those alone, the parent for none; `without_each` gives
    (n, d), the models that leave out one update each. `model_with` gives the model of those rows
    where all others sent no more than everybody knew: their part along the model's last change.
    """

    parent: Parameters
    updates: IntVector
    seed: Digest
    candidate: Parameters
    model_of: Callable[[Sequence[int]], Parameters]
    without_each: Callable[[], Parameters]
    model_with: Callable[[Sequence[int]], Parameters]


Scorer: TypeAlias = Callable[[Contributions, Holdout], list[int]]
"""A round's contributions, a holdout -> one integer score for each update."""


def scoring_seed(state: TaskState) -> Digest:
    """What scorers draw from in this round: it follows from every commitment together.

    sha256(task, round, model that the round starts from, each trainer's commitment by address)

    Who commits last sees the others' commitments and may try salts: scorers must not let a seed
    decide more than the error of a sample.
    """
    commits = state.round.commits
    return sha256(
        state.task_id
        + state.number.to_bytes(32, "big")
        + state.versions[state.round.parent].model
        + b"".join(address_bytes(a) + commits[a] for a in sorted(commits, key=str.lower))
    )


def to_score(difference: float) -> int:
    """An integer score; a value that is no number counts as the worst.

    >>> to_score(0.25), to_score(float("nan"))
    (250000, -1000000000)
    """
    if math.isnan(difference):
        return -SCORE_MAX
    return round(max(-1e3, min(1e3, difference)) * SCORE_UNIT)


Game: TypeAlias = Callable[[Sequence[int]], Parameters]
"""The model that a coalition of updates makes."""

GAMES: Mapping[str, Callable[[Contributions], Game]] = {
    "left_out": lambda made: made.model_of,
    "public": lambda made: made.model_with,
}


def game(made: Contributions, absent: str) -> Game:
    """What a coalition makes while the others are `absent`: left out, or public.

    >>> made, _ = example(3, 1)
    >>> game(made, "left_out")([1]).tolist()
    [1]
    """
    return GAMES[absent](made)


def check_absent(absent: str) -> None:
    """Refuse an unknown way of being absent.

    >>> check_absent("ill")
    Traceback (most recent call last):
    ostrom.errors.InputError: absent is one of left_out, public, not 'ill'
    """
    if absent not in GAMES:
        raise InputError(f"absent is one of {', '.join(GAMES)}, not {absent!r}")


def coalitions(
    updates: IntVector,
    weights: IntVector,
    *,
    moved: Callable[[IntVector, IntVector], Parameters],
    trend: Callable[[], IntVector | None],
) -> tuple[Game, Game]:
    """The two games of a round: the others left out, and the others public.

    Args:
        updates: (n, m).
        weights: (n,).
        moved: (k, m), (k,) -> (d,), the model that the task's pipeline makes of those rows.
        trend: the model's last change, asked for at most once, when the second game is played.
    """
    public = cache(lambda: public_parts(updates, trend()))

    def left_out(rows: Sequence[int]) -> Parameters:
        mine = list(rows)
        return moved(updates[mine], weights[mine])

    def with_public(rows: Sequence[int]) -> Parameters:
        everyone = public().copy()
        everyone[list(rows)] = updates[list(rows)]
        return moved(everyone, weights)

    return left_out, with_public


def public_parts(updates: IntVector, trend: IntVector | None) -> IntVector:
    """What of each update anybody could have sent: its part along the model's last change.

    p_i = max(0, x_i . t) / (t . t) * t

    Args:
        updates: (n, m) int32 or int64.
        trend: (m,) the last change; None before there is one.

    Returns:
        (n, m) of the updates' dtype; zeros where there is no trend of that length.

    >>> rows = np.array([[4, 3], [-1, 0]], dtype=np.int32)
    >>> public_parts(rows, np.array([2, 0], dtype=np.int64)).tolist()
    [[4, 0], [0, 0]]
    """
    if trend is None or trend.shape != updates.shape[1:] or not trend.any():
        return np.zeros_like(updates)
    along = trend.astype(np.float64)
    shares = np.maximum(updates.astype(np.float64) @ along, 0.0) / (along @ along)
    limits = np.iinfo(updates.dtype)
    # float64 cannot hold the largest int64: stay one float below the limit.
    top = np.nextafter(float(limits.max), 0)
    parts = np.clip(np.rint(np.outer(shares, along)), -top, top)
    return parts.astype(updates.dtype)


@dataclass(frozen=True)
class _Plain:
    """A holdout that likes large parameters."""

    def value(self, parameters: Parameters, /) -> Floats:
        sums: Floats = parameters.sum(axis=1).astype(np.float64)
        return sums

    def gradients(self, parameters: Parameters, /) -> Floats:
        return np.full((1, len(parameters)), -1.0)

    def accuracy(self, parameters: Parameters, /) -> float:
        return float(parameters.sum() > 0)


def example(*worth: int) -> tuple[Contributions, Holdout]:
    """A small round whose updates just add up, for documentation and tests.

    >>> made, holdout = example(3, 1)
    >>> holdout.value(made.candidate[None]).tolist()
    [4.0]
    """
    updates = np.array(worth, dtype=np.int32).reshape(-1, 1)
    whole = updates.sum(axis=0, dtype=np.int32)
    made = Contributions(
        parent=np.zeros(1, dtype=np.int32),
        updates=updates,
        seed=bytes(32),
        candidate=whole,
        model_of=lambda rows: updates[list(rows)].sum(axis=0, dtype=np.int32),
        without_each=lambda: whole - updates,
        model_with=lambda rows: updates[list(rows)].sum(axis=0, dtype=np.int32),
    )
    return made, _Plain()
