from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.federation import federation, send_together
from benchmarks.network import PHASES, Round, Spent, growth, measure_round, rows
from benchmarks.wire import Wire

from ostrom.chain.wallet import simulation_key
from ostrom.errors import ContractError
from ostrom.types import Phase

SPENT = Spent(
    signing=1.0,
    taking=2.0,
    sending=3.0,
    following=0.5,
    message_bytes=4_500,
    calldata_bytes=900,
    transactions=1,
    gas=130_000,
    largest=130_000,
)
TEN = Round(10, dict.fromkeys(PHASES, SPENT), Wire(8_000, 2_000, 0.4), 1_850_000, 30_000_000)


def test_a_trainers_part_is_of_both_phases() -> None:
    assert TEN.each("gas") == 26_000
    assert TEN.each("carrying") == pytest.approx(1.1)
    values = {one.name: one.value for one in rows(TEN)}
    assert values["A trainer's two messages over HTTP, of 10"] == 1_000
    assert values["Calldata of a trainer's round, of 10"] == 180
    assert values["Commit phase of 10 trainers"] == 5.5


def test_growth_compares_what_one_trainer_costs() -> None:
    double = replace(SPENT, gas=2 * 125_000)
    twenty = replace(TEN, trainers=20, phases=dict.fromkeys(PHASES, double))
    gas, seconds = growth(twenty, TEN)
    assert (gas.value, gas.reached) == (pytest.approx(125 / 130), True)
    assert (seconds.value, seconds.reached) == (pytest.approx(0.5), None)


def test_a_goal_is_set_where_a_batch_is_large() -> None:
    assert [one.goal for one in rows(TEN)] == [None] * 5
    hundred = replace(TEN, trainers=100)
    assert [one.goal for one in rows(hundred)] == [25_000.0, None, None, None, None]


def test_a_round_on_a_real_chain_is_measured_whole() -> None:
    found = measure_round(3)
    assert list(found.phases) == [Phase.COMMIT, Phase.REVEAL]
    for spent in found.phases.values():
        assert spent.transactions == 1
        assert 21_000 < spent.largest == spent.gas < 150_000
        assert spent.calldata_bytes < spent.message_bytes
        assert min(spent.signing, spent.taking, spent.sending, spent.following) > 0
    assert found.joining_gas > 3 * 100_000
    # The messages of the round before were of the same length, and HTTP comes on top.
    assert 3 * found.each("message_bytes") < found.wire.asked
    assert 0 < found.wire.answered < found.wire.asked


def test_calls_sent_together_are_mined_in_a_few_blocks_or_not_at_all(tmp_path: Path) -> None:
    alice, bob = simulation_key(0, "alice"), simulation_key(0, "bob")
    with ExitStack() as stack:
        made = federation(tmp_path, stack, 1)
        ledger, token = made.ledger, made.at.token
        sponsor = simulation_key(0, "sponsor")
        before = ledger.block_number
        gas = send_together(ledger, [token.transfer(alice.address, 1)] * 40, sponsor)
        assert ledger.block_number - before < 40
        assert token.balance_of(ledger, alice.address) == 40
        assert gas > 40 * 21_000
        with pytest.raises(ContractError, match="ERC20InsufficientBalance"):
            send_together(ledger, [token.transfer(bob.address, 10**40)], sponsor)
        assert token.balance_of(ledger, bob.address) == 0
