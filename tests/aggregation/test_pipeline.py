from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import leave_one_out, pipeline
from ostrom.errors import InputError

ROWS = np.array([[1, -1], [4, -4]], dtype=np.int32)
ONES = np.ones(2, dtype=np.int64)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot read"),
        ("average", "unknown mechanism 'average': there are score_filter, "),
        ("mean|pickle", "unknown mechanism 'pickle'"),
        ("nnm(f=1)", "exactly one rule"),
        ("mean|median", "exactly one rule"),
        ("mean|nnm(f=1)", "may follow the rule"),
        ("server_momentum(beta=0.5)|mean", "may stand before the rule"),
        ("score_filter", "exactly one rule"),
        ("mean|score_filter", "may follow the rule"),
        ("nnm(f=1)|score_filter|mean", "must come before all else"),
        ("mean|server_momentum(beta=0.5)|server_adam(lr=1)", "only one of"),
        ("trimmed_mean", "needs the argument 'f'"),
        ("trimmed_mean(f=1,g=2)", "has no argument 'g': it takes f"),
        ("median(f=1)", "it takes no arguments"),
        ("trimmed_mean(f=1.5)", "to be of type int"),
        ("trimmed_mean(f=two)", "to be of type int"),
        ("trimmed_mean(f=-1)", "f >= 0"),
        ("mean(weights=1)", "to be of type str"),
        ("mean(weights=votes)", "weights=equal"),
        ("norm_clip(c=big)|mean", "to be of type float"),
        ("norm_clip(c=1,fraction_bits=3)|mean", "no argument 'fraction_bits': it takes c"),
        ("sum|ridge_solve(classes=1,exact=0,features=1)", "no argument 'exact'"),
        ("norm_clip(c=inf)|mean", "finite"),
    ],
)
def test_a_text_that_is_no_pipeline_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as refusal:
        pipeline(text)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("updates", "weights"),
    [
        (ROWS[:0], ONES[:0]),
        (ROWS[:, :0], ONES),
        (ROWS[0], ONES),
        (ROWS, ONES[:1]),
        (ROWS, ONES * 0),
        (ROWS, np.array([3, -1])),
        (ROWS, np.array([1 << 46, 1])),
        (ROWS, np.array([2**63 - 1, 2**63 - 1])),
        (ROWS, ONES.astype(np.float64)),
        (ROWS.astype(np.float32), ONES),
        (ROWS.astype(np.int16), ONES),
    ],
)
def test_updates_and_weights_that_do_not_fit_are_refused(updates: Any, weights: Any) -> None:
    with pytest.raises(InputError):
        pipeline("mean").aggregate(updates, weights, {})
    with pytest.raises(InputError):
        leave_one_out(pipeline("mean"), updates, weights, {})


def test_a_state_that_the_pipeline_does_not_keep_is_refused() -> None:
    with pytest.raises(InputError, match="keeps no state"):
        pipeline("mean").aggregate(ROWS, ONES, {"momentum": ONES})


def test_the_fixed_point_of_the_task_sets_the_unit_of_arguments() -> None:
    rows = np.array([[300, 400]], dtype=np.int32)
    for bits, wanted in ((0, [3, 4]), (1, [6, 8]), (20, [300, 400])):
        combine = pipeline("norm_clip(c=5)|mean", fraction_bits=bits)
        assert combine.aggregate(rows, ONES[:1], {})[0].tolist() == wanted


def test_one_and_one_point_zero_are_one_text() -> None:
    assert pipeline("norm_clip(c=1.0)|mean").text == pipeline("norm_clip( c = 1 )|mean").text


def test_momentum_carries_from_round_to_round() -> None:
    combine = pipeline("mean|server_momentum(beta=0.5)")
    state = combine.initial_state(2)
    seen = []
    for _ in range(3):
        delta, state = combine.aggregate(ROWS, ONES, state)
        seen.append(delta.tolist())
    assert seen == [[3, -2], [4, -3], [5, -4]]
