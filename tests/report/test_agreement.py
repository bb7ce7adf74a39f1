from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.report.agreement import kendall

RANKS = st.lists(st.integers(-5, 5), min_size=2, max_size=8)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(InputError):
        kendall([1, 2], [1])


def test_the_known_value_of_a_ranking_with_ties() -> None:
    """The example of scipy's documentation of `kendalltau`."""
    assert kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) == pytest.approx(-0.47140452079103173)


def test_a_constant_agrees_with_nothing() -> None:
    assert kendall([1, 1, 1], [1, 2, 3]) == 0
    assert kendall([], []) == kendall([1], [2]) == 0


@given(RANKS)
def test_a_ranking_agrees_with_itself_and_not_with_its_opposite(ranks: list[int]) -> None:
    if len(set(ranks)) > 1:
        assert kendall(ranks, [3 * one + 1 for one in ranks]) == pytest.approx(1)
        assert kendall(ranks, [-one for one in ranks]) == pytest.approx(-1)
