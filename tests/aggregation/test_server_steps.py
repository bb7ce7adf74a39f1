from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.aggregation.adaptive import (
    server_adagrad,
    server_adam,
    server_momentum,
    server_yogi,
)
from ostrom.aggregation.companions import feddyn, fednova, scaffold
from ostrom.aggregation.server_steps import ridge_solve
from ostrom.aggregation.stepping import check_state
from ostrom.errors import InputError

VALUES = st.lists(st.integers(-(2**40), 2**40), min_size=4, max_size=4)


@pytest.mark.parametrize(
    ("factory", "arguments"),
    [
        (server_momentum, {"beta": 1.0}),
        (server_momentum, {"beta": -0.1}),
        (server_momentum, {"beta": 0.9, "lr": 0}),
        (server_momentum, {"beta": 0.9, "nesterov": 2}),
        (server_yogi, {"lr": 1, "beta2": 1, "fraction_bits": 20}),
        (server_yogi, {"lr": -1, "fraction_bits": 20}),
        (server_adagrad, {"lr": 1, "eps": 0, "fraction_bits": 20}),
        (server_adagrad, {"lr": 1, "beta1": 1, "fraction_bits": 20}),
        (scaffold, {"lr": 0}),
        (scaffold, {"share": 0}),
        (fednova, {"lr": 0, "fraction_bits": 20}),
        (feddyn, {"share": 1.5}),
        (server_adam, {"lr": 0, "fraction_bits": 20}),
        (server_adam, {"lr": 1, "beta1": 1, "fraction_bits": 20}),
        (server_adam, {"lr": 1, "beta2": 1.5, "fraction_bits": 20}),
        (server_adam, {"lr": 1, "eps": 0, "fraction_bits": 20}),
        (ridge_solve, {"features": 0, "classes": 1, "fraction_bits": 20}),
        (ridge_solve, {"features": 1, "classes": 1, "l2": -1, "fraction_bits": 20}),
    ],
)
def test_a_server_step_refuses_arguments_out_of_range(factory: Any, arguments: Any) -> None:
    with pytest.raises(InputError, match="needs"):
        factory(**arguments)


@pytest.mark.parametrize(
    "state",
    [
        {"velocity": np.zeros(4, dtype=np.int64)},
        {"momentum": np.zeros(3, dtype=np.int64)},
        {"momentum": np.zeros(4, dtype=np.int32)},
    ],
)
def test_a_state_of_another_layout_is_refused(state: Any) -> None:
    with pytest.raises(InputError):
        check_state(state, server_momentum(beta=0.5).init(4))


def test_a_companion_refuses_updates_of_another_form() -> None:
    with pytest.raises(InputError, match="two equal halves"):
        scaffold().init(5)
    with pytest.raises(InputError, match="its steps"):
        fednova(fraction_bits=20).init(1)


@given(VALUES, VALUES, st.floats(0, 0.999), st.floats(0.001, 10))
def test_momentum_is_what_python_floats_give_bit_by_bit(
    x: list[int], before: list[int], beta: float, lr: float
) -> None:
    step = server_momentum(beta=beta, lr=lr)
    delta, state = step.update(np.array(x), {"momentum": np.array(before)})
    wanted = [round(float(m) * beta + float(v)) for m, v in zip(before, x)]
    assert state["momentum"].tolist() == wanted
    assert delta.tolist() == [round(float(m) * lr) for m in wanted]


@given(VALUES, VALUES, VALUES, st.floats(0, 0.999), st.floats(0, 0.999))
def test_adam_is_what_python_floats_give_bit_by_bit(
    x: list[int], mean: list[int], scale: list[int], beta1: float, beta2: float
) -> None:
    step = server_adam(lr=0.01, beta1=beta1, beta2=beta2, eps=0.001, fraction_bits=20)
    state = {"adam_mean": np.array(mean), "adam_scale": np.array(scale)}
    delta, after = step.update(np.array(x), state)
    for i in range(4):
        m = float(mean[i]) / 65536.0 * beta1 + float(x[i]) * (1.0 - beta1)
        s = float(scale[i]) / 65536.0
        s = math.sqrt(s * s * beta2 + float(x[i]) * float(x[i]) * (1.0 - beta2))
        assert after["adam_mean"][i] == round(m * 65536.0)
        assert after["adam_scale"][i] == round(s * 65536.0)
        assert delta[i] == round(m / (s + 0.001 * 2.0**20) * 0.01 * 2.0**20)


@given(VALUES, VALUES, st.floats(0, 0.999), st.floats(0.001, 10))
def test_nesterov_is_what_python_floats_give_bit_by_bit(
    x: list[int], before: list[int], beta: float, lr: float
) -> None:
    step = server_momentum(beta=beta, lr=lr, nesterov=1)
    delta, state = step.update(np.array(x), {"momentum": np.array(before)})
    kept = [round(float(m) * beta + float(v)) for m, v in zip(before, x)]
    assert state["momentum"].tolist() == kept
    assert delta.tolist() == [round((float(m) * beta + float(v)) * lr) for m, v in zip(kept, x)]


def yogi(square: float, now: float) -> float:
    sign = (square > now * now) - (square < now * now)
    return max(square - now * now * (1.0 - 0.99) * sign, 0.0)


def adagrad(square: float, now: float) -> float:
    return square + now * now


@pytest.mark.parametrize(
    ("factory", "second"), [(server_yogi, yogi), (server_adagrad, adagrad)], ids=["yogi", "adagrad"]
)
@given(x=VALUES, mean=VALUES, scale=VALUES)
def test_yogi_and_adagrad_are_what_python_floats_give_bit_by_bit(
    factory: Any, second: Any, x: list[int], mean: list[int], scale: list[int]
) -> None:
    step = factory(lr=0.01, beta1=0.5, eps=0.001, fraction_bits=20)
    names = list(step.init(4))
    delta, after = step.update(np.array(x), dict(zip(names, map(np.array, (mean, scale)))))
    for i in range(4):
        m = float(mean[i]) / 65536.0 * 0.5 + float(x[i]) * 0.5
        s = float(scale[i]) / 65536.0
        s = math.sqrt(second(s * s, float(x[i])))
        assert after[names[0]][i] == round(m * 65536.0)
        assert after[names[1]][i] == round(s * 65536.0)
        assert delta[i] == round(m / (s + 0.001 * 2.0**20) * 0.01 * 2.0**20)


@given(VALUES, VALUES, VALUES)
def test_scaffold_and_feddyn_are_exact_sums_of_integers(
    x: list[int], change: list[int], before: list[int]
) -> None:
    delta, state = scaffold().update(np.array(x + change), {"control": np.array(before)})
    assert delta.tolist() == x
    assert state["control"].tolist() == [a + b for a, b in zip(before, change)]
    delta, state = feddyn().update(np.array(x), {"moved": np.array(before)})
    assert state["moved"].tolist() == [a + b for a, b in zip(before, x)]
    assert delta.tolist() == [2 * a + b for a, b in zip(x, before)]


@given(VALUES, st.integers(-(2**31), 2**31))
def test_fednova_multiplies_by_the_mean_number_of_steps(x: list[int], steps: int) -> None:
    delta, _ = fednova(fraction_bits=20).update(np.array([*x, steps]), {})
    assert delta.tolist() == [round(float(v) * (steps / 2**20)) for v in x]


def test_the_scale_of_adagrad_only_grows_and_that_of_yogi_falls_slowly() -> None:
    for factory, grows in ((server_adagrad, True), (server_yogi, False)):
        step = factory(lr=0.1, fraction_bits=20)
        scales, state = [], step.init(1)
        for size in (1 << 20, 1, 1, 1):
            _, state = step.update(np.array([size]), state)
            scales.append(int(next(state[name] for name in state if name.endswith("scale"))[0]))
        assert scales[0] > 0
        assert scales == sorted(scales, reverse=not grows)


def test_momentum_adds_up_to_the_geometric_series() -> None:
    step, total = server_momentum(beta=0.5), 0
    state = step.init(1)
    for _ in range(60):
        delta, state = step.update(np.array([1 << 20]), state)
        total = int(delta[0])
    assert total == 2 << 20


def test_adam_moves_by_about_the_learning_rate_whatever_the_gradient() -> None:
    step = server_adam(lr=0.01, beta1=0, beta2=0, eps=1e-6, fraction_bits=20)
    for size in (0.001, 1, 1000):
        delta, _ = step.update(np.array([round(size * 2**20)]), step.init(1))
        assert int(delta[0]) == pytest.approx(0.01 * 2**20, rel=0.01)


@pytest.mark.parametrize(
    "step",
    [
        server_momentum(beta=0.9),
        server_momentum(beta=0.9, nesterov=1),
        server_adam(lr=1, fraction_bits=30),
        server_yogi(lr=1, fraction_bits=30),
        server_adagrad(lr=1, fraction_bits=30),
        feddyn(),
    ],
)
def test_the_ends_of_int64_stay_inside_int64_round_after_round(step: Any) -> None:
    ends, state = np.array([-(2**63), 2**63 - 1]), step.init(2)
    for _ in range(20):
        delta, state = step.update(ends, state)
        assert delta[0] < 0 < delta[1]
        assert state[min(state)][0] < 0 < state[min(state)][1]
