"""Labelled examples, and the paper's way of cutting them into parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrom.data.partitions import Indices, Labels, mirror, partition
from ostrom.errors import DatasetError, InputError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples: `x` uint8 (n, *shape) or float32 (n, f), `y` int64 (n,) below `classes`.

    Images are (height, width) or (height, width, channels).
    """

    name: str
    x: npt.NDArray[Any]
    y: Labels
    classes: int

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or self.y.ndim != 1:
            raise DatasetError(f"{self.name}: {len(self.x)} examples but {self.y.shape} labels")
        if self.x.dtype not in (np.uint8, np.float32) or self.x.ndim < 2:
            raise DatasetError(f"{self.name}: examples must be uint8 images or float32 rows")
        if len(self.y) and (self.y.min() < 0 or self.y.max() >= self.classes):
            raise DatasetError(f"{self.name}: labels must be 0 to {self.classes - 1}")
        if self.x.dtype == np.float32 and not np.isfinite(self.x).all():
            raise DatasetError(f"{self.name}: some values are missing or not finite")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.x.shape[1:])

    def subset(self, indices: Indices) -> Dataset:
        """The examples at `indices`, in that order."""
        return replace(self, x=self.x[indices], y=self.y[indices])


@dataclass(frozen=True, eq=False)
class Source:
    """A data set as published: `test` is the official test split where there is one."""

    train: Dataset
    test: Dataset | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a federation's data.

    `train` and `local_test` are dealt among the trainers, `dev` is the validators' holdout, `test`
    measures the global model: the official test split, else the same examples as `local_test`.
    """

    train: Dataset
    dev: Dataset
    local_test: Dataset
    test: Dataset


@dataclass(frozen=True, eq=False)
class Share:
    """One trainer's data; `test` has the skew of `train`."""

    train: Dataset
    test: Dataset


def split(source: Source, rng: np.random.Generator) -> Split:
    """Cut the training examples 80 : 10 : 10 by one seeded permutation.

    >>> from ostrom.data import load_dataset
    >>> parts = split(load_dataset("digits"), np.random.default_rng(0))
    >>> len(parts.train), len(parts.dev), len(parts.local_test)
    (1437, 180, 180)
    """
    order = rng.permutation(len(source.train))
    tenth = len(order) // 10 + (len(order) % 10 > 4)
    dev, local, train = np.split(order, [tenth, 2 * tenth])
    local_test = source.train.subset(local)
    return Split(
        train=source.train.subset(train),
        dev=source.train.subset(dev),
        local_test=local_test,
        test=local_test if source.test is None else source.test,
    )


def deal(text: str, parts: Split, *, n: int, rng: np.random.Generator) -> list[Share]:
    """Deal the trainers' examples among `n` trainers as the partition `text` says.

    Raises:
        InputError: a trainer would get no example.

    >>> from ostrom.data import load_dataset
    >>> rng = np.random.default_rng(0)
    >>> parts = split(load_dataset("digits"), rng)
    >>> shares = deal("emphasis(share=0.9)", parts, n=10, rng=rng)
    >>> bool((shares[3].train.y == 3).mean() > 0.8)
    True
    """
    train = partition(text, parts.train.y, n, rng)
    if min(map(len, train)) == 0:
        raise InputError(f"{len(parts.train)} examples are too few for {n} trainers with {text}")
    local = mirror(train, parts.train.y, parts.local_test.y, rng=rng)
    return [
        Share(parts.train.subset(mine), parts.local_test.subset(test))
        for mine, test in zip(train, local)
    ]
