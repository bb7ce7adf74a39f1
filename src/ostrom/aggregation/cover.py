"""Which updates to leave out so that no two of the rest are far apart.

Pairs farther than a threshold are edges; the updates to leave out are a vertex cover. Whether one
of at most f exists takes at most about 1.5**f steps, whatever the number of updates.
"""

from __future__ import annotations

import numpy as np

from ostrom.aggregation.gram import Square


def first_compatible(distances: Square, f: int) -> list[int]:
    """The n - f rows of smallest greatest distance, the first such set in lexicographic order.

    Args:
        distances: (n, n), symmetric, zeros on the diagonal.
        f: how many rows to leave out, 0 <= f < n.

    >>> first_compatible(np.array([[0, 9, 4], [9, 0, 1], [4, 1, 0]]), 1)
    [1, 2]
    """
    steps = np.unique(distances)
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if _has_cover(_edges(distances > steps[middle]), f):
            high = middle
        else:
            low = middle + 1
    return _first_kept(_edges(distances > steps[low]), f)


def _edges(far: Square) -> list[int]:
    """Each row's neighbours as the bits of an integer."""
    packed = np.packbits(far.astype(np.bool_), axis=1, bitorder="little")
    return [int.from_bytes(line.tobytes(), "little") for line in packed]


def _first_kept(edges: list[int], f: int) -> list[int]:
    kept: list[int] = []
    out = 0
    for i in range(len(edges)):
        if out >> i & 1 or len(kept) == len(edges) - f:
            continue
        trial = out | edges[i]
        if _has_cover(_without(edges, trial), f - trial.bit_count()):
            kept.append(i)
            out = trial
        else:
            out |= 1 << i
    return kept


def _without(edges: list[int], gone: int) -> list[int]:
    return [0 if gone >> i & 1 else line & ~gone for i, line in enumerate(edges)]


def _has_cover(edges: list[int], budget: int) -> bool:
    """Whether at most `budget` rows touch every edge."""
    degrees = [line.bit_count() for line in edges]
    most = max(degrees)
    if most == 0:
        return budget >= 0
    if sum(degrees) > 2 * most * budget:
        return False
    if 1 in degrees:
        # The neighbour of a leaf covers at least as much as the leaf.
        return _has_cover(_without(edges, edges[degrees.index(1)]), budget - 1)
    busiest = degrees.index(most)
    if _has_cover(_without(edges, 1 << busiest), budget - 1):
        return True
    return _has_cover(_without(edges, edges[busiest]), budget - most)
