"""64 bits of a sample, of which similar samples share most: how far one is from another."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.codec import keccak
from ostrom.onchain.features import Integers

BITS = 64


def sketch_tokens(tokens: Integers) -> int:
    """One bit a token, by the hash of its two bytes.

    >>> sketch_tokens(np.array([5])).bit_count()
    1
    """
    bits = 0
    for token in tokens.tolist():
        bits |= 1 << _bit_of(token)
    return bits


def sketch_row(row: Integers) -> int:
    """Bit i mod 64 is toggled by every value i that is negative.

    >>> bin(sketch_row(np.array([-3, 4, -1])))
    '0b101'
    """
    bits = 0
    for place in np.flatnonzero(row < 0).tolist():
        bits ^= 1 << (place % BITS)
    return bits


@lru_cache(maxsize=1 << 16)
def _bit_of(token: int) -> int:
    return int.from_bytes(keccak(token.to_bytes(2, "big"))) % BITS
