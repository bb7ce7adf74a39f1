"""Asking a run's current model about images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrom.data import read_image
from ostrom.errors import InputError
from ostrom.evidence import read_document
from ostrom.registry import load_model
from ostrom.sim.heads import read_state
from ostrom.sim.run import Run
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore
from ostrom.training import build_model
from ostrom.training import predict as class_probabilities


@dataclass(frozen=True)
class Prediction:
    """What the model takes an image for. `probabilities` are by class and sum to 1."""

    path: Path
    label: int
    probability: float
    probabilities: list[float]


def predict(run: Run, images: Sequence[Path]) -> list[Prediction]:
    """Classify image files with the version that is the head of the run's lineage.

    An image is made grey or coloured as the training data are, scaled to their size, and inverted
    if it is dark on light while the data are light on dark.

    Raises:
        InputError: the model takes no images, or a file is none.
    """
    store = DirectoryStore(run.path / "store", read_only=True)
    state = read_state(run.path)
    spec = Spec.decode(read_document(store, state.rules.spec))
    model = build_model(spec.model, shape=spec.shape, classes=spec.classes)
    if len(spec.shape) < 2:
        raise InputError(f"the model takes rows of {spec.shape[0]} numbers, not images")
    x = np.stack([_fitted(Path(path), spec.shape) for path in images])
    parameters = load_model(store, state.versions[state.head], spec)["parameters"]
    rows = class_probabilities(model, parameters, x)
    return [_prediction(Path(path), row) for path, row in zip(images, rows)]


def _fitted(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    image = read_image(path, shape)
    border = np.concatenate([image[0].ravel(), image[-1].ravel()])
    return 255 - image if len(shape) == 2 and np.median(border) > 127 else image


def _prediction(path: Path, row: npt.NDArray[Any]) -> Prediction:
    label = int(row.argmax())
    return Prediction(path, label, float(row[label]), [float(p) for p in row])
