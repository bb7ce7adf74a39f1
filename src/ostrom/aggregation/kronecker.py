"""Kronecker-factored curvature of a network's layers, with one answer on every IEEE 754 machine.

Matrices are multiplied and solved element by element in a fixed order; scalar products are summed
without rounding before the last (`math.fsum`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ostrom.aggregation.ridge import Floats, solve_exactly
from ostrom.errors import InputError
from ostrom.types import IntVector

Layer: TypeAlias = tuple[int, int]
"""Outputs and inputs of a layer with a bias; a convolution's inputs are those of one window."""

HEADER = 3
"""Summed loss, number of examples, number of those that the factors were measured on."""

DIMENSION_MAX = 4096


@dataclass(frozen=True, eq=False)
class Statistics:
    """Means over examples: loss, gradient (d,), and per layer the factors A and G."""

    loss: float
    gradient: Floats
    inputs: tuple[Floats, ...]
    outputs: tuple[Floats, ...]


def read_layers(text: str) -> tuple[Layer, ...]:
    """Outputs and inputs of every layer.

    Raises:
        InputError: the text has another form, or a layer is too large.

    >>> read_layers("120x256-10x120")
    ((120, 256), (10, 120))
    """
    if not re.fullmatch(r"\d{1,4}x\d{1,4}(-\d{1,4}x\d{1,4})*", str(text)):
        raise InputError(f"layers must be like 120x256-10x120 (outputs x inputs), not {text}")
    pairs = [part.split("x") for part in text.split("-")]
    layers = tuple((int(outputs), int(inputs)) for outputs, inputs in pairs)
    if not all(0 < side < DIMENSION_MAX for layer in layers for side in layer):
        raise InputError(f"layers must have 1 to {DIMENSION_MAX - 1} outputs and inputs: {text}")
    return layers


def triangle(size: int) -> int:
    """The number of entries on and above the diagonal.

    >>> triangle(3)
    6
    """
    return size * (size + 1) // 2


def parameters(layers: Sequence[Layer]) -> int:
    """The number of weights and biases.

    >>> parameters([(2, 3)])
    8
    """
    return sum(outputs * (inputs + 1) for outputs, inputs in layers)


def statistics_length(layers: Sequence[Layer]) -> int:
    """The number of integers in a trainer's statistics.

    >>> statistics_length([(2, 1)])
    13
    """
    factors = sum(triangle(inputs + 1) + triangle(outputs) for outputs, inputs in layers)
    return HEADER + parameters(layers) + factors


def mean_loss(vector: IntVector) -> float:
    """The loss per example, from summed statistics."""
    return float(vector[0]) / float(vector[1])


def unpack(vector: IntVector, layers: Sequence[Layer]) -> Statistics:
    """Summed statistics to means.

    >>> found = unpack(np.array([4, 2, 2, 6, 8, 6, 4, 2, 2]), [(1, 1)])
    >>> found.loss, found.gradient.tolist()
    (2.0, [3.0, 4.0])
    >>> found.inputs[0].tolist(), found.outputs[0].tolist()
    ([[3.0, 2.0], [2.0, 1.0]], [[1.0]])
    """
    start = HEADER + parameters(layers)
    gradient = vector[HEADER:start].astype(np.float64) / float(vector[1])
    factors = []
    for size in (side for outputs, inputs in layers for side in (inputs + 1, outputs)):
        stop = start + triangle(size)
        factors.append(_symmetric(vector[start:stop] / float(vector[2]), size))
        start = stop
    return Statistics(mean_loss(vector), gradient, tuple(factors[::2]), tuple(factors[1::2]))


def scalar(left: Floats, right: Floats) -> float:
    """The sum of products, each rounded once, their sum rounded once.

    >>> scalar(np.array([1e16, 1.0, -1e16]), np.array([1.0, 1.0, 1.0]))
    1.0
    """
    return math.fsum((left * right).tolist())


def by_layer(left: Floats, right: Floats, layers: Sequence[Layer]) -> list[float]:
    """The scalar product of each layer's part.

    >>> by_layer(np.arange(4.0), np.ones(4), [(1, 1), (1, 1)])
    [1.0, 5.0]
    """
    ends = np.cumsum([parameters([layer]) for layer in layers])[:-1]
    pairs = zip(np.split(left, ends), np.split(right, ends))
    return [scalar(mine, other) for mine, other in pairs]


def natural_direction(
    found: Statistics, layers: Sequence[Layer], damping: float, *, over: Sequence[float]
) -> Floats | None:
    """-(G + u / p I)^-1 grad (A + u p I)^-1 / c (d,), c being `over`; None if there is none."""
    parts = []
    matrices = split(found.gradient, layers)
    for matrix, inputs, outputs, c in zip(matrices, found.inputs, found.outputs, over):
        sides = _damped(inputs, outputs, math.sqrt(damping))
        if sides is None:
            return None
        half = solve_exactly(sides[0], np.ascontiguousarray(matrix.T))
        whole = None if half is None else solve_exactly(sides[1], np.ascontiguousarray(half.T))
        if whole is None:
            return None
        parts.append(-whole / c)
    return join(parts)


def curved(found: Statistics, layers: Sequence[Layer], vector: Floats) -> Floats:
    """The curvature times a vector: G V A per layer, (d,)."""
    matrices = split(vector, layers)
    triples = zip(found.outputs, matrices, found.inputs)
    return join([times(times(outputs, v), inputs) for outputs, v, inputs in triples])


def times(left: Floats, right: Floats) -> Floats:
    """A matrix product whose sums run in the order of the inner index.

    >>> times(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    product = np.zeros((len(left), right.shape[1]))
    scratch = np.empty_like(product)
    for inner in range(len(right)):
        np.multiply(left[:, inner, None], right[inner], out=scratch)
        np.add(product, scratch, out=product)
    return product


def split(vector: Floats, layers: Sequence[Layer]) -> list[Floats]:
    """A model's parameters as one matrix (outputs, inputs + 1) per layer, the bias last.

    >>> split(np.arange(6.0), [(2, 2)])[0].tolist()
    [[0.0, 1.0, 4.0], [2.0, 3.0, 5.0]]
    """
    matrices, start = [], 0
    for outputs, inputs in layers:
        middle, stop = start + outputs * inputs, start + outputs * (inputs + 1)
        weight = vector[start:middle].reshape(outputs, inputs)
        matrices.append(np.hstack([weight, vector[middle:stop, None]]))
        start = stop
    return matrices


def join(matrices: Sequence[Floats]) -> Floats:
    """The inverse of `split`.

    >>> join([np.array([[0.0, 1.0, 4.0], [2.0, 3.0, 5.0]])]).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    return np.concatenate([part for m in matrices for part in (m[:, :-1].ravel(), m[:, -1])])


def _symmetric(upper: Floats, size: int) -> Floats:
    rows, columns = np.triu_indices(size)
    whole = np.zeros((size, size))
    whole[rows, columns] = upper
    whole[columns, rows] = upper
    return whole


def _damped(inputs: Floats, outputs: Floats, amount: float) -> tuple[Floats, Floats] | None:
    """Both factors with a share of the damping that fits their size."""
    means = [math.fsum(np.diag(one).tolist()) / len(one) for one in (inputs, outputs)]
    if not all(0 < mean < math.inf for mean in means):
        return None
    balance = math.sqrt(means[0] / means[1])
    sides = inputs.copy(), outputs.copy()
    for side, extra in zip(sides, (amount * balance, amount / balance)):
        side.flat[:: len(side) + 1] += extra
    return sides
