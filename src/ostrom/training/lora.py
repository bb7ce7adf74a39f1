"""Training in thin matrices: low-rank adapters on top of the round's frozen model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.compression.low_rank import RANK_MAX, Part
from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism
from ostrom.tensors import dequantise
from ostrom.training.descent import Descent
from ostrom.training.local import LocalAlgorithm, Start, State, difference
from ostrom.training.models import Model
from ostrom.training.threads import one_thread
from ostrom.types import Update


def lora(
    *,
    rank: int = 4,
    epochs: int = 1,
    lr: float = 0.05,
    batch: int = 32,
    momentum: float = 0.9,
    schedule: str = "constant",
) -> LocalAlgorithm:
    """`fedavg` on low-rank adapters of every matrix, with the round's parameters frozen.

    W = W0 + B A,  B (out, rank) from zero,  A (rank, in) from N(0, 1 / in);  update = B A

    A's rows are nearly orthonormal: the first step is that of `fedavg`, projected onto them. A
    follows from the round, so that all trainers of a round begin in one subspace, and the next
    round's is another: the model as a whole is not held to that rank. Biases, and matrices that two
    factors would not make smaller, are trained as they are.

    The update is the product, not the factors: it is the model's own length, any aggregation takes
    it, and the mean of trainers' products is exact, where the product of mean factors is not. With
    the compression `low_rank` of the same rank it is sent as two thin matrices and comes back but
    for rounding.

    Args:
        rank: 1 to 1,024.
        epochs: times through the data, at least 1.
        lr: learning rate, > 0.
        batch: examples in a step, at least 1.
        momentum: 0 <= momentum < 1.
        schedule: the learning rate by round, as in `warmup-5+cosine-50`.

    Returns:
        A local algorithm whose updates are changes of the model, int32.

    Raises:
        InputError: an argument is out of range.

    >>> lora(rank=2).text
    'lora(batch=32,epochs=1,lr=0.05,momentum=0.9,rank=2,schedule=constant)'

    Source: Hu et al. (2022), "LoRA: Low-Rank Adaptation of Large Language Models"; merged every
    round: Lialin et al. (2024), "ReLoRA"; products, not factors, averaged: Singhal et al. (2025),
    "FedEx-LoRA".
    """
    if not isinstance(rank, int) or not 1 <= rank <= RANK_MAX:
        raise InputError(f"lora: rank must be 1 to {RANK_MAX}, not {rank}")
    descent = Descent(epochs=epochs, lr=lr, batch=batch, momentum=momentum, schedule=schedule)
    names = ("batch", "epochs", "lr", "momentum", "schedule")
    arguments = {name: getattr(descent, name) for name in names}
    text = Mechanism("lora", {**arguments, "rank": rank}).text
    return LocalAlgorithm(text, partial(_run, descent, rank))


@dataclass(frozen=True, eq=False)
class Adapters:
    """What is trained: `left` B and `right` A by the matrix's name, and the `whole` tensors."""

    left: Mapping[str, Tensor]
    right: Mapping[str, Tensor]
    whole: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: Model, rank: int, rng: np.random.Generator) -> Adapters:
        """Adapters that change nothing yet."""
        parts = {name: Part.of(shape, rank) for name, shape in model.tensors.items()}
        thin = {name: part for name, part in parts.items() if part.rank}
        drawn = {
            name: rng.standard_normal((rank, part.inner)) / np.sqrt(part.inner)
            for name, part in thin.items()
        }
        return cls(
            {name: torch.zeros(part.out, rank) for name, part in thin.items()},
            {name: torch.from_numpy(values).float() for name, values in drawn.items()},
            {name: torch.zeros(parts[name].shape) for name in parts if name not in thin},
        )

    @property
    def trained(self) -> list[Tensor]:
        return [*self.left.values(), *self.right.values(), *self.whole.values()]

    def change(self, model: Model) -> Tensor:
        """The change of the whole model, (d,)."""
        products = {name: self.left[name] @ self.right[name] for name in self.left}
        return torch.cat([{**products, **self.whole}[name].flatten() for name in model.tensors])


def _run(
    settings: Descent,
    rank: int,
    model: Model,
    start: Start,
    data: Dataset,
    rng: np.random.Generator,
    state: State,
) -> tuple[Update, State]:
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    with one_thread():
        frozen = torch.from_numpy(dequantise(start.parameters))
        x, y = model.prepare(data.x), torch.from_numpy(data.y)
        adapters = Adapters.of(model, rank, np.random.default_rng(start.round))
        trained = [tensor.requires_grad_() for tensor in adapters.trained]
        velocity = [torch.zeros_like(tensor) for tensor in trained]
        for chosen in settings.batches(len(data), rng):
            picked = torch.from_numpy(chosen)
            weights = frozen + adapters.change(model)
            logits = model.logits(weights, x[picked], generator=generator)
            gradients = torch.autograd.grad(functional.cross_entropy(logits, y[picked]), trained)
            for tensor, past, gradient in zip(trained, velocity, gradients):
                past.mul_(settings.momentum).add_(gradient)
                tensor.detach().sub_(past, alpha=settings.rate(start.round))
        change = adapters.change(model).detach()
        return Update(difference(change, torch.zeros_like(change)), len(data)), state
