"""What it takes to install and to start."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.results import ROOT, Result

COMMAND = "python -m benchmarks footprint"
RUNS = 9


def measure() -> Iterable[Result]:
    """Packages, import time and the time to help."""
    yield Result(
        "Packages that `pip install .` brings, besides torch and what torch brings",
        float(len(packages("."))),
        "packages",
        75.0,
        "53 to 193 (other frameworks)",
        "lower",
        COMMAND,
    )
    yield Result(
        "`import ostrom`",
        seconds("-c", "import ostrom") - seconds("-c", "pass"),
        "s",
        0.5,
        "",
        "lower",
        COMMAND,
    )
    yield Result(
        "`ostrom --help`", seconds("-m", "ostrom.cli", "--help"), "s", 0.7, "", "lower", COMMAND
    )


def packages(requirement: str) -> set[str]:
    """Names of the packages that pip would install into an empty environment, torch's excluded."""
    return resolved(requirement) - resolved("torch") - {"ostrom"}


def resolved(requirement: str) -> set[str]:
    """Names of all packages that pip would install."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
        ]
        command += ["-c", "constraints.txt", "--report", str(report), requirement]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        found = json.loads(report.read_text())["install"]
        return {entry["metadata"]["name"].lower() for entry in found}


def seconds(*arguments: str) -> float:
    """The median wall-clock time of a Python process, after one that warms the file cache."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])
