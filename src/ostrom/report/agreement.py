"""How well two rankings agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from ostrom.errors import InputError


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's rank correlation, tau-b.

    tau = (concordant - discordant) / sqrt((pairs untied in first) * (pairs untied in second))

    Args:
        first: n numbers.
        second: n numbers about the same things, in the same order.

    Returns:
        1 for the same order, -1 for the opposite one; 0 where one of them is all ties.

    Raises:
        InputError: lengths that differ.

    >>> kendall([1, 2, 3, 4], [1, 2, 4, 3])
    0.6666666666666666

    Source: Kendall (1945), "The Treatment of Ties in Ranking Problems".
    """
    if len(first) != len(second):
        raise InputError(f"{len(first)} numbers need as many beside them, not {len(second)}")
    pairs = list(combinations(range(len(first)), 2))
    one = [_sign(first[i] - first[j]) for i, j in pairs]
    two = [_sign(second[i] - second[j]) for i, j in pairs]
    untied = sum(map(abs, one)) * sum(map(abs, two))
    return sum(a * b for a, b in zip(one, two)) / math.sqrt(untied) if untied else 0.0


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
