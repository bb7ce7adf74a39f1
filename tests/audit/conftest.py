"""A finished run with all its files, made once; every test damages a copy of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ostrom.audit import AuditLine, audit_run
from ostrom.sim.config import RunConfig
from ostrom.sim.run import simulate

FIELDS = {
    "dataset": "digits",
    "model": "logistic",
    "clients": 3,
    "validators": 2,
    "rounds": 2,
    "workers": 1,
    "samples": 300,
    "attack": "garbage",
}


@dataclass(frozen=True)
class Folder:
    """A copy of the run."""

    path: Path

    @property
    def blocks(self) -> list[Path]:
        """Every block of the store, sorted by name."""
        return sorted(f for f in (self.path / "store").rglob("*") if f.is_file())

    def block(self, kind: str) -> Path:
        """The first block that is a spec, a record, scores, a model, an update or garbage."""
        return next(f for f in self.blocks if kind_of(f.read_bytes()) == kind)

    def fault(self) -> AuditLine:
        """What the audit finds first; it must find something."""
        report = audit_run(self.path)
        assert not report.passed
        assert report.divergence is not None
        return report.divergence


def kind_of(data: bytes) -> str:
    """What a block holds."""
    if data.startswith(b"{"):
        return str(json.loads(data)["format"].split("/")[1])
    for name in ("parameters", "update"):
        if name.encode() in data[8:200]:
            return {"parameters": "model"}.get(name, name)
    return "garbage"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run. Nobody may write to it."""
    path = tmp_path_factory.mktemp("finished") / "run"
    simulate(RunConfig.of(FIELDS), path)
    return path


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Folder:
    shutil.copytree(finished, tmp_path / "run")
    return Folder(tmp_path / "run")


@pytest.fixture
def tree() -> Callable[[Path], dict[str, tuple[bytes, int]]]:
    """A folder's files with their bytes and times."""

    def read(path: Path) -> dict[str, tuple[bytes, int]]:
        files = (f for f in path.rglob("*") if f.is_file())
        return {str(f.relative_to(path)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}

    return read
