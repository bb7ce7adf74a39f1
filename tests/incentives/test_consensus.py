from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.incentives import consensus

SCORES = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(10**30), 10**30))


@st.composite
def committees(draw: st.DrawFn) -> tuple[list[list[int | None]], list[int]]:
    n, trainers = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    line = st.lists(SCORES, min_size=trainers, max_size=trainers)
    scores = draw(st.lists(line, min_size=n, max_size=n))
    return scores, draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))


@pytest.mark.parametrize(
    ("scores", "stakes"), [([[1]], []), ([[1]], [-1]), ([[1], [1, 2]], [1, 1]), ([], [1])]
)
def test_what_is_no_committee_is_refused(scores: Any, stakes: Any) -> None:
    with pytest.raises(InputError):
        consensus(scores, stakes)


def test_no_validators_and_no_trainers_give_no_scores() -> None:
    assert consensus([], []) == []
    assert consensus([[], []], [1, 1]) == []


def test_a_trainer_whom_no_stake_scored_gets_zero() -> None:
    assert consensus([[None, 5], [None, None]], [3, 0]) == [0, 5]
    assert consensus([[7], [9]], [0, 0]) == [0]


def test_of_two_equal_halves_the_lower_score_counts() -> None:
    assert consensus([[4], [8]], [10, 10]) == [4]
    assert consensus([[4], [8]], [10, 11]) == [8]


def test_mallory_with_less_than_half_cannot_leave_the_range_of_the_others() -> None:
    honest = [[10], [12], [11]]
    for lie in (10**30, -(10**30)):
        assert 10 <= consensus([*honest, [lie], [lie]], [10, 10, 10, 14, 15])[0] <= 12


@given(committees())
def test_the_consensus_is_the_median_of_one_vote_per_unit_of_stake(committee: Any) -> None:
    scores, stakes = committee
    for trainer, score in enumerate(consensus(scores, stakes)):
        votes = sorted(
            line[trainer]
            for line, stake in zip(scores, stakes)
            for _ in range(stake)
            if line[trainer] is not None
        )
        assert score == (votes[(len(votes) - 1) // 2] if votes else 0)


@given(committees(), st.data())
def test_the_order_of_validators_does_not_matter(committee: Any, data: Any) -> None:
    scores, stakes = committee
    order = data.draw(st.permutations(range(len(stakes))))
    moved = consensus([scores[i] for i in order], [stakes[i] for i in order])
    assert moved == consensus(scores, stakes)
