"""The natural-gradient server step: what it refuses, and how it steers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ostrom.aggregation import pipeline
from ostrom.aggregation.kronecker import (
    curved,
    join,
    natural_direction,
    parameters,
    split,
    statistics_length,
    times,
    triangle,
    unpack,
)
from ostrom.aggregation.natural import natural_step
from ostrom.errors import InputError

LAYERS = [(3, 4), (2, 3)]
TEXT = "3x4-2x3"
UNIT = 1 << 20


def statistics(
    gradient: npt.NDArray[np.float64], *, loss: float = 1.0, count: int = 10, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Sums over `count` examples with the given mean loss and mean gradient, and random factors."""
    rng = np.random.default_rng(seed)
    parts = [np.array([loss, 1.0, 1.0]), gradient]
    for side in (side for outputs, inputs in LAYERS for side in (inputs + 1, outputs)):
        rows = rng.normal(size=(3 * side, side))
        parts.append((rows.T @ rows / len(rows))[np.triu_indices(side)])
    sums: npt.NDArray[np.int64] = np.rint(np.concatenate(parts) * count * UNIT).astype(np.int64)
    return sums


def gradient_of(seed: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=parameters(LAYERS)) / 10


def step_of(**changes: Any) -> Any:
    return natural_step(**{"layers": TEXT, "fraction_bits": 20, **changes})


def control(state: Any) -> npt.NDArray[np.float64]:
    """Rounds, then damping, promised gain and the curvature of each layer."""
    numbers = state["natural_control"]
    return np.append(numbers[0], numbers[2:] / 2.0**40)


@pytest.mark.parametrize(
    "arguments",
    [{"layers": ""}, {"layers": "3"}, {"layers": "3x0"}, {"layers": "3x4-"}, {"layers": "3x9999"},
     {"damping": 0}, {"memory": 1}, {"memory": -0.1}],
)  # fmt: skip
def test_refuses_arguments_out_of_range(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"layers|damping|memory"):
        step_of(**arguments)


def test_refuses_updates_of_another_length() -> None:
    with pytest.raises(InputError, match=f"{statistics_length(LAYERS)} values, not 7"):
        pipeline(f"sum|natural_step(layers={TEXT})").initial_state(7)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_statistics_without_loss_or_examples_leave_the_model_as_it_is(place: int) -> None:
    step, x = step_of(), statistics(gradient_of())
    x[place] = 0
    state = step.init(len(x))
    delta, after = step.update(x, state)
    assert not delta.any()
    assert after is state


def test_factors_that_are_not_positive_leave_the_model_as_it_is() -> None:
    step, x = step_of(), statistics(gradient_of())
    x[3 + parameters(LAYERS) :] = 0
    delta, state = step.update(x, step.init(len(x)))
    assert delta.shape == (parameters(LAYERS),)
    assert not delta.any()
    assert not step.update(x - 1, state)[0].any()


def test_the_first_step_is_along_the_natural_gradient() -> None:
    gradient = gradient_of()
    x = statistics(gradient, loss=100.0)
    delta, _ = step_of(damping=0.01).update(x, step_of().init(len(x)))
    found = unpack(x, LAYERS)
    direction = natural_direction(found, LAYERS, 0.01, over=(1.0, 1.0))
    assert direction is not None
    cosine = direction @ delta / np.linalg.norm(direction) / np.linalg.norm(delta)
    assert cosine == pytest.approx(1.0, abs=1e-6)
    assert gradient @ delta < 0


def test_little_damping_solves_for_the_curvatures_own_inverse() -> None:
    found = unpack(statistics(gradient_of()), LAYERS)
    direction = natural_direction(found, LAYERS, 1e-18, over=(1.0, 1.0))
    assert direction is not None
    assert curved(found, LAYERS, -direction) == pytest.approx(found.gradient, abs=1e-6)


def test_a_small_loss_bounds_the_step() -> None:
    large, small = (statistics(gradient_of(), loss=loss) for loss in (100.0, 1e-3))
    sizes = [np.abs(step_of().update(x, step_of().init(len(x)))[0]).max() for x in (large, small)]
    assert sizes[1] < sizes[0] / 10


def test_a_step_after_which_the_loss_has_risen_is_taken_back() -> None:
    step, first = step_of(), statistics(gradient_of(), loss=1.0)
    tried, state = step.update(first, step.init(len(first)))
    worse = statistics(gradient_of(2), loss=2.0, seed=3)
    delta, after = step.update(worse, state)
    assert np.array_equal(delta, after["natural_step"] - tried)
    assert np.array_equal(after["natural_statistics"], first)
    assert control(after)[0] == control(state)[0] == 1
    assert control(after)[1] == pytest.approx(4 * control(state)[1])
    assert np.abs(after["natural_step"]).max() < np.abs(tried).max()


def test_the_last_round_takes_back_a_step_that_failed_and_makes_none() -> None:
    step, first = step_of(last=2), statistics(gradient_of(), loss=1.0)
    tried, state = step.update(first, step.init(len(first)))
    assert tried.any()
    worse, better = (statistics(gradient_of(2), loss=loss) for loss in (2.0, 0.5))
    assert np.array_equal(step.update(worse, state)[0], -tried)
    assert not step.update(better, state)[0].any()


def test_a_step_that_kept_its_promise_lowers_damping_and_one_that_did_not_raises_it() -> None:
    step, first = step_of(), statistics(gradient_of(), loss=1.0)
    _, state = step.update(first, step.init(len(first)))
    promised = control(state)[2]
    for share, factor in ((1.0, 0.6), (0.5, 1.0), (0.1, 2.0)):
        better = statistics(gradient_of(2), loss=1.0 - share * promised)
        _, after = step.update(better, state)
        assert control(after)[1] / control(state)[1] == pytest.approx(factor, rel=1e-6)
        assert control(after)[0] == 2


def test_a_gradient_that_changes_more_than_foretold_raises_its_layers_curvature() -> None:
    step, first = step_of(), statistics(gradient_of(), loss=1.0)
    tried, state = step.update(first, step.init(len(first)))
    moved = tried / UNIT
    moved[15:] = 0
    second = statistics(gradient_of() + 500 * moved, loss=0.9)
    _, after = step.update(second, state)
    before, now = control(state)[3:], control(after)[3:]
    assert now[0] > before[0]
    assert now[1] < before[1]


def test_factors_are_remembered_and_gradients_are_not() -> None:
    step, first = step_of(memory=0.5), statistics(gradient_of(), loss=1.0)
    _, state = step.update(first, step.init(len(first)))
    second = statistics(gradient_of(2), loss=0.9, seed=5)
    kept = step.update(second, state)[1]["natural_statistics"]
    stop = 3 + parameters(LAYERS)
    assert np.array_equal(kept[:2], second[:2])
    assert np.array_equal(kept[3:stop], second[3:stop])
    assert np.abs(kept[stop:] - (first[stop:] + second[stop:]) / 2).max() <= 0.5


def test_a_quadratic_loss_falls_to_its_minimum() -> None:
    rng = np.random.default_rng(0)
    d = parameters(LAYERS)
    rows = rng.normal(size=(3 * d, d))
    curvature, goal = rows.T @ rows / len(rows), rng.normal(size=d)
    step, where, losses = step_of(), np.zeros(d), []
    state = step.init(statistics_length(LAYERS))
    for _ in range(40):
        away = where - goal
        losses.append(float(away @ curvature @ away / 2 + 0.01))
        delta, state = step.update(statistics(curvature @ away, loss=losses[-1]), state)
        where = where + delta / UNIT
    assert losses[0] > 9
    assert min(losses) < 0.02


def test_the_same_statistics_in_any_split_and_order_give_the_same_bytes() -> None:
    pipe = pipeline(f"sum|natural_step(layers={TEXT})")
    whole = statistics(gradient_of())
    rng = np.random.default_rng(4)

    def deal(n: int) -> Sequence[npt.NDArray[np.int64]]:
        parts = [rng.integers(-(2**20), 2**20, len(whole)) for _ in range(n - 1)]
        return [*parts, whole - sum(parts)]

    results = []
    for n in (1, 2, 7):
        rows = np.stack(deal(n))
        results.append(pipe.aggregate(rows, np.ones(n, np.int64), {}))
    for delta, state in results[1:]:
        assert np.array_equal(delta, results[0][0])
        assert all(np.array_equal(state[name], results[0][1][name]) for name in state)


def test_matrix_products_and_packing_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(3, 5)), rng.normal(size=(5, 4))
    assert times(left, right) == pytest.approx(left @ right)
    vector = rng.normal(size=parameters(LAYERS))
    assert np.array_equal(join(split(vector, LAYERS)), vector)
    assert statistics_length(LAYERS) == 3 + 23 + sum(triangle(n) for n in (5, 3, 4, 2))
