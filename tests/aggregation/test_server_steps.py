from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.aggregation.server_steps import (
    check_state,
    ridge_solve,
    server_adam,
    server_momentum,
)
from ostrom.errors import InputError

VALUES = st.lists(st.integers(-(2**40), 2**40), min_size=4, max_size=4)


@pytest.mark.parametrize(
    ("factory", "arguments"),
    [
        (server_momentum, {"beta": 1.0}),
        (server_momentum, {"beta": -0.1}),
        (server_momentum, {"beta": 0.9, "lr": 0}),
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


@pytest.mark.parametrize("step", [server_momentum(beta=0.9), server_adam(lr=1, fraction_bits=30)])
def test_the_ends_of_int64_stay_inside_int64_round_after_round(step: Any) -> None:
    ends, state = np.array([-(2**63), 2**63 - 1]), step.init(2)
    for _ in range(20):
        delta, state = step.update(ends, state)
        assert delta[0] < 0 < delta[1]
        assert state[min(state)][0] < 0 < state[min(state)][1]
