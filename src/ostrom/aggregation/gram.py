"""Inner products and distances of all updates, exactly, from a BLAS that cannot round.

Every product of limbs and every partial sum is an integer of at most 2**53, which float64 holds, so
that neither the order of a sum nor the machine can show.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import Int32Matrix, in_blocks
from ostrom.aggregation.tiles import inner_products, padded

Square: TypeAlias = npt.NDArray[Any]
"""(n, n) int64 where sums of n of its values fit, else Python integers (object)."""

LIMB_BITS = 24
"""A row below 2**24 is one limb: 32 of its products sum to at most 2**53."""


def gram(rows: Int32Matrix) -> Square:
    """All exact inner products between rows.

    G_ij = sum_k x_ik x_jk

    A row that reaches 2**24 counts twice: x = high * 2**16 + low with both within 2**15.

    Args:
        rows: (n, d) int32.

    Returns:
        (n, n) int64 where n squared distances sum to less than 2**63, else Python integers.

    >>> gram(np.array([[0, 0], [3, 4]], dtype=np.int32)).tolist()
    [[0, 0], [0, 25]]
    """
    tops = np.maximum(-rows.min(axis=1).astype(np.int64), rows.max(axis=1))
    large = np.flatnonzero(tops >= 1 << LIMB_BITS)
    small = np.flatnonzero(tops < 1 << LIMB_BITS)
    bits = max([16, *(int(top).bit_length() for top in tops[small])])
    high, low = _limb_products(rows, small, large, exact=1 << min(12, 53 - 2 * bits))
    lengths = _join(_join(high.astype(np.float64) * 2.0**32 + low, len(small)).T, len(small))
    # Sums of int64 may wrap on the way: what fits in the end is right all the same.
    fits = 8.0 * float(lengths.diagonal().max()) * len(rows) < 2.0**63
    whole = high.astype(np.int64 if fits else object) * (1 << 32) + low
    total = _join(_join(whole, len(small)).T, len(small))
    places = np.argsort(np.concatenate([small, large]), kind="stable")
    square: Square = total[np.ix_(places, places)]
    return square


def _limb_products(
    rows: Int32Matrix, small: npt.NDArray[np.intp], large: npt.NDArray[np.intp], *, exact: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The Gram matrix of the limbs, as high * 2**32 + low.

    Limbs are the small rows, then the high and the low halves of the large ones.
    """
    size = len(small) + 2 * len(large)
    high, low = np.zeros((2, size, size), dtype=np.int64)
    turn = Lock()

    def work(cut: slice) -> None:
        width = cut.stop - cut.start
        limbs = padded(size, width)
        filled = limbs[:, :width]
        if len(large):
            filled[: len(small)] = rows[small, cut]
            upper, lower = _balanced_halves(rows[large, cut])
            filled[len(small) : len(small) + len(large)] = upper
            filled[len(small) + len(large) :] = lower
        else:
            filled[:] = rows[:, cut]
        # Below 2**48 * 2**12 = 2**60 in magnitude.
        part = inner_products(limbs, exact=exact)
        with turn:
            np.add(high, part >> 32, out=high)
            np.add(low, part & 0xFFFFFFFF, out=low)

    in_blocks(work, rows)
    return high, low


def _join(part: Square, small: int) -> Square:
    """Lines of limbs to lines of rows."""
    large = (len(part) - small) // 2
    high, low = part[small : small + large], part[small + large :]
    return np.concatenate([part[:small], high * 65536 + low])


def _balanced_halves(block: Int32Matrix) -> tuple[Int32Matrix, Int32Matrix]:
    """block = high * 2**16 + low with both in [-2**15, 2**15]."""
    low = ((block & 0xFFFF) ^ 0x8000) - 0x8000
    return (block >> 16) + (low < 0), low


def squared_distances(rows: Int32Matrix) -> Square:
    """All exact squared Euclidean distances between rows.

    D_ij = G_ii + G_jj - 2 G_ij, with G the Gram matrix

    Args:
        rows: (n, d) int32.

    Returns:
        (n, n) int64 where n of its values sum to less than 2**63, else Python integers (object).

    >>> squared_distances(np.array([[0, 0], [3, 4]], dtype=np.int32)).tolist()
    [[0, 25], [25, 0]]
    """
    products = gram(rows)
    diagonal = products.diagonal()
    distances: Square = diagonal[:, None] + diagonal[None, :] - 2 * products
    return distances
