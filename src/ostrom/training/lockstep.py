"""Gradient descent of many trainers of one model side by side: the one loop of all that descend.

Trainers with fewer examples take fewer steps and shorter batches: padding has weight zero, and a
trainer that is done stands still. The loop is the same for one trainer as for many.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, only
from ostrom.tensors import FRACTION_BITS, dequantise
from ostrom.training.batches import Batch, looped, way_of
from ostrom.training.descent import Descent, Outcome, Terms, Trainer
from ostrom.training.local import LocalAlgorithm, Start, State
from ostrom.training.models import Model
from ostrom.training.threads import one_thread
from ostrom.types import IntVector, Update

COMMON: dict[str, Any] = {
    "epochs": 1,
    "lr": 0.05,
    "batch": 32,
    "momentum": 0.9,
    "schedule": "constant",
}
"""What every algorithm by gradient descent takes, and the usual values."""


def by_gradient(
    *without: str, **defaults: Any
) -> Callable[[Callable[..., LocalAlgorithm]], Callable[..., LocalAlgorithm]]:
    """Make a factory take the arguments of `COMMON` (save those in `without`) beside its own.

    The factory gets them as one `Descent`, and the algorithm gets its canonical text.
    """
    common = {name: value for name, value in {**COMMON, **defaults}.items() if name not in without}

    def decorate(make: Callable[..., LocalAlgorithm]) -> Callable[..., LocalAlgorithm]:
        own = list(inspect.signature(make).parameters.values())[1:]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value,
                              annotation=type(value).__name__)
            for name, value in common.items()
        ]  # fmt: skip
        signature = inspect.Signature([*own, *shared], return_annotation=LocalAlgorithm)

        @wraps(make)
        def factory(**arguments: Any) -> LocalAlgorithm:
            bound = signature.bind(**arguments)
            bound.apply_defaults()
            settings = {name: bound.arguments[name] for name in common}
            mine = {one.name: bound.arguments[one.name] for one in own}
            made = make(Descent(**settings), **mine)
            return replace(made, text=only(Mechanism(make.__name__, bound.arguments).text).text)

        factory.__signature__ = signature  # type: ignore[attr-defined]
        return factory

    return decorate


def descents(*passes: Descent, **fields: Any) -> LocalAlgorithm:
    """A local algorithm of descents, one after the other; each takes up what the last one kept."""
    return LocalAlgorithm("", partial(_run, passes), passes, **fields)


def _run(
    passes: Sequence[Descent],
    model: Model,
    start: Start,
    data: Dataset,
    rng: np.random.Generator,
    state: State,
) -> tuple[Update, State]:
    with one_thread():
        return train_together(passes, [Trainer(model, start, data, state)], [rng])[0]


def train_together(
    passes: Sequence[Descent], trainers: Sequence[Trainer], rngs: Sequence[np.random.Generator]
) -> list[tuple[Update, State]]:
    """All passes for some trainers of one model and round; update and state of each, in order."""
    sent: list[IntVector | None] = [None] * len(trainers)
    states = [trainer.state for trainer in trainers]
    for one in passes:
        now = [replace(trainer, state=state) for trainer, state in zip(trainers, states)]
        for i, outcome in enumerate(_descend(one, now, rngs)):
            values, states[i] = one.finish(now[i], outcome)
            sent[i] = sent[i] if values is None else values
    made = zip(sent, trainers, states)
    return [(Update(v, len(trainer.data)), state) for v, trainer, state in made if v is not None]


@dataclass(frozen=True, eq=False)
class Plan:
    """What every trainer does at every step.

    `rows` (steps, n, batch) of the examples, laid one trainer after the other, each with a weight
    in `shares` (steps, n, batch) that sums to 1; the first `active` trainers are not done yet.
    """

    rows: Tensor
    shares: Tensor
    active: Sequence[int]


def plan(descent: Descent, sizes: Sequence[int], rngs: Sequence[np.random.Generator]) -> Plan:
    """Lay the trainers' batches side by side; `sizes` must not rise.

    >>> rngs = [np.random.default_rng(i) for i in (7, 8)]
    >>> made = plan(Descent(batch=4), [5, 2], rngs)
    >>> made.active, made.shares.sum(dim=2).tolist()
    ([2, 1], [[1.0, 1.0], [1.0, 0.0]])
    """
    counts = [descent.steps_for(size) for size in sizes]
    rows = np.zeros((counts[0], len(sizes), min(descent.batch, sizes[0])), np.int64)
    shares = np.zeros(rows.shape, np.float32)
    place = 0
    for i, (size, rng) in enumerate(zip(sizes, rngs)):
        own = _batch_rows(descent, size, rng, rows.shape[2])
        held = own >= 0
        rows[: counts[i], i] = np.where(held, own + place, place)
        shares[: counts[i], i] = held / held.sum(axis=1, keepdims=True)
        place += size
    active = [sum(count > step for count in counts) for step in range(counts[0])]
    return Plan(torch.from_numpy(rows), torch.from_numpy(shares), active)


def _batch_rows(
    descent: Descent, size: int, rng: np.random.Generator, width: int
) -> npt.NDArray[np.int64]:
    """What `Descent.batches` yields as rows (steps, width), padded with -1: faster for many."""
    steps, each = descent.steps_for(size), -(-size // descent.batch)
    epochs = -(-steps // each)
    rows = np.full((epochs, each * width), -1)
    for epoch in range(epochs):
        rows[epoch, :size] = rng.permutation(size)
    return rows.reshape(-1, width)[:steps]


@dataclass(frozen=True, eq=False)
class _Crowd:
    """The trainers' numbers, one row each; `extra` holds what their terms set, by name."""

    base: Tensor
    origin: Tensor
    weights: Tensor
    velocity: Tensor
    second: Tensor | None
    extra: dict[str, Tensor | None]
    taken: Tensor

    def first(self, active: int) -> _Crowd:
        """Views of the first rows."""
        return replace(
            self,
            weights=self.weights[:active],
            velocity=self.velocity[:active],
            second=None if self.second is None else self.second[:active],
            extra={k: None if v is None else v[:active] for k, v in self.extra.items()},
            taken=self.taken[:active],
        )


def _descend(
    descent: Descent, trainers: Sequence[Trainer], rngs: Sequence[np.random.Generator]
) -> list[Outcome]:
    # Those with the most examples stand first, so that the active ones are always the first ones.
    order = sorted(range(len(trainers)), key=lambda i: -len(trainers[i].data))
    sorted_trainers = [trainers[i] for i in order]
    crowd = _gather(descent, sorted_trainers)
    _walk(descent, crowd, sorted_trainers, [rngs[i] for i in order])
    outcomes = dict(zip(order, _outcomes(descent, crowd, sorted_trainers)))
    return [outcomes[i] for i in range(len(trainers))]


def _gather(descent: Descent, trainers: Sequence[Trainer]) -> _Crowd:
    terms = [descent.begin(trainer) for trainer in trainers]
    base = torch.from_numpy(dequantise(trainers[0].start.parameters))
    origins = [one.origin for one in terms if one.origin is not None]
    starts = [torch.from_numpy(dequantise(origin)) for origin in origins]
    origin = torch.stack(starts) if starts else base.expand(len(trainers), -1)
    velocity, second = _stacked(terms, "velocity"), _stacked(terms, "second")
    names = ("correction", "mask", "scales", "offsets")
    return _Crowd(
        base=base,
        origin=origin,
        weights=origin.clone(memory_format=torch.contiguous_format),
        velocity=torch.zeros(origin.shape) if velocity is None else velocity,
        second=torch.zeros(origin.shape) if descent.adamw and second is None else second,
        extra={name: _stacked(terms, name) for name in names},
        taken=torch.tensor([[float(one.taken)] for one in terms]),
    )


def _stacked(terms: Sequence[Terms], name: str) -> Tensor | None:
    parts = [getattr(one, name) for one in terms]
    return None if parts[0] is None else torch.from_numpy(np.stack(parts))


@torch.no_grad()
def _walk(
    descent: Descent,
    crowd: _Crowd,
    trainers: Sequence[Trainer],
    rngs: Sequence[np.random.Generator],
) -> None:
    model, number = trainers[0].model, trainers[0].start.round
    # Drawn in any case, so that the batches do not depend on the way.
    drawn, way = [int(rng.integers(1 << 62)) for rng in rngs], way_of(model)
    generators = [torch.Generator().manual_seed(seed) for seed in drawn if way is looped]
    made = plan(descent, [len(trainer.data) for trainer in trainers], rngs)
    x = model.prepare(np.concatenate([trainer.data.x for trainer in trainers]))
    y = torch.from_numpy(np.concatenate([trainer.data.y for trainer in trainers]))
    advance, rate = _adamw if descent.adamw else _heavy_ball, descent.rate(number)
    step, everyone = 0, crowd
    for active, steps in groupby(made.active):
        crowd = everyone.first(active)
        into = crowd.velocity if descent.adamw is None else torch.zeros_like(crowd.velocity)
        gradients = way(model, crowd.weights, into)
        for _ in steps:
            rows = made.rows[step, :active]
            picked = x.index_select(0, rows.flatten()).view(*rows.shape, *x.shape[1:])
            batch = Batch(picked, y[rows], made.shares[step, :active], crowd.extra["scales"],
                          crowd.extra["offsets"], generators)  # fmt: skip
            advance(descent, crowd, partial(gradients, batch), (step, rate, into))
            step += 1


Mixer: TypeAlias = Callable[[tuple[float, float]], None]
Moment: TypeAlias = tuple[int, float, Tensor]
"""The step from 0, the learning rate, and where gradients go."""


def _heavy_ball(descent: Descent, crowd: _Crowd, gradients: Mixer, moment: Moment) -> None:
    _, rate, velocity = moment
    alpha = 1 - descent.damping
    gradients((descent.momentum, alpha))
    _add_terms(descent, crowd, velocity, alpha)
    crowd.weights.sub_(velocity, alpha=rate)


def _adamw(descent: Descent, crowd: _Crowd, gradients: Mixer, moment: Moment) -> None:
    (step, rate, gradient), adamw = moment, descent.adamw
    assert adamw is not None
    assert crowd.second is not None
    gradients((0.0, 1.0))
    _add_terms(descent, crowd, gradient, 1.0)
    mean, second, time = crowd.velocity, crowd.second, crowd.taken + (step + 1)
    mean.mul_(adamw.beta1).add_(gradient, alpha=1 - adamw.beta1)
    second.mul_(adamw.beta2).addcmul_(gradient, gradient, value=1 - adamw.beta2)
    scale = (second / (1 - adamw.beta2**time)).sqrt_().add_(adamw.eps)
    crowd.weights.mul_(1 - rate * adamw.decay)
    crowd.weights.addcdiv_(mean / (1 - adamw.beta1**time), scale, value=-rate)


def _add_terms(descent: Descent, crowd: _Crowd, gradient: Tensor, alpha: float) -> None:
    if descent.proximal:
        gradient.add_(crowd.weights - crowd.base, alpha=alpha * descent.proximal)
    if crowd.extra["correction"] is not None:
        gradient.add_(crowd.extra["correction"], alpha=alpha)
    if crowd.extra["mask"] is not None:
        gradient.mul_(crowd.extra["mask"])


def _outcomes(descent: Descent, crowd: _Crowd, trainers: Sequence[Trainer]) -> list[Outcome]:
    change = crowd.weights.sub_(crowd.origin).mul_(float(1 << FRACTION_BITS)).round_()
    low, high = (float(end) for end in torch.aminmax(change))
    # NaN fails both comparisons.
    if not (low >= -(2.0**31) and high < 2.0**31):
        raise InputError(
            "training diverged (changes must be finite and within +-2048 to fit into int32): "
            "lower the learning rate"
        )
    moved, velocity = change.to(torch.int32).numpy(), crowd.velocity.numpy()
    second = None if crowd.second is None else crowd.second.numpy()
    return [
        Outcome(
            moved=moved[i],
            steps=descent.steps_for(len(trainer.data)),
            lr=descent.rate(trainer.start.round),
            velocity=velocity[i],
            second=None if second is None else second[i],
        )
        for i, trainer in enumerate(trainers)
    ]
