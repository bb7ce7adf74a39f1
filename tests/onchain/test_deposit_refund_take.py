from __future__ import annotations

from typing import Any

import pytest
from tests.onchain.setting import ALICE, BASE, BOB, CAT, DOG, MALLORY, MODEL, NOW, OWNER, deposits

from ostrom.errors import InputError
from ostrom.onchain import deposit_refund_take as drt
from ostrom.onchain.deposit_refund_take import DAY, HOUR, WEI_MAX, DepositRefundTake, Rules
from ostrom.onchain.records import Contribution, Message, Refused


def give(
    state: DepositRefundTake[Any], who: Any, x: bytes, label: int, *, time: int = NOW
) -> tuple[DepositRefundTake[Any], Contribution]:
    price = drt.deposit(state.rules, state.trainer.last_time, time)
    return drt.add(MODEL, state, Message(who, time, price), features=x, label=label)


def refunded(
    state: DepositRefundTake[Any], one: Contribution
) -> tuple[DepositRefundTake[Any], int]:
    return drt.refund(MODEL, state, Message(one.contributor, one.time + DAY), one=one)


@pytest.mark.parametrize("base", [0, WEI_MAX // HOUR + 1])
def test_a_base_that_is_nothing_or_too_much_is_refused(base: int) -> None:
    with pytest.raises(Refused, match="DepositBaseOutOfRange"):
        Rules(base)


@pytest.mark.parametrize(
    "waits", [(5, 5, 6), (5, 6, 6), (40 * DAY, 0, 0), (1, 2, drt.WAIT_MAX + 1)]
)
def test_waits_that_do_not_ascend_are_refused(waits: tuple[int, int, int]) -> None:
    with pytest.raises(Refused, match="DepositWaitsNotOrdered"):
        Rules(1, *waits)


def test_waits_of_zero_are_the_safe_defaults() -> None:
    assert Rules(1, 0, 0, 0) == Rules(1, DAY, 30 * DAY, 60 * DAY)


@pytest.mark.parametrize(
    ("elapsed", "price"),
    [(0, BASE), (1, BASE * HOUR), (3, BASE * HOUR), (4, BASE * HOUR // 2), (HOUR**2, BASE)],
)
def test_deposits_get_dear_in_a_flood(elapsed: int, price: int) -> None:
    assert drt.deposit(Rules(BASE), NOW, NOW + elapsed) == price


def test_a_deposit_is_one_wei_at_least() -> None:
    assert drt.deposit(Rules(1), 1, 1 + (HOUR + 1) ** 2) == 1


def test_too_little_money_and_bad_data_change_nothing() -> None:
    state = deposits()
    with pytest.raises(Refused, match="DepositTooLow"):
        drt.add(MODEL, state, Message(ALICE, NOW, BASE - 1), features=CAT, label=0)
    with pytest.raises(InputError):
        drt.add(MODEL, state, Message(ALICE, NOW, BASE), features=b"\0", label=0)


def test_surplus_is_credited_and_pays_the_next_deposit() -> None:
    message = Message(ALICE, NOW, 3 * BASE)
    state, _ = drt.add(MODEL, deposits(), message, features=CAT, label=0)
    assert state.account(ALICE).balance == 2 * BASE
    state, one = drt.add(MODEL, state, Message(ALICE, NOW), features=CAT, label=0)
    assert state.account(ALICE).balance == BASE
    assert one.nonce == 1
    assert state.owed == 3 * BASE


def test_the_same_data_in_the_same_second_are_two_contributions() -> None:
    state, first = give(deposits(), ALICE, CAT, 0)
    state, second = give(state, ALICE, CAT, 0)
    assert first.key != second.key
    assert len(state.trainer.records) == 2


def test_good_data_get_their_deposit_back_once() -> None:
    state, one = give(deposits(), ALICE, CAT, 0)
    with pytest.raises(Refused, match="HandlerTooEarly"):
        drt.refund(MODEL, state, Message(ALICE, NOW + DAY - 1), one=one)
    with pytest.raises(Refused, match="HandlerNoContribution"):
        drt.refund(MODEL, state, Message(BOB, NOW + DAY), one=one)
    state, amount = refunded(state, one)
    assert amount == state.account(ALICE).balance == BASE
    assert state.account(ALICE).validated == state.trainer.validated == 1
    with pytest.raises(Refused, match="HandlerNoContribution"):
        refunded(state, one)


def test_a_lie_does_not_agree_with_itself() -> None:
    state, lie = give(deposits(), MALLORY, CAT, 1)
    with pytest.raises(Refused, match="DepositModelDisagrees"):
        refunded(state, lie)


def test_only_others_with_validated_data_report_and_each_once() -> None:
    state, good = give(deposits(), ALICE, CAT, 0)
    state, lie = give(state, MALLORY, CAT, 1)
    state, _ = refunded(state, good)
    later = NOW + DAY
    with pytest.raises(Refused, match="DepositOwnContribution"):
        drt.report(MODEL, state, Message(MALLORY, later), one=lie)
    with pytest.raises(Refused, match="DepositNotValidated"):
        drt.report(MODEL, state, Message(BOB, later), one=lie)
    state, amount = drt.report(MODEL, state, Message(ALICE, later), one=lie)
    assert amount == BASE
    assert lie.key not in state.trainer.records
    assert state.account(ALICE).next_report == lie.nonce + 1


def test_a_reporter_takes_the_share_of_what_all_validated() -> None:
    state = deposits()
    given = []
    for who, x, label in ((ALICE, CAT, 0), (BOB, DOG, 1), (BOB, DOG, 1), (MALLORY, DOG, 0)):
        state, one = give(state, who, x, label)
        given.append(one)
    for one in given[:3]:
        state, _ = refunded(state, one)
    lie = given[3]
    state, amount = drt.report(MODEL, state, Message(ALICE, NOW + DAY), one=lie)
    assert amount == BASE // 3
    with pytest.raises(Refused, match="DepositAlreadyReported"):
        drt.report(MODEL, state, Message(ALICE, NOW + DAY), one=lie)
    state, amount = drt.report(MODEL, state, Message(BOB, NOW + DAY), one=lie)
    assert amount == BASE * 2 // 3


def test_nobody_takes_good_data() -> None:
    state, first = give(deposits(), ALICE, CAT, 0)
    state, good = give(state, BOB, DOG, 1)
    state, _ = refunded(state, first)
    with pytest.raises(Refused, match="DepositModelAgrees"):
        drt.report(MODEL, state, Message(ALICE, NOW + DAY), one=good)


def test_the_deployer_clears_others_before_anybody_clears_all() -> None:
    state, lie = give(deposits(), MALLORY, CAT, 1)
    state, own = give(state, OWNER, DOG, 0)
    with pytest.raises(Refused, match="HandlerTooEarly"):
        drt.clear(state, Message(OWNER, NOW + 30 * DAY - 1), one=lie)
    with pytest.raises(Refused, match="HandlerTooEarly"):
        drt.clear(state, Message(OWNER, NOW + 30 * DAY), one=own)
    with pytest.raises(Refused, match="HandlerTooEarly"):
        drt.clear(state, Message(BOB, NOW + 30 * DAY), one=lie)
    state, amount = drt.clear(state, Message(OWNER, NOW + 30 * DAY), one=lie)
    assert amount == BASE
    state, amount = drt.clear(state, Message(BOB, NOW + 60 * DAY), one=own)
    assert state.account(BOB).balance == amount == BASE


def test_a_balance_is_withdrawn_whole() -> None:
    state, one = give(deposits(), ALICE, CAT, 0)
    with pytest.raises(Refused, match="AccountsNothingToWithdraw"):
        drt.withdraw(state, Message(ALICE, NOW))
    state, _ = refunded(state, one)
    state, amount = drt.withdraw(state, Message(ALICE, NOW))
    assert (amount, state.owed, state.account(ALICE).validated) == (BASE, 0, 1)
