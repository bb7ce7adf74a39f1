"""What a ledger knows of trainers, and how a pipeline uses it before anything else.

A parameter server sees updates alone. A ledger also has what the validators' holdouts said of each
(its consensus score), what they said in earlier rounds, and who staked how much. A selection turns
that into fewer rows or other weights: (n, d), (n,), Standing -> (m, d), (m,). Scoring itself comes
before scores are known and runs the pipeline without selections.

| selection | threat it answers | what it does not |
|---|---|---|
| score_filter(least) | updates that holdouts find useless or harmful | what no holdout sees |
| score_best(share) | the same, where no level is known | more hostile than left out |
| score_weighted | noise, lazy work: who adds nothing has no weight | rules that ignore weights |
| history_filter(least) | those who earned less than that so far | one who turns after earning it |
| stake_weighted | Sybils without money, one stake each | a majority of the stake |

A selection never leaves a round without updates: if no row passes, those that come nearest do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import WEIGHT_SUM_MAX, IntMatrix
from ostrom.errors import InputError
from ostrom.types import IntVector


@dataclass(frozen=True, eq=False)
class Standing:
    """One entry per update: this round's consensus score, the summed earlier ones, the stake."""

    scores: IntVector
    history: IntVector
    stakes: tuple[int, ...]

    def of(self, kept: npt.NDArray[np.bool_]) -> Standing:
        """The standing of the kept rows alone.

        >>> some = Standing(np.array([1, 2]), np.array([3, 4]), (5, 6))
        >>> some.of(np.array([False, True])).stakes
        (6,)
        """
        stakes = tuple(stake for stake, keep in zip(self.stakes, kept.tolist()) if keep)
        return Standing(self.scores[kept], self.history[kept], stakes)


@dataclass(frozen=True)
class Selection:
    """Which rows stay, and with what weights: (weights, standing) -> (kept, weights of all)."""

    choose: Callable[[IntVector, Standing], tuple[npt.NDArray[np.bool_], IntVector]]

    def __call__(
        self, rows: IntMatrix, weights: IntVector, standing: Standing
    ) -> tuple[IntMatrix, IntVector]:
        """The rows that stay and their weights."""
        kept, weighed = self.choose(weights, standing)
        return rows[kept], weighed[kept]


Chosen: TypeAlias = tuple[npt.NDArray[np.bool_], IntVector]


def score_filter(*, least: int = 1) -> Selection:
    """Only updates whose consensus score is at least `least`.

    i stays  if  score_i >= least; if none does, those of the highest score

    Args:
        least: in the scorer's integers; 1 asks that an update adds anything at all.

    Returns:
        A selection that keeps the weights.

    >>> some = Standing(np.array([-5, 0, 7]), np.array([0, 0, 0]), (1, 1, 1))
    >>> score_filter(least=0)(np.array([[1], [2], [3]]), np.array([1, 1, 1]), some)[0].tolist()
    [[2], [3]]

    Source: Xie et al. (2019), "Zeno: Distributed Stochastic Gradient Descent with Suspicion-based
    Fault-tolerance".
    """
    return Selection(lambda weights, standing: (_at_least(standing.scores, least), weights))


def score_best(*, share: float) -> Selection:
    """The best-scored updates, a share of all.

    i stays  if  fewer than ceil(share * n) updates have a higher score; equals stay together

    Args:
        share: 0 < share <= 1.

    Returns:
        A selection that keeps the weights.

    Raises:
        InputError: share is out of range.

    >>> some = Standing(np.array([-5, 0, 7]), np.array([0, 0, 0]), (1, 1, 1))
    >>> score_best(share=0.5)(np.array([[1], [2], [3]]), np.array([1, 1, 1]), some)[0].tolist()
    [[2], [3]]

    Source: Xie et al. (2019), "Zeno: Distributed Stochastic Gradient Descent with Suspicion-based
    Fault-tolerance".
    """
    if not 0 < share <= 1:
        raise InputError(f"score_best needs 0 < share <= 1, not {share}")
    part = Fraction(str(share))

    def choose(weights: IntVector, standing: Standing) -> Chosen:
        ranked = np.sort(standing.scores)
        return standing.scores >= ranked[len(ranked) - math.ceil(part * len(ranked))], weights

    return Selection(choose)


def score_weighted() -> Selection:
    """Weights in proportion to consensus scores; who scores nothing has no weight.

    w_i' = floor(2^24 * max(score_i, 0) / max_k score_k); rows of weight 0 go

    If no score is positive, those of the highest score stay with their weights.

    Returns:
        A selection that replaces the weights.

    >>> some = Standing(np.array([-5, 4, 8]), np.array([0, 0, 0]), (1, 1, 1))
    >>> score_weighted()(np.array([[1], [2], [3]]), np.array([1, 1, 1]), some)[1].tolist()
    [8388608, 16777216]

    Source: Wang et al. (2020), "A Principled Approach to Data Valuation for Federated Learning",
    for the principle that weight follows contribution.
    """

    def choose(weights: IntVector, standing: Standing) -> Chosen:
        if int(standing.scores.max()) <= 0:
            return _at_least(standing.scores, 1), weights
        return _in_proportion([max(0, score) for score in standing.scores.tolist()])

    return Selection(choose)


def history_filter(*, least: int = 0) -> Selection:
    """Only trainers whose summed consensus scores of earlier rounds are at least `least`.

    i stays  if  history_i >= least; if none does, those of the highest sum

    Args:
        least: in the scorer's integers; with 0 newcomers stay, and who did harm goes.

    Returns:
        A selection that keeps the weights.

    >>> some = Standing(np.array([0, 0]), np.array([-1, 3]), (1, 1))
    >>> history_filter()(np.array([[1], [2]]), np.array([1, 1]), some)[0].tolist()
    [[2]]

    Source: Cao et al. (2021), "FLTrust", for trust from a holdout; its sum over rounds is here kept
    by the ledger.
    """
    return Selection(lambda weights, standing: (_at_least(standing.history, least), weights))


def stake_weighted() -> Selection:
    """Weights in proportion to stakes, so that a vote costs what it weighs.

    w_i' = floor(2^24 * stake_i / max_k stake_k); rows of weight 0 go

    Returns:
        A selection that replaces the weights. Without any stake all rows stay as they are.

    >>> some = Standing(np.array([0, 0]), np.array([0, 0]), (10, 5))
    >>> stake_weighted()(np.array([[1], [2]]), np.array([1, 1]), some)[1].tolist()
    [16777216, 8388608]

    Source: Douceur (2002), "The Sybil Attack": only what is scarce can count as identity.
    """

    def choose(weights: IntVector, standing: Standing) -> Chosen:
        if max(standing.stakes) <= 0:
            return np.ones(len(weights), dtype=np.bool_), weights
        return _in_proportion(standing.stakes)

    return Selection(choose)


def _at_least(values: IntVector, least: int) -> npt.NDArray[np.bool_]:
    level = min(least, int(values.max()))
    kept: npt.NDArray[np.bool_] = values >= level
    return kept


def _in_proportion(values: tuple[int, ...] | list[int]) -> Chosen:
    """Weights of at most 2**24 that sum to at most `WEIGHT_SUM_MAX`."""
    one = min(1 << 24, WEIGHT_SUM_MAX // len(values))
    weights = np.array([value * one // max(values) for value in values], dtype=np.int64)
    return weights > 0, weights


def check_standing(standing: Standing, n: int) -> None:
    """Refuse a standing that does not fit n updates.

    >>> check_standing(Standing(np.array([1]), np.array([1]), (1,)), 2)
    Traceback (most recent call last):
    ostrom.errors.InputError: 2 updates need as many scores, sums of scores and stakes
    """
    lengths = {len(standing.scores), len(standing.history), len(standing.stakes)}
    if lengths != {n}:
        raise InputError(f"{n} updates need as many scores, sums of scores and stakes")


SELECTIONS: dict[str, Callable[..., Selection]] = {
    "score_filter": score_filter,
    "score_best": score_best,
    "score_weighted": score_weighted,
    "history_filter": history_filter,
    "stake_weighted": stake_weighted,
}
