"""A validator's own examples, as scorers ask for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ostrom.data import Dataset
from ostrom.training.evaluation import accuracies, losses
from ostrom.training.gradients import class_gradients
from ostrom.training.models import Model
from ostrom.types import IntVector


@dataclass(frozen=True, eq=False)
class ModelHoldout:
    """Rates models on `data`, with `workers` threads; their number changes no byte."""

    model: Model
    data: Dataset
    workers: int = 1

    def value(self, parameters: IntVector, /) -> npt.NDArray[np.float64]:
        """Minus the mean loss (k,) of models (k, d)."""
        return -losses(self.model, parameters, self.data, workers=self.workers)

    def gradients(self, parameters: IntVector, /) -> npt.NDArray[np.float64]:
        """The mean loss's gradient on each class, (classes, d)."""
        return class_gradients(self.model, parameters, self.data)

    def accuracy(self, parameters: IntVector, /) -> float:
        """The share of right answers of one model (d,)."""
        rated = accuracies(self.model, parameters[None], self.data, workers=self.workers)
        return float(rated[0])
