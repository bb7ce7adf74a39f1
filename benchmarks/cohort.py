"""A hundred small clients a round, beside Flower; and a round of ten thousand.

The setting of the first is FIELD's: 100 clients, MLP 784-64-10, 60 images each, batch 10, one local
epoch. Flower runs beside it where `OSTROM_FLOWER_PYTHON` names an interpreter that has numpy and
`flwr[simulation]` (`benchmarks/flower_app.py`); otherwise its recorded second stands in.

`python -m benchmarks.cohort CLIENTS` measures a whole round of so many trainers once.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.results import ROOT, Result
from ostrom import Run, simulate
from ostrom.aggregation import pipeline
from ostrom.data import load_dataset
from ostrom.tensors import quantise
from ostrom.training import Start, build_model, local_algorithm, train_cohort

CLIENTS = 100
IMAGES = 60
FLOWER_SECONDS = 1.0
"""A round of Flower 1.41 on two quiet cores, after ten seconds of start-up."""

SIZES = (100, 1_000, 10_000)
FEW = 4
"""Images of each of up to ten thousand trainers."""

COMMAND = "python -m benchmarks cohort"

BESIDE = ("evaluation", "audit")
"""Stages that are no part of a round: Flower's app evaluates nobody and audits nothing either."""


@dataclass(frozen=True)
class Flower:
    """What a round takes in Flower, and where that number is from."""

    seconds: float
    source: str


def measure() -> Iterable[Result]:
    """Seconds a round, and how many times faster than Flower that is."""
    flower, training = flower_round(), training_seconds()
    yield _seconds("100 clients, MLP, one round: training and aggregation", training, 0.1)
    yield _ratio("Flower's round over that one", flower.seconds / training, 20.0)
    for validators in (1, 4):
        spent = round_seconds(validators)
        protocol = sum(seconds for stage, seconds in spent.items() if stage not in BESIDE)
        parties = f"{validators} validator(s)"
        yield _seconds(f"the same with store, chain, scoring and payouts, {parties}", protocol, 0.2)
        yield _ratio(
            f"Flower's round over the whole protocol's, {parties}", flower.seconds / protocol, 5.0
        )
        yield _seconds(
            f"the same with measuring on test data and an audit, {parties}",
            sum(spent.values()),
            setting="milliseconds: "
            + ", ".join(f"{stage} {1e3 * seconds:.0f}" for stage, seconds in spent.items()),
        )


def measure_scale() -> Iterable[Result]:
    """What a trainer costs in a round of 10,000 over what it costs in one of 100."""
    scale_run(3)  # what is imported and compiled once is nobody's cost
    each = {clients: trainer_seconds(clients) for clients in SIZES}
    yield Result(
        "A whole round with 10,000 trainers: cost of a trainer over that among 100",
        each[SIZES[-1]] / each[SIZES[0]],
        "x",
        1.3,
        "",
        "lower",
        "python -m benchmarks scale",
        setting=f"logistic regression on MNIST, {FEW} images each, 1 validator, everything from "
        "joining to claims and audit; milliseconds a trainer: "
        + ", ".join(f"{1e3 * value:.1f} of {clients:,}" for clients, value in each.items()),
    )


def _seconds(name: str, value: float, goal: float | None = None, setting: str = "") -> Result:
    source = flower_round().source
    return Result(name, value, "s", goal, source, "lower", COMMAND, setting=setting)


def _ratio(name: str, value: float, goal: float) -> Result:
    return Result(name, value, "x", goal, flower_round().source, "higher", COMMAND)


@cache
def flower_round(rounds: int = 6) -> Flower:
    """Flower's median round after its first, on as many processes as this machine has cores."""
    python = os.environ.get("OSTROM_FLOWER_PYTHON", "")
    if not python:
        return Flower(FLOWER_SECONDS, f"{FLOWER_SECONDS} s (Flower 1.41, recorded, not this run)")
    images = load_dataset("mnist").train.subset(np.arange(CLIENTS * IMAGES))
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "x.npy", images.x.reshape(len(images), -1))
        np.save(Path(folder) / "y.npy", images.y)
        app = ROOT / "benchmarks" / "flower_app.py"
        words = [python, str(app), folder, *map(str, (rounds, CLIENTS, os.cpu_count() or 1))]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    seconds = statistics.median(found["rounds"])
    start = f"after {found['start_up']:.0f} s of start-up"
    return Flower(seconds, f"{seconds:.2f} s (Flower {found['flwr']}, same run, {start})")


def training_seconds(rounds: int = 11) -> float:
    """The median round, after one that warms up."""
    data = load_dataset("mnist").train
    parts = [data.subset(np.arange(i * IMAGES, (i + 1) * IMAGES)) for i in range(CLIENTS)]
    model = build_model("mlp(hidden=64)", shape=data.shape, classes=10)
    algorithm, rule = local_algorithm("fedavg(batch=10)"), pipeline("mean")
    parameters = quantise(model.initial(0))
    seconds = []
    for number in range(rounds):
        began = time.perf_counter()
        seeds = [number * CLIENTS + i for i in range(CLIENTS)]
        made = train_cohort(model, algorithm, Start(parameters), parts, seeds, workers=2)
        stack = np.stack([update.values for update, _ in made])
        weights = np.array([update.samples for update, _ in made])
        delta, _ = rule.aggregate(stack, weights, {})
        parameters = (parameters + delta).astype(np.int32)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def round_seconds(validators: int, short: int = 2, long: int = 10) -> dict[str, float]:
    """What one more round costs, by stage: a long run less a short one.

    Set-up (contracts, joining, reading data) is the same in both, as Flower's start-up is not in
    its second either.
    """
    more, less = run_seconds(validators, long), run_seconds(validators, short)
    return {stage: (more[stage] - less.get(stage, 0.0)) / (long - short) for stage in more}


def run_seconds(validators: int, rounds: int) -> dict[str, float]:
    """Seconds of a whole run by stage, `evaluation` on test data and `audit` among them."""
    with tempfile.TemporaryDirectory() as folder:
        run = simulate(
            dataset="mnist",
            clients=CLIENTS,
            rounds=rounds,
            samples=CLIENTS * IMAGES,
            skew="iid",
            model="mlp(hidden=64)",
            algorithm="fedavg(batch=10)",
            validators=validators,
            workers=2,
            out=Path(folder) / "run",
        )
        return stages(run)


def stages(run: Run) -> dict[str, float]:
    """Where a run's seconds went, without the pictures that a person looks at."""
    found: dict[str, float] = run.summary["totals"]["seconds_by_stage"]
    return {stage: value for stage, value in found.items() if stage != "report"}


def trainer_seconds(clients: int) -> float:
    """Seconds a trainer of a whole run of one round, from its joining to its claim and the audit.

    What a run costs without any trainer (contracts, data, a first model) is taken off as the cost
    of a run with two.
    """
    without = scale_run(2)
    return (scale_run(clients) - without) / clients


@cache
def scale_run(clients: int) -> float:
    """Seconds of a run of one round with so many trainers; its peak memory is printed."""
    with tempfile.TemporaryDirectory() as folder:
        run = simulate(
            dataset="mnist",
            clients=clients,
            rounds=1,
            samples=clients * FEW,
            skew="iid",
            model="logistic",
            algorithm="fedavg(batch=4)",
            validators=1,
            workers=1,
            out=Path(folder) / "run",
        )
        audit = run.summary["audit"]
        assert audit["passed"], audit
        spent = stages(run)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    shares = {stage: round(seconds, 2) for stage, seconds in spent.items()}
    print(f"{clients} trainers: peak {memory} MiB, seconds by stage {shares}", flush=True)
    return sum(spent.values())


if __name__ == "__main__":
    print(f"{1e3 * trainer_seconds(int(sys.argv[1])):.2f} ms a trainer")
