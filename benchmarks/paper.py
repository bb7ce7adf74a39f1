"""The paper's experiment, as a user runs it: accuracy, time, and where the time goes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.results import Result

SKEWS = ("0.1", "0.5", "0.9", "1.0")


def run_demo(*options: str) -> tuple[dict[str, Any], float, str]:
    """Run `ostrom demo` in a folder of its own: summary, wall-clock seconds, model digest."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "ostrom.cli", "demo", "--out", str(out), *options]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        summary = json.loads((out / "summary.json").read_text())
        return summary, seconds, model_digest(out)


def model_digest(out: Path) -> str:
    """The last model's digest as the chain holds it."""
    from ostrom.chain.deployment import Deployment
    from ostrom.chain.embedded import EmbeddedLedger
    from ostrom.types import ModelPublished

    ledger = EmbeddedLedger.load(out / "chain.jsonl", resume=False)
    run = json.loads((out / "run.json").read_text())
    Deployment.at(run["contracts"]).watch(ledger)
    events = (logged.event for logged in ledger.events(0, ledger.block_number))
    published = [event for event in events if isinstance(event, ModelPublished)]
    return published[-1].model.hex()


def measure_demo() -> Iterable[Result]:
    """`ostrom demo` as it comes: 10 trainers of mostly one digit, 4 validators, 10 rounds."""
    command = "ostrom demo"
    summary, seconds, _ = run_demo()
    last = summary["rounds"][-1]
    yield Result(
        "Paper's experiment: global test accuracy",
        100 * summary["final"]["accuracy"],
        "%",
        95.0,
        "9.8 % (the paper)",
        "higher",
        command,
    )
    yield Result(
        "Paper's experiment: client accuracy",
        100 * last["client_accuracy"],
        "%",
        91.0,
        "91.1 % (the paper)",
        "higher",
        command,
    )
    yield Result(
        "Paper's experiment: whole run with audit", seconds, "s", 300.0, "", "lower", command
    )
    yield Result(
        "Paper's experiment: share of time outside local training",
        100 * summary["totals"]["other_share"],
        "%",
        25.0,
        "",
        "lower",
        command,
    )


def measure_ridge() -> Iterable[Result]:
    """One round of closed-form ridge at every skew: the accuracy and the very same bytes."""
    command = "ostrom demo --algorithm ridge --skew SHARE"
    runs = [run_demo("--algorithm", "ridge", "--skew", skew) for skew in SKEWS]
    worst = min(summary["final"]["accuracy"] for summary, _, _ in runs)
    yield Result(
        "Ridge, one round, worst of 10 %, 50 %, 90 %, 100 % one digit: test accuracy",
        100 * worst,
        "%",
        98.5,
        "68.9 % (best gradient method, 50 rounds, 100 % one digit)",
        "higher",
        command,
    )
    yield Result(
        "Ridge: different models over those partitions",
        float(len({digest for _, _, digest in runs})),
        "",
        1.0,
        "",
        "lower",
        command,
    )


def measure_digits() -> Iterable[Result]:
    """The small offline run."""
    command = "ostrom demo --dataset digits"
    summary, seconds, _ = run_demo("--dataset", "digits")
    yield Result(
        "Digits: whole run with audit",
        seconds,
        "s",
        30.0,
        "25 s (`flwr run`, 2 nodes, 3 empty rounds)",
        "lower",
        command,
    )
    yield Result(
        "Digits: test accuracy",
        100 * summary["final"]["accuracy"],
        "%",
        None,
        "",
        "higher",
        command,
    )
