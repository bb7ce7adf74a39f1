"""Models, local algorithms, cohorts, and how good a model is. Torch loads at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostrom.training.catalogue import LOCAL_ALGORITHMS, MODELS, build_model, local_algorithm
    from ostrom.training.cohort import train_cohort
    from ostrom.training.evaluation import Metrics, accuracies, evaluate, losses, predict
    from ostrom.training.holdout import ModelHoldout
    from ostrom.training.local import LocalAlgorithm, Start, State
    from ostrom.training.models import Model
    from ostrom.training.workers import close, warm

_HOMES = {
    "LOCAL_ALGORITHMS": "catalogue",
    "MODELS": "catalogue",
    "LocalAlgorithm": "local",
    "Metrics": "evaluation",
    "Model": "models",
    "ModelHoldout": "holdout",
    "Start": "local",
    "State": "local",
    "accuracies": "evaluation",
    "build_model": "catalogue",
    "close": "workers",
    "evaluate": "evaluation",
    "local_algorithm": "catalogue",
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
    "ModelHoldout",
    "Start",
    "State",
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
