"""What all reference models share: the seam, and the choice of a label.

A model is a frozen value with the numbers that its contract fixes at deployment; a state is frozen
too, its arrays read-only. `learn` returns the next state, so that old versions cost nothing to keep
and a branch of history is just another list of states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError

UPDATE = 65_535
"""The label of a contribution that is an update of the model's weights, no data."""

CLASSES_MAX = 255

S = TypeVar("S")


class Model(Protocol[S]):
    """A model as the contracts' `IModel` describes it, over states of type `S`.

    `x` is always the encoded features of one sample. Every method that reads `x`, or a label,
    raises InputError where the contract reverts.
    """

    def start(self, classes: int, features: int) -> S:
        """A state that has learnt nothing."""

    def classes(self, state: S) -> int:
        """How many labels there are."""

    def features(self, state: S) -> int:
        """How many features there are."""

    def predict(self, state: S, x: bytes) -> int:
        """The label that the model gives to a sample; ties go to the lowest."""

    def learn(self, state: S, x: bytes, label: int) -> tuple[S, int]:
        """The state after a contribution, and the memo that takes its influence out again."""

    def agrees(self, state: S, x: bytes, label: int, memo: int) -> bool:
        """Whether the model without the influence of this contribution predicts its label.

        `memo` is what `learn` returned; 0 says that nothing of it is in the model.
        """

    def sketch(self, x: bytes) -> int:
        """64 bits of which similar samples share most."""

    def widen(self, state: S, *, classes: int = 0, features: int = 0) -> S:
        """The state with more labels and features, about which nothing was learnt."""

    def dump(self, state: S) -> bytes:
        """The state as the words of the contract's storage, 32 bytes each."""

    def load(self, data: bytes) -> S:
        """The state that such words hold; the inverse of `dump`."""


def best(scores: Sequence[int | None]) -> int:
    """The label of the highest score, the lowest such; a label whose score is None is out.

    >>> best([None, 4, 7, 7]), best([None, None])
    (2, 0)
    """
    found = 0
    top: int | None = None
    for label, score in enumerate(scores):
        if score is not None and (top is None or score > top):
            found, top = label, score
    return found


def check_label(label: int, classes: int) -> None:
    """Raise InputError unless `label` is one of `classes` labels."""
    if not 0 <= label < classes:
        raise InputError(f"a label is 0 to {classes - 1}, {label} is not")


def check_no_update(label: int, classes: int) -> None:
    """As `check_label`, for a model that learns from data only."""
    if label == UPDATE:
        raise InputError("this model takes data, no updates of its weights")
    check_label(label, classes)


def check_size(classes: int, features: int, *, classes_min: int = 2) -> None:
    """Raise InputError unless a contract of that size can be deployed."""
    if not classes_min <= classes <= CLASSES_MAX:
        raise InputError(f"a model has {classes_min} to {CLASSES_MAX} classes, not {classes}")
    if not 1 <= features <= UPDATE:
        raise InputError(f"a model has 1 to {UPDATE:,} features, not {features:,}")


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself, read-only from now on."""
    array.flags.writeable = False
    return array


def grown(array: npt.NDArray[Any], *, rows: int, columns: int) -> npt.NDArray[Any]:
    """The matrix with so many more rows and columns of zeros."""
    height, width = array.shape
    # np.pad would put int64 zeros among a perceptron's unbounded integers.
    larger = np.zeros((height + rows, width + columns), dtype=array.dtype)
    larger[:height, :width] = array
    return frozen(larger)
