"""Incentives: (scores, stakes, pool) -> payouts.

| incentive | threat it answers | what it does not |
|---|---|---|
| equal_split | useless work: a score of 0 or less earns nothing | lazy work, Sybils |
| proportional | lazy work: pay follows the score | whatever the scorer cannot see |
| stake_weighted | Sybils without stake | the rich earn more for the same work |
| cumulative | noise in scores: what is no work sums to nothing | who helped and then rests |

What rounding leaves of the pool stays with the contract and returns to the sponsor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ostrom.errors import InputError
from ostrom.mechanisms import only, plain

Incentive: TypeAlias = Callable[[Sequence[int], Sequence[int], int], list[int]]
"""n scores, n stakes, pool -> n payouts, none negative, with a sum of at most the pool."""


def equal_split(scores: Sequence[int], stakes: Sequence[int], pool: int) -> list[int]:
    """Equal shares among the trainers with a positive score.

    p_i = floor(pool / |{j : s_j > 0}|) if s_i > 0, else 0

    Args:
        scores: n integers.
        stakes: n integers, >= 0; not used.
        pool: what may be paid, in the token's smallest unit.

    Returns:
        n payouts, rounded down.

    Raises:
        InputError: lengths that differ, or a negative stake or pool.

    >>> equal_split([3, 0, 9, -1], [1, 1, 1, 1], 101)
    [50, 0, 50, 0]
    """
    _assert_plain(scores, stakes, pool)
    return _divide_down([int(score > 0) for score in scores], pool)


def proportional(scores: Sequence[int], stakes: Sequence[int], pool: int) -> list[int]:
    """Shares in proportion to positive scores.

    p_i = floor(pool * max(s_i, 0) / sum_j max(s_j, 0))

    Args:
        scores: n integers.
        stakes: n integers, >= 0; not used.
        pool: what may be paid, in the token's smallest unit.

    Returns:
        n payouts, rounded down.

    Raises:
        InputError: lengths that differ, or a negative stake or pool.

    >>> proportional([3, 0, 9, -1], [1, 1, 1, 1], 101)
    [25, 0, 75, 0]

    Source: Song et al. (2019), "Profit Allocation for Federated Learning", of shares by
    contribution.
    """
    _assert_plain(scores, stakes, pool)
    return _divide_down([max(score, 0) for score in scores], pool)


def stake_weighted(scores: Sequence[int], stakes: Sequence[int], pool: int) -> list[int]:
    """Shares in proportion to stake times positive score.

    p_i = floor(pool * k_i max(s_i, 0) / sum_j k_j max(s_j, 0))

    Args:
        scores: n integers.
        stakes: n integers, >= 0.
        pool: what may be paid, in the token's smallest unit.

    Returns:
        n payouts, rounded down.

    Raises:
        InputError: lengths that differ, or a negative stake or pool.

    >>> stake_weighted([3, 0, 9, -1], [3, 1, 1, 1], 101)
    [50, 0, 50, 0]
    """
    _assert_plain(scores, stakes, pool)
    return _divide_down([max(score, 0) * stake for score, stake in zip(scores, stakes)], pool)


def cumulative(scores: Sequence[int], stakes: Sequence[int], pool: int) -> list[int]:
    """Shares in proportion to the positive sums of all scores so far.

    p_i = floor(pool * max(h_i, 0) / sum_j max(h_j, 0)), h_i = s_i1 + ... + s_it

    A round's scores are measurements with errors. Where a round moves little, `proportional` pays
    by the errors; over rounds they cancel. Only trainers whose update was accepted in the round
    are paid.

    Args:
        scores: n integers, each summed over all settled rounds of the task, this one included.
        stakes: n integers, >= 0; not used.
        pool: what may be paid, in the token's smallest unit.

    Returns:
        n payouts, rounded down.

    Raises:
        InputError: lengths that differ, or a negative stake or pool.

    >>> cumulative([30, -2, 90, -1], [1, 1, 1, 1], 101)
    [25, 0, 75, 0]

    Source: Wald (1945), "Sequential Tests of Statistical Hypotheses", for deciding by sums.
    """
    return proportional(scores, stakes, pool)


def _divide_down(shares: Sequence[int], pool: int) -> list[int]:
    total = sum(shares)
    return [pool * share // total if total else 0 for share in shares]


def _assert_plain(scores: Sequence[int], stakes: Sequence[int], pool: int) -> None:
    if len(scores) != len(stakes):
        raise InputError(f"{len(scores)} scores need as many stakes, not {len(stakes)}")
    if pool < 0 or min(stakes, default=0) < 0:
        raise InputError("the pool and the stakes must not be negative")


INCENTIVES: dict[str, Incentive] = {
    "equal_split": equal_split,
    "proportional": proportional,
    "stake_weighted": stake_weighted,
    "cumulative": cumulative,
}

REMEMBERING = frozenset({"cumulative"})
"""The incentives that are given scores summed over rounds."""


def remembers(text: str) -> bool:
    """True if that incentive wants each trainer's scores summed over all rounds so far.

    >>> remembers("cumulative"), remembers("proportional")
    (True, False)
    """
    return only(text).name in REMEMBERING


def incentive(text: str) -> Incentive:
    """The incentive of that name.

    Raises:
        InputError: there is no such incentive, or it has arguments.

    >>> incentive("proportional") is proportional
    True
    """
    return plain(INCENTIVES, text)
