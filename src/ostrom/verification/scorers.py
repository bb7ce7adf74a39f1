"""What an update is worth, by a validator's own holdout.

A scorer gets the aggregate of all accepted updates and the aggregates without each one, asks how
well the model does with either, and writes the difference as an integer. Floats stop here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.mechanisms import plain

SCORE_UNIT = 1_000_000
"""A score of one million is one nat of mean loss, or one whole point of accuracy."""

SCORE_MAX = 1_000 * SCORE_UNIT
"""Scores are clamped, so that one exploding candidate cannot overflow a sum."""

Parameters: TypeAlias = npt.NDArray[np.int32]
Value: TypeAlias = Callable[[Parameters], npt.NDArray[np.float64]]
"""(k, d) fixed-point models -> (k,) values, the larger the better."""

Scorer: TypeAlias = Callable[[Parameters, Parameters, Value], list[int]]
"""(d,) candidate, (n, d) candidates without each update, value -> n integer scores."""


def leave_one_out(candidate: Parameters, without: Parameters, value: Value) -> list[int]:
    """Each update's marginal contribution.

    score_i = value(model with all updates) - value(model without update i)

    Args:
        candidate: (d,) the model with every accepted update.
        without: (n, d) the models that leave out one update each.
        value: how good a model is on this validator's holdout, for example minus its mean loss.

    Returns:
        n integers in units of 1 / SCORE_UNIT, rounded to nearest, clamped to +-SCORE_MAX.

    Answers: free riding, noise and poison earn nothing. Does not answer: an attack aimed at data
    that no holdout contains. Source: Cook (1977) for the principle; Wang et al. (2019),
    "Measure Contribution of Participants in Federated Learning".

    >>> models = np.array([[1], [3]], dtype=np.int32)
    >>> leave_one_out(np.array([3], dtype=np.int32), models, lambda m: m[:, 0] / 2.0)
    [1000000, 0]
    """
    # Plain floats: infinity minus infinity is then NaN without a warning.
    first, *others = map(float, value(np.concatenate([candidate[None], without])))
    return [to_score(first - other) for other in others]


def to_score(difference: float) -> int:
    """An integer score; a value that is no number counts as the worst.

    >>> to_score(0.25), to_score(float("nan"))
    (250000, -1000000000)
    """
    if math.isnan(difference):
        return -SCORE_MAX
    return round(max(-1e3, min(1e3, difference)) * SCORE_UNIT)


SCORERS: Mapping[str, Scorer] = {"leave_one_out": leave_one_out}


def scorer(text: str) -> Scorer:
    """The scorer of that name.

    Raises:
        InputError: there is no such scorer.

    >>> scorer("leave_one_out") is leave_one_out
    True
    """
    return plain(SCORERS, text)
