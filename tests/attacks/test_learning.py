"""Attacks on the model: each works with its defence off, and fails with it on.

Digits, logistic regression, 10 trainers; training and aggregation only, without checks and scores.
"""

from __future__ import annotations

from functools import cache

import pytest

from ostrom.sim.config import RunConfig
from ostrom.sim.poison import triggered
from ostrom.sim.rehearsal import Rehearsed, rehearse
from ostrom.training import evaluate
from ostrom.training.threads import one_thread

SMALL = {"dataset": "digits", "model": "logistic", "clients": 10, "rounds": 8}
ROBUST = "nnm(f=3)|trimmed_mean(f=3)"
SKEWED = "emphasis(share=0.9)"


@cache
def last(
    attack: str = "none", aggregation: str = "mean", *, skew: str = "iid", rounds: int = 8
) -> Rehearsed:
    fields = {"attack": attack, "aggregation": aggregation, "skew": skew, "rounds": rounds}
    with one_thread():
        *_, made = rehearse(RunConfig.of({**SMALL, **fields}))
    return made


def accuracy(made: Rehearsed) -> float:
    return evaluate(made.world.model, made.parameters, made.world.parts.test).accuracy


def taken_in(made: Rehearsed) -> float:
    """The share of triggered images of other classes that the model takes for the target."""
    probe = triggered(made.world.parts.test, target=0)
    return evaluate(made.world.model, made.parameters, probe).accuracy


@pytest.mark.parametrize(
    "attack",
    [
        "scale(by=-20,trainers=2)",
        "gaussian(sigma=5,trainers=2)",
        "ipm(epsilon=10,trainers=2)",
        "optimal_ipm(trainers=2)",
        "optimal_alie(trainers=2)",
    ],
)
def test_two_of_ten_ruin_the_mean_and_not_a_robust_rule(attack: str) -> None:
    clean = accuracy(last())
    assert clean > 0.93
    assert accuracy(last(attack)) < clean - 0.25
    assert accuracy(last(attack, ROBUST)) > clean - 0.02


@pytest.mark.parametrize("attack", ["sign_flip(trainers=3)", "label_flip(trainers=3)"])
def test_on_skewed_data_three_of_ten_harm_the_mean_and_hardly_a_robust_rule(attack: str) -> None:
    clean = accuracy(last(skew=SKEWED))
    assert accuracy(last(attack, skew=SKEWED)) < clean - 0.12
    assert accuracy(last(attack, ROBUST, skew=SKEWED)) > clean - 0.06


@pytest.mark.parametrize("attack", ["alie(trainers=2,z=1.5)", "mimic(trainers=2)", "min_max"])
def test_what_hides_among_the_honest_does_little_harm_to_any_rule(attack: str) -> None:
    for rule in ("mean", ROBUST):
        assert accuracy(last(attack, rule)) > accuracy(last()) - 0.03


@pytest.mark.parametrize("rule", ["norm_clip(c=1)|mean", ROBUST, "median"])
def test_a_boosted_backdoor_takes_the_mean_in_and_no_clipped_or_robust_rule(rule: str) -> None:
    attack = "backdoor(boost=10)"
    undefended, defended = last(attack, rounds=10), last(attack, rule, rounds=10)
    assert taken_in(last(rounds=10)) <= 0.02
    assert taken_in(undefended) >= 0.9
    assert taken_in(defended) <= 0.1
    clean = accuracy(last(rounds=10))
    assert abs(accuracy(undefended) - clean) <= 0.02
    assert abs(accuracy(defended) - clean) <= 0.02


def test_a_backdoor_of_three_accomplices_passes_the_clip_and_not_a_robust_rule() -> None:
    attack = "backdoor(trainers=3)"
    assert taken_in(last(attack, rounds=10)) >= 0.9
    assert taken_in(last(attack, "norm_clip(c=1)|mean", rounds=10)) > 0.3
    assert taken_in(last(attack, ROBUST, rounds=10)) <= 0.1


@pytest.mark.parametrize("attack", ["drop_out", "garbage", "late_reveal"])
def test_who_sends_nothing_that_counts_is_left_out_of_a_rehearsal(attack: str) -> None:
    made = last(attack, rounds=1)
    assert set(made.sent) == set(range(9))


def test_a_rehearsed_copy_is_the_victims_update_once_more() -> None:
    made = last("copy(victim=2)", rounds=1)
    assert made.sent[9] is made.sent[2]
