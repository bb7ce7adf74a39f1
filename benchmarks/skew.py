"""Label skew: MNIST with one and two classes per trainer, against the best published numbers.

NIID-Bench's protocol: 10 trainers who all take part, at most 50 rounds, the 60,000 official
training images divided by class, the 10,000 official test images for the accuracy, a network of
LeNet's size, no public data. Updates pass through the pipeline that validators compute. The
accuracy is that of the model after the last round, never the best of the rounds.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.results import Result
from ostrom.aggregation import pipeline
from ostrom.data import Dataset, load_dataset, partition
from ostrom.errors import DatasetError
from ostrom.tensors import add_saturating, quantise
from ostrom.training import Start, build_model, evaluate, local_algorithm, train_cohort
from ostrom.types import IntVector

TRAINERS = 10
SEEDS = (0, 1)


@dataclass(frozen=True)
class Setting:
    """One run: what is trained by what, on which partition, for how many rounds."""

    partition: str
    algorithm: str = "natural(share=0.1)"
    rule: str = "sum"
    model: str = "lenet(gain=2)"
    rounds: int = 50


USUAL = "batch=64,epochs=10,lr=0.01,momentum=0.9"
OTHERS = {
    "FedAvg": (f"fedavg({USUAL})", "mean"),
    "SCAFFOLD": ("scaffold(batch=64,epochs=10,lr=0.01)", "mean(weights=equal)"),
    "FedDyn": ("feddyn(batch=64,epochs=10,lr=0.01)", "mean(weights=equal)"),
}
"""What others do, as Ostrom runs it: local algorithm and rule."""


def measure_one_class() -> Iterable[Result]:
    """One class per trainer."""
    best = "68.9 (best published: FedAdagrad)"
    yield from _measure("one class per trainer", "classes(k=1)", 97.0, best, name="skew_one")


def measure_two_classes() -> Iterable[Result]:
    """Two classes per trainer."""
    yield from _measure(
        "two classes per trainer", "classes(k=2)", 98.5, "96.9 (best published)", name="skew_two"
    )


def measure_others() -> Iterable[Result]:
    """Other algorithms on the same partitions and network, one seed."""
    for words, dealt in (("one class", "classes(k=1)"), ("two classes", "classes(k=2)")):
        for title, (algorithm, rule) in OTHERS.items():
            last = (run(Setting(dealt, algorithm, rule, "lenet"), SEEDS[0])[-1],)
            yield _row(f"MNIST, {words} per trainer, {title} here", last, None, "", "skew_others")


def run(setting: Setting, seed: int, *, workers: int = 2) -> list[float]:
    """The test accuracy in percent after every round, which is also written to stderr."""
    source = load_dataset("mnist")
    if source.test is None:
        raise DatasetError("the skew benchmark needs MNIST's official test images")
    dealt = partition(setting.partition, source.train.y, TRAINERS, np.random.default_rng(seed))
    parts = [source.train.subset(indices) for indices in dealt]
    return list(_rounds(setting, seed, parts, source.test, workers=workers))


def _rounds(
    setting: Setting, seed: int, parts: Sequence[Dataset], test: Dataset, *, workers: int
) -> Iterator[float]:
    model = build_model(setting.model, shape=test.shape, classes=test.classes)
    algorithm = local_algorithm(setting.algorithm)
    server = algorithm.server(model)
    if server.startswith("natural_step"):
        server = f"{server[:-1]},last={setting.rounds})"
    pipe = pipeline("|".join(text for text in (setting.rule, server) if text))
    params: IntVector = quantise(model.initial(seed))
    memory, states = pipe.initial_state(algorithm.length(model)), None
    weights = np.array([len(part) for part in parts])
    for number in range(1, setting.rounds + 1):
        seeds = [int(one) for one in np.random.SeedSequence([seed, number]).generate_state(10)]
        start = Start(params, memory, number)
        made = train_cohort(model, algorithm, start, parts, seeds, states, workers=workers)
        states = [state for _, state in made]
        rows = np.stack([update.values for update, _ in made])
        delta, memory = pipe.aggregate(rows, weights, memory)
        params = add_saturating(params, delta)
        accuracy = 100 * evaluate(model, params, test).accuracy
        note = f"{setting.partition} {setting.algorithm} seed {seed} round {number}"
        print(f"{note}: {accuracy:.2f} %", file=sys.stderr, flush=True)
        yield accuracy


def _measure(words: str, dealt: str, goal: float, reference: str, *, name: str) -> Iterable[Result]:
    """The mean over seeds against the goal, then the worst and the best seed."""
    title = f"MNIST, {words}, 50 rounds, natural gradient"
    last = tuple(run(Setting(dealt), seed)[-1] for seed in SEEDS)
    yield _row(title, last, goal, reference, name)


def _row(
    title: str, last: tuple[float, ...], goal: float | None, reference: str, name: str
) -> Result:
    return Result(
        *(title, statistics.mean(last), "%", goal, reference, "higher"),
        command=f"python -m benchmarks {name}",
        values=last,
        setting="NIID-Bench: 10 trainers, all 60,000 images by class, at most 50 rounds, LeNet, "
        f"test accuracy of the last model; seeds {SEEDS[: len(last)]}",
    )
