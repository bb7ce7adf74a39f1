from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import pipeline
from ostrom.aggregation.ridge import factor_exactly, solve_exactly, solve_factored
from ostrom.errors import InputError

F, K = 9, 3
TEXT = f"sum|ridge_tune(beta=0.5,classes={K},features={F},l2=1,lr=0.5)"
RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, 100, size=(50, F)).astype(np.float64)
GRAM = ROWS.T @ ROWS
UPPER = GRAM[np.triu_indices(F)].astype(np.int64)
RESIDUALS = RNG.integers(-(2**24), 2**24, size=F * K)


def tuned(state: Any) -> Any:
    return pipeline(TEXT).aggregate(RESIDUALS[None], np.array([1]), state)


@pytest.mark.parametrize("arguments", ["features=0", "lr=0", "beta=1", "l2=-1"])
def test_arguments_out_of_range_are_refused(arguments: str) -> None:
    given = {"features": "features=9", arguments.split("=")[0]: arguments}
    with pytest.raises(InputError):
        pipeline(f"sum|ridge_tune(classes=3,{','.join(given.values())})")


def test_an_update_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="27 values"):
        pipeline(TEXT).aggregate(RESIDUALS[None, :-1], np.array([1]), {})


def test_without_what_a_ridge_task_leaves_the_model_stays() -> None:
    delta, state = tuned({})
    assert not delta.any()
    assert not state["ridge_momentum"].any()


def test_the_step_is_the_solution_scaled_and_momentum_carries_on() -> None:
    wanted = np.linalg.solve(GRAM + np.eye(F), RESIDUALS.reshape(F, K)).ravel() / 2
    delta, state = tuned({"ridge_gram": UPPER})
    assert delta == pytest.approx(wanted, abs=1)
    again, _ = tuned(state)
    assert again == pytest.approx(1.5 * wanted, abs=2)


def test_a_gram_matrix_that_is_not_positive_leaves_the_model() -> None:
    assert not tuned({"ridge_gram": -UPPER})[0].any()


def test_factor_then_solution_agree_with_one_go() -> None:
    moments = RESIDUALS.reshape(F, K).astype(np.float64)
    factor = factor_exactly(GRAM)
    assert factor is not None
    assert np.array_equal(factor, np.triu(factor))
    assert factor.T @ factor == pytest.approx(GRAM, rel=1e-12)
    assert solve_factored(factor, moments) == pytest.approx(solve_exactly(GRAM, moments), rel=1e-9)


def test_a_ridge_task_leaves_its_gram_matrix_only_when_asked() -> None:
    update = np.concatenate([UPPER, RESIDUALS])[None]
    for keep in (0, 1):
        step = f"sum|ridge_solve(classes={K},features={F},keep={keep})"
        _, state = pipeline(step).aggregate(update, np.array([1]), {})
        assert ("ridge_gram" in state) == bool(keep)
    assert np.array_equal(state["ridge_gram"], UPPER)
