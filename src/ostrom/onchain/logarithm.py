"""Logarithms to the base 2 in fixed point, the same bits everywhere.

With n = 2^e * (1 + f), 0 <= f < 1, and j the first eight bits of f: L(n) = e * 2^32 + T[j] +
floor((T[j + 1] - T[j]) * (256 f - j)), T[j] = round(2^32 log2(1 + j / 256)). Powers of two are
exact; elsewhere L is at most 2.8e-6 below the logarithm. L never falls.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.onchain.features import Integers

FRACTION_BITS = 32
_TABLE_BITS = 8
_SMALL = 1 << 17
"""Logarithms of numbers below this are looked up: a 16-bit count and 1 is always below."""


def log2_fixed(n: int) -> int:
    """floor-like 2^32 * log2(n) for n of 1 to 2^64 - 1, by the table.

    >>> log2_fixed(1), log2_fixed(8) == 3 << 32
    (0, True)
    >>> round(log2_fixed(1_000) / 2**32, 5)
    9.96578
    """
    if not 1 <= n < 1 << 64:
        raise ValueError(f"there is a logarithm of 1 to 2**64 - 1, not of {n}")
    e = n.bit_length() - 1
    fraction = (n << (64 - e)) - (1 << 64)
    j, rest = fraction >> 56, fraction & ((1 << 56) - 1)
    low, high = table()[j : j + 2]
    return (e << FRACTION_BITS) + low + ((high - low) * rest >> 56)


def log2_small(n: Integers) -> Integers:
    """`log2_fixed` of each number; all are 1 to 131,071.

    >>> log2_small(np.array([1, 2, 4])) >> 32
    array([0, 1, 2])
    """
    return _small()[n]


@lru_cache(maxsize=1)
def table() -> tuple[int, ...]:
    """T[0] to T[256].

    >>> table()[0], table()[256] == 1 << 32
    (0, True)
    """
    return tuple(_log2_exact(256 + j) - (8 << FRACTION_BITS) for j in range(257))


def _log2_exact(n: int) -> int:
    """2^32 * log2(n) rounded to the nearest, bit by bit: square, and halve if that is above 2."""
    bits, precision = FRACTION_BITS + 1, 160
    e = n.bit_length() - 1
    mantissa, result = n << (precision - e), e
    for _ in range(bits):
        mantissa = mantissa * mantissa >> precision
        bit = mantissa >> (precision + 1)
        mantissa >>= bit
        result = result << 1 | bit
    return (result + 1) >> 1


@lru_cache(maxsize=1)
def _small() -> Integers:
    n = np.arange(_SMALL, dtype=np.int64)
    n[0] = 1
    e = np.frexp(n)[1].astype(np.int64) - 1
    fraction = (n << (FRACTION_BITS - e)) - (1 << FRACTION_BITS)
    shift = FRACTION_BITS - _TABLE_BITS
    j, rest = fraction >> shift, fraction & ((1 << shift) - 1)
    low, high = np.array(table())[j], np.array(table())[j + 1]
    small: Integers = (e << FRACTION_BITS) + low + ((high - low) * rest >> shift)
    return small
