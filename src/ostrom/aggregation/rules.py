"""Aggregation rules: (n, d), (n,), state -> (d,), state, in exact integers.

| rule | threat it answers | what it does not | few updates |
|---|---|---|---|
| mean(weights) | none: one update can move it anywhere | | any n |
| sum | none; for statistics that add up | | any n |
| median | fewer than half hostile, coordinate by coordinate | ALIE, label skew | any n |
| trimmed_mean(f) | at most f hostile, coordinate by coordinate | ALIE | f <= (n - 1) // 2 |
| multi_krum(f, m) | at most f far from the rest | ALIE | f <= (n - 3) // 2, m <= n - f |

Where the last column bounds f or m, a round with fewer updates uses the bound (at least 0 or 1)
instead, so that a small round is settled rather than stopped. All rules but `sum` first hold values
inside int32; deltas are int64. All but `mean` ignore the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np

from ostrom.aggregation.exact import (
    Int64Vector,
    IntMatrix,
    canonical_order,
    divide_half_up,
    halves,
    int32_rows,
    int64_sums,
    mean_half_up,
    saturate,
    squared_distances,
    weighted_sums,
)
from ostrom.errors import InputError
from ostrom.types import IntVector

State: TypeAlias = Mapping[str, IntVector]
"""What a pipeline carries from round to round; part of the model file."""

Rule: TypeAlias = Callable[[IntMatrix, IntVector, State], tuple[Int64Vector, State]]
"""(n, d) updates, (n,) weights, state -> (d,) int64, state."""

Omission: TypeAlias = Callable[[IntMatrix, IntVector], Iterator[Int64Vector]]
"""(n, d) updates, (n,) weights -> the rule's n results without each row, n >= 2."""

SORT_COLUMNS = 1 << 12
"""Columns sorted at a time, so that they stay in the cache."""


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


def median() -> Rule:
    """The coordinate-wise median.

    delta_j = the middle of x_1j .. x_nj; of two middles their mean, halves upwards

    Returns:
        A rule that keeps no state and counts every row once.

    >>> rows = np.array([[1], [4], [10**6]], dtype=np.int32)
    >>> median()(rows, np.array([1, 1, 1]), {})[0].tolist()
    [4]

    Source: Yin et al. (2018), "Byzantine-Robust Distributed Learning".
    """

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        # Trimming all but one or two values leaves the middle.
        return _trimmed(rows, (len(rows) - 1) // 2), state

    return combine


def trimmed_mean(*, f: int) -> Rule:
    """The mean of what is left when the f smallest and f largest of each coordinate go.

    delta_j = mean of x_(f+1)j .. x_(n-f)j, rounded to nearest, halves upwards

    With few updates f is reduced to (n - 1) // 2, which is the median.

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[-(10**6)], [1], [4], [10**6]], dtype=np.int32)
    >>> trimmed_mean(f=1)(rows, np.array([1, 1, 1, 1]), {})[0].tolist()
    [3]

    Source: Yin et al. (2018), "Byzantine-Robust Distributed Learning".
    """
    if f < 0:
        raise InputError(f"trimmed_mean needs f >= 0, not {f}")

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        return _trimmed(rows, min(f, (len(rows) - 1) // 2)), state

    return combine


def _trimmed(rows: IntMatrix, f: int) -> Int64Vector:
    rows = int32_rows(rows)
    n, d = rows.shape
    sums = np.empty(d, dtype=np.int64)
    for start in range(0, d, SORT_COLUMNS):
        columns = np.ascontiguousarray(rows[:, start : start + SORT_COLUMNS].T)
        columns.sort(axis=1)
        sums[start : start + SORT_COLUMNS] = columns[:, f : n - f].sum(axis=1, dtype=np.int64)
    return divide_half_up(sums, n - 2 * f)


def multi_krum(*, f: int, m: int = 1) -> Rule:
    """The mean of the m updates that are nearest to their neighbours.

    score_i = sum of the n - f - 2 smallest squared distances from x_i to other updates
    delta   = mean of the m updates of smallest score, rounded to nearest, halves upwards

    Distances are exact; ties go to the smaller content. With few updates f is reduced to
    (n - 3) // 2 (at least 0), m to n - f, and at least one neighbour is counted.

    Args:
        f: how many updates may be hostile, f >= 0.
        m: how many updates to average, m >= 1; 1 is Krum.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative or m is not positive.

    >>> rows = np.array([[0], [1], [2], [3], [10**6]], dtype=np.int32)
    >>> multi_krum(f=1, m=2)(rows, np.ones(5, dtype=np.int64), {})[0].tolist()
    [2]

    Source: Blanchard et al. (2017), "Machine Learning with Adversaries".
    """
    if f < 0 or m < 1:
        raise InputError(f"multi_krum needs f >= 0 and m >= 1, not f={f}, m={m}")

    def combine(rows: IntMatrix, votes: IntVector, state: State) -> tuple[Int64Vector, State]:
        whole = int32_rows(rows)
        whole = whole[canonical_order(whole, votes)]
        n = len(whole)
        hostile = min(f, max(0, (n - 3) // 2))
        chosen = whole[_krum_order(whole, max(1, n - hostile - 2))[: min(m, n - hostile)]]
        return divide_half_up(chosen.sum(axis=0, dtype=np.int64), len(chosen)), state

    return combine


def _krum_order(rows: IntMatrix, neighbours: int) -> list[int]:
    # A row's smallest distance is the zero to itself.
    nearest = np.sort(squared_distances(int32_rows(rows)), axis=1)[:, 1 : 1 + neighbours]
    scores = nearest.sum(axis=1).tolist()
    return sorted(range(len(rows)), key=lambda i: (scores[i], i))


RULES: dict[str, Callable[..., Rule]] = {
    "mean": mean,
    "sum": total,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "multi_krum": multi_krum,
}

OMISSIONS: dict[str, Callable[..., Omission]] = {"mean": mean_omission, "sum": total_omission}
"""Rules that can leave each row out faster than by computing n times."""
