from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.verification import (
    SCORE_UNIT,
    Contributions,
    class_cone,
    coalitions,
    leave_one_out,
    public_parts,
    scorer,
)
from ostrom.verification.contributions import SCORE_MAX, example, to_score


class Valued:
    """A holdout that gives the next models these values."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def value(self, parameters: Any) -> Any:
        assert parameters.dtype == np.int32
        now, self.values = self.values[: len(parameters)], self.values[len(parameters) :]
        assert len(parameters) == len(now)
        return np.array(now)

    def gradients(self, parameters: Any) -> Any:
        raise AssertionError("nobody asks for gradients")

    def accuracy(self, parameters: Any) -> float:
        raise AssertionError("nobody asks for accuracy")


def scores_of(values: list[float]) -> list[int]:
    """The scores where the candidate and the models without each update have these values."""
    made, _ = example(*[0] * (len(values) - 1))
    return leave_one_out()(made, Valued(values))


@pytest.mark.parametrize(
    "text",
    [
        *("", "loss", "leave_one_out(n=1)", "os|sys", "leave_one_out|leave_one_out"),
        *("gtg_shapley(cycles=0)", "gtg_shapley(cycles=1.5)", "gtg_shapley(cycles=1001)"),
        *("gtg_shapley(tolerance=-1)", "gtg_shapley(between=-1)", "gtg_shapley(within=1)"),
        *("exact_shapley(cycles=1)", "gtg_shapley(rounds=1)"),
        *("leave_one_out(absent=ill)", "exact_shapley(absent=1)", "gtg_shapley(absent=zero)"),
        *("class_cone(least=1)", "class_cone(least=-0.1)"),
    ],
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
    made, holdout = example(1, 0, -1)
    assert leave_one_out()(made, holdout) == [SCORE_UNIT, 0, -SCORE_UNIT]


def test_scores_round_to_nearest() -> None:
    assert [to_score(x * 1e-6) for x in (0.4, 0.6, -0.6, 2.4)] == [0, 1, -1, 2]


class Sloping(Valued):
    """A holdout of three classes: one asks for more of the first number, one for more of the
    second, and of the third there are no examples."""

    def __init__(self) -> None:
        super().__init__([])

    def gradients(self, parameters: Any) -> Any:
        return np.array([[-2.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, 0, 0]])


def cone_round(*updates: list[int]) -> Any:
    made, _ = example(*[0] * len(updates))
    rows = np.array(updates, dtype=np.int32)
    return replace(made, parent=np.zeros(4, dtype=np.int32), updates=rows)


def test_a_sole_holder_of_a_class_scores_like_one_who_holds_both() -> None:
    made = cone_round([5, 0, 0, 0], [0, 7, 0, 0], [3, 4, 0, 0])
    assert class_cone()(made, Sloping()) == [SCORE_UNIT] * 3


def test_what_points_against_or_across_the_classes_scores_nothing() -> None:
    made = cone_round([-5, 0, 0, 0], [0, 0, 9, 0], [3, 0, 0, 4])
    assert class_cone()(made, Sloping()) == [0, 0, 600_000]
    assert class_cone(least=0.7)(made, Sloping()) == [0, 0, 0]


def test_a_class_whose_gradient_is_no_number_is_left_out() -> None:
    class Broken(Sloping):
        def gradients(self, parameters: Any) -> Any:
            return np.array([[np.nan, 0, 0, 0], [0, -1.0, 0, 0], [np.inf, 0, 0, 0]])

    made = cone_round([5, 0, 0, 0], [0, 7, 0, 0])
    assert class_cone()(made, Broken()) == [0, SCORE_UNIT]


def test_updates_of_another_length_are_judged_by_how_they_move_the_model() -> None:
    made = replace(
        cone_round([1, 1, 1, 1], [2, 2, 2, 2]),
        updates=np.ones((2, 9), dtype=np.int64),
        model_of=lambda rows: np.array([[5, 0, 0, 0], [-5, 0, 0, 0]], dtype=np.int32)[rows[0]],
    )
    assert class_cone()(made, Sloping()) == [SCORE_UNIT, 0]


def test_sending_the_last_change_again_earns_nothing() -> None:
    """The model goes on along its last change: leaving mallory's replay out, it goes less far."""
    updates = np.array([[4, 1], [4, -1], [8, 0]], dtype=np.int32)
    parent = np.zeros(2, dtype=np.int32)

    def moved(rows: Any, weights: Any) -> Any:
        return (rows.sum(axis=0) // len(rows)).astype(np.int32)

    def given(trend: Any) -> Any:
        left_out, public = coalitions(updates, np.ones(3), moved=moved, trend=lambda: trend)
        return Contributions(
            parent=parent,
            updates=updates,
            seed=bytes(32),
            candidate=left_out([0, 1, 2]),
            model_of=left_out,
            without_each=lambda: np.stack([left_out(r) for r in ([1, 2], [0, 2], [0, 1])]),
            model_with=public,
        )

    class Further(Valued):
        def value(self, parameters: Any) -> Any:
            return parameters[:, 0].astype(np.float64)

    known = given(np.array([3, 0], dtype=np.int64))
    assert leave_one_out()(known, Further([]))[2] > 0
    assert leave_one_out(absent="public")(known, Further([])) == [0, 0, 0]
    assert leave_one_out(absent="public")(given(None), Further([]))[2] > 0


def test_without_a_last_change_of_that_length_nothing_is_public() -> None:
    updates = np.array([[4, 1], [4, -1]], dtype=np.int32)
    for trend in (None, np.zeros(2, dtype=np.int64), np.ones(3, dtype=np.int64)):
        assert not public_parts(updates, trend).any()


def test_a_public_part_stays_inside_the_updates_integers() -> None:
    ends = np.array([[2**31 - 1, 2**31 - 1], [-(2**31), -(2**31)]], dtype=np.int32)
    assert public_parts(ends, np.array([1, 1])).tolist() == [[2**31 - 2] * 2, [0, 0]]
    long = ends.astype(np.int64) * 2**31
    assert (public_parts(long, np.array([1, 1])) >= 0).all()
