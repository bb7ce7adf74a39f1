"""One score per trainer from the score vectors of all validators."""

from __future__ import annotations

from collections.abc import Sequence

from ostrom.errors import InputError


def consensus(scores: Sequence[Sequence[int | None]], stakes: Sequence[int]) -> list[int]:
    """The stake-weighted lower median of the validators' scores, trainer by trainer.

    c_j = min { s : stake of validators with score_ij <= s, twice, >= stake of all who scored j }

    Answers: validators with less than half of the stake cannot move a score beyond what the others
    gave. Does not answer: a majority of the stake that colludes, or copied scores.

    Args:
        scores: one line per validator, one score per trainer; None where a validator has none.
        stakes: one stake per validator, >= 0.

    Returns:
        One integer per trainer; 0 for a trainer whom no stake scored.

    Raises:
        InputError: lines of different lengths, a line without a stake, or a negative stake.

    >>> consensus([[5, 7], [6, None], [900, 1]], [10, 10, 10])
    [6, 1]

    Source: the lower weighted median, which is always one of the scores; Bittensor's Yuma consensus
    clips at a stake-weighted quantile to the same end.
    """
    if len(stakes) != len(scores) or min(stakes, default=0) < 0:
        raise InputError(f"{len(scores)} score vectors need as many stakes, none negative")
    if len({len(line) for line in scores}) > 1:
        raise InputError("all score vectors must have one score per trainer")
    return [_lower_median(column, stakes) for column in zip(*scores)]


def _lower_median(column: Sequence[int | None], stakes: Sequence[int]) -> int:
    votes = sorted((score, stake) for score, stake in zip(column, stakes) if score is not None)
    total = sum(stake for _, stake in votes)
    below = 0
    for score, stake in votes:
        below += stake
        if stake and 2 * below >= total:
            return score
    return 0
