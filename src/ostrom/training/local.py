"""Local algorithms: what a trainer does with its data in one round.

An algorithm is a value made by a factory. Called with (model, params, data, rng, state) it returns
(update, state); nothing else changes. Parameters and updates are fixed point (`ostrom.tensors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.data import Dataset
from ostrom.errors import InputError, TensorError
from ostrom.mechanisms import bind, only
from ostrom.tensors import dequantise, quantise
from ostrom.training.models import Model
from ostrom.training.ridge import ridge_length, ridge_run
from ostrom.training.threads import one_thread
from ostrom.types import IntVector, Update

State: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[
    [Model, IntVector, Dataset, np.random.Generator, State], tuple[Update, State]
]


@dataclass(frozen=True)
class Descent:
    """Mini-batch gradient descent with heavy-ball momentum.

    `proximal` is FedProx's mu: it pulls towards the round's first parameters.
    """

    epochs: int
    lr: float
    batch: int
    momentum: float
    proximal: float = 0.0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1:
            raise InputError("epochs and batch must be integers of at least 1")
        if not (self.lr > 0 and 0 <= self.momentum < 1 and self.proximal >= 0):
            raise InputError("lr must be above 0, momentum in [0, 1), mu at least 0")

    def batches(self, n: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
        """The index vectors of all steps: every epoch a new order, the last batch may be short."""
        for _ in range(self.epochs):
            order = rng.permutation(n)
            yield from (order[i : i + self.batch] for i in range(0, n, self.batch))


@dataclass(frozen=True, eq=False)
class LocalAlgorithm:
    """A local algorithm; `descent` is set where a cohort can be trained in one vmap call."""

    text: str
    run: Run
    descent: Descent | None = None
    length: Callable[[Model], int] = attrgetter("parameters")
    """The number of integers in an update."""
    dtype: str = "int32"

    def __call__(
        self,
        model: Model,
        params: IntVector,
        data: Dataset,
        rng: np.random.Generator,
        state: State,
    ) -> tuple[Update, State]:
        """One trainer's round: `params` (d,) int32 in, `Update` out.

        Raises:
            InputError: no data, data of the wrong shape, or training diverged.
        """
        check_data(model, params, data)
        return self.run(model, params, data, rng, state)


def local_algorithm(text: str) -> LocalAlgorithm:
    """The local algorithm that a mechanism text names.

    Raises:
        InputError: the text names none of `LOCAL_ALGORITHMS`, or an argument is out of range.

    >>> local_algorithm("fedprox(mu=0.1)").text
    'fedprox(batch=32,epochs=1,lr=0.05,momentum=0.9,mu=0.1)'
    """
    return bind(LOCAL_ALGORITHMS, only(text))()


def fedavg(
    *, epochs: int = 1, lr: float = 0.05, batch: int = 32, momentum: float = 0.9
) -> LocalAlgorithm:
    """Local gradient descent: w <- w - lr * v, v <- momentum * v + grad.

    McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data"
    (2017).
    """
    settings = Descent(epochs, lr, batch, momentum)
    text = f"fedavg(batch={batch},epochs={epochs},lr={lr},momentum={momentum})"
    return LocalAlgorithm(text, partial(_descend, settings), settings)


def fedprox(
    *,
    mu: float = 0.01,
    epochs: int = 1,
    lr: float = 0.05,
    batch: int = 32,
    momentum: float = 0.9,
) -> LocalAlgorithm:
    """`fedavg` on the loss + mu / 2 * |w - w0|^2, so that skewed trainers drift less.

    Li et al., "Federated Optimization in Heterogeneous Networks" (2020).
    """
    settings = Descent(epochs, lr, batch, momentum, mu)
    text = f"fedprox(batch={batch},epochs={epochs},lr={lr},momentum={momentum},mu={mu})"
    return LocalAlgorithm(text, partial(_descend, settings), settings)


def ridge() -> LocalAlgorithm:
    """Closed-form ridge regression in one round, for a `ridge_features` model."""
    return LocalAlgorithm("ridge", ridge_run, length=ridge_length, dtype="int64")


LOCAL_ALGORITHMS: dict[str, Callable[..., LocalAlgorithm]] = {
    "fedavg": fedavg,
    "fedprox": fedprox,
    "ridge": ridge,
}


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


def difference(after: Tensor, before: Tensor) -> IntVector:
    """The fixed-point change (d,) between two float parameter vectors."""
    try:
        return quantise((after.double() - before.double()).numpy())
    except TensorError as error:
        raise InputError(f"training diverged ({error}): lower the learning rate") from None


def _descend(
    settings: Descent,
    model: Model,
    params: IntVector,
    data: Dataset,
    rng: np.random.Generator,
    state: State,
) -> tuple[Update, State]:
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    with one_thread():
        start = torch.from_numpy(dequantise(params))
        x, y = model.prepare(data.x), torch.from_numpy(data.y)
        weights, velocity = start.clone().requires_grad_(), torch.zeros_like(start)
        for chosen in settings.batches(len(data), rng):
            batch = torch.from_numpy(chosen)
            logits = model.logits(weights, x[batch], generator=generator)
            (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, y[batch]), weights)
            _step(weights, velocity, gradient, settings=settings, start=start)
        return Update(difference(weights.detach(), start), len(data)), state


@torch.no_grad()
def _step(
    weights: Tensor, velocity: Tensor, gradient: Tensor, *, settings: Descent, start: Tensor
) -> None:
    if settings.proximal:
        gradient = gradient + settings.proximal * (weights - start)
    velocity.mul_(settings.momentum).add_(gradient)
    weights.sub_(velocity, alpha=settings.lr)
