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
from ostrom.training.catalogue import build_model
from ostrom.training.local import LocalAlgorithm, check_data, local_algorithm
from ostrom.training.models import Model, Shape
from ostrom.training.vectorised import descend_together
from ostrom.training.workers import run_all
from ostrom.types import IntVector, Update


def train_cohort(
    model: Model,
    algorithm: LocalAlgorithm,
    params: IntVector,
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
    *,
    workers: int = 1,
) -> list[Update]:
    """One round of local training: the update of every trainer, in order.

    `params` (d,) int32 is the round's model; trainer i has `datasets[i]` and the generator
    `numpy.random.default_rng(seeds[i])`. With `workers` > 1 the work is spread over that many
    processes (threads, for small models); the bytes are the same for every number of workers.

    Raises:
        InputError: data that do not fit the model, or training that diverges.

    >>> from ostrom.data import load_dataset
    >>> digits = load_dataset("digits").train
    >>> model = build_model("logistic", shape=digits.shape, classes=10)
    >>> start = np.zeros(model.parameters, np.int32)
    >>> updates = train_cohort(model, local_algorithm("fedavg"), start, [digits] * 2, [1, 2])
    >>> [update.samples for update in updates]
    [1797, 1797]
    """
    if workers < 1 or len(datasets) != len(seeds):
        raise InputError("train_cohort needs one seed for each data set and at least 1 worker")
    for data in datasets:
        check_data(model, params, data)
    if model.small and algorithm.descent is not None:
        together = (model, algorithm.descent, params)
        return descend_together(*together, datasets=datasets, seeds=seeds, workers=workers)
    named = (model.text, model.shape, model.classes, algorithm.text)
    tasks = [(named, params, data, seed) for data, seed in zip(datasets, seeds)]
    return run_all(_train_one, tasks, workers)


Named = tuple[str, Shape, int, str]


def _train_one(named: Named, params: IntVector, data: Dataset, seed: int) -> Update:
    model, algorithm = _built(named)
    update, _ = algorithm(model, params, data, np.random.default_rng(seed), {})
    return update


@lru_cache(maxsize=8)
def _built(named: Named) -> tuple[Model, LocalAlgorithm]:
    text, shape, classes, algorithm = named
    return build_model(text, shape=shape, classes=classes), local_algorithm(algorithm)
