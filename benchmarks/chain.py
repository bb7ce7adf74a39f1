"""What a round costs on the chain, from the receipts of real transactions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.results import Result
from ostrom import simulate

COMMAND = "python -m benchmarks gas"


def gas_of(trainers: int) -> dict[str, int]:
    """Gas by phase of a later round, when every slot has been written before."""
    with tempfile.TemporaryDirectory() as folder:
        run = simulate(
            dataset="mnist",
            clients=trainers,
            rounds=3,
            samples=10 * trainers,
            skew="iid",
            model="logistic",
            workers=1,
            out=Path(folder) / "run",
        )
        gas: dict[str, int] = run.summary["rounds"][-1]["gas"]
        return gas


def measure() -> Iterable[Result]:
    """Gas per trainer in a batch of 100, and of a whole round of 16."""
    batch = gas_of(100)
    yield Result(
        "Commit and reveal, per trainer in a batch of 100",
        (batch["commit"] + batch["reveal"]) / 100,
        "gas",
        25_000.0,
        "125,000 to 702,000 (2CP, ChainLearn, OpenFL)",
        "lower",
        COMMAND,
    )
    whole = gas_of(16)
    yield Result(
        "A settled round of 16 trainers and 4 validators",
        float(sum(whole.values())),
        "gas",
        1_500_000.0,
        "27,000,000 (OpenFL, 16 participants)",
        "lower",
        COMMAND,
    )
