"""Trainers that cheat: each attack pays with its defence off, and does not with it on."""

from __future__ import annotations

from typing import Any

import pytest

from ostrom.sim.config import TRAINER_STAKE
from ostrom.types import Sanctioned

ROGUE = "trainer-3"


@pytest.mark.parametrize(
    ("attack", "check"),
    [
        ("late_reveal", None),
        ("garbage", "decodes"),
        ("zeros", "zero"),
        ("scale(by=1000000)", "range"),
    ],
)
def test_a_refused_update_earns_nothing_and_leaves_no_trace_in_the_model(
    play: Any, attack: str, check: str | None
) -> None:
    run = play(attack)
    assert run.rogues == {ROGUE}
    assert run.checks(ROGUE)[:3] == [check] * 3
    assert run.earned(ROGUE) == 0
    assert run.model == play("drop_out").model


def test_who_drops_out_earns_nothing_and_loses_nothing(play: Any) -> None:
    run = play("drop_out")
    assert run.checks(ROGUE) == [None] * 4
    assert (run.earned(ROGUE), run.strikes(ROGUE), run.member(ROGUE).slashed) == (0, 0, 0)


@pytest.mark.parametrize("attack", ["late_reveal", "garbage", "scale(by=1000000)"])
def test_three_faults_cost_the_stake_and_the_seat(play: Any, attack: str) -> None:
    run = play(attack)
    assert run.member(ROGUE).expelled
    assert run.member(ROGUE).slashed == TRAINER_STAKE
    rounds = run.runner.state.rounds
    assert [run.names[ROGUE] in rounds[n].commits for n in rounds][3:] == [False]


@pytest.mark.parametrize("attack", ["late_reveal", "garbage"])
def test_sanctions_grow_from_strike_to_strike(play: Any, attack: str) -> None:
    run = play(attack)
    ledger = run.runner.ledger
    told = [logged.event for logged in ledger.events(0, ledger.block_number)]
    sanctions = [event for event in told if isinstance(event, Sanctioned)]
    assert {event.account for event in sanctions} == {run.names[ROGUE]}
    assert [event.strikes for event in sanctions] == [1, 2, 3]
    assert [event.expelled for event in sanctions] == [False, False, True]
    slashed = [event.slashed for event in sanctions]
    assert sum(slashed) == TRAINER_STAKE
    assert slashed == sorted(slashed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_copier_shares_its_victims_reward_whichever_order_the_seed_decides(
    play: Any, seed: int
) -> None:
    run = play("copy", seed=seed)
    pairs = zip(run.checks(ROGUE), run.checks("trainer-0"))
    assert {frozenset(pair) for pair in pairs} == {frozenset({"", "duplicate"})}
    assert abs(run.earned(ROGUE) - run.earned("trainer-0")) <= 4
    assert run.strikes(ROGUE) == run.strikes("trainer-0") == 0


def test_a_copy_takes_its_victims_reward_away_where_nobody_looks_for_duplicates(play: Any) -> None:
    undefended = play("copy", skew="iid", checks="range(abs=64)")
    defended = play("copy", skew="iid")
    assert undefended.checks(ROGUE) == undefended.checks("trainer-0") == [""] * 4
    assert undefended.earned("trainer-0") == 0
    assert defended.earned("trainer-0") > 0
    assert defended.model == play("drop_out", skew="iid").model


def test_copies_of_one_update_count_once(play: Any) -> None:
    run = play("copy(trainers=2)")
    alike = [run.earned(f"trainer-{i}") for i in (0, 2, 3)]
    assert max(alike) - min(alike) <= 4
    assert run.model == play("drop_out(trainers=2)").model


def test_values_beyond_the_range_ruin_the_model_where_nobody_checks(play: Any) -> None:
    undefended = play("scale(by=1000000)", checks="duplicate")
    defended = play("scale(by=1000000)")
    assert undefended.checks(ROGUE) == [""] * 4
    assert undefended.accuracy < 0.6
    assert defended.accuracy > 0.8


def test_a_norm_bound_stops_a_scaled_update_without_a_strike(play: Any) -> None:
    undefended = play("scale(by=-20)", skew="iid", checks="duplicate")
    defended = play("scale(by=-20)", skew="iid", checks="norm(max=20)|duplicate")
    assert undefended.checks(ROGUE) == [""] * 4
    assert undefended.accuracy < 0.6
    assert defended.checks(ROGUE) == ["norm"] * 4
    assert defended.checks("trainer-0") == [""] * 4
    assert defended.accuracy > 0.8
    assert defended.earned(ROGUE) == defended.strikes(ROGUE) == 0


def test_a_robust_rule_holds_where_the_mean_is_ruined(play: Any) -> None:
    mean = play("scale(by=-20)", skew="iid", checks="duplicate")
    median = play("scale(by=-20)", skew="iid", checks="duplicate", aggregation="median")
    assert mean.checks(ROGUE)[0] == median.checks(ROGUE)[0] == ""
    assert mean.accuracy < 0.6
    assert median.accuracy > 0.8
    honest = sum(median.earned(f"trainer-{i}") for i in range(3)) // 3
    assert median.earned(ROGUE) * 20 <= honest


def test_who_flips_the_sign_earns_next_to_nothing_and_keeps_its_stake(play: Any) -> None:
    run = play("sign_flip")
    honest = sum(run.earned(f"trainer-{i}") for i in range(3)) // 3
    assert run.earned(ROGUE) * 20 <= honest
    assert (run.strikes(ROGUE), run.member(ROGUE).slashed) == (0, 0)


def test_in_a_mixed_crowd_of_rogues_only_the_copier_earns_and_shares_it(play: Any) -> None:
    attack = "garbage|copy|zeros|late_reveal|silent_validator|wrong_digest"
    run = play(attack, clients=6, validators=7)
    assert {name for name in run.rogues if name.startswith("trainer")} == {
        f"trainer-{i}" for i in (2, 3, 4, 5)
    }
    assert [run.earned(f"trainer-{i}") for i in (2, 3, 5)] == [0] * 3
    assert abs(run.earned("trainer-4") - run.earned("trainer-0")) <= 4
    assert run.earned("trainer-0") > 0
    assert run.earned("trainer-1") > 0


def test_a_federation_of_rogues_ends_when_the_last_one_is_expelled(play: Any) -> None:
    run = play("garbage(trainers=2)", clients=2, validators=1, rounds=5)
    assert all(run.member(f"trainer-{i}").expelled for i in range(2))
    assert run.runner.state.rounds[len(run.runner.state.rounds)].void
    assert run.runner.state.over
    assert run.runner.state.refunded > 0


@pytest.mark.parametrize("attack", ["noise", "label_flip", "ipm(epsilon=2)"])
def test_noise_and_poison_earn_nothing_and_lose_nothing(play: Any, attack: str) -> None:
    run = play(attack)
    assert run.checks(ROGUE) == [""] * 4
    assert run.earned(ROGUE) == 0
    assert (run.strikes(ROGUE), run.member(ROGUE).slashed) == (0, 0)
    assert min(run.earned(f"trainer-{i}") for i in range(3)) > 0


def test_accomplices_that_send_one_vector_are_no_duplicates_and_earn_nothing(play: Any) -> None:
    run = play("optimal_ipm(trainers=2)", clients=6, rounds=2, aggregation="median")
    assert run.rogues == {"trainer-4", "trainer-5"}
    assert [run.checks(name) for name in sorted(run.rogues)] == [[""] * 2] * 2
    honest = sum(run.earned(f"trainer-{i}") for i in range(4)) // 4
    assert max(run.earned(name) for name in run.rogues) * 5 <= honest


@pytest.mark.parametrize("seed", [1, 2])
def test_a_party_that_splits_its_data_over_two_seats_earns_no_more(play: Any, seed: int) -> None:
    one_seat = play("none", clients=3, seed=seed)
    two_seats = play("sybil(identities=2)", seed=seed)
    assert two_seats.rogues == {"trainer-2", "trainer-3"}
    both = sum(two_seats.earned(name) for name in two_seats.rogues)
    assert both <= one_seat.earned("trainer-2")


def test_who_is_lazy_claims_all_of_its_data(play: Any) -> None:
    run = play("lazy")
    rows = [row["trainers"][run.names[ROGUE]] for row in run.runner.history[1:]]
    used = len(run.world.shares[3].train)
    assert all(int(row["samples"]) == 10 * used for row in rows)
    assert all(len(run.world.shares[i].train) > 5 * used for i in range(3))
