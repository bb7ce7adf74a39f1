"""Metrics against scikit-learn, and many models at once against one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.data import load_dataset
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import accuracies, build_model, evaluate, losses, predict

DIGITS = load_dataset("digits").train
MODEL = build_model("mlp", shape=(8, 8), classes=10)
PARAMS = np.stack([quantise(MODEL.initial(seed)) for seed in range(3)])


def test_refuses_parameters_of_another_length() -> None:
    with pytest.raises(InputError, match="parameters"):
        evaluate(MODEL, PARAMS[0][:-1], DIGITS)


def test_refuses_data_of_another_shape() -> None:
    with pytest.raises(InputError, match="shape"):
        losses(build_model("mlp", shape=(4, 4), classes=10), PARAMS, DIGITS)


def test_metrics_are_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    metrics = evaluate(MODEL, PARAMS[0], DIGITS)
    probabilities = predict(MODEL, PARAMS[0], DIGITS.x)
    guesses = probabilities.argmax(axis=1)
    averages = sklearn.precision_recall_fscore_support(
        DIGITS.y, guesses, average="macro", zero_division=0
    )
    assert (metrics.precision, metrics.recall, metrics.f1) == pytest.approx(averages[:3])
    assert metrics.accuracy == pytest.approx(sklearn.accuracy_score(DIGITS.y, guesses))
    assert metrics.loss == pytest.approx(sklearn.log_loss(DIGITS.y, probabilities), abs=1e-5)
    assert np.array_equal(metrics.confusion, sklearn.confusion_matrix(DIGITS.y, guesses))
    assert sum(one.support for one in metrics.per_class) == len(DIGITS)


def test_many_models_are_measured_as_one_by_one() -> None:
    singly = [evaluate(MODEL, row, DIGITS) for row in PARAMS]
    assert losses(MODEL, PARAMS, DIGITS).tolist() == [one.loss for one in singly]
    assert accuracies(MODEL, PARAMS, DIGITS) == pytest.approx([one.accuracy for one in singly])
