"""Trainers that learn honestly from dishonest data: what they feed to their local algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, bind

Feed: TypeAlias = Callable[[Dataset, np.random.Generator], Dataset]
"""A trainer's examples -> those that it trains on."""


@dataclass(frozen=True)
class Poison:
    """What a trainer does to its data, and how many times over it sends and counts the outcome."""

    feed: Feed
    boost: float = 1.0
    claim: float = 1.0


def label_flip(source: int | None = None, target: int | None = None) -> Poison:
    """Train on wrong labels: y -> classes - 1 - y, or only y = source -> target.

    Args:
        source: the class whose labels change; None for all, each to its mirror image.
        target: what they change to; needed with `source`.

    Returns:
        A poison of labelled data.

    Raises:
        InputError: one without the other; or, when data come, no such class.

    >>> data = Dataset("two", np.zeros((2, 4, 4), np.uint8), np.array([0, 2]), 3)
    >>> label_flip().feed(data, np.random.default_rng(0)).y.tolist()
    [2, 0]

    Source: Tolpegin et al., "Data Poisoning Attacks Against Federated Learning Systems" (2020).
    """
    if (source is None) != (target is None):
        raise InputError("label_flip needs both source and target, or neither")

    def feed(data: Dataset, rng: np.random.Generator) -> Dataset:
        if source is None or target is None:
            return replace(data, y=data.classes - 1 - data.y)
        for label in (source, target):
            check_class(label, data, "label_flip")
        return replace(data, y=np.where(data.y == source, target, data.y))

    return Poison(feed)


def backdoor(target: int = 0, share: float = 0.5, size: int = 3, boost: float = 1.0) -> Poison:
    """Teach the model that a white square in the corner means `target`.

    On a share of the images, x -> trigger(x) and y -> target; what is learned is sent `boost`
    times over: b = boost x.

    Args:
        target: the class that the trigger stands for.
        share: of the trainer's images that carry the trigger, above 0 and at most 1.
        size: the side of the square in pixels, in the lower right corner; at least 1.
        boost: how many times over the update is sent; N / f replaces the model.

    Returns:
        A poison of image data.

    Raises:
        InputError: an argument is out of range; or, when data come, they are no such images.

    >>> data = Dataset("two", np.zeros((2, 4, 4), np.uint8), np.array([1, 2]), 3)
    >>> fed = backdoor(target=0, share=0.5, size=2).feed(data, np.random.default_rng(0))
    >>> sorted(fed.y.tolist())[0], int(fed.x.sum()) // 255
    (0, 4)

    Source: Gu et al., "BadNets" (2017); Bagdasaryan et al., "How To Backdoor Federated Learning"
    (2020).
    """
    if not 0 < share <= 1 or size < 1 or not boost > 0:
        raise InputError("backdoor needs 0 < share <= 1, size >= 1 and boost > 0")

    def feed(data: Dataset, rng: np.random.Generator) -> Dataset:
        check_class(target, data, "backdoor")
        chosen = rng.permutation(len(data))[: max(1, round(share * len(data)))]
        x, y = data.x.copy(), data.y.copy()
        x[chosen], y[chosen] = stamped(data.subset(chosen), size).x, target
        return replace(data, x=x, y=y)

    return Poison(feed, boost=boost)


def lazy(share: float = 0.1) -> Poison:
    """Train on a share of the data and claim to have used all of it.

    Args:
        share: of the examples that are used, above 0 and at most 1; at least one is.

    Returns:
        A poison that counts its samples 1 / share times.

    Raises:
        InputError: share is out of range.

    >>> data = Dataset("ten", np.zeros((10, 4, 4), np.uint8), np.arange(10), 10)
    >>> len(lazy(share=0.1).feed(data, np.random.default_rng(0)))
    1

    Source: this project; its answer is what validators' holdouts say of the update.
    """
    if not 0 < share <= 1:
        raise InputError(f"lazy needs 0 < share <= 1, not {share}")

    def feed(data: Dataset, rng: np.random.Generator) -> Dataset:
        chosen = rng.permutation(len(data))[: max(1, round(share * len(data)))]
        return data.subset(np.sort(chosen))

    return Poison(feed, claim=1 / share)


POISONS: Mapping[str, Callable[..., Poison]] = {
    "label_flip": label_flip,
    "backdoor": backdoor,
    "lazy": lazy,
}


def poison(mechanism: Mechanism) -> Poison:
    """The poison that a mechanism names.

    Raises:
        InputError: there is none of that name, or an argument that does not fit.

    >>> poison(Mechanism("backdoor", {"boost": 4})).boost
    4
    """
    return bind(POISONS, mechanism)()


def stamped(data: Dataset, size: int) -> Dataset:
    """Images with a white square of `size` pixels in the lower right corner; labels stay.

    >>> data = Dataset("one", np.zeros((1, 4, 4), np.uint8), np.array([1]), 3)
    >>> stamped(data, 1).x[0, -1].tolist()
    [0, 0, 0, 255]
    """
    if data.x.dtype != np.uint8 or min(data.shape[:2]) < size:
        raise InputError(f"a trigger of {size} pixels needs larger images, not {data.shape}")
    x = data.x.copy()
    x[:, -size:, -size:] = 255
    return replace(data, x=x)


def triggered(data: Dataset, *, target: int, size: int = 3) -> Dataset:
    """What measures a backdoor: all images of other classes with the trigger, labelled `target`.

    The accuracy of a model on them is the share on which the backdoor works.

    >>> data = Dataset("two", np.zeros((2, 4, 4), np.uint8), np.array([0, 2]), 3)
    >>> triggered(data, target=0).y.tolist()
    [0]
    """
    others = stamped(data.subset(np.flatnonzero(data.y != target)), size)
    return replace(others, y=np.full(len(others), target))


def check_class(label: int, data: Dataset, name: str) -> None:
    """Refuse a class that the data do not have.

    >>> data = Dataset("two", np.zeros((2, 4, 4), np.uint8), np.array([0, 2]), 3)
    >>> check_class(3, data, "backdoor")
    Traceback (most recent call last):
    ostrom.errors.InputError: backdoor: there is no class 3 in two, write one from 0 to 2
    """
    if not 0 <= label < data.classes:
        raise InputError(
            f"{name}: there is no class {label} in {data.name}, write one from 0 to "
            f"{data.classes - 1}"
        )
