"""A cohort of small models in lock-step: one `torch.func.vmap` call for a chunk of trainers.

Trainers with fewer examples take fewer steps and shorter batches: padding has weight zero, and a
trainer that is done stands still. Chunks have a fixed size, so threads cannot change the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn import functional

from ostrom.data import Dataset
from ostrom.tensors import dequantise
from ostrom.training.local import Descent, difference
from ostrom.training.models import Model
from ostrom.training.threads import one_thread, threads
from ostrom.types import IntVector, Update

CHUNK = 25


def descend_together(
    model: Model,
    settings: Descent,
    params: IntVector,
    *,
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
    workers: int,
) -> list[Update]:
    """Gradient descent for all trainers; the update of each, in order."""
    starts = range(0, len(datasets), CHUNK)
    chunks = [(datasets[i : i + CHUNK], seeds[i : i + CHUNK]) for i in starts]

    def work(chunk: tuple[Sequence[Dataset], Sequence[int]]) -> list[Update]:
        return _descend_chunk(model, settings, params, datasets=chunk[0], seeds=chunk[1])

    with one_thread():
        if workers == 1:
            return [update for chunk in chunks for update in work(chunk)]
        with threads(workers) as pool:
            return [update for updates in pool.map(work, chunks) for update in updates]


@dataclass(frozen=True)
class Schedule:
    """What every trainer does at every step: `rows` (steps, n, batch) of its examples, each with a
    weight (steps, n, batch) that sums to 1 over a batch, or to 0 where the trainer is done."""

    rows: Tensor
    weights: Tensor


def schedule(sizes: Sequence[int], settings: Descent, seeds: Sequence[int]) -> Schedule:
    """Lay the trainers' batches side by side.

    >>> plan = schedule([2, 5], Descent(epochs=1, lr=0.1, batch=4, momentum=0.0), [7, 8])
    >>> plan.weights.sum(dim=2).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    steps = settings.epochs * -(-max(sizes) // settings.batch)
    width = min(settings.batch, max(sizes))
    rows = np.zeros((steps, len(sizes), width), np.int64)
    weights = np.zeros(rows.shape, np.float32)
    for i, (size, seed) in enumerate(zip(sizes, seeds)):
        rng = np.random.default_rng(seed)
        rng.integers(1 << 62)  # dropout's seed, so that every executor sees the same batches
        for step, chosen in enumerate(settings.batches(size, rng)):
            rows[step, i, : len(chosen)] = chosen
            weights[step, i, : len(chosen)] = 1 / len(chosen)
    return Schedule(torch.from_numpy(rows), torch.from_numpy(weights))


def _descend_chunk(
    model: Model,
    settings: Descent,
    params: IntVector,
    *,
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
) -> list[Update]:
    plan = schedule([len(data) for data in datasets], settings, seeds)
    x, y = (_stack(parts) for parts in zip(*(_prepared(model, data) for data in datasets)))
    start = torch.from_numpy(dequantise(params))
    weights = start.repeat(len(datasets), 1)
    velocity = torch.zeros_like(weights)
    gradients = vmap(grad(partial(_loss, model)))
    trainers = torch.arange(len(datasets))[:, None]
    for rows, shares in zip(plan.rows, plan.weights):
        g = gradients(weights, x[trainers, rows], y[trainers, rows], shares)
        if settings.proximal:
            g = g + settings.proximal * (weights - start)
        _step(weights, velocity, g, settings=settings, shares=shares)
    return [Update(difference(after, start), len(data)) for after, data in zip(weights, datasets)]


def _loss(model: Model, params: Tensor, x: Tensor, y: Tensor, shares: Tensor) -> Tensor:
    entropies = functional.cross_entropy(model.logits(params, x), y, reduction="none")
    return (entropies * shares).sum()


def _step(
    weights: Tensor, velocity: Tensor, gradient: Tensor, *, settings: Descent, shares: Tensor
) -> None:
    active = shares.sum(dim=1) > 0
    if bool(active.all()):
        velocity.mul_(settings.momentum).add_(gradient)
        weights.sub_(velocity, alpha=settings.lr)
    else:
        velocity[active] = velocity[active].mul_(settings.momentum).add_(gradient[active])
        weights[active] = weights[active].sub_(velocity[active], alpha=settings.lr)


def _prepared(model: Model, data: Dataset) -> tuple[Tensor, Tensor]:
    return model.prepare(data.x), torch.from_numpy(data.y)


def _stack(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of different lengths as one (n, longest, ...), padded with zeros."""
    longest = max(len(part) for part in parts)
    stacked = parts[0].new_zeros((len(parts), longest, *parts[0].shape[1:]))
    for i, part in enumerate(parts):
        stacked[i, : len(part)] = part
    return stacked
