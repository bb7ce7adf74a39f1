from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ostrom.aggregation.pre_aggregations import nnm, norm_clip
from ostrom.errors import InputError

ROWS = hnp.arrays(np.int32, (3, 5), elements=st.integers(-(2**31), 2**31 - 1))
ONES = np.ones(3, dtype=np.int64)


@pytest.mark.parametrize("c", [0, -1, -0.5])
def test_norm_clip_refuses_a_bound_that_is_not_positive(c: float) -> None:
    with pytest.raises(InputError, match="c > 0"):
        norm_clip(c=c, fraction_bits=20)


def test_nnm_refuses_a_negative_f() -> None:
    with pytest.raises(InputError, match="f >= 0"):
        nnm(f=-1)


@given(ROWS, st.floats(1e-6, 1e6))
def test_a_clipped_update_is_never_longer_than_the_bound(rows: Any, c: float) -> None:
    clipped, weights = norm_clip(c=c, fraction_bits=20)(rows, ONES)
    assert weights is ONES
    for before, after in zip(rows.tolist(), clipped.tolist()):
        assert sum(x * x for x in after) <= (c * 2**20) ** 2 * (1 + 1e-12)
        assert all(abs(b) <= abs(a) and a * b >= 0 for a, b in zip(before, after))


def test_an_update_of_exactly_the_bound_is_kept_and_one_beyond_is_not() -> None:
    rows = np.array([[3, 4], [0, 0], [-3, 5]], dtype=np.int32)
    clipped, _ = norm_clip(c=5, fraction_bits=0)(rows, ONES)
    assert clipped.tolist() == [[3, 4], [0, 0], [-2, 4]]


def test_a_huge_bound_changes_nothing() -> None:
    rows = np.full((3, 5), -(2**31), dtype=np.int32)
    assert np.array_equal(norm_clip(c=1e300, fraction_bits=20)(rows, ONES)[0], rows)


def test_nnm_with_f_zero_makes_every_row_the_mean() -> None:
    rows = np.array([[1], [2], [6]], dtype=np.int32)
    assert nnm(f=0)(rows, ONES)[0].tolist() == [[3], [3], [3]]


def test_nnm_mixes_an_outlier_into_the_honest_and_never_the_reverse() -> None:
    rows = np.array([[1, 0], [0, 1], [10**9, 10**9]], dtype=np.int32)
    mixed, _ = nnm(f=1)(rows, ONES)
    assert sorted(mixed.tolist())[:2] == [[1, 1], [1, 1]]


def test_nnm_reduces_f_when_a_round_has_few_updates() -> None:
    rows = np.array([[1], [2], [9]], dtype=np.int32)
    assert np.array_equal(nnm(f=7)(rows, ONES)[0], nnm(f=1)(rows, ONES)[0])
    assert nnm(f=7)(rows[:1], ONES[:1])[0].tolist() == [[1]]


def test_nnm_keeps_each_weight_with_its_row() -> None:
    rows = np.array([[900], [0], [2]], dtype=np.int32)
    mixed, weights = nnm(f=1)(rows, np.array([7, 8, 9]))
    assert dict(zip(weights.tolist(), mixed[:, 0].tolist())) == {7: 451, 8: 1, 9: 1}
