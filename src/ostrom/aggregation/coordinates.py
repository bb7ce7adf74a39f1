"""Rules that look at one coordinate at a time: sort its values, keep the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import (
    Int32Matrix,
    Int64Vector,
    IntMatrix,
    divide_half_up,
    in_blocks,
    int32_rows,
)
from ostrom.aggregation.kinds import Omission, Rule, State
from ostrom.errors import InputError
from ostrom.types import IntVector

Columns: TypeAlias = npt.NDArray[np.int32]
"""(columns, n): each line holds one coordinate's values in ascending order."""

SORT_COLUMNS = 1 << 10
"""Columns sorted at a time, so that they stay in the cache."""


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


def mean_around_median(*, f: int) -> Rule:
    """The mean, coordinate by coordinate, of the n - f values nearest to the median.

    delta_j = mean of the n - f values x_ij of smallest |x_ij - median_j|, halves upwards

    The median of an even number of values lies half-way between the middle two. Of two values that
    are equally far, the smaller is kept. With few updates f is reduced to (n - 1) // 2.

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[1], [4], [6], [10**6]], dtype=np.int32)
    >>> mean_around_median(f=1)(rows, np.array([1, 1, 1, 1]), {})[0].tolist()
    [4]

    Source: Xie et al. (2018), "Generalized Byzantine-tolerant SGD".
    """
    if f < 0:
        raise InputError(f"mean_around_median needs f >= 0, not {f}")

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        return nearest_to_median(int32_rows(rows), len(rows) - min(f, (len(rows) - 1) // 2)), state

    return combine


def nearest_to_median(rows: Int32Matrix, keep: int) -> Int64Vector:
    """The mean of each coordinate's `keep` values that are nearest to its median.

    >>> nearest_to_median(np.array([[1], [2], [9]], dtype=np.int32), 2).tolist()
    [2]
    """
    n, d = rows.shape
    sums = np.empty(d, dtype=np.int64)

    def work(part: slice) -> None:
        ranked = sorted_columns(rows[:, part])
        whole = ranked.astype(np.int64)
        twice = whole[:, (n - 1) // 2] + whole[:, n // 2]
        # The nearest are neighbours in rank: move up while the next is nearer than the first.
        first = (whole[:, : n - keep] + whole[:, keep:] < twice[:, None]).sum(axis=1)
        upto = np.zeros((len(whole), n + 1), dtype=np.int64)
        np.cumsum(whole, axis=1, out=upto[:, 1:])
        lines = np.arange(len(whole))
        sums[part] = upto[lines, first + keep] - upto[lines, first]

    in_blocks(work, rows, SORT_COLUMNS)
    return divide_half_up(sums, keep)


def sorted_columns(rows: Int32Matrix) -> Columns:
    """Each column's values in ascending order, one line for each column.

    >>> sorted_columns(np.array([[3, 1], [2, 5]], dtype=np.int32)).tolist()
    [[2, 3], [1, 5]]
    """
    columns = np.ascontiguousarray(rows.T)
    columns.sort(axis=1)
    return columns


def _trimmed(rows: IntMatrix, f: int) -> Int64Vector:
    whole = int32_rows(rows)
    n, d = whole.shape
    sums = np.empty(d, dtype=np.int64)

    def work(part: slice) -> None:
        middle = sorted_columns(whole[:, part])[:, f : n - f]
        sums[part] = middle.sum(axis=1, dtype=np.int64)

    in_blocks(work, whole, SORT_COLUMNS)
    return divide_half_up(sums, n - 2 * f)


def median_omission() -> Omission:
    """`median` without each row, from one sort.

    >>> rows = np.array([[1], [4], [9]], dtype=np.int32)
    >>> [delta.tolist() for delta in median_omission()(rows, np.array([1, 1, 1]))]
    [[7], [5], [3]]
    """
    return lambda rows, _: _trimmed_without_each(rows, (len(rows) - 2) // 2)


def trimmed_mean_omission(*, f: int) -> Omission:
    """`trimmed_mean` without each row, from one sort.

    >>> rows = np.array([[1], [4], [9]], dtype=np.int32)
    >>> [delta.tolist() for delta in trimmed_mean_omission(f=0)(rows, np.array([1, 1, 1]))]
    [[7], [5], [3]]
    """
    return lambda rows, _: _trimmed_without_each(rows, min(f, (len(rows) - 2) // 2))


def _trimmed_without_each(rows: IntMatrix, f: int) -> Iterator[Int64Vector]:
    whole = int32_rows(rows)
    n, d = whole.shape
    low, high = np.empty((2, d), dtype=np.int32)
    sums = np.empty(d, dtype=np.int64)

    def work(part: slice) -> None:
        middle = sorted_columns(whole[:, part])[:, f : n - f]
        low[part], high[part] = middle[:, 0], middle[:, -1]
        sums[part] = middle.sum(axis=1, dtype=np.int64)

    in_blocks(work, whole, SORT_COLUMNS)
    for row in whole:
        # A trimmed value makes room for the first or the last kept one to be trimmed in its place.
        yield divide_half_up(sums - np.clip(row, low, high), n - 1 - 2 * f)
