"""What an update is worth, by a validator's own holdout.

| scorer | models rated for n updates | copies of one update together earn |
|---|---|---|
| leave_one_out | n + 1 | next to nothing: each is replaced by the others |
| gtg_shapley | up to cycles * n**2 | about one share |
| exact_shapley | 2**n, at most 10 updates | about one share |
| class_cone | none: one gradient a class | a share each |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ostrom.errors import InputError
from ostrom.mechanisms import bind, only
from ostrom.types import IntVector
from ostrom.verification.cone import CONE_UNIT, cone_scores
from ostrom.verification.contributions import (
    Contributions,
    Holdout,
    Scorer,
    check_absent,
    to_score,
)
from ostrom.verification.shapley import exact_shapley, gtg_shapley


def leave_one_out(*, absent: str = "left_out") -> Scorer:
    """Each update's marginal contribution.

    score_i = value(model with all updates) - value(model without update i)

    Args:
        absent: what the round is like without an update: `left_out`, as if the trainer had not
            taken part, or `public`, as if it had sent only the part along the model's last change,
            which everybody knows.

    Returns:
        A scorer: n integers in units of 1 / SCORE_UNIT, rounded to nearest, within +-SCORE_MAX.

    Raises:
        InputError: an argument is out of range.

    Answers: free riding, noise and poison earn nothing; with `public`, so does sending the last
    change again. Does not answer: an attack aimed at data that no holdout contains; near copies,
    which with `left_out` take one another's score away and with `public` are paid each; a sole
    holder of some data that trains little and keeps it scarce.

    >>> from ostrom.verification.contributions import example
    >>> leave_one_out()(*example(3, 1, -2))
    [3000000, 1000000, -2000000]

    Source: Cook (1977) for the principle; Wang et al. (2019), "Measure Contribution of
    Participants in Federated Learning".
    """

    check_absent(absent)

    def score(made: Contributions, holdout: Holdout) -> list[int]:
        without = made.without_each() if absent == "left_out" else _without(made)
        # Plain floats: infinity minus infinity is then NaN without a warning.
        whole = float(holdout.value(made.candidate[None])[0])
        return [to_score(whole - float(other)) for other in holdout.value(without)]

    return score


def _without(made: Contributions) -> IntVector:
    """(n, d): the models in which one update each is only its public part."""
    everyone = range(len(made.updates))
    models = [made.model_with([j for j in everyone if j != i]) for i in everyone]
    return np.stack(models) if models else made.parent[None][:0]


def class_cone(*, least: float = 0.1) -> Scorer:
    """How much of each update lies in the cone of what the holdout's classes ask for.

    score_i = cosine(x_i, nearest mixture of the classes' descent directions, weights >= 0)

    x_i is the update, or the model's change by it alone where updates have another length.

    Args:
        least: cosines below it score 0; noise has a small one in any cone. 0 <= least < 1.

    Returns:
        A scorer: n integers from 0 to SCORE_UNIT.

    Raises:
        InputError: an argument is out of range.

    Answers: sign flips, IPM and noise earn nothing, and the sole holder of a class is no outlier.
    Made for rules that select by score. Does not answer: copies, which score like their source;
    classes that no holdout contains; how much an update adds beyond the others.

    >>> from ostrom.verification.contributions import example
    >>> class_cone()(*example(3, 1, -2))
    [1000000, 1000000, 0]

    Source: `ostrom.verification.cone`.
    """
    if not 0 <= least < 1:
        raise InputError(f"class_cone needs 0 <= least < 1, not {least}")

    def score(made: Contributions, holdout: Holdout) -> list[int]:
        if not len(made.updates):
            return []
        slopes = holdout.gradients(made.parent)
        directions = np.where(np.isfinite(slopes).all(axis=1, keepdims=True), -slopes, 0.0)
        scores = cone_scores(_changes(made), directions)
        return [one if one >= least * CONE_UNIT else 0 for one in scores]

    return score


def _changes(made: Contributions) -> IntVector | list[IntVector]:
    """(n, d): how each update alone would move the model."""
    if made.updates.shape[1] == len(made.parent):
        return made.updates
    parent = made.parent.astype(np.int64)
    return [made.model_of([i]) - parent for i in range(len(made.updates))]


SCORERS: Mapping[str, Callable[..., Scorer]] = {
    "leave_one_out": leave_one_out,
    "gtg_shapley": gtg_shapley,
    "exact_shapley": exact_shapley,
    "class_cone": class_cone,
}


def scorer(text: str) -> Scorer:
    """The scorer that a mechanism text names.

    Raises:
        InputError: there is no such scorer, or an argument is out of range.

    >>> callable(scorer("gtg_shapley(cycles=2)"))
    True
    """
    return bind(SCORERS, only(text))()
