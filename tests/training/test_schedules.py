"""Learning rates by round."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.data import load_dataset
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import Start, build_model, local_algorithm
from ostrom.training.schedules import schedule

DIGITS = load_dataset("digits").train.subset(np.arange(64))


@pytest.mark.parametrize(
    "text",
    ["", "never", "constant-1", "cosine", "cosine-0", "cosine-2.5", "cosine-x", "warmup--5",
     "step-5", "step-5-0", "exponential-1.5", "cosine-5+", "cosine-5-5"],
)  # fmt: skip
def test_refuses_what_is_no_schedule(text: str) -> None:
    with pytest.raises(InputError):
        schedule(text)


def test_factors_joined_by_plus_are_multiplied() -> None:
    both = schedule("warmup-4+step-2-0.5")
    assert [both(number) for number in (1, 2, 3, 4, 5)] == [0.25, 0.5, 0.375, 0.5, 0.25]


def test_a_cosine_falls_every_round_and_never_below_zero() -> None:
    values = [schedule("cosine-50")(number) for number in range(1, 51)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1
    assert values[-1] > 0


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold", "momentum_sgd", "diloco", "ditto"])
def test_every_algorithm_by_gradient_moves_less_where_the_schedule_says_so(algorithm: str) -> None:
    model = build_model("mlp(hidden=8)", shape=(8, 8), classes=10)
    chosen = local_algorithm(f"{algorithm}(lr=0.01,schedule=exponential-0.5)")
    sizes = []
    for number in (1, 4):
        start = Start(quantise(model.initial(0)), round=number)
        update, _ = chosen(model, start, DIGITS, np.random.default_rng(0), {})
        sizes.append(np.abs(update.values[: model.parameters]).sum())
    assert sizes[1] < 0.2 * sizes[0]
