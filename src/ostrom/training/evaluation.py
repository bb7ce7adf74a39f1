"""How good a model is: accuracy, loss, precision, recall, F1, per class and for many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.data import Dataset
from ostrom.tensors import dequantise
from ostrom.training.local import check_data
from ostrom.training.models import Model
from ostrom.training.threads import one_thread, threads
from ostrom.types import IntVector

FloatArray = npt.NDArray[np.float64]
BATCH = 100


@dataclass(frozen=True)
class ClassMetrics:
    """One class: `support` is its number of examples."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)
class Metrics:
    """A model on a data set: mean cross-entropy, shares in [0, 1], macro averages.

    `confusion` (k, k) int64 counts true class by predicted class.
    """

    accuracy: float
    loss: float
    precision: float
    recall: float
    f1: float
    confusion: npt.NDArray[np.int64]
    per_class: tuple[ClassMetrics, ...]


def evaluate(model: Model, params: IntVector, data: Dataset, *, workers: int = 1) -> Metrics:
    """Measure fixed-point `params` (d,) on `data`, with `workers` threads; the bytes are the same.

    Classes without an example count in no macro average; a class never predicted has precision 0.

    >>> from ostrom.data import load_dataset
    >>> from ostrom.training.catalogue import build_model
    >>> digits = load_dataset("digits").train
    >>> model = build_model("logistic", shape=digits.shape, classes=10)
    >>> round(evaluate(model, np.zeros(model.parameters, np.int32), digits).loss, 4)
    2.3026
    """
    check_data(model, params, data)
    logits = _logits(model, params, data, workers)
    loss = float(functional.cross_entropy(logits.double(), torch.from_numpy(data.y)))
    pairs = data.y * model.classes + logits.argmax(1).numpy()
    confusion = np.bincount(pairs, minlength=model.classes**2).reshape(model.classes, -1)
    return summarise(confusion.astype(np.int64), loss)


def summarise(confusion: npt.NDArray[np.int64], loss: float) -> Metrics:
    """Metrics from a confusion matrix.

    >>> metrics = summarise(np.array([[3, 1], [0, 4]]), 0.5)
    >>> metrics.accuracy, metrics.precision, metrics.per_class[0].recall
    (0.875, 0.9, 0.75)
    """
    hits, support = np.diag(confusion), confusion.sum(axis=1)
    precision = hits / np.maximum(confusion.sum(axis=0), 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(confusion.sum(axis=0) + support, 1)
    seen = support > 0
    return Metrics(
        accuracy=float(hits.sum() / support.sum()),
        loss=loss,
        precision=float(precision[seen].mean()),
        recall=float(recall[seen].mean()),
        f1=float(f1[seen].mean()),
        confusion=confusion,
        per_class=tuple(
            ClassMetrics(float(p), float(r), float(f), int(s))
            for p, r, f, s in zip(precision, recall, f1, support)
        ),
    )


def losses(model: Model, params: IntVector, data: Dataset, *, workers: int = 1) -> FloatArray:
    """Mean cross-entropy (k,) of `k` parameter vectors (k, d) on one data set."""
    y = torch.from_numpy(data.y)
    each = _each(model, params, data, workers)
    return np.array([float(functional.cross_entropy(z.double(), y)) for z in each])


def accuracies(model: Model, params: IntVector, data: Dataset, *, workers: int = 1) -> FloatArray:
    """Shares of right answers (k,) of `k` parameter vectors (k, d) on one data set."""
    y = torch.from_numpy(data.y)
    each = _each(model, params, data, workers)
    return np.array([float(z.argmax(1).eq(y).double().mean()) for z in each])


def predict(
    model: Model, params: IntVector, x: npt.NDArray[np.uint8] | npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Class probabilities (n, classes) float32 of examples `x` (n, *shape)."""
    with one_thread(), torch.no_grad():
        weights = torch.from_numpy(dequantise(params))
        probabilities = torch.softmax(_forward(model, weights, model.prepare(x)), dim=1)
        result: npt.NDArray[np.float32] = probabilities.numpy()
        return result


def _logits(model: Model, params: IntVector, data: Dataset, workers: int) -> Tensor:
    weights, parts = torch.from_numpy(dequantise(params)), torch.split(model.prepare(data.x), BATCH)

    def work(part: Tensor) -> Tensor:
        with torch.no_grad():
            return model.logits(weights, part)

    with one_thread():
        return torch.cat(_map(work, parts, workers))


def _each(model: Model, params: IntVector, data: Dataset, workers: int) -> list[Tensor]:
    """Logits (n, classes) of every row of `params`; the examples are prepared once."""
    for row in params:
        check_data(model, row, data)

    def work(row: IntVector) -> Tensor:
        with torch.no_grad():
            return _forward(model, torch.from_numpy(dequantise(row)), x)

    with one_thread():
        x = model.prepare(data.x)
        return _map(work, params, workers)


def _map(work: Callable[[Any], Tensor], items: Iterable[Any], workers: int) -> list[Tensor]:
    """`work` on every item, in order, by that many threads."""
    if workers == 1:
        return [work(item) for item in items]
    with threads(workers) as pool:
        return list(pool.map(work, items))


def _forward(model: Model, weights: Tensor, x: Tensor) -> Tensor:
    return torch.cat([model.logits(weights, part) for part in torch.split(x, BATCH)])
