"""Train many trainers of one round: one interface, several executors, the same bytes.

Small models (`Model.small`) go through one `torch.func.vmap` call per chunk of trainers, other
models through worker processes. Which way is taken depends on model and algorithm alone and never
on `workers`, so that the number of workers changes the time and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.training.catalogue import build_model, local_algorithm
from ostrom.training.descent import Descent, Trainer
from ostrom.training.local import LocalAlgorithm, Start, State, check_data
from ostrom.training.lockstep import train_together
from ostrom.training.models import Model, Shape
from ostrom.training.threads import one_thread
from ostrom.training.workers import run_all
from ostrom.types import Update

CHUNK_VALUES = 1 << 19
CHUNK_TRAINERS = 64


def train_cohort(
    model: Model,
    algorithm: LocalAlgorithm,
    start: Start,
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
    states: Sequence[State] | None = None,
    *,
    workers: int = 1,
) -> list[tuple[Update, State]]:
    """One round of local training: the update and the next state of every trainer, in order.

    `start` is the round's model; trainer i has `datasets[i]`, `states[i]` (empty without `states`)
    and the generator `numpy.random.default_rng(seeds[i])`. With `workers` > 1 the work is spread
    over that many processes (threads, for small models); the bytes are the same for every number
    of workers.

    Raises:
        InputError: data that do not fit the model, or training that diverges.

    >>> from ostrom.data import load_dataset
    >>> digits = load_dataset("digits").train
    >>> model = build_model("logistic", shape=digits.shape, classes=10)
    >>> start = Start(np.zeros(model.parameters, np.int32))
    >>> trained = train_cohort(model, local_algorithm("fedavg"), start, [digits] * 2, [1, 2])
    >>> [update.samples for update, state in trained]
    [1797, 1797]
    """
    if workers < 1 or len(datasets) != len(seeds):
        raise InputError("train_cohort needs one seed for each data set and at least 1 worker")
    kept = [{}] * len(datasets) if states is None else states
    if len(kept) != len(datasets):
        raise InputError("train_cohort needs one state for each data set, or none at all")
    for data in datasets:
        check_data(model, start.parameters, data)
    if model.small and algorithm.descent:
        trainers = [Trainer(model, start, data, state) for data, state in zip(datasets, kept)]
        return _side_by_side(algorithm.descent, trainers, seeds, workers)
    named = (model.text, model.shape, model.classes, algorithm.text)
    tasks = [(named, start, *each) for each in zip(datasets, seeds, kept)]
    return run_all(_train_one, tasks, workers)


def _side_by_side(
    passes: Sequence[Descent], trainers: Sequence[Trainer], seeds: Sequence[int], workers: int
) -> list[tuple[Update, State]]:
    """Train in chunks of a fixed size, so that the number of threads cannot change the bytes."""
    # Trainers of about one size share a chunk: no step waits for the longest of them.
    order = sorted(range(len(trainers)), key=lambda i: -len(trainers[i].data))
    size = chunk_size(trainers[0].model) if trainers else 1
    chunks = [order[i : i + size] for i in range(0, len(order), size)]

    def work(chunk: Sequence[int]) -> list[tuple[Update, State]]:
        rngs = [np.random.default_rng(seeds[i]) for i in chunk]
        return train_together(passes, [trainers[i] for i in chunk], rngs)

    with one_thread():
        parts = run_all(work, [(chunk,) for chunk in chunks], workers, threads=True)
    made = dict(zip(order, (one for part in parts for one in part)))
    return [made[i] for i in range(len(trainers))]


def chunk_size(model: Model) -> int:
    """How many trainers go side by side: so many that their numbers stay in a core's cache.

    >>> chunk_size(build_model("mlp", shape=(28, 28), classes=10))
    10
    """
    return max(1, min(CHUNK_TRAINERS, CHUNK_VALUES // model.parameters))


Named = tuple[str, Shape, int, str]


def _train_one(
    named: Named, start: Start, data: Dataset, seed: int, state: State
) -> tuple[Update, State]:
    model, algorithm = _built(named)
    return algorithm(model, start, data, np.random.default_rng(seed), state)


@lru_cache(maxsize=8)
def _built(named: Named) -> tuple[Model, LocalAlgorithm]:
    text, shape, classes, algorithm = named
    return build_model(text, shape=shape, classes=classes), local_algorithm(algorithm)
