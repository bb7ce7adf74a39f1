"""Shapley values of a round's updates, from the stored updates alone: nothing is trained again.

What a coalition is worth is the value, on the holdout, of the model that its updates alone make
through the task's own pipeline. Values become integers before they are added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

import numpy as np

from ostrom.codec import sha256
from ostrom.errors import InputError
from ostrom.types import Digest
from ostrom.verification.contributions import (
    SCORE_MAX,
    SCORE_UNIT,
    Contributions,
    Holdout,
    Scorer,
    check_absent,
    game,
)

EXACT_MAX = 10
"""1,024 coalitions; each further update doubles them."""

CYCLES_MAX = 1_000

FINE = 1_000_000
"""Values are added up in units of 1 / (SCORE_UNIT * FINE), so that rounding decides nothing."""

BATCH = 64
"""Models rated in one call: a limit on memory, with no influence on scores."""

Coalition: TypeAlias = frozenset[int]


class Utility:
    """What coalitions are worth, each rated once; integers in units of 1 / (SCORE_UNIT * FINE)."""

    def __init__(self, made: Contributions, holdout: Holdout, absent: str = "left_out") -> None:
        self._model_of, self._holdout = game(made, absent), holdout
        self._known: dict[Coalition, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, coalition: Iterable[int]) -> int:
        return self._known[frozenset(coalition)]

    def __iter__(self) -> Iterator[Coalition]:
        return iter(self._known)

    def __contains__(self, coalition: Coalition) -> bool:
        return coalition in self._known

    def rate(self, coalitions: Iterable[Iterable[int]]) -> None:
        """Learn what those coalitions are worth."""
        wanted = dict.fromkeys(map(frozenset, coalitions))
        new = [one for one in wanted if one not in self._known]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            models = np.stack([self._model_of(sorted(one)) for one in batch])
            self._known |= zip(batch, map(_fine, self._holdout.value(models).tolist()))


def exact_shapley(*, absent: str = "left_out") -> Scorer:
    """Each update's mean marginal contribution over all orders of arrival.

    score_i = sum over S without i of |S|! (n - 1 - |S|)! / n! * (value(S + i) - value(S))

    Args:
        absent: what those who have not arrived did: `left_out` or `public`, as in leave_one_out.

    Returns:
        A scorer: n integers in units of 1 / SCORE_UNIT, rounded to nearest, within +-SCORE_MAX.
        It rates 2**n models.

    Raises:
        InputError: an argument is out of range, or, when it is called, more than EXACT_MAX updates.

    Answers: poison; near copies, which with `left_out` earn one to two shares together. Does not
    answer: an attack aimed at data that no holdout contains; with `left_out` under skewed data, an
    update that does nothing but dilute, since small coalitions overshoot: use `public` there.

    >>> from ostrom.verification.contributions import example
    >>> exact_shapley()(*example(3, 1, -2))
    [3000000, 1000000, -2000000]

    Source: Shapley (1953), "A Value for n-Person Games".
    """

    check_absent(absent)

    def score(made: Contributions, holdout: Holdout) -> list[int]:
        n = len(made.updates)
        if n > EXACT_MAX:
            raise InputError(
                f"exact_shapley takes at most {EXACT_MAX} updates, not {n}: use gtg_shapley"
            )
        worth = Utility(made, holdout, absent)
        worth.rate(one for size in range(n + 1) for one in combinations(range(n), size))
        return [_to_score(Fraction(_exact_sum(worth, i, n), math.factorial(n))) for i in range(n)]

    return score


def _exact_sum(worth: Utility, i: int, n: int) -> int:
    """n! times the Shapley value of update i."""
    rest = [j for j in range(n) if j != i]
    return sum(
        math.factorial(size)
        * math.factorial(n - 1 - size)
        * sum(worth[*others, i] - worth[others] for others in combinations(rest, size))
        for size in range(n)
    )


def gtg_shapley(
    *,
    absent: str = "left_out",
    cycles: int = 8,
    tolerance: float = 0.02,
    between: float = 0.0001,
    within: float = 0.01,
) -> Scorer:
    """Shapley values from sampled orders of arrival, with guidance and truncation.

    score_i = mean over sizes k of the mean over known S with |S| = k of value(S + i) - value(S)

    Known are the coalitions along sampled orders. One cycle has n orders, the rotations of one that
    hashes of the chain's seed draw, so that nobody chooses it and anybody can repeat it. In a cycle
    every update stands at every place once, where the paper guides first places only; means are
    taken by size, over all known pairs, where the paper's are over orders. All scores are 0 in a
    round that moves the value by no more than `between`. An order ends once the value is within
    `within` of the whole round's change of value.

    Args:
        absent: what those who have not arrived did: `left_out`, as in the paper, or `public`, as
            in leave_one_out.
        cycles: at most so many cycles, 1 to 1,000.
        tolerance: stop after a cycle that changes the scores by no more than this share, >= 0.
        between: between-round truncation, in the value's units (nats of mean loss), >= 0.
        within: within-round truncation, a share of the round's change of value, 0 <= within < 1;
            the paper's is absolute, but changes shrink from round to round.

    Returns:
        A scorer: n integers in units of 1 / SCORE_UNIT, rounded to nearest, within +-SCORE_MAX.
        It rates at most cycles * n**2 + 2 models, and no coalition twice.

    Raises:
        InputError: an argument is out of range.

    Answers: as exact_shapley, for more updates. Does not answer: an attack aimed at data that no
    holdout contains; who commits last can try salts, and move its score within the sampling error.

    >>> from ostrom.verification.contributions import example
    >>> gtg_shapley(within=0.0)(*example(3, 1, -2))
    [3000000, 1000000, -2000000]

    Source: Liu, Chen, Yu, Liu, Cui (2022), "GTG-Shapley: Efficient and Accurate Participant
    Contribution Evaluation in Federated Learning", ACM TIST 13(4).
    """
    check_absent(absent)
    if not 1 <= cycles <= CYCLES_MAX:
        raise InputError(f"gtg_shapley needs 1 <= cycles <= {CYCLES_MAX}, not {cycles}")
    if not (tolerance >= 0 and between >= 0 and 0 <= within < 1):
        raise InputError("gtg_shapley needs tolerance >= 0, between >= 0 and 0 <= within < 1")
    close, still, slack = (Fraction(str(one)) for one in (tolerance, between, within))

    def score(made: Contributions, holdout: Holdout) -> list[int]:
        n = len(made.updates)
        worth = Utility(made, holdout, absent)
        worth.rate([(), range(n)])
        change = abs(worth[range(n)] - worth[()])
        means: list[Fraction] = [Fraction(0)] * n
        if change <= still * SCORE_UNIT * FINE:
            return [0] * n
        for cycle in range(cycles):
            last = means
            _walk(worth, cycle_orders(made.seed, n, cycle), stop=slack * change)
            means = _means(worth, n)
            moved = sum(abs(new - old) for new, old in zip(means, last))
            if moved <= close * sum(map(abs, means)):
                break
        return [_to_score(one) for one in means]

    return score


def cycle_orders(seed: Digest, n: int, cycle: int) -> list[list[int]]:
    """The orders of one cycle: the rotations of one order by hash, so that all stand everywhere.

    >>> [sorted(places) for places in zip(*cycle_orders(bytes(32), 4, 0))]
    [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    """

    def place(i: int) -> Digest:
        return sha256(seed + cycle.to_bytes(8, "big") + i.to_bytes(8, "big"))

    order = sorted(range(n), key=place)
    return [order[k:] + order[:k] for k in range(n)]


def _walk(worth: Utility, orders: Sequence[Sequence[int]], *, stop: Fraction) -> None:
    """Rate the coalitions along the orders; side by side, so that models go in batches.

    An order ends where what is left to gain is at most `stop`.
    """
    n = len(orders)
    whole, alive = worth[range(n)], list(orders)
    for place in range(n):
        alive = [order for order in alive if abs(whole - worth[order[:place]]) > stop]
        worth.rate(order[: place + 1] for order in alive)


def _means(worth: Utility, n: int) -> list[Fraction]:
    """Each update's mean, over the sizes of a coalition, of what it adds to those that are known.

    Nothing is known of a size that every order ended before: there is nothing left to gain.
    """
    totals, counts = ([[0] * n for _ in range(n)] for _ in range(2))
    for coalition in worth:
        for i in coalition:
            others = coalition - {i}
            if others in worth:
                totals[i][len(others)] += worth[coalition] - worth[others]
                counts[i][len(others)] += 1
    return [
        sum((Fraction(t, c) for t, c in zip(totals[i], counts[i]) if c), Fraction(0)) / n
        for i in range(n)
    ]


def _fine(value: float) -> int:
    """A value as an integer; one that is no number counts as the worst."""
    bound = float(SCORE_MAX // SCORE_UNIT)
    kept = -bound if math.isnan(value) else max(-bound, min(bound, value))
    return round(kept * SCORE_UNIT * FINE)


def _to_score(mean: Fraction) -> int:
    """A mean of fine values as a score."""
    return max(-SCORE_MAX, min(SCORE_MAX, round(mean / FINE)))
