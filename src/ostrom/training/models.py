"""Models as values: one flat parameter vector, and a pure function from it to logits.

The vector holds the named tensors of `Model.tensors` one after the other, each in C order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.errors import InputError
from ostrom.mechanisms import only

Shape: TypeAlias = tuple[int, ...]
Tensors: TypeAlias = Mapping[str, Tensor]
FloatVector: TypeAlias = npt.NDArray[np.float32]
Forward: TypeAlias = Callable[[Tensors, Tensor, torch.Generator | None], Tensor]
Prepare: TypeAlias = Callable[[npt.NDArray[Any]], Tensor]


MAPPED_PIXELS_MAX = 256
"""Up to here `python -m benchmarks executors` finds vmap faster than going trainer by trainer."""


@dataclass(frozen=True, eq=False)
class Model:
    """A classifier of examples of one `shape` into `classes`.

    `prepare` turns raw examples (n, *shape) into a float tensor, once per data set; `forward` maps
    named tensors, prepared examples and (while training) a generator for dropout to logits
    (n, classes). `small` models are trained a whole cohort at a time, in one call for a chunk of
    trainers. `layered` ones are linear layers with ReLUs between them, each a weight and a bias.
    """

    text: str
    shape: Shape
    classes: int
    tensors: Mapping[str, Shape]
    forward: Forward
    prepare: Prepare
    small: bool = False
    layered: bool = False
    starts_at_zero: bool = False
    gain: float = 1.0
    """How much wider than +-1/sqrt(fan-in) parameters start."""

    @property
    def parameters(self) -> int:
        """The length d of the parameter vector."""
        return sum(math.prod(shape) for shape in self.tensors.values())

    def unflatten(self, params: Tensor) -> dict[str, Tensor]:
        """Views of a flat vector (d,), by tensor name."""
        sizes = [math.prod(shape) for shape in self.tensors.values()]
        parts = torch.split(params, sizes)
        return {name: part.view(self.tensors[name]) for name, part in zip(self.tensors, parts)}

    def initial(self, seed: int) -> FloatVector:
        """Fresh parameters (d,) float32: uniform in +-gain/sqrt(fan-in), the same on every machine.

        LeCun et al., "Efficient BackProp" (1998); PyTorch's default.
        """
        rng = np.random.default_rng(seed)
        scale = 0.0 if self.starts_at_zero else self.gain
        parts = [
            rng.uniform(-1, 1, math.prod(shape)) * scale / math.sqrt(self._fan_in(name))
            for name, shape in self.tensors.items()
        ]
        return np.concatenate(parts).astype(np.float32)

    def logits(
        self, params: Tensor, x: Tensor, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Logits (n, classes) of prepared examples; with a generator, dropout is on."""
        return self.forward(self.unflatten(params), x, generator)

    def _fan_in(self, name: str) -> int:
        """A tensor `layer.weight` is (out, *in); `layer.bias` shares its layer's fan-in."""
        return math.prod(self.tensors[f"{name.split('.')[0]}.weight"][1:])


def logistic(shape: Shape, classes: int, /) -> Model:
    """Multinomial logistic regression, started at zero."""
    tensors = {"fc.weight": (classes, math.prod(shape)), "fc.bias": (classes,)}
    return Model(
        "logistic",
        shape,
        classes,
        tensors,
        _logistic,
        flat_floats,
        small=True,
        layered=True,
        starts_at_zero=True,
    )


def mlp(shape: Shape, classes: int, /, hidden: int = 64) -> Model:
    """One hidden layer of ReLUs.

    >>> model = mlp((2,), 3, hidden=4)
    >>> tuple(model.logits(torch.from_numpy(model.initial(0)), torch.zeros(5, 2)).shape)
    (5, 3)
    """
    _at_least_one(hidden=hidden)
    tensors = {
        "fc1.weight": (hidden, math.prod(shape)),
        "fc1.bias": (hidden,),
        "fc2.weight": (classes, hidden),
        "fc2.bias": (classes,),
    }
    text = f"mlp(hidden={hidden})"
    return Model(text, shape, classes, tensors, _mlp, flat_floats, small=True, layered=True)


def federated_net(
    shape: Shape, classes: int, /, width: int = 16, hidden: int = 64, dropout: float = 0.25
) -> Model:
    """The paper's FederatedNet: conv1, conv2, dropout1, dropout2, fc1, fc2, ReLU, max-pooling.

    3 x 3 kernels, `width` and 2 * `width` channels; the paper gives no widths. Images from 8 x 8.
    """
    _at_least_one(width=width, hidden=hidden)
    if not 0 <= dropout < 1:
        raise InputError(f"federated_net: dropout must be in [0, 1), not {dropout}")
    height, breadth, channels = image_shape(shape, "federated_net")
    rows, columns = ((side // 2 - 2) // 2 for side in (height, breadth))
    if min(rows, columns) < 1:
        raise InputError(f"federated_net needs images of at least 8 x 8, not {height} x {breadth}")
    tensors = {
        "conv1.weight": (width, channels, 3, 3),
        "conv1.bias": (width,),
        "conv2.weight": (2 * width, width, 3, 3),
        "conv2.bias": (2 * width,),
        "fc1.weight": (hidden, 2 * width * rows * columns),
        "fc1.bias": (hidden,),
        "fc2.weight": (classes, hidden),
        "fc2.bias": (classes,),
    }
    text = f"federated_net(dropout={dropout},hidden={hidden},width={width})"
    forward = partial(_federated_net, dropout)
    # Under vmap a convolution is one of groups, which pays on small images alone; and dropout
    # needs each trainer's own generator.
    small = dropout == 0 and height * breadth <= MAPPED_PIXELS_MAX
    return Model(text, shape, classes, tensors, forward, image_floats, small=small)


def lenet(shape: Shape, classes: int, /, gain: float = 1.0) -> Model:
    """LeNet-5's size with ReLUs and max-pooling: conv 6, conv 16, fc 120, fc 84, fc classes.

    5 x 5 kernels, without padding or dropout; images from 16 x 16. `gain` widens the first
    parameters: 1 is PyTorch's default, 2.45 (the square root of 6) keeps signals through ReLUs.

    >>> lenet((28, 28), 10).parameters
    44426

    LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998).
    """
    if not gain > 0:
        raise InputError(f"lenet: gain must be above 0, not {gain}")
    height, breadth, channels = image_shape(shape, "lenet")
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, breadth))
    if min(rows, columns) < 1:
        raise InputError(f"lenet needs images of at least 16 x 16, not {height} x {breadth}")
    tensors = {
        "conv1.weight": (6, channels, 5, 5),
        "conv1.bias": (6,),
        "conv2.weight": (16, 6, 5, 5),
        "conv2.bias": (16,),
        "fc1.weight": (120, 16 * rows * columns),
        "fc1.bias": (120,),
        "fc2.weight": (84, 120),
        "fc2.bias": (84,),
        "fc3.weight": (classes, 84),
        "fc3.bias": (classes,),
    }
    text = only(f"lenet(gain={gain})").text
    return Model(text, shape, classes, tensors, _lenet, image_floats, gain=float(gain))


def image_shape(shape: Shape, name: str) -> tuple[int, int, int]:
    """(height, width, channels) of an example, or an InputError that names the model."""
    if len(shape) == 2:
        return (*shape, 1)
    if len(shape) == 3:
        return shape
    raise InputError(f"{name} takes images, not examples of shape {shape}: use mlp or logistic")


def flat_floats(x: npt.NDArray[Any]) -> Tensor:
    """Examples (n, *shape) as float32 rows (n, f); bytes are scaled to [0, 1]."""
    return _floats(x).reshape(len(x), math.prod(x.shape[1:]))


def image_floats(x: npt.NDArray[Any]) -> Tensor:
    """Images (n, h, w) or (n, h, w, c) as float32 (n, h, w, c).

    Channels stay last in memory: torch pools such images several times faster.
    """
    images = _floats(x)
    return images.unsqueeze(3) if images.ndim == 3 else images


def _floats(x: npt.NDArray[Any]) -> Tensor:
    floats = torch.from_numpy(x.astype(np.float32))
    return floats.div_(255.0) if x.dtype == np.uint8 else floats


def _logistic(p: Tensors, x: Tensor, _: torch.Generator | None) -> Tensor:
    return functional.linear(x, p["fc.weight"], p["fc.bias"])


def _mlp(p: Tensors, x: Tensor, _: torch.Generator | None) -> Tensor:
    hidden = functional.relu(functional.linear(x, p["fc1.weight"], p["fc1.bias"]))
    return functional.linear(hidden, p["fc2.weight"], p["fc2.bias"])


def _federated_net(rate: float, p: Tensors, x: Tensor, generator: torch.Generator | None) -> Tensor:
    images = x.permute(0, 3, 1, 2)
    first = functional.conv2d(images, p["conv1.weight"], p["conv1.bias"], padding=1)
    first = functional.relu(functional.max_pool2d(first, 2))
    second = functional.conv2d(first, p["conv2.weight"], p["conv2.bias"])
    second = functional.relu(functional.max_pool2d(second, 2))
    flat = _dropout(second.flatten(1), rate, generator)
    hidden = functional.relu(functional.linear(flat, p["fc1.weight"], p["fc1.bias"]))
    return functional.linear(_dropout(hidden, rate, generator), p["fc2.weight"], p["fc2.bias"])


def _lenet(p: Tensors, x: Tensor, _: torch.Generator | None) -> Tensor:
    first = functional.conv2d(x.permute(0, 3, 1, 2), p["conv1.weight"], p["conv1.bias"])
    first = functional.relu(functional.max_pool2d(first, 2))
    second = functional.conv2d(first, p["conv2.weight"], p["conv2.bias"])
    second = functional.relu(functional.max_pool2d(second, 2)).flatten(1)
    hidden = functional.relu(functional.linear(second, p["fc1.weight"], p["fc1.bias"]))
    hidden = functional.relu(functional.linear(hidden, p["fc2.weight"], p["fc2.bias"]))
    return functional.linear(hidden, p["fc3.weight"], p["fc3.bias"])


def _dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Dropout from a generator of the caller's, never from the global one."""
    if generator is None or rate == 0:
        return x
    kept = torch.empty_like(x).bernoulli_(1 - rate, generator=generator)
    return x * kept.div_(1 - rate)


def _at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise InputError(f"{name} must be an integer of at least 1, not {size}")
