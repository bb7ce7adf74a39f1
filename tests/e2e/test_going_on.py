"""A run that goes on from another one's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import InputError
from ostrom.sim.config import RunConfig
from ostrom.sim.run import Run, simulate

FIELDS: dict[str, Any] = {
    "dataset": "digits",
    "model": "ridge_features(features=60)",
    "skew": "emphasis(share=1)",
    "clients": 10,
    "validators": 1,
    "workers": 1,
    "incentive": "equal_split",
}
KEEPING = "sum|ridge_solve(classes=10,features=60,keep=1)"


@pytest.fixture(scope="module")
def ridge(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("ridge") / "run"
    return simulate(RunConfig.of({**FIELDS, "algorithm": "ridge", "aggregation": KEEPING}), out)


def going_on(ridge: Run, **fields: Any) -> RunConfig:
    return RunConfig.of({**FIELDS, "start": str(ridge.path), **fields})


def test_a_run_of_another_model_is_refused(ridge: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start with its model"):
        simulate(going_on(ridge, model="logistic"), tmp_path / "run")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    config = RunConfig.of({**FIELDS, "start": str(tmp_path / "nowhere")})
    with pytest.raises(InputError, match="holds no run"):
        simulate(config, tmp_path / "run")


def test_a_ridge_model_is_fine_tuned_by_what_its_task_left(ridge: Run, tmp_path: Path) -> None:
    config = going_on(ridge, algorithm="ridge_tuning", rounds=4)
    run = simulate(config, tmp_path / "run")
    assert run.summary["initial"]["accuracy"] == ridge.accuracy
    assert run.summary["final"]["loss"] < ridge.summary["final"]["loss"]
    assert run.accuracy > ridge.accuracy - 0.02
    assert run.audit().passed
