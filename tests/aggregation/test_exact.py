from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ostrom.aggregation import exact, squared_distances
from ostrom.aggregation.selected import mean_selected

INT32 = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([-(2**31), 2**31 - 1, -(2**19), 2**19, -(2**15), 2**15, 0xFFFF]),
)
INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1, -1]))


def matrices(dtype: Any, elements: Any, rows: int = 6) -> Any:
    shapes = st.tuples(st.integers(1, rows), st.integers(1, 6))
    return hnp.arrays(dtype, shapes, elements=elements)


def slow_distances(rows: Any) -> list[list[int]]:
    lines = rows.tolist()
    return [[sum((a - b) ** 2 for a, b in zip(x, y)) for y in lines] for x in lines]


@given(matrices(np.int32, INT32))
def test_distances_are_exact_over_the_whole_range(rows: Any) -> None:
    assert squared_distances(rows).tolist() == slow_distances(rows)


@pytest.mark.parametrize("top", [2**14, 2**19, 2**19 + 1, 2**25, 2**31])
def test_distances_are_exact_across_blocks_of_columns(top: int) -> None:
    rng = np.random.default_rng(top)
    rows = rng.integers(-top, top, (3, 2 * exact.BLOCK_COLUMNS + 5)).astype(np.int32)
    rows[0] = top - 1
    rows[1] = -top
    assert squared_distances(rows).tolist() == slow_distances(rows)


@given(hnp.arrays(np.int32, st.integers(1, 9), elements=INT32))
def test_squared_norms_are_exact(row: Any) -> None:
    assert exact.norm_squared(row) == sum(x * x for x in row.tolist())


@given(
    hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(-(2**62), 2**62)),
    st.integers(1, 2**46),
)
def test_division_rounds_halves_upwards(numerator: Any, denominator: int) -> None:
    wanted = [math.floor(Fraction(x, denominator) + Fraction(1, 2)) for x in numerator.tolist()]
    assert exact.divide_half_up(numerator, denominator).tolist() == wanted


@settings(deadline=None)
@given(matrices(np.int32, INT32), st.data())
def test_weighted_means_are_exact_up_to_the_largest_sum_of_weights(rows: Any, data: Any) -> None:
    n = len(rows)
    weight = st.integers(1, exact.WEIGHT_SUM_MAX // n)
    weights = np.array(data.draw(st.lists(weight, min_size=n, max_size=n)))
    mean = exact.mean_half_up(exact.weighted_sums(rows, weights), int(weights.sum()))
    lines = [
        Fraction(sum(w * x for w, x in zip(weights.tolist(), column)), int(weights.sum()))
        for column in zip(*rows.tolist())
    ]
    assert mean.tolist() == [math.floor(line + Fraction(1, 2)) for line in lines]


def test_the_largest_weight_on_the_ends_of_int32_does_not_overflow() -> None:
    rows = np.array([[-(2**31), 2**31 - 1]], dtype=np.int32)
    weights = np.array([exact.WEIGHT_SUM_MAX])
    mean = exact.mean_half_up(exact.weighted_sums(rows, weights), exact.WEIGHT_SUM_MAX)
    assert mean.tolist() == rows[0].tolist()


@given(matrices(np.int64, INT64))
def test_sums_are_held_inside_int64(rows: Any) -> None:
    wanted = [min(max(sum(c), -(2**63)), 2**63 - 1) for c in zip(*rows.tolist())]
    assert exact.saturate(exact.int64_sums(rows)).tolist() == wanted


@given(matrices(np.int32, INT32), st.data())
def test_means_of_selected_rows_are_exact(rows: Any, data: Any) -> None:
    chosen = data.draw(hnp.arrays(np.bool_, (3, len(rows))))
    chosen[:, 0] = True
    for marks, means in zip(chosen, mean_selected(rows, chosen).tolist()):
        sums = [Fraction(sum(column), int(marks.sum())) for column in zip(*rows[marks].tolist())]
        assert means == [math.floor(one + Fraction(1, 2)) for one in sums]


def test_rows_are_ordered_by_content_and_equal_contents_by_weight() -> None:
    rows = np.array([[2, 0], [1, 9], [1, 9], [2, 0]], dtype=np.int32)
    assert exact.canonical_order(rows, np.array([5, 4, 3, 2])) == [2, 1, 3, 0]
