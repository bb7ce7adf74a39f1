"""Squared distances to the means of sums, in exact integers with 32 fractional bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ostrom.errors import InputError
from ostrom.onchain.features import Integers
from ostrom.onchain.models.model import best, frozen, grown

DISTANCE_BITS = 32
SUM_MAX = (1 << 31) - 1
SAMPLES_MAX = (1 << 32) - 1
_HALF_BITS = 16


@dataclass(frozen=True, eq=False)
class SumsState:
    """`counts` n (K,) and `sums` S (K, V), int64: the mean of class k is S_k / n_k.

    `spread` (K,) says what the rows of each cluster were away in all; nearest centroid has none.
    """

    counts: Integers
    sums: Integers
    spread: tuple[int, ...] = ()


def start_sums(classes: int, features: int) -> SumsState:
    """No samples in any class."""
    sums = np.zeros((classes, features), dtype=np.int64)
    return SumsState(frozen(np.zeros(classes, dtype=np.int64)), frozen(sums))


def widen_sums(state: SumsState, classes: int, features: int) -> SumsState:
    """With more classes, which have no samples, and features, which were 0 in all samples."""
    counts = frozen(np.pad(state.counts, (0, classes)))
    spread = state.spread + (0,) * classes if state.spread else ()
    return SumsState(counts, grown(state.sums, rows=classes, columns=features), spread)


def add_sample(state: SumsState, label: int, row: Integers, *, times: int = 1) -> SumsState:
    """The row (V,) `times` more (or, where negative, less) in a class; sums saturate.

    Raises:
        InputError: the class has as many samples as it can count.
    """
    if state.counts[label] + times > SAMPLES_MAX:
        raise InputError("this class has as many samples as the model can count")
    counts, sums = state.counts.copy(), state.sums.copy()
    counts[label] = max(counts[label] + times, 0)
    sums[label] = np.clip(sums[label] + times * row, -SUM_MAX, SUM_MAX)
    return replace(state, counts=frozen(counts), sums=frozen(sums))


def distances(state: SumsState, row: Integers) -> list[int | None]:
    """floor(2^32 |x - S_k / n_k|^2) of every class; None for one without samples."""
    return [distance(count, sums, row) for count, sums in zip(state.counts.tolist(), state.sums)]


def distance(count: int, sums: Integers, row: Integers) -> int | None:
    """floor(2^32 |x - S / n|^2) for x and S (V,); None if n is 0.

    >>> distance(2, np.array([2, 0]), np.array([3, 0])) == 4 << 32
    True
    """
    if count < 1:
        return None
    # |n x - S|^2, whose parts fit into 64 bits where the whole does not.
    squares = count * count * int(row @ row)
    whole = squares - 2 * count * int(row @ sums) + _square(sums)
    return (whole << DISTANCE_BITS) // (count * count)


def _square(sums: Integers) -> int:
    """|S|^2; sums have 32 bits, so a square is summed by halves."""
    high, low = sums >> _HALF_BITS, sums & ((1 << _HALF_BITS) - 1)
    parts = (int(high @ high) << _HALF_BITS) + 2 * int(high @ low)
    return (parts << _HALF_BITS) + int(low @ low)


def nearest(found: list[int | None]) -> int:
    """The class of the least distance, the lowest such; 0 if there is none.

    >>> nearest([None, 7, 3, 3])
    2
    """
    return best([None if one is None else -one for one in found])
