"""Rules that compare whole updates by their exact distances: Krum, Bulyan, minimum diameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ostrom.aggregation.coordinates import nearest_to_median
from ostrom.aggregation.cover import first_compatible
from ostrom.aggregation.exact import (
    Int32Matrix,
    Int64Vector,
    IntMatrix,
    canonical_order,
    int32_rows,
)
from ostrom.aggregation.gram import Square, squared_distances
from ostrom.aggregation.kinds import Omission, Rule, State
from ostrom.aggregation.selected import mean_selected
from ostrom.errors import InputError
from ostrom.types import IntVector

HOSTILE_MAX = 32
"""The search for a smallest diameter may take 1.5**f steps."""


def krum(*, f: int) -> Rule:
    """The update that is nearest to its neighbours: `multi_krum` with m = 1.

    delta = the update of smallest score, as in `multi_krum`

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[0], [1], [2], [3], [10**6]], dtype=np.int32)
    >>> krum(f=1)(rows, np.ones(5, dtype=np.int64), {})[0].tolist()
    [1]

    Source: Blanchard et al. (2017), "Machine Learning with Adversaries".
    """
    return multi_krum(f=f)


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

    return mean_of_chosen(lambda distances: _krum_choice(distances, f, m))


def multi_krum_omission(*, f: int, m: int = 1) -> Omission:
    """`multi_krum` without each row, from one matrix of distances.

    >>> rows = np.array([[0], [1], [5]], dtype=np.int32)
    >>> [delta.tolist() for delta in multi_krum_omission(f=0)(rows, np.array([1, 1, 1]))]
    [[1], [0], [0]]
    """

    def combine(rows: IntMatrix, votes: IntVector) -> Iterator[Int64Vector]:
        whole = int32_rows(rows)
        order, distances = in_order(whole, votes)
        marks = np.zeros(distances.shape, dtype=np.bool_)
        for place, left_out in enumerate(order):
            rest = [i for i in range(len(order)) if i != place]
            chosen = _krum_choice(distances[np.ix_(rest, rest)], f, m)
            marks[left_out, [order[rest[i]] for i in chosen]] = True
        yield from mean_selected(whole, marks).astype(np.int64)

    return combine


def krum_omission(*, f: int) -> Omission:
    """`krum` without each row.

    >>> rows = np.array([[0], [1], [5]], dtype=np.int32)
    >>> [delta.tolist() for delta in krum_omission(f=0)(rows, np.array([1, 1, 1]))]
    [[1], [0], [0]]
    """
    return multi_krum_omission(f=f)


def bulyan(*, f: int) -> Rule:
    """Krum chooses n - 2 f updates one after the other; the mean around their median is taken.

    chosen = Krum's update of what is left, n - 2 f times
    delta_j = mean of the n - 4 f chosen values that are nearest to their median, halves upwards

    Ties go to the smaller content, and of two values to the smaller. With few updates f is reduced
    to (n - 3) // 4 (at least 0, which is the mean).

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[0], [1], [2], [3], [4], [5], [10**6]], dtype=np.int32)
    >>> bulyan(f=1)(rows, np.ones(7, dtype=np.int64), {})[0].tolist()
    [2]

    Source: El Mhamdi et al. (2018), "The Hidden Vulnerability of Distributed Learning in
    Byzantium".
    """
    if f < 0:
        raise InputError(f"bulyan needs f >= 0, not {f}")

    def combine(rows: IntMatrix, votes: IntVector, state: State) -> tuple[Int64Vector, State]:
        whole = int32_rows(rows)
        n = len(whole)
        hostile = min(f, max(0, (n - 3) // 4))
        order, distances = in_order(whole, votes)
        chosen = _one_after_the_other(distances, n - 2 * hostile, hostile)
        return nearest_to_median(whole[[order[i] for i in chosen]], n - 4 * hostile), state

    return combine


def mda(*, f: int) -> Rule:
    """The mean of the n - f updates that lie closest together.

    delta = mean of S, where S has n - f updates and the smallest max over S of |x_i - x_k|

    The search is exact: whether f updates touch every pair that is farther than t is a vertex cover
    problem, small in f whatever n. Of several such S the first in order of content is taken. With
    few updates f is reduced to (n - 1) // 2.

    Args:
        f: how many updates may be hostile, 0 <= f <= 32.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is out of range.

    >>> rows = np.array([[0], [1], [2], [3], [10**6]], dtype=np.int32)
    >>> mda(f=2)(rows, np.ones(5, dtype=np.int64), {})[0].tolist()
    [1]

    Source: El Mhamdi et al. (2020), "Genuinely Distributed Byzantine Machine Learning"; Rousseeuw
    (1985), "Multivariate Estimation with High Breakdown Point".
    """
    if not 0 <= f <= HOSTILE_MAX:
        raise InputError(f"mda needs 0 <= f <= {HOSTILE_MAX}, not {f}")

    return mean_of_chosen(
        lambda distances: first_compatible(distances, min(f, (len(distances) - 1) // 2))
    )


def mean_of_chosen(choose: Callable[[Square], Sequence[int]]) -> Rule:
    """The mean of the rows that `choose` names by their distances, given in order of content."""

    def combine(rows: IntMatrix, votes: IntVector, state: State) -> tuple[Int64Vector, State]:
        whole = int32_rows(rows)
        order, distances = in_order(whole, votes)
        chosen = whole[[order[i] for i in choose(distances)]]
        marks = np.ones((1, len(chosen)), dtype=np.bool_)
        return mean_selected(chosen, marks)[0].astype(np.int64), state

    return combine


def in_order(rows: Int32Matrix, weights: IntVector) -> tuple[list[int], Square]:
    """The canonical order of rows, and their squared distances in that order.

    >>> in_order(np.array([[3], [1]], dtype=np.int32), np.array([1, 1]))[0]
    [1, 0]
    """
    order = canonical_order(rows, weights)
    return order, squared_distances(rows)[np.ix_(order, order)]


def _krum_choice(distances: Square, f: int, m: int) -> list[int]:
    n = len(distances)
    hostile = min(f, max(0, (n - 3) // 2))
    return _krum_order(distances, max(1, n - hostile - 2))[: min(m, n - hostile)]


def _krum_order(distances: Square, neighbours: int) -> list[int]:
    # A row's smallest distance is the zero to itself.
    nearest = np.sort(distances, axis=1)[:, 1 : 1 + neighbours]
    scores = nearest.sum(axis=1).tolist()
    return sorted(range(len(scores)), key=lambda i: (scores[i], i))


def _one_after_the_other(distances: Square, count: int, hostile: int) -> list[int]:
    left = list(range(len(distances)))
    chosen: list[int] = []
    while len(chosen) < count:
        between = distances[np.ix_(left, left)]
        chosen.append(left.pop(_krum_order(between, max(1, len(left) - hostile - 2))[0]))
    return chosen
