"""The searches for a best set of updates, and the products that they start from."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import pipeline
from ostrom.aggregation.cover import first_compatible
from ostrom.aggregation.distances import bulyan, krum, mda
from ostrom.aggregation.gram import gram, squared_distances
from ostrom.aggregation.spectral import least_spread, smea
from ostrom.aggregation.tiles import combinations as combined
from ostrom.aggregation.tiles import inner_products
from ostrom.errors import InputError


@pytest.mark.parametrize(
    ("factory", "f"), [(krum, -1), (bulyan, -1), (mda, -1), (mda, 33), (smea, -1)]
)
def test_a_search_refuses_an_f_out_of_range(factory: Any, f: int) -> None:
    with pytest.raises(InputError, match="needs"):
        factory(f=f)


@pytest.mark.parametrize("text", ["geometric_median(iterations=0)", "geometric_median(nu=0)"])
def test_a_centre_needs_steps_and_a_length(text: str) -> None:
    with pytest.raises(InputError, match="needs nu > 0 and 1 <= iterations"):
        pipeline(f"{text}")


@pytest.mark.parametrize("text", ["arc(f=-1)", "bucketing(s=0)", "distinct(cosine=0)"])
def test_a_pre_aggregation_refuses_arguments_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match="needs"):
        pipeline(f"{text}|mean")


@pytest.mark.parametrize("top", [2**20, 2**22, 2**23, 2**24, 2**26, 2**31])
def test_products_of_small_and_large_rows_are_exact_across_blocks(top: int) -> None:
    rng = np.random.default_rng(top)
    rows = rng.integers(-top, top, (70, 130)).astype(np.int32)
    rows[::3] >>= 12
    rows[1], rows[4] = top - 1, -top
    whole = rows.astype(object)
    assert np.array_equal(gram(rows), whole @ whole.T)


def test_products_of_rows_longer_than_a_block_are_exact() -> None:
    rows = np.random.default_rng(0).integers(-(2**24), 2**24, (3, 9_001)).astype(np.int32)
    whole = rows.astype(object)
    assert np.array_equal(gram(rows), whole @ whole.T)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 200), (130, 65)])
def test_tiles_multiply_like_matrices(m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    left, right = rng.integers(-99, 99, (m, n)) * 1.0, rng.integers(-99, 99, (n, 256)) * 1.0
    assert np.array_equal(combined(left, right), left @ right)
    assert np.array_equal(inner_products(right, exact=64), right @ right.T)


@pytest.mark.parametrize("seed", range(12))
def test_the_smallest_diameter_is_found_among_all_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-4, 5, (10, 2)).astype(np.int32)
    far = squared_distances(rows)
    for f in (1, 3, 4):
        sets = combinations(range(10), 10 - f)
        wanted = min(sets, key=lambda chosen: int(far[np.ix_(chosen, chosen)].max()))
        assert first_compatible(far, f) == list(wanted)


def test_mda_of_many_updates_is_quick_where_all_sets_are_beyond_counting() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(-1000, 1000, (200, 30)).astype(np.int32)
    rows[:20] += 10**6
    left = set(first_compatible(squared_distances(rows), 20))
    assert left == set(range(20, 200))


def test_smea_of_many_updates_leaves_them_out_one_by_one() -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(-1000, 1000, (40, 30)).astype(np.int32)
    rows[:10] += np.arange(30, dtype=np.int32) * 400
    assert set(least_spread(squared_distances(rows), 10)) == set(range(10, 40))


def test_smea_takes_out_colluders_that_no_distance_betrays() -> None:
    rng = np.random.default_rng(5)
    rows = rng.integers(-1000, 1000, (12, 200)).astype(np.int32)
    rows[:3] = rng.integers(-1000, 1000, 200) + rng.integers(-9, 9, (3, 200))
    # One of them may stay: alone it is as wide as anybody.
    assert len(set(least_spread(squared_distances(rows), 3)) & {0, 1, 2}) <= 1


def test_sets_of_equal_spread_are_told_apart_by_content_alone() -> None:
    rows = np.array([[-5, 0], [5, 0], [0, 5], [0, -5]], dtype=np.int32)
    deltas = {
        smea(f=1)(rows[list(order)], np.ones(4, dtype=np.int64), {})[0].tobytes()
        for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])
    }
    assert len(deltas) == 1


def test_sybils_that_send_one_vector_have_one_vote() -> None:
    rows = np.array([[0, 10], [10, 0]] + [[-70, -71]] * 9, dtype=np.int32)
    weights = np.ones(11, dtype=np.int64)
    assert pipeline("median").aggregate(rows, weights, {})[0].tolist() == [-70, -71]
    assert pipeline("distinct(cosine=0.9)|median").aggregate(rows, weights, {})[0].tolist() == [
        0,
        0,
    ]


def test_opposite_updates_are_not_alike() -> None:
    rows = np.array([[5, 5], [-5, -5]], dtype=np.int32)
    combine = pipeline("distinct(cosine=0.5)|sum")
    assert combine.aggregate(rows, np.ones(2, dtype=np.int64), {})[0].tolist() == [0, 0]
