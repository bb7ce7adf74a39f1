"""Label skew: MNIST with one and two classes per trainer, against the best published numbers.

NIID-Bench's protocol: 10 trainers who all take part, at most 50 rounds, the 60,000 official
training images divided by class, the 10,000 official test images for the accuracy, a network of
LeNet's size, no public data. Updates pass through the pipeline that validators compute. The
accuracy is that of the model after the last round, never the best of the rounds.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
RIDGE_FEATURES = 3_200


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


def measure_ridge() -> Iterable[Result]:
    """One class per trainer: closed-form ridge in the first round, then five of fine-tuning."""
    both = [run_ridge(seed) for seed in SEEDS]
    for title, goal, last in (
        ("ridge, after round 1", 98.5, tuple(one[0] for one in both)),
        ("ridge and 5 rounds of fine-tuning", 99.0, tuple(one[-1] for one in both)),
    ):
        yield Result(
            *(f"MNIST, one class per trainer, {title}", statistics.mean(last), "%", goal, ""),
            better="higher",
            command="python -m benchmarks skew_ridge",
            values=last,
            setting=f"10 trainers, all 60,000 images by class, {RIDGE_FEATURES:,} random "
            f"convolutional features, accuracy of the last model; feature seeds {SEEDS}",
        )


def run_ridge(seed: int, *, workers: int = 1) -> list[float]:
    """The test accuracy in percent after the ridge round and after each round of fine-tuning."""
    dealt, test = _mnist("classes(k=1)", seed)
    model = f"ridge_features(features={RIDGE_FEATURES},seed={seed})"
    solving = f"ridge_solve(classes=10,features={RIDGE_FEATURES},keep=1)"
    first = Setting("", "ridge", f"sum|{solving}", model, rounds=1)
    second = replace(first, algorithm="ridge_tuning", rule="sum", rounds=5)
    task = Task(dealt, test)
    return [
        *_rounds(first, seed, task, workers=workers),
        *_rounds(second, seed, task, workers=workers),
    ]


def run(setting: Setting, seed: int, *, workers: int = 2) -> list[float]:
    """The test accuracy in percent after every round, which is also written to stderr."""
    return list(_rounds(setting, seed, Task(*_mnist(setting.partition, seed)), workers=workers))


def _mnist(dealt: str, seed: int) -> tuple[list[Dataset], Dataset]:
    """The official training images as dealt, and the official test images."""
    source = load_dataset("mnist")
    if source.test is None:
        raise DatasetError("the skew benchmark needs MNIST's official test images")
    indices = partition(dealt, source.train.y, TRAINERS, np.random.default_rng(seed))
    return [source.train.subset(mine) for mine in indices], source.test


@dataclass
class Task:
    """Data, and the model file that the next round starts from."""

    parts: Sequence[Dataset]
    test: Dataset
    params: IntVector | None = None
    memory: Mapping[str, IntVector] = field(default_factory=dict)


def _rounds(setting: Setting, seed: int, task: Task, *, workers: int) -> Iterator[float]:
    parts, test = task.parts, task.test
    model = build_model(setting.model, shape=test.shape, classes=test.classes)
    algorithm = local_algorithm(setting.algorithm)
    server = algorithm.server(model)
    if server.startswith("natural_step"):
        server = f"{server[:-1]},last={setting.rounds})"
    text = f"{setting.rule}|{server}" if server and "|" not in setting.rule else setting.rule
    pipe = pipeline(text)
    params: IntVector = quantise(model.initial(seed)) if task.params is None else task.params
    fresh, states = pipe.initial_state(algorithm.length(model)), None
    memory = {name: task.memory.get(name, part) for name, part in fresh.items()}
    weights = np.array([len(part) for part in parts])
    for number in range(1, setting.rounds + 1):
        seeds = [int(one) for one in np.random.SeedSequence([seed, number]).generate_state(10)]
        start = Start(params, dict(memory), number)
        made = train_cohort(model, algorithm, start, parts, seeds, states, workers=workers)
        states = [state for _, state in made]
        rows = np.stack([update.values for update, _ in made])
        delta, after = pipe.aggregate(rows, weights, memory)
        params, memory = add_saturating(params, delta), dict(after)
        task.params, task.memory = params, memory
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
