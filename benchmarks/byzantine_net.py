"""The networks, the data and the gradients of the Byzantine grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.data.mnist import load_mnist
from ostrom.tensors import FRACTION_BITS

MEAN, DEVIATION = 0.1307, 0.3081
"""Of MNIST's pixels, as both papers scale them."""

Indices = npt.NDArray[np.int64]
Parameters = npt.NDArray[np.int32]
Forward = Callable[[Sequence[Tensor], Tensor, torch.Generator | None], Tensor]


@dataclass(frozen=True)
class Net:
    """A network as the shapes of its tensors, weight then bias of each layer, and logits."""

    shapes: tuple[tuple[int, ...], ...]
    forward: Forward
    size: int = field(init=False)

    def __post_init__(self) -> None:
        """How many parameters there are."""
        object.__setattr__(self, "size", sum(math.prod(shape) for shape in self.shapes))

    def initial(self, seed: int) -> Parameters:
        """PyTorch's default: uniform in +-1 / sqrt(fan-in)."""
        rng = np.random.default_rng(seed)
        fans = [math.prod(self.shapes[i - i % 2][1:]) for i in range(len(self.shapes))]
        sizes = zip(self.shapes, fans)
        parts = [rng.uniform(-1, 1, math.prod(shape)) / math.sqrt(fan) for shape, fan in sizes]
        return np.rint(np.concatenate(parts) * 2.0**FRACTION_BITS).astype(np.int32)

    def split(self, flat: Tensor) -> list[Tensor]:
        """The tensors of a flat vector."""
        parts = flat.split_with_sizes([math.prod(shape) for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes)]

    def gradient(
        self, flat: Tensor, x: Tensor, y: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The gradient (d,) of the mean cross-entropy; with a generator, dropout is on."""
        leaves = [part.detach().requires_grad_() for part in self.split(flat)]
        loss = functional.cross_entropy(self.forward(leaves, x, generator), y)
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, leaves)])

    def accuracy(self, flat: Tensor, x: Tensor, y: Tensor) -> float:
        """The share of images whose digit is recognised."""
        parts, right = self.split(flat), 0
        with torch.no_grad():
            for first in range(0, len(y), 1000):
                guesses = self.forward(parts, x[first : first + 1000], None).argmax(1)
                right += int((guesses == y[first : first + 1000]).sum())
        return right / len(y)


def as_floats(flat: Parameters) -> Tensor:
    """Fixed point as float32."""
    return torch.from_numpy(flat).to(torch.float32).div_(2.0**FRACTION_BITS)


def byzfl_net() -> Net:
    """ByzFL's `cnn_mnist`; pooling before ReLU gives the same numbers with less work.

    >>> byzfl_net().size
    431080
    """
    shapes = ((20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (500, 800), (500,), (10, 500), (10,))

    def forward(p: Sequence[Tensor], x: Tensor, generator: torch.Generator | None) -> Tensor:
        first = functional.relu(functional.max_pool2d(functional.conv2d(x, p[0], p[1]), 2))
        second = functional.relu(functional.max_pool2d(functional.conv2d(first, p[2], p[3]), 2))
        hidden = functional.relu(functional.linear(second.flatten(1), p[4], p[5]))
        return functional.linear(hidden, p[6], p[7])

    return Net(shapes, forward)


def bucketing_net(width: int = 32) -> Net:
    """The network of Karimireddy et al. (2022): two convolutions, channel dropout, two layers.

    >>> bucketing_net().size, bucketing_net(width=16).size
    (1199882, 300426)
    """
    wide, hidden = 2 * width, 4 * width
    shapes = (
        *((width, 1, 3, 3), (width,), (wide, width, 3, 3), (wide,)),
        *((hidden, 144 * wide), (hidden,), (10, hidden), (10,)),
    )

    def forward(p: Sequence[Tensor], x: Tensor, generator: torch.Generator | None) -> Tensor:
        first = functional.relu(functional.conv2d(x, p[0], p[1]))
        second = functional.relu(functional.max_pool2d(functional.conv2d(first, p[2], p[3]), 2))
        flat = _dropout(second, 0.25, generator).flatten(1)
        hidden = functional.relu(functional.linear(flat, p[4], p[5]))
        return functional.linear(_dropout(hidden, 0.5, generator), p[6], p[7])

    return Net(shapes, forward)


def _dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Whole channels of images, single values of vectors."""
    if generator is None:
        return x
    kept = torch.empty(x.shape[:2]).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    return x * kept.view(*x.shape[:2], *[1] * (x.ndim - 2))


@dataclass(frozen=True)
class Images:
    """Scaled images (n, 1, 28, 28), channels last in memory, and their digits (n,)."""

    x: Tensor
    y: Tensor

    def __getitem__(self, rows: Indices) -> tuple[Tensor, Tensor]:
        """Some of them."""
        chosen = torch.from_numpy(rows)
        return self.x[chosen], self.y[chosen]


def mnist() -> tuple[Images, Images]:
    """The official 60,000 and 10,000."""
    source = load_mnist()
    assert source.test is not None, "MNIST comes with test images"
    return _images(source.train.x, source.train.y), _images(source.test.x, source.test.y)


def _images(pixels: npt.NDArray[np.uint8], digits: npt.NDArray[np.int64]) -> Images:
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION
    images = torch.from_numpy(scaled.astype(np.float32))[:, None]
    return Images(images.contiguous(memory_format=torch.channels_last), torch.from_numpy(digits))


def deal(labels: Indices, gamma: float, parties: int, rng: np.random.Generator) -> list[Indices]:
    """ByzFL's gamma similarity: a share gamma at random, the rest sorted by label, in equal parts.

    >>> [part.tolist() for part in deal(np.array([1, 0, 1, 0]), 0.0, 2, np.random.default_rng(0))]
    [[1, 3], [0, 2]]
    """
    shuffled = rng.permutation(len(labels))
    cut = int(gamma * len(labels))
    rest = np.sort(shuffled[cut:])
    ordered = rest[np.argsort(labels[rest], kind="stable")]
    shares = zip(np.array_split(shuffled[:cut], parties), np.array_split(ordered, parties))
    return [np.concatenate(pair) for pair in shares]


def batches(rows: Indices, size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Shuffled batches without end; an epoch's last one may be smaller."""
    while True:
        order = rng.permutation(rows)
        yield from (order[i : i + size] for i in range(0, len(order), size))


NETS: Mapping[str, Callable[[], Net]] = {
    "byzfl": byzfl_net,
    # Half as wide as the paper's, a quarter of its work: the whole one takes an hour on two cores.
    "bucketing": partial(bucketing_net, 16),
}
