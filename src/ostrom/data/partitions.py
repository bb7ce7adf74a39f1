"""Ways to deal labelled examples among trainers.

Each returns one index vector per trainer; together they hold every example once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.mechanisms import bind, only

Indices: TypeAlias = npt.NDArray[np.int64]
Labels: TypeAlias = npt.NDArray[np.int64]
Partition: TypeAlias = Callable[[Labels, int, np.random.Generator], list[Indices]]


def iid() -> Partition:
    """Every trainer a random sample, sizes equal up to one."""

    def deal(labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
        return [np.sort(part) for part in np.array_split(rng.permutation(len(labels)), n)]

    return deal


def emphasis(share: float = 0.9) -> Partition:
    """Every class has its trainers, who hold `share` of it; all trainers share the rest.

    With as many trainers as classes, trainer i emphasises class i (Ostrom's reading of the paper
    that it reproduces: "focusing primarily on a single digit").
    """
    if not 0 <= share <= 1:
        raise InputError(f"emphasis: share must lie between 0 and 1, not {share}")

    def deal(labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
        classes = _classes(labels)
        owner = np.arange(max(n, classes))
        table = np.full((n, classes), (1 - share) / n)
        for trainer, label in {(int(i % n), int(i % classes)) for i in owner}:
            holders = len({int(i % n) for i in owner if i % classes == label})
            table[trainer, label] += share / holders
        return _by_table(table, labels, rng)

    return deal


def shards(k: int = 2) -> Partition:
    """Sort by class, cut into n * k shards, give every trainer `k` of them at random.

    McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data"
    (2017), section 3.
    """
    if k < 1:
        raise InputError(f"shards: k must be at least 1, not {k}")

    def deal(labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
        shuffled = rng.permutation(len(labels))
        by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
        pieces = np.array_split(by_class, n * k)
        turns = rng.permutation(n * k).reshape(n, k)
        return [np.sort(np.concatenate([pieces[i] for i in turn])) for turn in turns]

    return deal


def classes(k: int = 1) -> Partition:
    """Trainer i holds class i (modulo their number) and `k` - 1 others at random.

    Each class is divided at random and evenly among its holders; one that nobody drew is divided
    among all. Li et al., "Federated Learning on Non-IID Data Silos: An Experimental Study" (2022),
    there "#C=k".
    """
    if k < 1:
        raise InputError(f"classes: k must be at least 1, not {k}")

    def deal(labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
        number = _classes(labels)
        table = np.zeros((n, number))
        for trainer in range(n):
            first = trainer % number
            others = np.delete(np.arange(number), first)
            table[trainer, first] = 1
            table[trainer, rng.permutation(others)[: k - 1]] = 1
        table[:, table.sum(axis=0) == 0] = 1
        return _by_table(table / table.sum(axis=0), labels, rng)

    return deal


def dirichlet(alpha: float = 0.5) -> Partition:
    """Deal each class in proportions drawn from Dirichlet(alpha); small alpha, strong skew.

    Hsu et al., "Measuring the Effects of Non-Identical Data Distribution" (2019), in the form of
    NIID-Bench (one draw per class).
    """
    if not alpha > 0:
        raise InputError(f"dirichlet: alpha must be above 0, not {alpha}")

    def deal(labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
        table = rng.dirichlet(np.full(n, alpha), size=_classes(labels)).T
        return _by_table(table, labels, rng)

    return deal


PARTITIONS: Mapping[str, Callable[..., Partition]] = {
    "iid": iid,
    "emphasis": emphasis,
    "shards": shards,
    "classes": classes,
    "dirichlet": dirichlet,
}


def partition(text: str, labels: Labels, n: int, rng: np.random.Generator) -> list[Indices]:
    """Deal examples with `labels` (m,) among `n` trainers: `n` sorted index vectors.

    Raises:
        InputError: `text` names no partition of `PARTITIONS`, or there is no trainer.

    >>> labels = np.arange(100) % 10
    >>> [len(part) for part in partition("iid", labels, 3, np.random.default_rng(0))]
    [34, 33, 33]
    """
    if n < 1:
        raise InputError(f"there must be at least 1 trainer, not {n}")
    return bind(PARTITIONS, only(text))()(labels, n, rng)


def mirror(
    parts: list[Indices], labels: Labels, others: Labels, *, rng: np.random.Generator
) -> list[Indices]:
    """Deal examples labelled `others` so that each trainer's skew is the one it has in `parts`.

    >>> parts = [np.arange(0, 10), np.arange(10, 20)]
    >>> labels = np.repeat([0, 1], 10)
    >>> [part.tolist() for part in mirror(parts, labels, labels, rng=np.random.default_rng(0))]
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]
    """
    classes = max(_classes(labels), _classes(others))
    held = np.array([np.bincount(labels[part], minlength=classes) for part in parts], dtype=float)
    totals = held.sum(axis=0)
    evenly = 1 / len(parts)
    table = np.divide(held, totals, out=np.full_like(held, evenly), where=totals > 0)
    return _by_table(table, others, rng)


def _classes(labels: Labels) -> int:
    return int(labels.max()) + 1 if len(labels) else 1


def _by_table(
    table: npt.NDArray[np.float64], labels: Labels, rng: np.random.Generator
) -> list[Indices]:
    """Deal class c in the proportions table[:, c]."""
    hands: list[list[Indices]] = [[] for _ in table]
    for label in range(_classes(labels)):
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(table[:, label]) * len(members)).astype(int)
        for hand, piece in zip(hands, np.split(members, ends[:-1])):
            hand.append(piece)
    return [np.sort(np.concatenate(hand)) for hand in hands]
