"""Products of float64 matrices of integers, in tiles so small that a BLAS starts no threads.

The threads of a BLAS wait for one another by spinning: on a machine that does other work besides,
they are many times slower than one. Columns are shared out over threads by `exact.in_blocks`.
Nothing is rounded: callers see to it that every partial sum is an integer of at most 2**53.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

BLOCK_COLUMNS = 1 << 12
"""Columns taken at a time: few enough for the cache."""

TILE = 64
"""OpenBLAS computes 64 * 64 * 64 products on the calling thread."""


def blocks(length: int, size: int = BLOCK_COLUMNS) -> list[slice]:
    """Slices of at most `size` that cover `length`.

    >>> blocks(5, 3)
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def padded(rows: int, width: int) -> Floats:
    """Room for one block of columns, with zeros from `width` on.

    >>> padded(3, 4095)[:, 4095].tolist()
    [0.0, 0.0, 0.0]
    """
    room = np.empty((rows, BLOCK_COLUMNS))
    room[:, width:] = 0.0
    return room


def inner_products(limbs: Floats, *, exact: int) -> npt.NDArray[np.int64]:
    """limbs @ limbs.T.

    Args:
        limbs: (n, a multiple of `TILE`), integers.
        exact: how many columns' products sum to at most 2**53 for certain; a power of two.

    >>> inner_products(np.ones((2, 128)), exact=64).tolist()
    [[128, 128], [128, 128]]
    """
    width = min(TILE, exact)
    together = max(1, min(exact, limbs.shape[1]) // width)
    pieces = limbs.reshape(len(limbs), -1, width).transpose(1, 0, 2)
    total = np.empty((len(limbs), len(limbs)), dtype=np.int64)
    parts = blocks(len(limbs), TILE)
    for i, upper in enumerate(parts):
        for lower in parts[: i + 1]:
            stack = pieces[:, upper] @ pieces[:, lower].transpose(0, 2, 1)
            # What a float holds exactly is added up first: one conversion for many sums.
            sums = stack.reshape(-1, together, *stack.shape[1:]).sum(axis=1)
            total[upper, lower] = sums.astype(np.int64).sum(axis=0)
            total[lower, upper] = total[upper, lower].T
    return total


def combinations(factors: Floats, rows: Floats) -> Floats:
    """factors @ rows, where every partial sum is at most 2**53.

    Args:
        factors: (m, n), integers.
        rows: (n, a power of two of at least `TILE`), integers.

    >>> combinations(np.ones((1, 2)), np.ones((2, 64)))[0, :3].tolist()
    [2.0, 2.0, 2.0]
    """
    # As wide as a tile may be: a power of two, of products as many as in TILE x TILE x TILE.
    height, depth = min(len(factors), TILE), min(len(rows), TILE)
    width = min(rows.shape[1], 1 << (TILE**3 // (height * depth)).bit_length() - 1)
    pieces = rows.reshape(len(rows), -1, width).transpose(1, 0, 2)
    total = np.zeros((len(factors), *pieces.shape[::2]))
    for lines in blocks(len(factors), TILE):
        for terms in blocks(len(rows), TILE):
            total[lines] += (factors[lines, terms] @ pieces[:, terms]).transpose(1, 0, 2)
    return total.reshape(len(factors), -1)
