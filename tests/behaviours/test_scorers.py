"""What every scorer must do. A newcomer is in the catalogue and passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.verification import SCORERS, Contributions, scorer
from ostrom.verification.contributions import SCORE_MAX

PUBLIC = ("leave_one_out", "gtg_shapley", "exact_shapley")
NAMES = [*SCORERS, *(f"{name}(absent=public)" for name in PUBLIC)]
Value = Callable[[Any], Any]


class Rated:
    """A holdout of two classes that rates models by a function."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def value(self, parameters: Any) -> Any:
        return self._value(parameters)

    def gradients(self, parameters: Any) -> Any:
        return np.stack([-np.ones(len(parameters)), np.zeros(len(parameters))])

    def accuracy(self, parameters: Any) -> float:
        return 0.0


def round_of(updates: Any, seed: bytes = bytes(32)) -> Contributions:
    """A round whose model is the mean of the updates, rounded down."""
    rows = np.array(updates, dtype=np.int32).reshape(len(updates), -1)
    parent = np.zeros(rows.shape[1], dtype=np.int32)

    def model_of(coalition: Sequence[int]) -> Any:
        mine = rows[list(coalition)]
        return (mine.sum(axis=0) // len(mine)).astype(np.int32) if len(mine) else parent

    n = range(len(rows))

    def model_with(coalition: Sequence[int]) -> Any:
        return (rows[list(coalition)].sum(axis=0) // len(n)).astype(np.int32)

    return Contributions(
        parent=parent,
        updates=rows,
        seed=seed,
        candidate=model_of(n),
        model_of=model_of,
        without_each=lambda: np.stack([model_of([j for j in n if j != i]) for i in n]),
        model_with=model_with,
    )


UPDATES = st.lists(
    st.lists(st.integers(-(1 << 30), 1 << 30), min_size=3, max_size=3), min_size=1, max_size=6
)


def near_goal(models: Any) -> Any:
    """The closer to (1, 1, 1), the better."""
    return -((models / (1 << 20) - 1.0) ** 2).mean(axis=1)


def wild(models: Any) -> Any:
    """Values of every kind, as a function of the model alone."""
    kinds = np.array([0.0, 1e300, -1e300, np.inf, -np.inf, np.nan, 1e-9, -3.0])
    return kinds[models.sum(axis=1) % len(kinds)]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(updates=UPDATES)
def test_scores_are_bounded_integers_whatever_the_values(name: str, updates: Any) -> None:
    scores = scorer(name)(round_of(updates), Rated(wild))
    assert len(scores) == len(updates)
    assert all(type(score) is int and abs(score) <= SCORE_MAX for score in scores)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_round_has_the_same_scores_however_models_are_batched(name: str) -> None:
    made = round_of([[1 << 20, 0, 0], [0, 1 << 20, 0], [0, 0, 1 << 20], [-(1 << 20)] * 3])

    def one_by_one(models: Any) -> Any:
        return np.array([near_goal(model[None])[0] for model in models])

    assert scorer(name)(made, Rated(near_goal)) == scorer(name)(made, Rated(one_by_one))


@pytest.mark.parametrize("name", NAMES)
def test_an_update_that_points_away_scores_less_than_those_that_help(name: str) -> None:
    good = [[1 << 20, 1 << 19, 1 << 20], [1 << 19, 1 << 20, 1 << 20], [1 << 20] * 3]
    *helpful, harmful = scorer(name)(round_of([*good, [-(1 << 20)] * 3]), Rated(near_goal))
    assert harmful < min(helpful)
    assert harmful <= 0


@pytest.mark.parametrize("name", NAMES)
def test_a_round_without_updates_has_no_scores(name: str) -> None:
    made = replace(round_of([[0, 0, 0]]), updates=np.zeros((0, 3), dtype=np.int32))
    made = replace(made, without_each=lambda: np.zeros((0, 3), dtype=np.int32))
    assert scorer(name)(made, Rated(near_goal)) == []
