from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.byzantine import NO_TRUST, cells, found, key, results, trusting, worst
from benchmarks.byzantine_net import Images, batches, byzfl_net, deal
from benchmarks.byzantine_round import Cell, Run, quantised
from benchmarks.byzantine_rules import Battle, strongest, weights_of
from torch.nn import functional

from ostrom.aggregation import pipeline
from ostrom.aggregation.standing import Standing
from ostrom.errors import InputError
from ostrom.sim.attacks import attack
from ostrom.training.threads import one_thread

UNIT = 2.0**20


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Small batches are slower on many threads."""
    with one_thread():
        yield


FILTER = "score_filter(least=400000)|distinct(cosine=0.9)|arc(f=1)|mean(weights=equal)"
CLIPPED = "norm_clip(c=0.03)|nnm(f=2)|mean(weights=equal)"


def test_a_rule_that_is_no_weighted_sum_cannot_be_searched() -> None:
    with pytest.raises(InputError, match="knows mean"):
        weights_of("median")
    with pytest.raises(InputError, match="there is no 'bucketing' here"):
        weights_of("bucketing(s=2)|mean(weights=equal)")


def test_attacks_without_a_common_seed_have_no_worst() -> None:
    with pytest.raises(InputError, match="run one seed to its end"):
        worst([outcome("ipm", 0, 0.5), outcome("alie", 1, 0.6)])


def outcome(name: str, seed: int, accuracy: float) -> dict[str, Any]:
    return {"attack": name, "seed": seed, "accuracy": accuracy, "curve": [0.7, accuracy]}


def test_the_worst_attack_is_that_of_the_lowest_mean_over_common_seeds() -> None:
    rows = [outcome("alie", 0, 0.9), outcome("ipm", 0, 0.5), outcome("ipm", 1, 0.1)]
    assert worst(rows) == [outcome("ipm", 0, 0.5)]
    assert len(worst([*rows, outcome("alie", 1, 0.9)])) == 2


def updates(seed: int = 0) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Six honest updates of unlike lengths."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(6, 500)) + rng.normal(size=500)
    return np.asarray(rows * rng.uniform(500, 3000, (6, 1)), dtype=np.int32)


@pytest.mark.parametrize("text", [NO_TRUST, trusting(3), FILTER, CLIPPED])
def test_the_weights_that_an_attacker_computes_are_those_of_the_exact_pipeline(text: str) -> None:
    honest = updates()
    hostile = np.repeat(-honest.mean(axis=0, keepdims=True), 3, axis=0) * 2
    rows = np.concatenate([honest, hostile]).astype(np.int32)
    scores = np.array([900_000, 500_000, 399_999, 400_000, 800_000, 700_000, 0, 0, 0])
    standing = Standing(scores, np.zeros_like(scores), (1,) * 9)
    ones = np.ones(9, dtype=np.int64)
    exact, _ = pipeline(text).aggregate(rows, ones, {}, standing=standing)
    gram = rows.astype(np.float64) @ rows.T.astype(np.float64)
    assert np.abs(weights_of(text)(gram, scores) @ rows - exact).max() <= 2


def test_the_search_does_at_least_the_harm_of_one_against_the_pipeline_itself() -> None:
    honest, own = updates(1), np.zeros((2, 500), dtype=np.int32)
    rule = pipeline(CLIPPED)

    def aggregate(rows: Any) -> Any:
        return rule.aggregate(rows, np.ones(len(rows), dtype=np.int64), {})[0]

    def harm(sent: Any) -> float:
        off = aggregate(np.concatenate([honest, sent])) - honest.mean(axis=0)
        return float(np.linalg.norm(off))

    theirs = attack("optimal_ipm")(honest, own, np.random.default_rng(0), aggregate)
    floats = honest.astype(np.float64)
    battle = Battle(floats @ floats.T, 6, 2, weights_of(CLIPPED))
    strength = strongest(battle, lambda x: np.full(6, -x / 6), 1e6)
    ours = np.repeat(np.rint(-strength * floats.mean(axis=0, keepdims=True)), 2, axis=0)
    assert harm(ours.astype(np.int32)) >= 0.9999 * harm(theirs)
    assert battle.harm(np.full(6, -strength / 6)) == pytest.approx(
        harm(ours.astype(np.int32)), 0.01
    )


def tiny() -> tuple[Images, Images]:
    """Ten digits of noise, twenty images each."""
    generator = torch.Generator().manual_seed(0)
    digits = torch.arange(10).repeat(20)
    x = torch.randn(10, 1, 28, 28, generator=generator)[digits]
    return Images(x, digits), Images(x[:10], digits[:10])


@pytest.mark.parametrize(("rule", "holdout"), [(NO_TRUST, 0), (FILTER, 50)])
def test_equal_attackers_count_once_so_that_their_number_changes_no_byte(
    rule: str, holdout: int
) -> None:
    models = []
    for count in (1, 3):
        run = Run(Cell("byzfl", 0.0, count, "optimal_ipm", rule, 0, holdout), tiny())
        run.step(0)
        models.append(run.flat)
    assert models[0].tobytes() == models[1].tobytes()


def test_validators_recognise_sole_holders_and_not_those_who_point_against_them() -> None:
    run = Run(Cell("byzfl", 0.0, 2, "ipm(epsilon=1)", FILTER, 0, 50), tiny())
    assert run.validators
    model = torch.from_numpy(run.flat) / UNIT
    run.validators.renew(model)
    honest = quantised(run.trainers.updates(model))
    rows = np.concatenate([honest, run.adversary.send(honest, model)])
    scores = run.validators.scores(rows)
    assert min(scores[:10]) > 900_000
    assert max(scores[10:]) < 400_000


def test_a_mimic_repeats_one_honest_trainer_and_keeps_to_it() -> None:
    run = Run(Cell("byzfl", 0.0, 2, "mimic", FILTER, 0), tiny())
    honest, model = np.eye(10, 50, dtype=np.int32) * 10, torch.zeros(run.net.size)
    first = run.adversary.send(honest, model)
    victim = int((honest == first[0]).all(axis=1).argmax())
    assert first.tolist() == honest[[victim, victim]].tolist()
    later = np.flip(honest, axis=0) * 7
    assert run.adversary.send(later, model).tolist() == later[[victim, victim]].tolist()


def test_attackers_of_their_own_flip_their_gradients() -> None:
    run = Run(Cell("byzfl", 0.0, 2, "own_sign_flip", FILTER, 0), tiny())
    model = torch.from_numpy(run.flat) / UNIT
    honest = quantised(run.trainers.updates(model))
    sent = run.adversary.send(honest, model)
    assert sent.shape == (2, run.net.size)
    assert (sent.astype(float) @ honest.mean(axis=0) < 0).all()


def test_a_share_gamma_is_dealt_at_random_and_the_rest_by_label() -> None:
    labels = np.repeat(np.arange(10), 100)
    alone = deal(labels, 0.0, 10, np.random.default_rng(0))
    assert [np.unique(labels[part]).tolist() for part in alone] == [[digit] for digit in range(10)]
    mixed = deal(labels, 0.33, 10, np.random.default_rng(0))
    assert sorted(np.concatenate(mixed).tolist()) == list(range(1000))
    assert all(50 < np.bincount(labels[part]).max() < 90 for part in mixed)


def test_batches_cover_an_epoch_before_they_repeat() -> None:
    stream = batches(np.arange(5), 2, np.random.default_rng(0))
    assert sorted(np.concatenate([next(stream) for _ in range(3)]).tolist()) == list(range(5))


def test_pooling_before_relu_is_the_published_network() -> None:
    net = byzfl_net()
    flat = torch.from_numpy(net.initial(0)) / UNIT
    p, x = net.split(flat), torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    first = functional.max_pool2d(functional.relu(functional.conv2d(x, p[0], p[1])), 2, 2)
    second = functional.max_pool2d(functional.relu(functional.conv2d(first, p[2], p[3])), 2, 2)
    hidden = functional.relu(functional.linear(second.reshape(-1, 800), p[4], p[5]))
    published = functional.linear(hidden, p[6], p[7])
    assert torch.equal(net.forward(p, x, None), published)


def test_a_place_in_the_table_waits_until_every_attack_has_run(tmp_path: Path) -> None:
    wanted = [cell for cell in cells("byzfl0", [0]) if cell.rule == NO_TRUST]
    for number, cell in enumerate(wanted):
        assert list(results("byzfl0", tmp_path, [0, 1])) == []
        made = {**asdict(cell), "accuracy": 0.8 + number / 100, "curve": [0.5, 0.9]}
        (tmp_path / key(cell)).write_text(json.dumps(made))
    places = list(results("byzfl0", tmp_path, [0, 1]))
    assert [place.value for place in places] == [0.8] * 4
    assert "worst optimal_ipm; seeds 0; last step (best evaluation 0.9" in places[0].setting


def test_every_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    for grid in ("byzfl0", "byzfl33", "noise", "bucketing"):
        wanted = list(cells(grid, [0, 1]))
        assert len({key(cell) for cell in wanted}) == len(wanted)
        assert found(wanted, tmp_path) == []
