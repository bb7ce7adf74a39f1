"""Nearest centroids and k-means against their definitions in fractions."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.onchain.data import load_stream
from ostrom.onchain.features import encode_row, encode_tokens
from ostrom.onchain.models import centroid, k_means, sparse_centroid
from ostrom.onchain.models.distances import distance

INT16 = st.integers(-32_768, 32_767)
ROWS = st.lists(INT16, min_size=3, max_size=3)
TOKENS = st.sets(st.integers(0, 7), max_size=5)


def square_to_mean(rows: list[list[int]], x: list[int]) -> Fraction:
    n = len(rows)
    return sum(((value - Fraction(sum(c), n)) ** 2 for value, c in zip(x, zip(*rows))), Fraction(0))


@given(st.lists(st.tuples(ROWS, st.integers(0, 2)), max_size=8), ROWS)
def test_distances_to_means_are_exact(data: list[tuple[list[int], int]], x: list[int]) -> None:
    rule = centroid()
    state = rule.start(3, 3)
    for row, label in data:
        state, memo = rule.learn(state, encode_row(row), label)
        assert memo == 1
    groups = [[row for row, other in data if other == label] for label in range(3)]
    exact = [math.floor(square_to_mean(rows, x) * 2**32) if rows else None for rows in groups]
    assert rule.distances(state, encode_row(x)) == exact
    known = [(one, label) for label, one in enumerate(exact) if one is not None]
    assert rule.predict(state, encode_row(x)) == (min(known)[1] if known else 0)


@given(st.integers(1, (1 << 32) - 1), st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1))
def test_a_distance_of_the_largest_numbers_is_exact(count: int, sums: list[int]) -> None:
    row = [32_767 if one < 0 else -32_768 for one in sums]
    exact = sum((count * x - s) ** 2 for x, s in zip(row, sums)) << 32
    assert distance(count, np.array(sums), np.array(row)) == exact // count**2


@given(st.lists(st.tuples(ROWS, st.integers(0, 1)), min_size=1, max_size=8), st.integers(0, 99))
def test_a_mean_without_a_contribution_is_that_of_the_others(
    data: list[tuple[list[int], int]], which: int
) -> None:
    rule, at = centroid(), which % len(data)
    state = without = rule.start(2, 3)
    for place, (row, label) in enumerate(data):
        state, memo = rule.learn(state, encode_row(row), label)
        without = without if place == at else rule.learn(without, encode_row(row), label)[0]
    x, label = encode_row(data[at][0]), data[at][1]
    assert rule.agrees(state, x, label, memo) == (rule.predict(without, x) == label)


def test_sums_saturate_and_samples_have_an_end() -> None:
    rule = centroid()
    state = rule.start(2, 2)
    state = replace(state, sums=np.array([[2**31 - 5, -(2**31) + 5], [0, 0]]))
    state, _ = rule.learn(state, encode_row([9, -9]), 0)
    assert state.sums[0].tolist() == [2**31 - 1, -(2**31) + 1]
    state = replace(state, counts=np.array([2**32 - 1, 0]))
    with pytest.raises(InputError, match="as many samples as the model can count"):
        rule.learn(state, encode_row([1, 1]), 0)


@given(st.lists(st.tuples(TOKENS, st.integers(0, 2)), max_size=9), TOKENS)
def test_sparse_distances_are_those_to_means_of_ones_and_zeros(
    data: list[tuple[set[int], int]], tokens: set[int]
) -> None:
    rule = sparse_centroid()
    state = rule.start(3, 8)
    for one, label in data:
        state, _ = rule.learn(state, encode_tokens(sorted(one)), label)
    x = [int(token in tokens) for token in range(8)]
    for label, found in enumerate(rule.distances(state, encode_tokens(sorted(tokens)))):
        rows = [[int(t in one) for t in range(8)] for one, other in data if other == label]
        if not rows:
            assert found is None
            continue
        exact = (square_to_mean(rows, x) - len(tokens)) * 2**32
        assert found is not None
        assert abs(found - exact) < 1


@given(st.lists(st.tuples(TOKENS, st.integers(0, 1)), min_size=1, max_size=9), st.integers(0, 99))
def test_a_sparse_mean_without_a_contribution_is_that_of_the_others(
    data: list[tuple[set[int], int]], which: int
) -> None:
    rule, at = sparse_centroid(), which % len(data)
    state = without = rule.start(2, 8)
    for place, (tokens, label) in enumerate(data):
        x = encode_tokens(sorted(tokens))
        state, memo = rule.learn(state, x, label)
        without = without if place == at else rule.learn(without, x, label)[0]
    x, label = encode_tokens(sorted(data[at][0])), data[at][1]
    assert rule.agrees(state, x, label, memo) == (rule.predict(without, x) == label)


@pytest.mark.parametrize(
    "full",
    [{"sums": np.array([[65_535, 0], [0, 0]])}, {"samples": np.array([2**32 - 1, 0])},
     {"squares": np.array([2**48 - 1, 0])}],
)  # fmt: skip
def test_a_sparse_model_refuses_what_does_not_fit(full: dict[str, np.ndarray]) -> None:
    rule = sparse_centroid()
    state = replace(rule.start(2, 2), **full)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no room"):
        rule.learn(state, encode_tokens([0]), 0)
    assert rule.learn(state, encode_tokens([0]), 1)[1] == 1


def test_a_row_joins_the_nearest_cluster_and_moves_its_mean() -> None:
    rule = k_means()
    state = rule.at(np.array([[0, 0], [100, 0]]), weight=2)
    state, memo = rule.learn(state, encode_row([70, 0]), 0)
    assert memo == 900 << 8 | 2
    assert (state.counts.tolist(), state.sums.tolist()) == ([2, 3], [[0, 0], [270, 0]])
    assert state.spread == (0, 900)
    assert rule.predict(state, encode_row([46, 0])) == 1
    # 90 - 70 = 20 off, where the three rows were 900 / 3 off in the mean.
    assert rule.outlier_score(state, encode_row([70, 0])) == (400 * 3 << 16) // 900


def test_an_outlier_does_not_vouch_for_itself() -> None:
    rule, rng = k_means(), random.Random(0)
    state = rule.at(np.array([[0, 0]]))
    for _ in range(50):
        x = encode_row([rng.randint(-20, 20), rng.randint(-20, 20)])
        state, memo = rule.learn(state, x, 0)
    assert rule.agrees(state, x, 0, memo)
    far = encode_row([3_000, 0])
    state, memo = rule.learn(state, far, 0)
    assert rule.outlier_score(state, far) > rule.limit
    assert not rule.agrees(state, far, 0, memo)
    # The far row has made the mean distance large: nothing else looks like an outlier now.
    assert rule.agrees(state, encode_row([60, 0]), 0, 0)


def test_a_row_stays_in_the_cluster_that_it_joined() -> None:
    rule = k_means(limit=1 << 16)
    state = rule.at(np.array([[0], [100]]))
    state, memo = rule.learn(state, encode_row([40]), 0)
    assert memo & 255 == 1
    # Alone in its cluster, with the loaded centre that has no spread: an outlier there ...
    assert not rule.agrees(state, encode_row([40]), 0, memo)
    # ... and if it were the only row, too.
    only = replace(state, counts=np.array([1, 1]), sums=np.array([[40], [100]]))
    assert not rule.agrees(only, encode_row([40]), 0, memo)


def test_a_row_of_zero_distance_to_a_cluster_without_spread_is_no_outlier() -> None:
    rule = k_means()
    state = rule.at(np.array([[5, 5]]))
    assert rule.agrees(state, encode_row([5, 5]), 0, 0)
    assert not rule.agrees(state, encode_row([8, 5]), 0, 0)


def test_clusters_without_centres_learn_nothing() -> None:
    rule = k_means()
    with pytest.raises(InputError, match="load centres first"):
        rule.learn(rule.start(3, 2), encode_row([1, 1]), 0)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        k_means(limit=0)


def test_noise_is_found_among_digits() -> None:
    stream, rule = load_stream("digits", seed=0), k_means()
    rng = np.random.default_rng(0)
    rows = [np.frombuffer(one.x, dtype=">i2") for one in stream.warm[:10]]
    state = rule.at(np.stack(rows))
    for sample in stream.warm[10:] + stream.arrivals:
        state, _ = rule.learn(state, sample.x, 0)
    honest = [rule.agrees(state, one.x, 0, 0) for one in stream.test]
    noise = [encode_row(rng.integers(-2_047, 2_048, 64)) for _ in range(100)]
    assert np.mean(honest) > 0.97
    assert not any(rule.agrees(state, x, 0, 0) for x in noise)
