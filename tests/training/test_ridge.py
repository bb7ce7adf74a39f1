"""Ridge statistics: exact integers, whatever the partition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostrom.data import Dataset, load_dataset, partition
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import Start, build_model, evaluate, local_algorithm
from ostrom.training.features import FEATURE_MAX, bank, integer_features
from ostrom.training.ridge import statistics

DIGITS = load_dataset("digits").train
MODEL = build_model("ridge_features(features=180)", shape=(8, 8), classes=10)


def test_refuses_a_model_that_is_not_linear_in_features() -> None:
    mlp = build_model("mlp", shape=(8, 8), classes=10)
    with pytest.raises(InputError, match="ridge_features"):
        local_algorithm("ridge")(
            mlp, Start(quantise(mlp.initial(0))), DIGITS, np.random.default_rng(0), {}
        )


def test_refuses_pictures_that_are_not_bytes() -> None:
    floats = Dataset("toy", np.zeros((2, 8, 8), np.float32), np.array([0, 1]), 10)
    with pytest.raises(InputError, match="bytes"):
        statistics(MODEL, floats)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 48, 1)])
def test_features_are_small_integers_even_of_the_harshest_images(
    shape: tuple[int, int, int],
) -> None:
    x = np.random.default_rng(0).integers(0, 2, (3, *shape)).astype(np.uint8) * 255
    made = integer_features(x, shape, features=50, seed=1)
    assert torch.equal(made, made.round())
    assert 0 <= float(made.min()) <= float(made.max()) <= FEATURE_MAX


def test_no_partial_sum_of_a_convolution_can_reach_two_to_the_twenty_four() -> None:
    filters = bank((28, 28, 1), 2_400, 0)
    pairs = (
        (filters.gabors, filters.gabor_thresholds, 4),
        (filters.mixed, filters.mixed_thresholds, 1),
    )
    for weights, thresholds, window in pairs:
        sums = weights.abs().sum(dim=(1, 2, 3)) * 255 + thresholds.abs()
        assert float(sums.max()) * window < 1 << 24
        assert torch.equal(weights, weights.round())


def test_statistics_of_the_parts_add_up_to_those_of_the_whole() -> None:
    whole = statistics(MODEL, DIGITS)
    assert whole.dtype == np.int64
    for text in ("iid", "emphasis(share=1)", "dirichlet(alpha=0.1)"):
        parts = partition(text, DIGITS.y, 7, np.random.default_rng(0))
        assert np.array_equal(sum(statistics(MODEL, DIGITS.subset(part)) for part in parts), whole)


def test_statistics_are_the_products_that_integers_give() -> None:
    few = DIGITS.subset(np.arange(50))
    x = integer_features(few.x, (8, 8, 1), features=180, seed=0).numpy().astype(np.int64)
    gram, moments = x.T @ x, x.T @ np.eye(10, dtype=np.int64)[few.y]
    expected = np.concatenate([gram[np.triu_indices(180)], moments.ravel()])
    update, _ = local_algorithm("ridge")(
        MODEL, Start(quantise(MODEL.initial(0))), few, np.random.default_rng(0), {}
    )
    assert np.array_equal(update.values, expected)
    assert local_algorithm("ridge").length(MODEL) == len(expected)


def test_the_solution_recognises_digits_that_it_has_not_seen() -> None:
    seen, unseen = DIGITS.subset(np.arange(1_400)), DIGITS.subset(np.arange(1_400, 1_797))
    vector = statistics(MODEL, seen).astype(float)
    gram = np.zeros((180, 180))
    gram[np.triu_indices(180)] = vector[: 180 * 181 // 2]
    gram += np.triu(gram, 1).T
    weights = np.linalg.solve(gram + 1e4 * np.eye(180), vector[180 * 181 // 2 :].reshape(180, 10))
    assert evaluate(MODEL, quantise(weights.ravel()), unseen).accuracy > 0.93
