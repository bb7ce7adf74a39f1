"""Means and sums, with a fast way to leave each update out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ostrom.aggregation.exact import (
    Int64Vector,
    IntMatrix,
    halves,
    int32_rows,
    int64_sums,
    mean_half_up,
    saturate,
    weighted_sums,
)
from ostrom.aggregation.kinds import Omission, Rule, State
from ostrom.errors import InputError
from ostrom.types import IntVector


def mean(*, weights: str = "samples") -> Rule:
    """The mean, weighted by sample counts.

    delta = sum_i w_i x_i / sum_i w_i, rounded to nearest, halves upwards

    Args:
        weights: "samples" for sample counts, "equal" for one vote each.

    Returns:
        A rule that keeps no state.

    Raises:
        InputError: `weights` is neither.

    >>> rows = np.array([[1, -1], [4, -4]], dtype=np.int32)
    >>> mean()(rows, np.array([1, 2]), {})[0].tolist()
    [3, -3]

    Source: McMahan et al. (2017), "Communication-Efficient Learning of Deep Networks from
    Decentralized Data".
    """
    choose = _weighting(weights)

    def combine(rows: IntMatrix, votes: IntVector, state: State) -> tuple[Int64Vector, State]:
        votes = choose(votes)
        return mean_half_up(weighted_sums(int32_rows(rows), votes), int(votes.sum())), state

    return combine


def mean_omission(*, weights: str = "samples") -> Omission:
    """`mean` without each row, from one pass over the sums.

    >>> rows = np.array([[1], [4], [9]], dtype=np.int32)
    >>> [delta.tolist() for delta in mean_omission()(rows, np.array([1, 1, 1]))]
    [[7], [5], [3]]
    """
    choose = _weighting(weights)

    def combine(rows: IntMatrix, votes: IntVector) -> Iterator[Int64Vector]:
        votes, whole = choose(votes), int32_rows(rows)
        (high, low), weight = weighted_sums(whole, votes), int(votes.sum())
        for row, vote in zip(whole, votes.tolist()):
            upper, lower = (part.astype(np.int64) * vote for part in halves(row))
            yield mean_half_up((high - upper, low - lower), weight - vote)

    return combine


def _weighting(weights: str) -> Callable[[IntVector], IntVector]:
    if weights not in ("samples", "equal"):
        raise InputError(f"mean needs weights=samples or weights=equal, not {weights!r}")
    return np.ones_like if weights == "equal" else np.asarray


def total() -> Rule:
    """The sum, for statistics that add up; the catalogue calls it `sum`.

    delta = sum_i x_i, held inside int64

    Returns:
        A rule that keeps no state and takes the whole range of int64.

    >>> total()(np.array([[1], [4]]), np.array([1, 1]), {})[0].tolist()
    [5]
    """

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        return saturate(int64_sums(rows)), state

    return combine


def total_omission() -> Omission:
    """`sum` without each row, from one pass over the sums.

    >>> rows = np.array([[1], [4], [9]])
    >>> [delta.tolist() for delta in total_omission()(rows, np.array([1, 1, 1]))]
    [[13], [10], [5]]
    """

    def combine(rows: IntMatrix, _: IntVector) -> Iterator[Int64Vector]:
        high, low = int64_sums(rows)
        for row in rows:
            whole = row.astype(np.int64, copy=False)
            yield saturate((high - (whole >> 32), low - (whole & 0xFFFFFFFF)))

    return combine
