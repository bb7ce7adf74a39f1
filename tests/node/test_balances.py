from __future__ import annotations

from typing import Any

import pytest

from ostrom.errors import StoreError
from ostrom.incentives import balance_proof
from ostrom.node.balances import last_settled_balances
from ostrom.storage import MemoryStore
from ostrom.types import Phase


def test_a_lost_record_is_an_error(play: Any) -> None:
    play.play_round()
    with pytest.raises(StoreError):
        last_settled_balances(MemoryStore(), play.state)


def test_before_the_first_settlement_nobody_has_a_balance(play: Any) -> None:
    assert last_settled_balances(play.store, play.state) is None


def test_everybody_s_proof_is_the_one_of_the_whole_tree(play: Any) -> None:
    earned = play.play_round().balances.payouts
    settled = last_settled_balances(play.store, play.state)
    assert settled is not None
    assert earned
    assert settled.payouts.amounts == earned
    for account in earned:
        assert list(settled.payouts.proof(account)) == balance_proof(play.id, earned, account)


def test_a_later_round_s_balances_replace_the_earlier_ones(play: Any) -> None:
    play.play_round()
    before = last_settled_balances(play.store, play.state)
    play.start(Phase.COMMIT)
    after = play.play_round().balances.payouts
    settled = last_settled_balances(play.store, play.state)
    assert before is not None
    assert settled is not None
    assert settled.payouts.amounts == after != before.payouts.amounts
