"""Validators that cheat or sleep."""

from __future__ import annotations

from typing import Any

import pytest

from ostrom.audit import audit_run
from ostrom.errors import NotFound
from ostrom.sim.config import POOL, VALIDATOR_STAKE, RunConfig
from ostrom.sim.runner import Runner
from ostrom.sim.world import build_world

ROGUE = "validator-3"


def test_a_silent_validator_is_paid_nothing_and_loses_its_seat(play: Any) -> None:
    run = play("silent_validator")
    assert run.earned(ROGUE) == 0
    assert run.member(ROGUE).expelled
    assert run.member(ROGUE).slashed == VALIDATOR_STAKE
    assert run.earned("validator-0") == run.earned("validator-1") > 0


def test_a_silent_validator_changes_nothing_in_the_model(play: Any) -> None:
    run = play("silent_validator")
    assert run.model == play("none").model
    assert not any(here.void for here in run.runner.state.rounds.values())


def test_an_invented_result_earns_a_strike_and_moves_no_money(play: Any) -> None:
    run, honest = play("wrong_digest"), play("none")
    assert run.strikes(ROGUE) >= 1
    assert run.member(ROGUE).slashed > 0
    assert run.model == honest.model
    assert run.balances.payouts == honest.balances.payouts


def test_one_validator_of_four_that_inflates_a_friend_moves_no_money(play: Any) -> None:
    run, honest = play("inflate(friend=0)"), play("none")
    assert run.strikes(ROGUE) == 0
    assert run.balances.payouts == honest.balances.payouts


def test_three_validators_of_four_that_inflate_a_friend_give_it_nearly_everything(
    play: Any,
) -> None:
    run = play("inflate(friend=0,validators=3)")
    assert sum(run.earned(f"trainer-{i}") for i in (1, 2, 3)) * 100 < run.earned("trainer-0")


def test_one_validator_that_scores_nothing_is_paid_like_the_others(
    play: Any,
) -> None:
    run = play("lazy_validator")
    assert run.earned(ROGUE) == run.earned("validator-0") > 0
    assert run.strikes(ROGUE) == 0
    assert sum(run.earned(f"trainer-{i}") for i in range(4)) > 0
    assert run.model == play("none").model


def test_where_most_validators_score_nothing_no_trainer_is_paid(play: Any) -> None:
    run = play("lazy_validator(validators=3)", rounds=2)
    assert [run.earned(f"trainer-{i}") for i in range(4)] == [0] * 4


@pytest.mark.parametrize("behaviour", ["silent_validator", "wrong_digest"])
def test_without_a_quorum_every_round_is_void_and_the_pool_goes_back(
    play: Any, behaviour: str
) -> None:
    run = play(f"{behaviour}(validators=2)")
    state = run.runner.state
    assert all(here.void for here in state.rounds.values())
    assert len(state.rounds) == 4
    assert state.refunded == POOL
    assert state.head == 1
    assert list(state.versions) == [1]


def test_when_all_trainers_drop_out_the_pool_goes_back_whole(play: Any) -> None:
    run = play("drop_out(trainers=4)")
    state = run.runner.state
    assert all(here.void for here in state.rounds.values())
    assert (state.refunded, state.allocated) == (POOL, 0)
    assert not run.balances.strikes


def test_one_trainer_and_one_validator_are_a_federation(play: Any) -> None:
    run = play("none", clients=1, validators=1)
    assert run.earned("trainer-0") + run.earned("validator-0") + run.runner.state.refunded == POOL
    assert run.accuracy > 0.8


def test_a_quorum_of_liars_stops_the_federation_and_the_audit_names_the_model(
    play: Any, tmp_path: Any
) -> None:
    config = {"dataset": "digits", "model": "logistic", "clients": 2, "rounds": 2, "workers": 1}
    world = build_world(RunConfig.of({**config, "attack": "wrong_digest(validators=3)"}))
    with pytest.raises(NotFound, match="no block"):
        Runner.start(world, tmp_path, None).finish()
    found = audit_run(tmp_path).divergence
    assert found is not None
    assert (found.check, found.round) == ("aggregation", 1)
