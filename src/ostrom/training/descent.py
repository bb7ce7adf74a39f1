"""Mini-batch gradient descent as data: what it does, and what sets a trainer apart.

An algorithm is one or several `Descent`s. What sets a trainer apart (where it begins, what is added
to its gradients, how its logits are read) are `Terms`, made from what it keeps between rounds; what
it sends and keeps is made from the `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.training.local import Start, State
from ostrom.training.models import Model
from ostrom.training.schedules import schedule
from ostrom.types import IntVector

FloatVector: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trainer:
    """One trainer in one round."""

    model: Model
    start: Start
    data: Dataset
    state: State


@dataclass(frozen=True, eq=False)
class Terms:
    """What sets one trainer's descent apart; None where nothing does.

    `origin` (d,) int32: where it begins, in place of the round's model. `correction` (d,): added to
    every gradient. `mask` (d,): multiplies every gradient. `velocity` and `second` (d,): what the
    optimiser begins with, after `taken` steps. `scales`, `offsets` (classes,): the loss is taken of
    scales * logits + offsets.
    """

    origin: IntVector | None = None
    correction: FloatVector | None = None
    mask: FloatVector | None = None
    velocity: FloatVector | None = None
    second: FloatVector | None = None
    scales: FloatVector | None = None
    offsets: FloatVector | None = None
    taken: int = 0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a descent came to.

    `moved` (d,) int32: the change from where it began. `steps`: how many it took, at the learning
    rate `lr`. `velocity` and `second`: the optimiser's memory, to be copied if it is kept.
    """

    moved: IntVector
    steps: int
    lr: float
    velocity: FloatVector
    second: FloatVector | None


Begin: TypeAlias = Callable[[Trainer], Terms]
Finish: TypeAlias = Callable[[Trainer, Outcome], tuple[IntVector | None, State]]


def no_terms(trainer: Trainer) -> Terms:
    """Nothing sets this trainer apart."""
    return Terms()


def send_change(trainer: Trainer, outcome: Outcome) -> tuple[IntVector | None, State]:
    """The update is the change; the state stays."""
    return outcome.moved, trainer.state


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay, in place of heavy-ball momentum."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and self.decay >= 0):
            raise InputError("beta1 and beta2 must be in [0, 1), weight_decay at least 0")


@dataclass(frozen=True)
class Descent:
    """Mini-batch gradient descent with heavy-ball momentum: v <- momentum * v + (1 - damping) * g.

    It goes through the data `epochs` times, or takes `steps` steps where that is not 0. `proximal`
    pulls towards the round's model. `schedule` multiplies `lr` by round.
    """

    epochs: int = 1
    lr: float = 0.05
    batch: int = 32
    momentum: float = 0.9
    schedule: str = "constant"
    steps: int = 0
    damping: float = 0.0
    proximal: float = 0.0
    adamw: AdamW | None = None
    begin: Begin = no_terms
    finish: Finish = send_change

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1:
            raise InputError("epochs and batch must be integers of at least 1")
        if not (self.lr > 0 and 0 <= self.momentum < 1 and self.proximal >= 0):
            raise InputError("lr must be above 0, momentum in [0, 1), mu at least 0")
        schedule(self.schedule)

    def rate(self, number: int) -> float:
        """The learning rate of a round."""
        return self.lr * schedule(self.schedule)(number)

    def steps_for(self, size: int) -> int:
        """How many steps a trainer with so many examples takes."""
        return self.steps or self.epochs * -(-size // self.batch)

    def batches(self, n: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
        """The index vectors of all steps: every epoch a new order, the last batch may be short."""
        left = self.steps_for(n)
        while left > 0:
            order = rng.permutation(n)
            starts = range(0, n, self.batch)[:left]
            yield from (order[i : i + self.batch] for i in starts)
            left -= len(starts)

    def weight_of_gradients(self, steps: int) -> float:
        """By how much lr times a constant gradient moves the model in so many steps.

        a = sum_j (1 - momentum^j) (1 - damping) / (1 - momentum) over j = 1 .. steps

        >>> Descent(momentum=0.0).weight_of_gradients(7)
        7.0
        """
        rest = 1 - self.momentum
        past = self.momentum * (1 - self.momentum**steps) / rest
        return (1 - self.damping) * (steps - past) / rest
