"""Gradients by class, against differences of losses."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.data import load_dataset
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import ModelHoldout, build_model, losses
from ostrom.training.gradients import class_gradients

DIGITS = load_dataset("digits").train.subset(np.arange(60))
MODEL = build_model("logistic", shape=(8, 8), classes=10)
PARAMS = quantise(np.random.default_rng(1).normal(0, 0.1, MODEL.parameters).astype(np.float32))


def test_parameters_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="parameters"):
        class_gradients(MODEL, PARAMS[:-1], DIGITS)


def test_a_class_s_gradient_is_the_slope_of_its_loss() -> None:
    found = ModelHoldout(MODEL, DIGITS).gradients(PARAMS)
    step = np.random.default_rng(2).integers(-(1 << 12), 1 << 12, MODEL.parameters, dtype=np.int32)
    for label in (0, 7):
        mine = DIGITS.subset(np.flatnonzero(DIGITS.y == label))
        before, after = losses(MODEL, np.stack([PARAMS - step, PARAMS + step]), mine)
        slope = found[label] @ (step / float(1 << 20))
        assert (after - before) / 2 == pytest.approx(slope, rel=0.02)


def test_a_class_without_an_example_has_no_gradient() -> None:
    some = DIGITS.subset(np.flatnonzero(DIGITS.y != 3))
    found = class_gradients(MODEL, PARAMS, some)
    assert not found[3].any()
    assert found[4].any()


def test_a_holdout_rates_by_minus_the_mean_loss() -> None:
    holdout = ModelHoldout(MODEL, DIGITS)
    assert holdout.value(PARAMS[None]).tolist() == (-losses(MODEL, PARAMS[None], DIGITS)).tolist()
    assert 0 <= holdout.accuracy(PARAMS) <= 1
