"""Statistics for a natural-gradient step: what every trainer measures at the round's model adds up.

No trainer moves the model by itself, so that nobody drifts: the sums over trainers are those of all
data together, whoever holds which example.

Answers: label skew down to one class per trainer. Does not answer: hostile statistics (a sum has no
outliers), nor curiosity: statistics of few examples reveal them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.tensors import FRACTION_BITS, dequantise
from ostrom.training.local import LocalAlgorithm, Start, State
from ostrom.training.models import Model, Shape
from ostrom.training.threads import one_thread
from ostrom.types import IntVector, Update

Pair: TypeAlias = tuple[Tensor, Tensor]

BATCH = 250
SIDE_MAX = 4095
"""The server step takes no larger layers: its work grows with the cube of their sides."""


@dataclass
class Sums:
    """Running sums over examples, float64; `inputs` and `outputs` are the factors by layer."""

    loss: float
    measured: int
    gradient: Tensor
    inputs: list[Tensor]
    outputs: list[Tensor]


def natural(*, share: float = 0.1) -> LocalAlgorithm:
    """The gradient and Kronecker factors of one trainer's data, summed over its examples.

    grad = sum of d loss / d w,  A = sum of x x^T,  G = sum of g g^T,  for each layer W x

    x are the layer's inputs with a 1 appended, g the gradient of the outputs W x under a label
    drawn from the model's own prediction; a convolution's sums run over its windows too. The server
    step `natural_step` makes of the sums the step that all data together would give.

    Args:
        share: the share of examples, drawn anew each round, on which A and G are measured, in
            (0, 1].

    Returns:
        A local algorithm whose update is int64: loss, examples, measured examples, the gradient,
        the upper triangles of A and G by rows; server step `natural_step`, after the rule `sum`.
        It trains models of linear layers and convolutions of square kernels without padding or
        stride, each with a bias and used once: logistic, mlp, lenet.

    Raises:
        InputError: share is out of range; when run, the model has other layers.

    >>> from ostrom.training.models import mlp
    >>> natural().server(mlp((2,), 3, hidden=4))
    'natural_step(layers=4x2-3x4)'

    Source: Martens & Grosse (2015), "Optimizing Neural Networks with Kronecker-factored
    Approximate Curvature"; for convolutions Grosse & Martens (2016).
    """
    if not 0 < share <= 1:
        raise InputError(f"natural: share must be above 0 and at most 1, not {share}")

    def run(
        model: Model, start: Start, data: Dataset, rng: np.random.Generator, state: State
    ) -> tuple[Update, State]:
        with one_thread():
            sums = measure(model, start.parameters, data, rng=rng, share=share)
        return Update(_packed(sums, len(data)), len(data)), state

    return LocalAlgorithm(
        f"natural(share={share})", run, layout=_layout, dtype="int64", server=_server
    )


def layers_of(model: Model) -> list[tuple[int, int]]:
    """Outputs and inputs of each layer, weights and biases in turn.

    Raises:
        InputError: the model has tensors of another kind.
    """
    shapes = list(model.tensors.values())
    layers = [(shape[0], math.prod(shape[1:])) for shape in shapes[::2]]
    pairs = zip(shapes[::2], shapes[1::2])
    whole = len(shapes) % 2 == 0 and all(len(w) > 1 and b == w[:1] for w, b in pairs)
    if not whole or any(side > SIDE_MAX for layer in layers for side in layer):
        raise InputError(
            f"natural trains layers of a weight and a bias with up to {SIDE_MAX} inputs "
            f"(logistic, mlp, lenet), not {model.text}"
        )
    return layers


def measure(
    model: Model, params: IntVector, data: Dataset, *, rng: np.random.Generator, share: float
) -> Sums:
    """The sums over `data` at fixed-point `params` (d,)."""
    layers = layers_of(model)
    weights = torch.from_numpy(dequantise(params)).requires_grad_()
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    drawn = rng.permutation(len(data))
    chosen, others = np.split(drawn, [max(1, round(share * len(data)))])
    sums = Sums(
        0.0,
        len(chosen),
        torch.zeros(model.parameters, dtype=torch.float64),
        [torch.zeros((inputs + 1,) * 2, dtype=torch.float64) for _, inputs in layers],
        [torch.zeros((outputs,) * 2, dtype=torch.float64) for outputs, _ in layers],
    )
    for part, factors in ((chosen, True), (others, False)):
        for i in range(0, len(part), BATCH):
            batch = data.subset(np.sort(part[i : i + BATCH]))
            _add(sums, model, weights, batch, generator=generator if factors else None)
    return sums


def _add(
    sums: Sums, model: Model, weights: Tensor, data: Dataset, *, generator: torch.Generator | None
) -> None:
    """Add a batch; with a generator, to the factors too."""
    x, y = model.prepare(data.x), torch.from_numpy(data.y)
    with Watch() as watch:
        logits = model.logits(weights, x)
    loss = functional.cross_entropy(logits, y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, weights, retain_graph=generator is not None)
    sums.loss += float(loss.detach())
    sums.gradient += gradient
    if generator is None:
        return
    if len(watch.layers) != len(sums.inputs):
        raise InputError(f"natural: {model.text} does not use each of its layers once")
    labels = torch.multinomial(logits.detach().softmax(1), 1, generator=generator)[:, 0]
    drawn = functional.cross_entropy(logits, labels, reduction="sum")
    slopes = torch.autograd.grad(drawn, [outputs for _, outputs, _ in watch.layers])
    for layer, (inputs, _, window) in enumerate(watch.layers):
        rows, slope = _rows(inputs, window), _by_place(slopes[layer])
        sums.inputs[layer] += rows.T @ rows
        sums.outputs[layer] += slope.T @ slope


class Watch(TorchFunctionMode):
    """Notes inputs, outputs and window of every linear layer and convolution that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[tuple[Tensor, Tensor, tuple[int, int] | None]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Compute as ever, and note."""
        made = func(*args, **(kwargs or {}))
        if func is functional.linear:
            self.layers.append((args[0].detach(), made, None))
        elif func is functional.conv2d:
            if len(args) > 3 or kwargs:
                raise InputError("natural takes convolutions without padding or stride only")
            self.layers.append((args[0].detach(), made, tuple(args[1].shape[2:])))
        return made


def _rows(inputs: Tensor, window: tuple[int, int] | None) -> Tensor:
    """A layer's inputs, one row for each place, with a 1 appended."""
    if window is not None:
        unfolded = functional.unfold(inputs, window)
        inputs = unfolded.transpose(1, 2).reshape(-1, unfolded.shape[1])
    return torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)


def _by_place(slopes: Tensor) -> Tensor:
    """Gradients of a layer's outputs, one row for each place."""
    return slopes if slopes.ndim == 2 else slopes.movedim(1, -1).reshape(-1, slopes.shape[1])


def _packed(sums: Sums, examples: int) -> npt.NDArray[np.int64]:
    upper = [
        matrix[torch.triu_indices(*matrix.shape).unbind()]
        for pair in zip(sums.inputs, sums.outputs)
        for matrix in pair
    ]
    header = torch.tensor([sums.loss, examples, sums.measured], dtype=torch.float64)
    values = torch.cat([header, sums.gradient, *upper]).numpy() * float(1 << FRACTION_BITS)
    if not np.isfinite(values).all() or np.abs(values).max() >= 2.0**62:
        raise InputError("natural: the model's loss or gradient is not finite any more")
    return np.rint(values).astype(np.int64)


def _layout(model: Model) -> tuple[Shape, ...]:
    factors = ((side * (side + 1) // 2,) for o, i in layers_of(model) for side in (i + 1, o))
    return (3,), *model.tensors.values(), *factors


def _server(model: Model) -> str:
    layers = "-".join(f"{outputs}x{inputs}" for outputs, inputs in layers_of(model))
    return f"natural_step(layers={layers})"
