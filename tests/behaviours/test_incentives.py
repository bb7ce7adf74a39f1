"""What every incentive must do. A newcomer is in the catalogue and passes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.incentives import INCENTIVES, incentive

NAMES = list(INCENTIVES)
SCORES = st.one_of(st.integers(-3, 3), st.integers(-(10**30), 10**30))
STAKES = st.one_of(st.integers(0, 3), st.integers(0, 10**30))
POOLS = st.one_of(st.integers(0, 100), st.integers(0, 10**30))


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    n = draw(st.integers(0, 8))
    scores = draw(st.lists(SCORES, min_size=n, max_size=n))
    return scores, draw(st.lists(STAKES, min_size=n, max_size=n)), draw(POOLS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "arguments", [([1], [], 1), ([], [1], 1), ([1], [1], -1), ([1, 1], [1, -1], 1)]
)
def test_it_refuses_what_is_no_round(name: str, arguments: Any) -> None:
    with pytest.raises(InputError):
        incentive(name)(*arguments)


@pytest.mark.parametrize("name", NAMES)
@given(played=rounds())
def test_balances_are_integers_not_negative_and_never_more_than_the_pool(
    name: str, played: Any
) -> None:
    payouts = incentive(name)(*played)
    assert len(payouts) == len(played[0])
    assert all(type(payout) is int and payout >= 0 for payout in payouts)
    assert sum(payouts) <= played[2]


@pytest.mark.parametrize("name", NAMES)
@given(played=rounds(), data=st.data())
def test_balances_move_with_their_trainers(name: str, played: Any, data: Any) -> None:
    scores, stakes, pool = played
    order = data.draw(st.permutations(range(len(scores))))
    payouts = incentive(name)(scores, stakes, pool)
    moved = incentive(name)([scores[i] for i in order], [stakes[i] for i in order], pool)
    assert moved == [payouts[i] for i in order]


@pytest.mark.parametrize("name", NAMES)
@given(played=rounds())
def test_rounding_leaves_less_than_one_unit_a_trainer_in_the_pool(name: str, played: Any) -> None:
    scores, stakes, pool = played
    payouts = incentive(name)(scores, stakes, pool)
    if any(score > 0 and stake > 0 for score, stake in zip(scores, stakes)):
        assert pool - sum(payouts) < len(scores)


@pytest.mark.parametrize("name", NAMES)
@given(played=rounds())
def test_who_did_not_help_earns_nothing(name: str, played: Any) -> None:
    scores, stakes, pool = played
    payouts = incentive(name)(scores, stakes, pool)
    assert all(payout == 0 for score, payout in zip(scores, payouts) if score <= 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_round_in_which_nobody_helped_pays_nobody(name: str) -> None:
    assert incentive(name)([0, -5], [1, 1], 10**30) == [0, 0]
    assert incentive(name)([], [], 10**30) == []


@pytest.mark.parametrize("name", NAMES)
@given(played=rounds())
def test_a_higher_score_with_the_same_stake_never_earns_less(name: str, played: Any) -> None:
    scores, _, pool = played
    payouts = incentive(name)(scores, [7] * len(scores), pool)
    ranked = sorted(zip(scores, payouts))
    assert [payout for _, payout in ranked] == sorted(payouts)


@given(played=rounds())
def test_shares_are_the_exact_ones_rounded_down(played: Any) -> None:
    scores, stakes, pool = played
    for name, share in (
        ("equal_split", [int(score > 0) for score in scores]),
        ("proportional", [max(score, 0) for score in scores]),
        ("cumulative", [max(score, 0) for score in scores]),
        ("stake_weighted", [max(score, 0) * stake for score, stake in zip(scores, stakes)]),
    ):
        whole = sum(share) or 1
        wanted = [int(Fraction(pool * part, whole)) for part in share]
        assert incentive(name)(scores, stakes, pool) == wanted
