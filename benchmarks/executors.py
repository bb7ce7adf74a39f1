"""Training of cohorts: which way to gradients is the fastest, and what one of many trainers costs.

A model takes the way to its gradients that its `layered` and `small` say, which its factory sets by
this table; it depends on nothing else, so that every number of workers makes the same bytes.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable

import numpy as np
import torch

from benchmarks.results import Result
from ostrom.data import load_dataset
from ostrom.tensors import quantise
from ostrom.training import (
    MODELS,
    Model,
    Start,
    build_model,
    local_algorithm,
    train_cohort,
)
from ostrom.training.batches import Batch, Way, layered, looped, mapped, way_of
from ostrom.training.cohort import chunk_size
from ostrom.training.threads import one_thread

COMMAND = "python -m benchmarks executors"
CROWD = 10_000
IMAGES = 60
TRAINERS = 20
BATCH = 10
CASES = (
    ("logistic", (28, 28)),
    ("mlp(hidden=64)", (28, 28)),
    ("mlp(hidden=64)", (8, 8)),
    ("federated_net(dropout=0)", (28, 28)),
    ("federated_net(dropout=0)", (16, 16)),
    ("federated_net(dropout=0)", (8, 8)),
    ("transformer", (16,)),
)
WAYS: dict[str, Way] = {"layered": layered, "mapped": mapped, "looped": looped}


def measure() -> Iterable[Result]:
    """Processor time of one trainer's gradient by each way, and of one trainer among many."""
    yield from measure_ways()
    yield from measure_crowd()


def measure_crowd() -> Iterable[Result]:
    """Local training alone: MLP 784-64-10, 60 images each, batch 10, one epoch, two threads."""
    few, many = (trainer_microseconds(trainers) for trainers in (100, CROWD))
    setting = f"{few:.0f} µs of processor time among 100, {many:.0f} among {CROWD:,}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    common = ("", "lower", COMMAND, (), setting)
    yield Result(f"Training one of {CROWD:,} over one of 100", many / few, "x", 1.3, *common)
    yield Result(f"Memory of training {CROWD:,} in one call", peak, "GiB", 24.0, *common)


def trainer_microseconds(trainers: int) -> float:
    """The least of a few rounds, after one that warms up."""
    data = load_dataset("mnist").train
    starts = [i * IMAGES % (len(data) - IMAGES) for i in range(trainers)]
    parts = [data.subset(np.arange(start, start + IMAGES)) for start in starts]
    model = build_model("mlp(hidden=64)", shape=data.shape, classes=10)
    start, algorithm = Start(quantise(model.initial(0))), local_algorithm("fedavg(batch=10)")
    taken = []
    for _ in range(1 + max(2, 1_000 // trainers)):
        began = time.process_time()
        train_cohort(model, algorithm, start, parts, range(trainers), workers=2)
        taken.append(time.process_time() - began)
    return min(taken[1:]) / trainers * 1e6


def measure_ways() -> Iterable[Result]:
    """Each way's gradients, one thread."""
    assert {text.split("(")[0] for text, _ in CASES} <= set(MODELS)
    for text, shape in CASES:
        size = " x ".join(map(str, shape))
        model = build_model(text, shape=shape, classes=10)
        taken = {
            name: microseconds(model, way)
            for name, way in WAYS.items()
            if way is not layered or model.layered
        }
        chosen = next(name for name, way in WAYS.items() if way is way_of(model))
        others = ", ".join(f"{name} {taken[name]:.0f}" for name in taken if name != chosen)
        yield Result(
            f"Gradient of one trainer, {text}, {size}, batch {BATCH}: {chosen}",
            round(taken[chosen], 1),
            "µs",
            round(min(taken.values()), 1),
            f"{others} (the other ways)",
            "lower",
            COMMAND,
        )


def microseconds(model: Model, way: Way, repeats: int = 15) -> float:
    """The best of some rounds, per trainer, trainers in chunks as `train_cohort` cuts them."""
    generator = torch.Generator().manual_seed(0)
    size = min(TRAINERS, chunk_size(model))
    weights = torch.rand((size, model.parameters), generator=generator) / 10
    raw = np.random.default_rng(0).integers(0, model.classes, (size * BATCH, *model.shape))
    x = model.prepare(raw.astype(np.uint8)).unflatten(0, (size, BATCH))
    y = torch.randint(model.classes, (size, BATCH), generator=generator)
    batch = Batch(x, y, torch.full((size, BATCH), 1 / BATCH))
    into, best = torch.zeros_like(weights), float("inf")
    with one_thread(), torch.no_grad():
        gradients = way(model, weights, into)
        for _ in range(repeats):
            began = time.process_time()
            gradients(batch, (0.9, 1.0))
            best = min(best, time.process_time() - began)
    return best / size * 1e6
