"""What a local algorithm is: what a trainer does with its data in one round.

An algorithm is a value made by a factory. Called with (model, start, data, rng, state) it returns
(update, state); nothing else changes. Parameters, updates and states are fixed point
(`ostrom.tensors`), so that each of them can be stored, hashed and taken up again after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ostrom.data import Dataset
from ostrom.errors import InputError, TensorError
from ostrom.tensors import quantise
from ostrom.training.models import Model, Shape
from ostrom.types import IntVector, Update

if TYPE_CHECKING:
    from ostrom.training.descent import Descent

State: TypeAlias = Mapping[str, IntVector]
"""What a trainer keeps between its rounds, by name: vectors in fixed point; {} before the first."""


@dataclass(frozen=True, eq=False)
class Start:
    """What a round starts from: `parameters` (d,) int32 and the server step's state by name."""

    parameters: IntVector
    server: Mapping[str, IntVector] = field(default_factory=dict)
    round: int = 1


Run: TypeAlias = Callable[[Model, Start, Dataset, np.random.Generator, State], tuple[Update, State]]
Personal: TypeAlias = Callable[[Model, IntVector, State], IntVector]


def model_layout(model: Model) -> tuple[Shape, ...]:
    """The shapes of an update that is a change of the model: those of the model's tensors."""
    return tuple(model.tensors.values())


def no_server(model: Model) -> str:
    """The algorithm needs no server step of its own."""
    return ""


@dataclass(frozen=True, eq=False)
class LocalAlgorithm:
    """A local algorithm.

    `descent` holds its passes where it is gradient descent, so that trainers can go side by side.
    `layout` names the shapes of the tensors in an update, one after the other. `server` is the text
    of the server step that the algorithm needs, "" for none. `personal` makes a trainer's own
    model, (model, parameters, state) -> parameters, where it differs from the global one.
    """

    text: str
    run: Run
    descent: tuple[Descent, ...] = ()
    layout: Callable[[Model], tuple[Shape, ...]] = model_layout
    dtype: str = "int32"
    server: Callable[[Model], str] = no_server
    personal: Personal | None = None

    def length(self, model: Model) -> int:
        """The number of integers in an update."""
        return sum(math.prod(shape) for shape in self.layout(model))

    def __call__(
        self, model: Model, start: Start, data: Dataset, rng: np.random.Generator, state: State
    ) -> tuple[Update, State]:
        """One trainer's round: the model and its own state in, an update and a state out.

        Raises:
            InputError: no data, data of the wrong shape, or training diverged.
        """
        check_data(model, start.parameters, data)
        return self.run(model, start, data, rng, state)


def check_data(model: Model, params: IntVector, data: Dataset) -> None:
    """Refuse what cannot be trained on, in words."""
    if len(data) == 0:
        raise InputError(f"{data.name}: a trainer needs at least one example")
    if data.shape != model.shape or data.classes > model.classes:
        raise InputError(
            f"{data.name} has examples of shape {data.shape} in {data.classes} classes; "
            f"the model {model.text} takes {model.shape} in {model.classes}"
        )
    if params.shape != (model.parameters,):
        raise InputError(f"{model.text} has {model.parameters} parameters, not {params.shape}")


def fixed_point(values: npt.ArrayLike) -> IntVector:
    """What training made, as int32 in fixed point.

    Raises:
        InputError: the numbers are not finite or too large.
    """
    try:
        return quantise(values)
    except TensorError as error:
        raise InputError(f"training diverged ({error}): lower the learning rate") from None


def difference(after: Tensor, before: Tensor) -> IntVector:
    """The fixed-point change (d,) between two float parameter vectors."""
    return fixed_point((after.double() - before.double()).numpy())
