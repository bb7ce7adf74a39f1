"""Integer arithmetic whose result no machine, thread count or row order can change.

Additions of integers are exact in any order. A BLAS is used only where every partial sum is an
integer below 2**53 in magnitude, which float64 holds exactly, so that its order cannot show.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.types import IntVector

IntMatrix: TypeAlias = npt.NDArray[np.signedinteger[Any]]
"""(n, d): one update per row."""

Int32Matrix: TypeAlias = npt.NDArray[np.int32]
Int64Vector: TypeAlias = npt.NDArray[np.int64]
Sums: TypeAlias = tuple[Int64Vector, Int64Vector]
"""A vector of integers that may exceed int64, as high * 2**k + low."""

BLOCK_COLUMNS = 1 << 14
"""Columns per BLAS call: few enough for the cache, and for the bound on partial sums."""

SINGLE_LIMB_MAX = 1 << 19
"""Below this, products sum to less than 2**(19 + 19 + 14) = 2**52 in one block."""

WEIGHT_SUM_MAX = 1 << 46
"""Keeps every intermediate of a weighted mean inside int64."""


def int32_rows(rows: IntMatrix) -> Int32Matrix:
    """Values held inside int32, where all rules but `sum` compute.

    >>> int32_rows(np.array([[1 << 40, -5]])).tolist()
    [[2147483647, -5]]
    """
    if rows.dtype == np.int32:
        return rows.astype(np.int32, copy=False)
    limits = np.iinfo(np.int32)
    return np.clip(rows, limits.min, limits.max).astype(np.int32)


def canonical_order(rows: IntMatrix, weights: IntVector) -> list[int]:
    """Row indices sorted by content, then weight, so that no tie depends on who sent what.

    >>> canonical_order(np.array([[3], [1]], dtype=np.int32), np.array([1, 1]))
    [1, 0]
    """
    # As little-endian bytes: any total order on contents will do if every machine has the same.
    size = rows.dtype.itemsize
    keys = [row.astype(f"<i{size}").tobytes() for row in rows]
    return sorted(range(len(rows)), key=lambda i: (keys[i], int(weights[i])))


def divide_half_up(numerator: IntMatrix, denominator: int) -> npt.NDArray[np.int64]:
    """numerator / denominator, rounded to nearest, halves upwards; denominator >= 1.

    >>> divide_half_up(np.array([-3, -1, 1, 3]), 2).tolist()
    [-1, 0, 1, 2]
    """
    quotient, remainder = np.divmod(numerator.astype(np.int64, copy=False), denominator)
    half_up: npt.NDArray[np.int64] = quotient + (remainder >= denominator - remainder)
    return half_up


def weighted_sums(rows: Int32Matrix, weights: IntVector) -> Sums:
    """The columns' weighted sums as high * 2**16 + low.

    Args:
        rows: (n, d) int32.
        weights: (n,) positive, with a sum of at most `WEIGHT_SUM_MAX`.

    Returns:
        Two (d,) int64 vectors, each at most 2**62 in magnitude.

    >>> high, low = weighted_sums(np.array([[-1], [65537]], dtype=np.int32), np.array([1, 2]))
    >>> (high * 65536 + low).tolist()
    [131073]
    """
    high, low = np.zeros((2, rows.shape[1]), dtype=np.int64)
    limb = np.empty_like(high)
    for row, weight in zip(rows, weights.tolist()):
        for total, part in zip((high, low), halves(row)):
            np.multiply(part, weight, out=limb, dtype=np.int64)
            np.add(total, limb, out=total)
    return high, low


def halves(row: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """row = high * 2**16 + low with 0 <= low < 2**16."""
    return row >> 16, row & 0xFFFF


def mean_half_up(sums: Sums, weight: int) -> Int64Vector:
    """Weighted sums divided by the sum of weights, rounded to nearest, halves upwards.

    >>> mean_half_up((np.array([1]), np.array([1])), 2).tolist()
    [32769]
    """
    high, low = sums
    quotient, remainder = np.divmod(high, weight)
    # remainder < 2**46 and low <= 2**62, so that this long division stays inside int64.
    rest: Int64Vector = divide_half_up((remainder << 16) + low, weight)
    return (quotient << 16) + rest


def int64_sums(rows: IntMatrix) -> Sums:
    """The columns' sums of int64 values as high * 2**32 + low.

    >>> high, low = int64_sums(np.array([[2**62], [2**62]]))
    >>> int(high[0]) * 2**32 + int(low[0]) == 2**63
    True
    """
    high, low = np.zeros((2, rows.shape[1]), dtype=np.int64)
    for row in rows:
        whole = row.astype(np.int64, copy=False)
        high += whole >> 32
        low += whole & 0xFFFFFFFF
    return high, low


def saturate(sums: Sums) -> Int64Vector:
    """high * 2**32 + low, held inside int64.

    >>> saturate((np.array([1, 2**40]), np.array([5, 0]))).tolist()
    [4294967301, 9223372036854775807]
    """
    high, low = sums
    high = high + (low >> 32)
    inside: Int64Vector = (np.clip(high, -(1 << 31), (1 << 31) - 1) << 32) | (low & 0xFFFFFFFF)
    limits = np.iinfo(np.int64)
    inside[high >= 1 << 31] = limits.max
    inside[high < -(1 << 31)] = limits.min
    return inside


def norm_squared(row: npt.NDArray[np.int32]) -> int:
    """The exact squared Euclidean norm of fewer than 2**31 values.

    >>> norm_squared(np.array([3, -4], dtype=np.int32))
    25
    """
    high, low = (part.astype(np.int64) for part in halves(row))
    # Integer dot products never reach a BLAS; each is below 2**63.
    squares, cross, rest = int(high @ high), int(high @ low), int(low @ low)
    return (squares << 32) + (cross << 17) + rest


def squared_distances(rows: Int32Matrix) -> npt.NDArray[Any]:
    """All exact squared Euclidean distances between rows.

    D_ij = G_ii + G_jj - 2 G_ij, with G the Gram matrix from 16-bit limbs

    Args:
        rows: (n, d) int32.

    Returns:
        (n, n) int64 where n of its values sum to less than 2**63, else Python integers (object).

    >>> squared_distances(np.array([[0, 0], [3, 4]], dtype=np.int32)).tolist()
    [[0, 25], [25, 0]]
    """
    n, d = rows.shape
    top = max(-int(rows.min()), int(rows.max()))
    small = 4 * top * top * d * n < 1 << 63
    limbs = _gram_limbs(rows, single=small and top <= SINGLE_LIMB_MAX)
    gram = np.zeros((n, n), dtype=np.int64 if small else object)
    for shift, part in limbs:
        gram += part.astype(gram.dtype) * (1 << shift)
    diagonal = gram.diagonal()
    distances: npt.NDArray[Any] = diagonal[:, None] + diagonal[None, :] - 2 * gram
    return distances


def _gram_limbs(rows: Int32Matrix, *, single: bool) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """The Gram matrix as a sum of int64 matrices times powers of two."""
    n, d = rows.shape
    size = n if single else 2 * n
    total = np.zeros((size, size), dtype=np.int64)
    for start in range(0, d, BLOCK_COLUMNS):
        block = rows[:, start : start + BLOCK_COLUMNS]
        stacked = (block if single else np.concatenate(_balanced_halves(block))).astype(np.float64)
        # Exact in any order: limbs are at most 2**15 (or 2**19 if single) in magnitude, so that
        # partial sums over 2**14 columns stay at or below 2**52.
        total += (stacked @ stacked.T).astype(np.int64)
    if single:
        return [(0, total)]
    cross = total[:n, n:]
    return [(32, total[:n, :n]), (16, cross + cross.T), (0, total[n:, n:])]


def _balanced_halves(block: Int32Matrix) -> tuple[Int32Matrix, Int32Matrix]:
    """block = high * 2**16 + low with both in [-2**15, 2**15]."""
    low = ((block & 0xFFFF) ^ 0x8000) - 0x8000
    return (block >> 16) + (low < 0), low


def sum_selected(rows: Int32Matrix, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each line of `chosen` the sum of the rows that it marks.

    Args:
        rows: (n, d) int32, n < 2**22.
        chosen: (m, n) bool.

    Returns:
        (m, d) int64.

    >>> sum_selected(np.array([[1], [2]], dtype=np.int32), np.array([[True, True]])).tolist()
    [[3]]
    """
    if len(rows) >= 1 << 22:
        raise InputError("an aggregate takes fewer than 4,194,304 updates")
    total = np.empty((len(chosen), rows.shape[1]), dtype=np.int64)
    marks = chosen.astype(np.float64)
    for start in range(0, rows.shape[1], BLOCK_COLUMNS):
        block = rows[:, start : start + BLOCK_COLUMNS].astype(np.float64)
        # Exact in any order: partial sums stay below 2**31 * 2**22 = 2**53.
        total[:, start : start + BLOCK_COLUMNS] = marks @ block
    return total
