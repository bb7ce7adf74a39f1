from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.verification.cone import BLOCK_COLUMNS, CONE_UNIT, cone_scores


def test_updates_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="must have 3 values"):
        cone_scores(np.ones((1, 2), dtype=np.int32), np.eye(3))


def test_a_direction_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="must be finite"):
        cone_scores(np.ones((1, 2), dtype=np.int32), np.array([[np.nan, 1.0]]))


def test_zeros_score_nothing_and_a_class_without_images_changes_nothing() -> None:
    rows = np.array([[0, 0], [3, 4]], dtype=np.int32)
    classes = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert cone_scores(rows, classes) == [0, 600_000]
    assert cone_scores(rows, np.zeros((2, 2))) == [0, 0]


def test_a_sole_holder_a_mixture_and_a_liar_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    classes = rng.normal(size=(10, BLOCK_COLUMNS + 7))
    noise = rng.normal(size=classes.shape[1])
    mean = classes.mean(axis=0)
    rows = np.stack([classes[9], 0.3 * classes[0] + classes[1], -mean, noise]) * 1000
    holder, mixture, liar, stranger = cone_scores(rows.astype(np.int32), classes)
    assert min(holder, mixture) > 0.999 * CONE_UNIT
    assert liar == 0
    assert stranger < 0.02 * CONE_UNIT


def test_two_classes_that_ask_for_one_direction_count_once() -> None:
    classes = np.array([[2.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert cone_scores(np.array([[3, 3, 3]]), classes) == [round(CONE_UNIT * (2 / 3) ** 0.5)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(2, 7))
def test_the_score_is_that_of_the_nearest_of_all_mixtures(seed: int, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    classes, row = rng.normal(size=(k, d)), rng.integers(-50, 50, d)
    assert cone_scores([row], classes)[0] == pytest.approx(slow(row, classes), abs=2)


def slow(row: Any, classes: Any) -> float:
    """Every set of classes by itself: the longest projection without negative weights."""
    best = 0.0
    for size in range(1, len(classes) + 1):
        for chosen in combinations(classes, size):
            basis = np.stack(chosen).T
            weights = np.linalg.lstsq(basis, row.astype(float), rcond=None)[0]
            if (weights >= -1e-9).all():
                best = max(best, float(np.linalg.norm(basis @ weights)))
    return CONE_UNIT * best / max(float(np.linalg.norm(row)), 1e-300)
