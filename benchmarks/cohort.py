"""A hundred small clients a round: local training and aggregation, then the whole protocol.

The setting is FIELD's: 100 clients, MLP 784-64-10, 60 images each, batch 10, one local epoch.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.results import Result
from ostrom import simulate
from ostrom.aggregation import pipeline
from ostrom.data import load_dataset
from ostrom.tensors import quantise
from ostrom.training import build_model, local_algorithm, train_cohort

CLIENTS = 100
IMAGES = 60
FLOWER = "1.0 s (Flower 1.41, after 10 s of start-up)"


def measure() -> Iterable[Result]:
    """Seconds a round."""
    yield Result(
        "100 clients, MLP, one round: training and aggregation",
        training_seconds(),
        "s",
        0.1,
        FLOWER,
        "lower",
        "python -m benchmarks cohort",
    )
    for validators in (1, 4):
        yield Result(
            f"the same with chain, store, scoring and audit, {validators} validator(s)",
            protocol_seconds(validators),
            "s",
            1.0,
            FLOWER,
            "lower",
            "python -m benchmarks cohort",
        )


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
        updates = train_cohort(model, algorithm, parameters, parts, seeds, workers=2)
        stack = np.stack([update.values for update in updates])
        weights = np.array([update.samples for update in updates])
        delta, _ = rule.aggregate(stack, weights, {})
        parameters = (parameters + delta).astype(np.int32)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def protocol_seconds(validators: int, short: int = 2, long: int = 10) -> float:
    """What one more round costs, everything included: a long run less a short one.

    Set-up (contracts, joining, reading data) is the same in both, as Flower's start-up is not in
    its second either.
    """
    return (run_seconds(validators, long) - run_seconds(validators, short)) / (long - short)


def run_seconds(validators: int, rounds: int) -> float:
    """Seconds of a whole run: training, store, chain, scoring, aggregation, measuring, audit."""
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
        stages: dict[str, float] = run.summary["totals"]["seconds_by_stage"]
        return sum(stages.values()) - stages["report"]
