from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.verification import SCORE_UNIT, leave_one_out, scorer
from ostrom.verification.scorers import SCORE_MAX, to_score

MODEL = np.zeros(1, dtype=np.int32)


def scores_of(values: list[float]) -> list[int]:
    """The scores where the candidate and the models without each update have these values."""
    without = np.zeros((len(values) - 1, 1), dtype=np.int32)
    return leave_one_out(MODEL, without, lambda _: np.array(values))


@pytest.mark.parametrize(
    "text", ["", "loss", "leave_one_out(n=1)", "os|sys", "leave_one_out|leave_one_out"]
)
def test_an_unknown_scorer_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        scorer(text)


INF, NAN = float("inf"), float("nan")

ODD = {
    "a candidate that is no number": ([NAN, 1.0], [-SCORE_MAX]),
    "no number without the update": ([1.0, NAN], [-SCORE_MAX]),
    "infinity on both sides": ([INF, INF], [-SCORE_MAX]),
    "minus infinity on both sides": ([-INF, -INF], [-SCORE_MAX]),
    "an update that saves the model": ([-1.0, -INF], [SCORE_MAX]),
    "an update that breaks the model": ([-INF, -1.0], [-SCORE_MAX]),
    "beyond the largest score": ([1e300, -1e300], [SCORE_MAX]),
    "an overflow of the difference": ([1.7e308, -1.7e308], [SCORE_MAX]),
    "the smallest float": ([5e-324, 0.0], [0]),
}


@pytest.mark.parametrize(("values", "scores"), ODD.values(), ids=ODD.keys())
def test_no_value_stops_the_scorer_or_warns(values: list[float], scores: list[int]) -> None:
    assert scores_of(values) == scores


@given(st.lists(st.floats(), min_size=1, max_size=6))
def test_scores_are_bounded_integers_that_a_document_can_hold(values: list[float]) -> None:
    scores = scores_of(values)
    assert len(scores) == len(values) - 1
    assert all(type(score) is int and abs(score) <= SCORE_MAX < 2**53 for score in scores)


def test_a_score_is_what_the_update_adds() -> None:
    def value(models: Any) -> Any:
        assert models.dtype == np.int32
        return models[:, 0] / 4.0

    without = np.array([[4], [8], [12]], dtype=np.int32)
    scores = leave_one_out(np.array([8], dtype=np.int32), without, value)
    assert scores == [SCORE_UNIT, 0, -SCORE_UNIT]


def test_scores_round_to_nearest() -> None:
    assert [to_score(x * 1e-6) for x in (0.4, 0.6, -0.6, 2.4)] == [0, 1, -1, 2]
