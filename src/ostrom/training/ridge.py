"""Ridge regression as a local algorithm: one round, exact, whatever the partition of the data.

A trainer sends X^T X and X^T Y of its integer features, which add up over trainers to those of all
data together; `ostrom.aggregation` solves for the linear model. The result does not depend on who
holds which example, so skew costs nothing.

Fani et al., "Accelerating Heterogeneous Federated Learning with Closed-form Classifiers" (2024).
Does not answer: statistics of few examples reveal them; a trainer's data are hidden by sums alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.tensors import FRACTION_BITS, dequantise
from ostrom.training.features import FEATURE_MAX, integer_features
from ostrom.training.local import LocalAlgorithm, Start, State
from ostrom.training.models import Model, Shape, image_shape
from ostrom.training.threads import one_thread
from ostrom.types import Update

READOUT = "readout.weight"

LOGIT_SCALE = 8.0
"""Targets are 0 and 1; the softmax needs a wider gap to say as much."""

EXACT_ROWS = 1024
"""So many products of two features sum to less than 2**24: float32 is exact in any order."""

assert EXACT_ROWS * FEATURE_MAX**2 < 1 << 24


def ridge_features(shape: Shape, classes: int, /, features: int = 2400, seed: int = 0) -> Model:
    """A linear model (features, classes) on fixed random convolutional features, without bias."""
    if not isinstance(features, int) or features < 2 or seed < 0:
        raise InputError("ridge_features needs features >= 2 and seed >= 0, both integers")
    images = image_shape(shape, "ridge_features")
    if min(images[:2]) < 8:
        raise InputError(f"ridge_features needs images of at least 8 x 8, not {shape}")
    prepare = partial(_prepare, images, features, seed)
    text = f"ridge_features(features={features},seed={seed})"
    return Model(
        text,
        shape,
        classes,
        {READOUT: (features, classes)},
        _linear,
        prepare,
        starts_at_zero=True,
    )


def ridge() -> LocalAlgorithm:
    """Closed-form ridge regression in one round, for a `ridge_features` model.

    >>> ridge().length(ridge_features((8, 8), 3, features=4))
    22
    """
    return LocalAlgorithm("ridge", _run, layout=_layout, dtype="int64", server=_server)


def ridge_tuning() -> LocalAlgorithm:
    """One full-data gradient of the softmax loss at a `ridge_features` model, to fine-tune it.

    R = X^T (Y - softmax(s X W)), summed over the trainer's examples

    Sums over trainers are those of all data together, so that skew costs nothing. The server step
    `ridge_tune` scales them by the curvature that a ridge task has left in its model file.

    >>> ridge_tuning().length(ridge_features((8, 8), 3, features=4))
    12

    Böhning, "Multinomial Logistic Regression Algorithm" (1992).
    """
    return LocalAlgorithm(
        "ridge_tuning", _tune, layout=_readouts, dtype="int64", server=_tuning_server
    )


def _readouts(model: Model) -> tuple[Shape, ...]:
    return (_readout(model),)


def _tuning_server(model: Model) -> str:
    features, classes = _readout(model)
    return f"ridge_tune(classes={classes},features={features})"


def _tune(
    model: Model, start: Start, data: Dataset, rng: np.random.Generator, state: State
) -> tuple[Update, State]:
    """The residuals' moments; `rng` plays no part."""
    residuals = np.zeros(_readout(model))
    targets = np.eye(residuals.shape[1], dtype=np.float32)
    with one_thread(), torch.no_grad():
        weights = torch.from_numpy(dequantise(start.parameters))
        for first in range(0, len(data), EXACT_ROWS):
            part = slice(first, first + EXACT_ROWS)
            x = model.prepare(data.x[part])
            shares = torch.softmax(model.logits(weights, x), dim=1).numpy()
            residuals += (x.numpy().T @ (targets[data.y[part]] - shares)).astype(np.float64)
    scaled = np.rint(residuals.ravel() * float(1 << FRACTION_BITS))
    return Update(scaled.astype(np.int64), len(data)), state


def _layout(model: Model) -> tuple[Shape, ...]:
    features, classes = _readout(model)
    return (features * (features + 1) // 2,), (features, classes)


def _server(model: Model) -> str:
    features, classes = _readout(model)
    return f"ridge_solve(classes={classes},features={features})"


def _run(
    model: Model, start: Start, data: Dataset, rng: np.random.Generator, state: State
) -> tuple[Update, State]:
    """The statistics of one trainer's data; neither `start` nor `rng` plays a part."""
    return Update(statistics(model, data), len(data)), state


def statistics(model: Model, data: Dataset) -> npt.NDArray[np.int64]:
    """The upper triangle of X^T X by rows, then X^T Y (features, classes) by rows: int64.

    Y is one-hot.
    """
    features, classes = _readout(model)
    gram, moments = np.zeros((features, features)), np.zeros((features, classes))
    targets = np.eye(classes, dtype=np.float32)
    for start in range(0, len(data), EXACT_ROWS):
        part = slice(start, start + EXACT_ROWS)
        x = model.prepare(data.x[part]).numpy()
        gram += x.T @ x
        moments += x.T @ targets[data.y[part]]
    upper = gram[np.triu_indices(features)]
    return np.concatenate([upper, moments.ravel()]).astype(np.int64)


def _readout(model: Model) -> Shape:
    if list(model.tensors) != [READOUT]:
        raise InputError(f"ridge trains a ridge_features model, not {model.text}")
    return model.tensors[READOUT]


def _prepare(images: tuple[int, int, int], features: int, seed: int, x: npt.NDArray[Any]) -> Tensor:
    if x.dtype != np.uint8:
        raise InputError("ridge_features takes images of bytes")
    return integer_features(x, images, features=features, seed=seed)


def _linear(p: Mapping[str, Tensor], x: Tensor, _: torch.Generator | None) -> Tensor:
    return LOGIT_SCALE * (x @ p[READOUT])
