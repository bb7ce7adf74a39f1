"""Models, local algorithms, cohorts, and how good a model is. Torch loads at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostrom.training.catalogue import MODELS, build_model
    from ostrom.training.cohort import train_cohort
    from ostrom.training.evaluation import Metrics, accuracies, evaluate, losses, predict
    from ostrom.training.local import LOCAL_ALGORITHMS, LocalAlgorithm, local_algorithm
    from ostrom.training.models import Model
    from ostrom.training.workers import close, warm

_HOMES = {
    "LOCAL_ALGORITHMS": "local",
    "MODELS": "catalogue",
    "LocalAlgorithm": "local",
    "Metrics": "evaluation",
    "Model": "models",
    "accuracies": "evaluation",
    "build_model": "catalogue",
    "close": "workers",
    "evaluate": "evaluation",
    "local_algorithm": "local",
    "losses": "evaluation",
    "predict": "evaluation",
    "train_cohort": "cohort",
    "warm": "workers",
}

__all__ = [
    "LOCAL_ALGORITHMS",
    "MODELS",
    "LocalAlgorithm",
    "Metrics",
    "Model",
    "accuracies",
    "build_model",
    "close",
    "evaluate",
    "local_algorithm",
    "losses",
    "predict",
    "train_cohort",
    "warm",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ostrom.training' has no attribute {name!r}")
    return getattr(import_module(f"ostrom.training.{_HOMES[name]}"), name)
