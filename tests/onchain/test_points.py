from __future__ import annotations

from typing import Any

import pytest
from tests.onchain.setting import ALICE, BOB, CAT, DOG, MALLORY, MODEL, NOW, points

from ostrom.onchain import points as module
from ostrom.onchain.points import DAY, WAIT_MAX, Badges, Points, PointsAccount, badges, counted
from ostrom.onchain.records import Contribution, Message, Refused, Trainer


def give(
    state: Points[Any], who: Any, x: bytes, label: int, *, time: int = NOW
) -> tuple[Points[Any], Contribution]:
    return module.add(MODEL, state, Message(who, time), features=x, label=label)


def validated(state: Points[Any], one: Contribution) -> Points[Any]:
    return module.validate(MODEL, state, Message(BOB, one.time + DAY), one=one)[0]


def test_a_wait_of_centuries_is_refused_and_zero_is_a_day() -> None:
    with pytest.raises(Refused, match="PointsWaitTooLong"):
        Points(Trainer(ALICE, None), WAIT_MAX + 1)
    assert Points(Trainer(ALICE, None), 0).wait == DAY


def test_good_data_earn_points_for_their_contributor_once() -> None:
    state, one = give(points(), ALICE, CAT, 0)
    with pytest.raises(Refused, match="HandlerTooEarly"):
        module.validate(MODEL, state, Message(BOB, NOW + DAY - 1), one=one)
    state = validated(state, one)
    assert state.account(ALICE).points == module.POINTS
    assert state.contributors == (ALICE,)
    with pytest.raises(Refused, match="HandlerNoContribution"):
        validated(state, one)


def test_a_lie_earns_points_for_who_reports_it() -> None:
    state, good = give(points(), ALICE, CAT, 0)
    state, lie = give(state, MALLORY, DOG, 0)
    with pytest.raises(Refused, match="PointsModelDisagrees"):
        validated(state, lie)
    for who, error in ((MALLORY, "PointsOwnContribution"), (ALICE, "PointsNotValidated")):
        with pytest.raises(Refused, match=error):
            module.report(MODEL, state, Message(who, NOW + DAY), one=lie)
    state = validated(state, good)
    state = module.report(MODEL, state, Message(ALICE, NOW + DAY), one=lie)
    assert state.account(ALICE).points == module.POINTS + module.POINTS_REPORT
    assert lie.key not in state.trainer.records


def test_nobody_reports_good_data() -> None:
    state, first = give(points(), ALICE, CAT, 0)
    state, good = give(state, BOB, DOG, 1)
    with pytest.raises(Refused, match="PointsModelAgrees"):
        module.report(MODEL, validated(state, first), Message(ALICE, NOW + DAY), one=good)


def on_day(day: int, label: int = 0) -> Contribution:
    return Contribution(b"", label, day * DAY, ALICE, 0)


def test_a_streak_grows_by_days_in_a_row_and_ends_with_a_gap() -> None:
    account = PointsAccount()
    streaks = []
    for day in (10, 11, 11, 12, 14, 13):
        account = counted(account, on_day(day), sketch=0)
        streaks.append(account.streak)
    assert streaks == [1, 2, 2, 3, 1, 1]
    assert (account.best_streak, account.last_day) == (3, 14)


def test_data_unlike_the_last_earn_double() -> None:
    account = counted(PointsAccount(), on_day(1), sketch=0xFF)
    assert (account.points, account.diverse) == (20, 1)
    account = counted(account, on_day(1), sketch=0xFE)
    assert (account.points, account.diverse) == (30, 1)


def test_an_update_has_no_sketch_and_is_never_diverse() -> None:
    account = counted(PointsAccount(sketch=0xFF), on_day(1, module.UPDATE), sketch=None)
    assert (account.points, account.sketch, account.labels) == (10, 0xFF, 0)


@pytest.mark.parametrize(("validated", "level"), [(9, 0), (10, 1), (99, 1), (100, 2), (1_000, 3)])
def test_quantity_has_three_levels(validated: int, level: int) -> None:
    assert badges(PointsAccount(validated=validated), 2).quantity == level


def test_diversity_needs_all_labels() -> None:
    assert badges(PointsAccount(diverse=500, labels=0b101), 3).diversity == 0
    assert badges(PointsAccount(diverse=500, labels=0b111), 3) == Badges(0, 3, 0)
    assert badges(PointsAccount(diverse=5, labels=2**32 - 1), 200).diversity == 1


def test_the_board_starts_with_the_most_points() -> None:
    state, one = give(points(), ALICE, CAT, 0)
    state = validated(state, one)
    for _ in range(2):
        state, one = give(state, BOB, DOG, 1)
        state = validated(state, one)
    assert [who for who, _ in module.leaderboard(state)] == [BOB, ALICE]
