from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.codec import address_bytes, checksum_address, keccak, merkle_verify
from ostrom.errors import InputError
from ostrom.incentives import accumulate, balance_leaves, balance_proof, balance_root
from ostrom.types import Address

TASK = keccak(b"task")
ALICE, BOB, CAROL = (checksum_address(bytes([i]) * 20) for i in (0xA1, 0xB0, 0xCA))

addresses = st.binary(min_size=20, max_size=20).map(checksum_address)
ledgers = st.dictionaries(addresses, st.integers(1, 10**30), max_size=7)


@pytest.mark.parametrize(
    ("previous", "payouts"),
    [({ALICE: -1}, {}), ({}, {ALICE: -1}), ({ALICE: 2**256 - 1}, {ALICE: 1})],
)
def test_amounts_that_no_contract_could_pay_are_refused(previous: Any, payouts: Any) -> None:
    with pytest.raises(InputError):
        accumulate(previous, payouts)


def test_an_account_that_never_earned_has_no_proof() -> None:
    with pytest.raises(InputError, match="earned nothing"):
        balance_proof(TASK, {ALICE: 5}, BOB)


def test_earnings_add_up_over_rounds_and_nobody_who_earned_is_forgotten() -> None:
    earnings: dict[Address, int] = {}
    for payouts in ({BOB: 5, ALICE: 0}, {CAROL: 1}, {BOB: 2, CAROL: 4}):
        earnings = accumulate(earnings, payouts)
    assert earnings == {BOB: 7, CAROL: 5}
    assert list(earnings) == [BOB, CAROL]


@given(ledgers, ledgers)
def test_accumulating_adds_exactly_and_keeps_the_order_of_addresses(
    previous: dict[Address, int], payouts: dict[Address, int]
) -> None:
    earnings = accumulate(previous, payouts)
    assert sum(earnings.values()) == sum(previous.values()) + sum(payouts.values())
    assert list(earnings) == sorted(earnings, key=address_bytes)


@given(ledgers)
def test_every_account_proves_its_amount_and_no_other(earnings: dict[Address, int]) -> None:
    root = balance_root(TASK, earnings)
    for account, amount in earnings.items():
        proof = balance_proof(TASK, earnings, account)
        assert merkle_verify(balance_leaves(TASK, {account: amount})[0], proof, root)
        assert not merkle_verify(balance_leaves(TASK, {account: amount + 1})[0], proof, root)


@given(ledgers)
def test_the_root_does_not_depend_on_the_order_of_accounts(earnings: dict[Address, int]) -> None:
    backwards = dict(reversed(earnings.items()))
    assert balance_root(TASK, earnings) == balance_root(TASK, backwards)


def test_a_leaf_is_the_double_hash_of_three_words() -> None:
    encoded = TASK + bytes(12) + address_bytes(ALICE) + (5).to_bytes(32, "big")
    assert balance_leaves(TASK, {ALICE: 5}) == [keccak(keccak(encoded))]
