"""Attacks on updates: what they send, from what they know, and what they cannot send."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import pipeline
from ostrom.errors import InputError
from ostrom.sim.attacks import ATTACKS, TOGETHER, attack

N, F, D = 8, 3, 50
TEXTS = [
    *ATTACKS,
    "scale(by=-3)",
    "gaussian(sigma=0.01)",
    "noisy_copy(sigma=0.2,victim=2)",
    "alie(z=-1.5)",
    "optimal_ipm(delta=10,evaluations=20)",
    "min_max(direction=sign)",
    "min_max(direction=mean)",
    "min_sum(direction=sign)",
    "min_sum(direction=mean)",
    "mimic(victim=3)",
    "alie(blur=0.1,z=1)",
]


def updates(rows: int, seed: int, dtype: Any = np.int32) -> Any:
    return np.random.default_rng(seed).normal(3e5, 1e6, (rows, D)).astype(dtype)


def mean_rule(rows: Any) -> Any:
    return pipeline("mean").aggregate(rows, np.ones(len(rows), dtype=np.int64), {})[0]


def rule(text: str) -> Any:
    made = pipeline(text)
    return lambda rows: made.aggregate(rows, np.ones(len(rows), dtype=np.int64), {})[0]


def send(text: str, honest: Any, own: Any, **more: Any) -> Any:
    return attack(text, **more)(honest, own, np.random.default_rng(7), mean_rule)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "there is no 'nope' here"),
        ("ipm|alie", "one mechanism is wanted"),
        ("ipm(z=1)", "ipm has no argument 'z'"),
        ("ipm(epsilon=x)", "epsilon to be of type float"),
        ("alie(z=x)", "alie needs z to be a number"),
        ("alie(blur=x)", "alie needs blur to be a number"),
        ("alie(blur=-1)", "blur must be at least 0"),
        ("scale(blur=1)", "scale has no argument 'blur'"),
        ("last_delta(previous=1)", "no argument 'previous'"),
        ("gaussian(sigma=-1)", "sigma must be at least 0"),
        ("noise(by=-1)", "by must be at least 0"),
        ("noisy_copy(sigma=-1)", "sigma must be at least 0"),
        ("copy(victim=-1)", "victim must be at least 0"),
        ("mimic(victim=-1)", "mimic needs victim to be a row number"),
        ("mimic(victim=0.5)", "mimic needs victim to be a row number"),
        ("min_max(direction=up)", "no direction 'up'"),
        ("min_sum(direction=up)", "no direction 'up'"),
    ],
)
def test_an_attack_that_cannot_be_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        attack(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["optimal_ipm", "optimal_alie"])
def test_a_search_without_a_rule_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="searches against a rule"):
        attack(name)(updates(N, 1), updates(F, 2), np.random.default_rng(0), None)


@pytest.mark.parametrize("bad", ["evaluations=0", "delta=0", "ratio=0.5", "ratio=1"])
def test_a_search_that_cannot_be_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="a line search needs"):
        send(f"optimal_alie({bad})", updates(N, 1), updates(F, 2))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("text", TEXTS)
def test_every_attack_sends_one_row_for_each_attacker_and_changes_nothing_else(
    text: str, dtype: Any
) -> None:
    honest, own = updates(N, 1, dtype), updates(F, 2, dtype)
    before = honest.copy(), own.copy()
    sent = send(text, honest, own, previous=np.arange(D))
    assert sent.shape == own.shape
    assert sent.dtype == own.dtype
    assert np.array_equal(honest, before[0])
    assert np.array_equal(own, before[1])
    assert not np.shares_memory(sent, own)


@pytest.mark.parametrize("text", TEXTS)
def test_one_seed_gives_one_attack(text: str) -> None:
    honest, own = updates(N, 1), updates(F, 2)
    first = send(text, honest, own, previous=np.arange(D))
    assert np.array_equal(first, send(text, honest, own, previous=np.arange(D)))


@pytest.mark.parametrize("text", TEXTS)
def test_an_attack_on_a_single_honest_trainer_or_on_equal_ones_still_sends_numbers(
    text: str,
) -> None:
    same = np.repeat(updates(1, 1), N, axis=0)
    for honest in (same, same[:1], np.zeros_like(same)):
        assert send(text, honest, updates(F, 2)).shape == (F, D)


def test_values_beyond_the_range_stay_at_its_edge() -> None:
    own = np.full((1, 4), 2**30, dtype=np.int32)
    assert send("scale(by=100)", own, own).tolist() == [[2**31 - 2] * 4]
    assert send("scale(by=-100)", own, own).tolist() == [[2 - 2**31] * 4]
    assert send("ipm(epsilon=1000000000)", own, own).tolist() == [[2 - 2**31] * 4]


def test_a_sign_flip_is_the_opposite_of_ones_own() -> None:
    own = updates(F, 2)
    assert np.array_equal(send("sign_flip", updates(N, 1), own), -own)


def test_gaussian_noise_has_the_deviation_that_it_is_given_in_the_models_units() -> None:
    own = np.zeros((4, 10_000), dtype=np.int32)
    sent = send("gaussian(sigma=0.25)", own, own)
    assert np.std(sent) == pytest.approx(0.25 * 2**20, rel=0.02)
    assert len({row.tobytes() for row in sent}) == 4


def test_disguised_noise_is_as_long_as_an_honest_update() -> None:
    honest = updates(N, 1)
    wanted = np.linalg.norm(honest.astype(float), axis=1).mean()
    sent = send("noise", honest, updates(F, 2)).astype(float)
    assert np.linalg.norm(sent, axis=1) == pytest.approx(wanted, rel=1e-3)


def test_the_last_delta_is_replayed_and_zeros_before_there_is_one() -> None:
    own = updates(F, 2)
    assert not send("last_delta", updates(N, 1), own).any()
    sent = send("last_delta", updates(N, 1), own, previous=np.arange(D))
    assert np.array_equal(sent, np.tile(np.arange(D), (F, 1)))


def test_a_copy_is_the_victims_very_update_and_a_noisy_one_is_near_it() -> None:
    honest, own = updates(N, 1), updates(F, 2)
    assert all(np.array_equal(row, honest[2]) for row in send("copy(victim=2)", honest, own))
    assert np.array_equal(send("copy(victim=10)", honest, own), send("copy(victim=2)", honest, own))
    sent = send("noisy_copy(sigma=0.1,victim=2)", honest, own).astype(float)
    away = np.linalg.norm(sent - honest[2], axis=1) / np.linalg.norm(honest[2].astype(float))
    assert away == pytest.approx(0.1, rel=1e-3)


def test_ipm_turns_the_mean_of_all_round() -> None:
    honest = updates(N, 1)
    sent = send("ipm(epsilon=4)", honest, updates(F, 2))
    assert sent[0] == pytest.approx(-4 * honest.mean(axis=0), abs=1)
    turned = mean_rule(np.concatenate([honest, sent]))
    assert float(turned @ honest.mean(axis=0)) < 0


def test_alie_with_the_strength_of_the_paper_hides_behind_supporters() -> None:
    honest, own = updates(20, 1), updates(5, 2)
    wanted = honest.mean(axis=0) + 0.2533 * honest.std(axis=0, ddof=1)
    assert send("alie", honest, own)[0] == pytest.approx(wanted, rel=1e-3, abs=100)
    # Ten of fifteen: an honest majority of eight needs three more, who are above the 70th percent.
    few = send("alie", honest[:10], own)[0]
    few_wanted = honest[:10].mean(axis=0) + 0.5244 * honest[:10].std(axis=0, ddof=1)
    assert few == pytest.approx(few_wanted, rel=1e-3, abs=100)


@pytest.mark.parametrize("name", ["ipm", "alie"])
@pytest.mark.parametrize("text", ["mean", "median", "trimmed_mean(f=3)", "nnm(f=3)|median"])
def test_the_optimal_attack_hurts_a_rule_at_least_as_much_as_any_fixed_one(
    name: str, text: str
) -> None:
    honest, own = updates(N, 1), updates(F, 2)
    rng, aggregate = np.random.default_rng(0), rule(text)

    def harm(sent: Any) -> float:
        moved = aggregate(np.concatenate([honest, sent])) - honest.mean(axis=0)
        return float(np.linalg.norm(moved))

    best = harm(attack(f"optimal_{name}")(honest, own, rng, aggregate))
    argument = "epsilon" if name == "ipm" else "z"
    for strength in (0, 1):
        fixed = attack(f"{name}({argument}={strength})")(honest, own, rng, aggregate)
        assert best >= harm(fixed)


def test_a_search_calls_the_rule_as_often_as_it_says() -> None:
    calls = []

    def counted(rows: Any) -> Any:
        calls.append(len(rows))
        return mean_rule(rows)

    attack("optimal_ipm")(updates(N, 1), updates(F, 2), np.random.default_rng(0), counted)
    assert calls == [N + F] * 16


@pytest.mark.parametrize("direction", ["deviation", "sign", "mean"])
def test_min_max_is_as_far_as_the_honest_are_apart_and_no_farther(direction: str) -> None:
    honest = updates(N, 1).astype(float)
    sent = send(f"min_max(direction={direction})", updates(N, 1), updates(1, 2))[0]
    limit = max(np.linalg.norm(a - b) for a in honest for b in honest)
    farthest = np.linalg.norm(sent - honest, axis=1).max()
    assert farthest == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("direction", ["deviation", "sign", "mean"])
def test_min_sum_is_as_far_in_sum_as_the_worst_honest_one(direction: str) -> None:
    honest = updates(N, 1).astype(float)
    sent = send(f"min_sum(direction={direction})", updates(N, 1), updates(1, 2))[0]
    sums = [(np.linalg.norm(honest - one, axis=1) ** 2).sum() for one in honest]
    total = (np.linalg.norm(honest - sent, axis=1) ** 2).sum()
    assert total == pytest.approx(max(sums), rel=1e-4)


def test_a_mimic_repeats_the_trainer_that_stands_out() -> None:
    honest = updates(N, 1)
    honest[5] *= 20
    assert all(np.array_equal(row, honest[5]) for row in send("mimic", honest, updates(F, 2)))
    assert np.array_equal(send("mimic(victim=2)", honest, updates(F, 2))[0], honest[2])


@pytest.mark.parametrize("name", TOGETHER)
def test_accomplices_that_blur_send_rows_that_differ_by_as_much(name: str) -> None:
    honest, own = updates(N, 1), updates(F, 2)
    honest[5] *= 20
    plain = send(name, honest, own, previous=np.arange(D) * 10_000)
    assert len({row.tobytes() for row in plain}) == 1
    faint = send(f"{name}(blur=0)", honest, own, previous=np.arange(D) * 10_000)
    assert len({row.tobytes() for row in faint}) == F
    if not name.startswith("optimal"):
        assert int(np.abs(faint - plain).max()) <= 5
        strong = send(f"{name}(blur=0.5)", honest, own, previous=np.arange(D) * 10_000)
        away = np.linalg.norm((strong - plain).astype(float), axis=1)
        assert away == pytest.approx(np.linalg.norm(plain[0].astype(float)) / 2, rel=0.01)


def test_a_search_sees_the_rows_as_they_will_be_sent() -> None:
    seen = []

    def noted(rows: Any) -> Any:
        seen.append(rows[N:].copy())
        return mean_rule(rows)

    made = attack("optimal_ipm(blur=0.2)")
    sent = made(updates(N, 1), updates(F, 2), np.random.default_rng(0), noted)
    assert any(np.array_equal(rows, sent) for rows in seen)
