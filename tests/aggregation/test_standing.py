from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import SELECTIONS, Standing, leave_one_out, pipeline
from ostrom.aggregation.standing import (
    history_filter,
    score_best,
    score_filter,
    score_weighted,
    stake_weighted,
)
from ostrom.errors import InputError

ROWS = np.array([[10], [20], [30], [1000]], dtype=np.int32)
ONES = np.ones(4, dtype=np.int64)


def standing(scores: Any = (0, 0, 0, 0), history: Any = (0, 0, 0, 0), stakes: Any = None) -> Any:
    return Standing(np.array(scores), np.array(history), tuple(stakes or (1,) * len(scores)))


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_score_best_refuses_a_share_out_of_range(share: float) -> None:
    with pytest.raises(InputError, match="0 < share <= 1"):
        score_best(share=share)


@pytest.mark.parametrize(
    "other",
    [
        Standing(np.zeros(3), np.zeros(4), (1,) * 4),
        Standing(np.zeros(4), np.zeros(3), (1,) * 4),
        Standing(np.zeros(4), np.zeros(4), (1,) * 5),
    ],
)
def test_a_standing_of_other_trainers_is_refused(other: Standing) -> None:
    with pytest.raises(InputError, match="4 updates need"):
        pipeline("score_filter|mean").aggregate(ROWS, ONES, {}, standing=other)


def test_mallory_whom_the_holdouts_score_below_zero_does_not_count() -> None:
    known = standing(scores=(5, 6, 7, -900))
    assert pipeline("score_filter|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [20]
    assert pipeline("score_best(share=0.75)|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [
        20
    ]


def test_mallory_who_did_harm_in_earlier_rounds_does_not_count() -> None:
    known = standing(history=(0, 3, 0, -1))
    assert pipeline("history_filter|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [20]


def test_a_thousand_sybils_weigh_what_they_stake() -> None:
    known = standing(stakes=(300, 300, 300, 0))
    assert pipeline("stake_weighted|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [20]


def test_weights_follow_scores() -> None:
    known = standing(scores=(1, 0, 3, -5))
    assert pipeline("score_weighted|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [25]


def test_equal_scores_stay_or_go_together() -> None:
    kept, _ = score_best(share=0.25)(ROWS, ONES, standing(scores=(4, 9, 9, 1)))
    assert kept.tolist() == [[20], [30]]


@pytest.mark.parametrize(
    "select",
    [score_filter(least=9), history_filter(least=9), score_weighted(), score_best(share=1e-9)],
)
def test_no_selection_leaves_a_round_without_updates(select: Any) -> None:
    kept, weights = select(ROWS, ONES, standing(scores=(-2, -7, -2, -9), history=(-2, -7, -2, -9)))
    assert kept.tolist() == [[10], [30]]
    assert weights.tolist() == [1, 1]


def test_without_any_stake_all_rows_stay_as_they_are() -> None:
    kept, weights = stake_weighted()(ROWS, ONES, standing(stakes=(0, 0, 0, 0)))
    assert kept is not None
    assert kept.tolist() == ROWS.tolist()
    assert weights.tolist() == [1, 1, 1, 1]


def test_huge_stakes_make_weights_that_a_mean_can_sum() -> None:
    known = standing(stakes=(10**40, 10**40, 1, 1))
    assert pipeline("stake_weighted|mean").aggregate(ROWS, ONES, {}, standing=known)[0] == [15]


def test_selections_work_on_what_the_one_before_left() -> None:
    combine = pipeline("history_filter|score_best(share=0.5)|mean")
    known = standing(scores=(1, 2, 3, 99), history=(0, 0, 0, -1))
    assert combine.aggregate(ROWS, ONES, {}, standing=known)[0] == [25]


@pytest.mark.parametrize("name", SELECTIONS)
def test_without_a_standing_and_for_scores_a_selection_is_skipped(name: str) -> None:
    text = name + ("(share=0.5)" if name == "score_best" else "")
    combine, plain = pipeline(f"{text}|median"), pipeline("median")
    assert combine.informed
    assert not plain.informed
    assert combine.aggregate(ROWS, ONES, {})[0] == plain.aggregate(ROWS, ONES, {})[0]
    without = leave_one_out(combine, ROWS, ONES, {})
    assert without.tolist() == leave_one_out(plain, ROWS, ONES, {}).tolist()


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_does_not_depend_on_the_order_of_rows(name: str) -> None:
    combine = pipeline(name + ("(share=0.5)" if name == "score_best" else "") + "|mean")
    rng = np.random.default_rng(1)
    rows = rng.integers(-99, 99, (20, 3)).astype(np.int32)
    scores, history = rng.integers(-9, 9, (2, 20))
    stakes = rng.integers(0, 9, 20)
    weights = rng.integers(1, 9, 20)
    results = set()
    for order in (np.arange(20), rng.permutation(20), rng.permutation(20)):
        known = Standing(scores[order], history[order], tuple(stakes[order].tolist()))
        delta, _ = combine.aggregate(rows[order], weights[order], {}, standing=known)
        results.add(delta.tobytes())
    assert len(results) == 1
