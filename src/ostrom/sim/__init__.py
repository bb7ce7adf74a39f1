"""A whole federation in one process: every role's step on a real EVM and a real store."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostrom.sim.config import RunConfig
    from ostrom.sim.heads import read_state
    from ostrom.sim.predictions import Prediction, predict
    from ostrom.sim.run import Run, lineage, load_run, resume, roll_back, simulate
    from ostrom.sim.runner import Progress

_HOMES = {
    "Prediction": "predictions",
    "Progress": "runner",
    "Run": "run",
    "RunConfig": "config",
    "lineage": "run",
    "load_run": "run",
    "predict": "predictions",
    "read_state": "heads",
    "resume": "run",
    "roll_back": "run",
    "simulate": "run",
}

__all__ = [
    "Prediction",
    "Progress",
    "Run",
    "RunConfig",
    "lineage",
    "load_run",
    "predict",
    "read_state",
    "resume",
    "roll_back",
    "simulate",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ostrom.sim' has no attribute {name!r}")
    value = getattr(import_module(f"ostrom.sim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
