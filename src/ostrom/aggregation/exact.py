"""Integer arithmetic whose result no machine, thread count or row order can change.

Additions of integers are exact in any order. A BLAS is used only where every partial sum is an
integer below 2**53 in magnitude, which float64 holds exactly, so that its order cannot show.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.tiles import BLOCK_COLUMNS, Floats, blocks, combinations, padded
from ostrom.types import IntVector

IntMatrix: TypeAlias = npt.NDArray[np.signedinteger[Any]]
"""(n, d): one update per row."""

Int32Matrix: TypeAlias = npt.NDArray[np.int32]
Int64Vector: TypeAlias = npt.NDArray[np.int64]
Sums: TypeAlias = tuple[Int64Vector, Int64Vector]
"""A vector of integers that may exceed int64, as high * 2**k + low."""

THREADS = min(4, os.cpu_count() or 1)
THREADS_FROM = 1 << 20
"""With fewer values than this, one thread is done before others have started."""

EXACT_ROWS = 64
"""Rows per BLAS call in a weighted sum: 2**31 * 2**16 * 64 = 2**53."""

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
    # Rows nearly always differ in their first values; only those that do not are read in full.
    start = [_content(row[:16]) for row in rows]
    shared = Counter(start)
    whole = [_content(row) if shared[key] > 1 else b"" for row, key in zip(rows, start)]
    return sorted(range(len(rows)), key=lambda i: (start[i], whole[i], int(weights[i])))


def _content(row: npt.NDArray[Any]) -> bytes:
    return row.astype(f"<i{row.dtype.itemsize}").tobytes()


def divide_half_up(numerator: IntMatrix, denominator: int) -> npt.NDArray[np.int64]:
    """numerator / denominator, rounded to nearest, halves upwards; denominator >= 1.

    >>> divide_half_up(np.array([-3, -1, 1, 3]), 2).tolist()
    [-1, 0, 1, 2]
    """
    whole = numerator.astype(np.int64, copy=False)
    if whole.size and max(-int(whole.min()), int(whole.max())) + denominator < 1 << 52:
        return floor_of_halves(whole.astype(np.float64), denominator).astype(np.int64)
    quotient = whole // denominator
    remainder = whole - quotient * denominator
    half_up: npt.NDArray[np.int64] = quotient + (remainder >= denominator - remainder)
    return half_up


def floor_of_halves(sums: Floats, count: int | Floats) -> Floats:
    """floor(sums / count + 1/2), in place, for integers with 2 |sums| + count < 2**53.

    A correctly rounded quotient of such integers reaches the next integer only if it is one, so
    that the floor is exact, and many times faster than a division of integers.

    >>> floor_of_halves(np.array([-3.0, -1.0, 1.0, 3.0]), 2).tolist()
    [-1.0, 0.0, 1.0, 2.0]
    """
    sums *= 2.0
    sums += count
    sums /= 2.0 * count
    return np.floor(sums, out=sums)


def weighted_sums(rows: Int32Matrix, weights: IntVector) -> Sums:
    """The columns' weighted sums as high * 2**16 + low.

    Args:
        rows: (n, d) int32.
        weights: (n,), none negative, with a sum of at most `WEIGHT_SUM_MAX`.

    Returns:
        Two (d,) int64 vectors, each at most 2**62 in magnitude.

    >>> high, low = weighted_sums(np.array([[-1], [65537]], dtype=np.int32), np.array([1, 2]))
    >>> (high * 65536 + low).tolist()
    [131073]
    """
    parts = max(1, -(-int(weights.max()).bit_length() // 16))
    limbs = np.stack([weights.astype(np.int64) >> 16 * k & 0xFFFF for k in range(parts)])
    floats = limbs.astype(np.float64)
    high, low = np.zeros((2, rows.shape[1]), dtype=np.int64)

    def work(columns: slice) -> None:
        width = columns.stop - columns.start
        for first in range(0, len(rows), EXACT_ROWS):
            chunk = slice(first, first + EXACT_ROWS)
            block = padded(len(rows[chunk]), width)
            block[:, :width] = rows[chunk, columns]
            # Exact in any order: each partial sum is at most 2**31 * 2**16 * 64 = 2**53.
            sums = combinations(floats[:, chunk], block)[:, :width].astype(np.int64)
            high[columns] += sums[0] >> 16
            low[columns] += sums[0] & 0xFFFF
            for k in range(1, parts):
                high[columns] += sums[k] << 16 * (k - 1)

    in_blocks(work, rows)
    return high, low


def in_blocks(work: Callable[[slice], None], rows: IntMatrix, size: int = BLOCK_COLUMNS) -> None:
    """Call `work` with slices of columns that cover `rows`, on several threads where it pays.

    Every call writes its own columns alone, so that the bytes cannot depend on the threads.
    """
    parts = blocks(rows.shape[1], size)
    if rows.size < THREADS_FROM or THREADS == 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, parts))


def halves(row: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """row = high * 2**16 + low with 0 <= low < 2**16."""
    return row >> 16, row & 0xFFFF


def mean_half_up(sums: Sums, weight: int) -> Int64Vector:
    """Weighted sums divided by the sum of weights, rounded to nearest, halves upwards.

    >>> mean_half_up((np.array([1]), np.array([1])), 2).tolist()
    [32769]
    """
    high, low = sums[0] + (sums[1] >> 16), sums[1] & 0xFFFF
    if max(-int(high.min()), int(high.max())) < 1 << 35:
        return divide_half_up((high << 16) + low, weight)
    quotient = high // weight
    remainder = high - quotient * weight
    # remainder < 2**46, so that this long division stays inside int64.
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
    if max(-int(row.min()), int(row.max())) <= 1 << 23:
        squares = np.square(row.astype(np.float64))
        # Exact in any order: 128 squares of at most 2**46 each.
        return sum(map(int, np.add.reduceat(squares, np.arange(0, len(row), 128)).tolist()))
    high, low = (part.astype(np.int64) for part in halves(row))
    # Integer dot products never reach a BLAS; each is below 2**63.
    whole, cross, rest = int(high @ high), int(high @ low), int(low @ low)
    return (whole << 32) + (cross << 17) + rest
