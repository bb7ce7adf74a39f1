"""Small federations in a folder, without pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit import write_manifest
from ostrom.sim import run as run_module
from ostrom.sim import runner as runner_module
from ostrom.sim.config import RunConfig
from ostrom.sim.run import resume
from ostrom.sim.runner import Report, Runner
from ostrom.sim.world import build_world

SMALL = {
    "dataset": "digits",
    "model": "logistic",
    "clients": 2,
    "validators": 2,
    "rounds": 2,
    "workers": 1,
    "samples": 300,
}

Start = Callable[..., Runner]


def without_pictures(runner: Runner) -> None:
    """What `write_outputs` does for the audit."""
    write_manifest(runner.out, finished=runner.state.over)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Run a federation to its end: `start(folder, clients=3)`."""
    monkeypatch.setattr(runner_module, "write_outputs", without_pictures)

    def started(out: Path, report: Report | None = None, **fields: Any) -> Runner:
        world = build_world(RunConfig.of({**SMALL, **fields}))
        out.mkdir(exist_ok=True)
        runner = Runner.start(world, out, report)
        runner.finish()
        return runner

    return started


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Resume a run, without pictures and so without a summary to load."""
    monkeypatch.setattr(runner_module, "write_outputs", without_pictures)
    monkeypatch.setattr(run_module, "load_run", lambda out: out)

    def resumed(out: Path) -> None:
        resume(out)

    return resumed


def files_of(folder: Path) -> dict[str, bytes]:
    """The bytes of a run's chain and of every block in its store."""
    found = [folder / "chain.jsonl", *(folder / "store").rglob("*")]
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(found) if f.is_file()}


@pytest.fixture(name="files_of")
def _files_of() -> Callable[[Path], dict[str, bytes]]:
    return files_of
