"""Gradients of many trainers' models at once, by three ways that agree up to rounding.

`layered` writes out the products for linear layers with ReLUs between them; `mapped` is
`torch.func.vmap` of the gradient; `looped` goes from trainer to trainer, with dropout. Which way a
model takes follows from the model alone (`way_of`), by what `benchmarks/executors.py` measures, so
that the number of workers cannot change the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn import functional

from ostrom.training.models import Model


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's examples of n trainers.

    `x` (n, b, ...), `y` (n, b); `shares` (n, b) weigh the examples and sum to 1 for each trainer;
    padding has weight 0 and stands last. The loss is taken of `scales` * logits + `offsets`,
    (n, classes) each, where they are set. `generators` are the trainers' own, for dropout.
    """

    x: Tensor
    y: Tensor
    shares: Tensor
    scales: Tensor | None = None
    offsets: Tensor | None = None
    generators: Sequence[torch.Generator] = ()


Mix: TypeAlias = tuple[float, float]
"""(beta, alpha): the new value is beta * the old one + alpha * the gradient."""

Examples: TypeAlias = tuple[Tensor, Tensor, Tensor]
Layer: TypeAlias = tuple[Tensor, Tensor]
"""A layer's weight (n, out, in) and bias (n, out)."""

Pair: TypeAlias = tuple[Tensor | None, Tensor | None]

Gradients: TypeAlias = Callable[[Batch, Mix], None]
"""Mixes the gradients at the weights into the tensor that it was made with."""

Way: TypeAlias = Callable[[Model, Tensor, Tensor], Gradients]
"""(model, weights (n, d), into (n, d)): both are read at every call, so they may change."""


def way_of(model: Model) -> Way:
    """How this model's gradients are computed."""
    if model.layered:
        return layered
    return mapped if model.small else looped


def layered(model: Model, weights: Tensor, into: Tensor) -> Gradients:
    """Linear layers with ReLUs between them: every product for all trainers in one call.

    The gradient of a weight goes straight into `into`, so that no copy of it is ever made.
    """
    return partial(_through_layers, list(zip(_layers(model, weights), _layers(model, into))))


def _through_layers(layers: Sequence[tuple[Layer, Layer]], batch: Batch, mix: Mix) -> None:
    beta, alpha = mix
    inputs = [batch.x]
    for (weight, bias), _ in layers:
        if len(inputs) > 1:
            inputs[-1].relu_()
        inputs.append(torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.transpose(1, 2)))
    error = _softmax_error(inputs.pop(), batch)
    for (weight, _), (weight_into, bias_into) in reversed(layers):
        below = inputs.pop()
        weight_into.baddbmm_(error.transpose(1, 2), below, beta=beta, alpha=alpha)
        bias_into.mul_(beta).add_(error.sum(1), alpha=alpha)
        if inputs:
            error = torch.bmm(error, weight).mul_(below > 0)


def mapped(model: Model, weights: Tensor, into: Tensor) -> Gradients:
    """`vmap` of the gradient, for models without dropout."""

    def gradients(batch: Batch, mix: Mix) -> None:
        terms = (batch.scales, batch.offsets)
        dims = (0, 0, tuple(None if term is None else 0 for term in terms))
        rise = vmap(grad(partial(_loss, model, None)), in_dims=dims)
        made = rise(weights, (batch.x, batch.y, batch.shares), terms)
        into.mul_(mix[0]).add_(made, alpha=mix[1])

    return gradients


def looped(model: Model, weights: Tensor, into: Tensor) -> Gradients:
    """One trainer after the other, each with dropout from its own generator."""

    def gradients(batch: Batch, mix: Mix) -> None:
        for i, row in enumerate(weights):
            size = int(batch.shares[i].count_nonzero())
            own = row.detach().requires_grad_()
            generator = batch.generators[i] if batch.generators else None
            examples = (batch.x[i, :size], batch.y[i, :size], batch.shares[i, :size])
            terms = (_row(batch.scales, i), _row(batch.offsets, i))
            with torch.enable_grad():
                loss = _loss(model, generator, own, examples, terms)
            (gradient,) = torch.autograd.grad(loss, own)
            into[i].mul_(mix[0]).add_(gradient, alpha=mix[1])

    return gradients


def _loss(
    model: Model,
    generator: torch.Generator | None,
    params: Tensor,
    /,
    examples: Examples,
    terms: Pair,
) -> Tensor:
    """The weighted cross-entropy; `terms` are scales and offsets."""
    x, y, shares = examples
    scales, offsets = terms
    logits = model.logits(params, x, generator=generator)
    logits = logits if scales is None else logits * scales
    logits = logits if offsets is None else logits + offsets
    return (functional.cross_entropy(logits, y, reduction="none") * shares).sum()


def _row(term: Tensor | None, i: int) -> Tensor | None:
    return None if term is None else term[i]


def _layers(model: Model, rows: Tensor) -> list[Layer]:
    """Each layer's views of flat rows (n, d)."""
    sizes = [math.prod(shape) for shape in model.tensors.values()]
    parts = torch.split(rows, sizes, dim=1)
    views = [part.view(-1, *shape) for part, shape in zip(parts, model.tensors.values())]
    return list(zip(views[::2], views[1::2]))


def _softmax_error(logits: Tensor, batch: Batch) -> Tensor:
    """The gradient of the weighted cross-entropy by the logits, (n, b, classes)."""
    if batch.scales is not None:
        logits = logits * batch.scales.unsqueeze(1)
    if batch.offsets is not None:
        logits = logits + batch.offsets.unsqueeze(1)
    error = torch.softmax(logits, dim=2)
    error.scatter_add_(2, batch.y.unsqueeze(2), error.new_full((*batch.y.shape, 1), -1.0))
    error.mul_(batch.shares.unsqueeze(2))
    return error if batch.scales is None else error.mul_(batch.scales.unsqueeze(1))
