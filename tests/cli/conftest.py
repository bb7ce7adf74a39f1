"""Commands run in an empty folder against a simulation that only pretends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import ostrom
from ostrom.audit import AuditLine, AuditReport
from ostrom.cli.app import app
from ostrom.errors import InputError
from ostrom.sim.config import RunConfig

Ended = Any


@dataclass(frozen=True)
class FakeProgress:
    round: int
    rounds: int
    phase: str
    fraction: float
    eta_s: float | None
    accuracy: float | None
    gas: int
    bytes: int
    message: str = ""


@dataclass(frozen=True)
class FakeVersion:
    number: int
    parent: int
    round: int
    model: str
    head: bool


@dataclass(frozen=True)
class FakePrediction:
    path: Path
    label: int
    probability: float
    probabilities: list[float]


LINES = (
    AuditLine("chain", None, True, "9 blocks"),
    AuditLine("result", 1, True, "equal"),
    AuditLine("result", 2, True, "equal"),
)
FAILED_LINE = AuditLine("payouts", 2, False, "expected 1, got 2")


def report_of(*lines: AuditLine) -> AuditReport:
    return AuditReport("ab" * 32, 2, lines)


@dataclass
class FakeSim:
    """Records what it was asked; `then` happens in the middle of a run."""

    then: Callable[[], None] = lambda: None
    lines: tuple[AuditLine, ...] = LINES
    asked: list[Any] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    RunConfig = RunConfig
    Progress = FakeProgress

    def simulate(self, config: RunConfig, out: Path, *, progress: Any = None) -> Any:
        self.asked.append(config)
        out.mkdir(parents=True, exist_ok=True)
        progress(FakeProgress(0, config.rounds, "setup", 0, None, None, 0, 0, "setting up"))
        (out / "run.json").write_text("{}")
        self._tell(config.rounds, progress)
        return self.load_run(out)

    def resume(self, out: Path, *, progress: Any = None) -> Any:
        self.asked.append(out)
        self._tell(2, progress)
        return self.load_run(out)

    def _tell(self, rounds: int, progress: Any) -> None:
        for number in range(1, rounds + 1):
            accuracy = 0.5 + number / 10 - 0.1 if number > 1 else None
            before = FakeProgress(number, rounds, "commit", number / rounds / 2, 3, accuracy, 9, 9)
            progress(before)
            self.then()
        progress(FakeProgress(rounds, rounds, "finished", 1, 0, 0.5 + rounds / 10, 99, 999, "done"))

    def load_run(self, out: Path) -> Any:
        summary = self.summary | {"audit": report_of(*self.lines).document()}
        return SimpleNamespace(path=out, summary=summary)

    def predict(self, run: Any, images: list[Path]) -> list[FakePrediction]:
        if any(path.suffix == ".txt" for path in images):
            raise InputError("notes.txt is no image")
        return [FakePrediction(path, 1, 0.75, [0.25, 0.75]) for path in images]

    def lineage(self, run: Any) -> list[FakeVersion]:
        return [FakeVersion(1, 0, 0, "bafk1", False), FakeVersion(2, 1, 1, "bafk2", True)]

    def roll_back(self, out: Path, version: int) -> None:
        self.asked.append(version)


@pytest.fixture
def summary() -> dict[str, Any]:
    gas = {"commit": 10, "reveal": 10}
    row = {"round": 1, "void": False, "gas": gas, "bytes": {}, "trainers": {"0x": {"check": ""}}}
    return {
        "config": {"dataset": "mnist"},
        "rounds": [row],
        "model": {"text": "logistic", "parameters": 650, "update_bytes": 2_672},
        "final": {"accuracy": 0.97, "loss": float("nan")},
        "totals": {
            "gas": 1_000_000, "bytes": 5_000, "seconds": 3.0, "other_share": 0.5,
            "pool": str(10**20), "paid": str(10**19),
        },
    }  # fmt: skip


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, summary: dict[str, Any]) -> FakeSim:
    fake = FakeSim(summary=summary)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ostrom.sim", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(ostrom, "sim", fake, raising=False)
    return fake


@pytest.fixture
def call() -> Callable[..., Ended]:
    """Run the command line and return what came of it."""

    def run(*words: object, **options: Any) -> Ended:
        return CliRunner().invoke(app, [str(word) for word in words], **options)

    return run
