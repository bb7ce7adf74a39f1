"""What random sequences are about: people, models of every kind, and data that teach something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from ostrom.chain.wallet import Key
from ostrom.onchain.data import Sample, learn_all
from ostrom.onchain.features import encode_counts, encode_row, encode_tokens, encode_update
from ostrom.onchain.models import UPDATE, KMeans, Model, model

NAMES = ("owner", "alice", "bob", "carol", "dave", "mallory")
KEYS = {name: Key(bytes(31) + bytes([index])) for index, name in enumerate(NAMES, 1)}
WARM = 12


@dataclass(frozen=True)
class World:
    """A model of a size, in the state in which it is deployed, and what its samples are like."""

    name: str
    model: Model[Any]
    start: Any
    kind: str
    takes_updates: bool

    @property
    def classes(self) -> int:
        return self.model.classes(self.start)

    @property
    def features(self) -> int:
        return self.model.features(self.start)


def honest(world: World, rng: Random, classes: int, features: int) -> Sample:
    """A sample whose label can be learnt from it."""
    label = rng.randrange(classes)
    return Sample(MAKERS[world.kind](rng, label, classes, features), _label_of(world, label))


def junk(world: World, rng: Random, classes: int, features: int) -> Sample:
    """What some models take and others refuse."""
    sample = honest(world, rng, classes, features)
    bad_bytes = (b"", b"\0", b"\0\5\0\5", bytes(2 * features + 2), rng.randbytes(rng.randrange(12)))
    if rng.random() < 0.5:
        return Sample(rng.choice(bad_bytes), sample.label)
    return Sample(sample.x, rng.choice((classes, classes + 1, UPDATE, 1 << 20)))


def update(world: World, rng: Random, classes: int, features: int) -> Sample:
    """An update of the model's weights, if it has such."""
    if not world.takes_updates:
        return junk(world, rng, classes, features)
    places = [(rng.randrange(1, classes), rng.randrange(features + 1)) for _ in range(3)]
    changes = {place: rng.choice((-1, 1, 7, -300, 32_767, -32_768)) for place in places}
    return Sample(encode_update(changes), UPDATE)


def _label_of(world: World, label: int) -> int:
    return 0 if isinstance(world.model, KMeans) else label


def _tokens(rng: Random, label: int, classes: int, features: int) -> bytes:
    return encode_tokens(_words(rng, label, classes, features))


def _counts(rng: Random, label: int, classes: int, features: int) -> bytes:
    found = _words(rng, label, classes, features)
    return encode_counts({token: rng.choice((1, 1, 2, 5)) for token in found})


def _words(rng: Random, label: int, classes: int, features: int) -> list[int]:
    """Mostly every `classes`-th word, from the label's on."""
    own = range(label % features, features, classes)
    picked = [rng.choice(own) for _ in range(rng.randrange(1, 8))]
    return picked + [rng.randrange(features) for _ in range(rng.randrange(3))]


def _row(rng: Random, label: int, classes: int, features: int) -> bytes:
    centre = [300 if i % classes == label else -100 for i in range(features)]
    values = [value + rng.randrange(-250, 250) for value in centre]
    return encode_row(values[: features - (rng.random() < 0.1 and features > 1)])


MAKERS: dict[str, Callable[[Random, int, int, int], bytes]] = {
    "tokens": _tokens,
    "counts": _counts,
    "row": _row,
}

_SIZES = (
    ("sparse_perceptron", 2, 100, "tokens"),
    ("sparse_perceptron(averaged=1)", 3, 40, "tokens"),
    ("dense_perceptron", 3, 10, "row"),
    ("dense_perceptron(averaged=1,bits=16,one=64)", 2, 7, "row"),
    ("naive_bayes", 2, 60, "counts"),
    ("sparse_centroid", 3, 50, "tokens"),
    ("centroid", 3, 12, "row"),
    ("k_means", 3, 6, "row"),
)


def make_world(index: int) -> World:
    """The world of that number, modulo their number."""
    text, classes, features, kind = _SIZES[index % len(_SIZES)]
    rng = Random(f"{text}")
    known = model(text)
    if isinstance(known, KMeans):
        rows = [
            [300 if i % classes == k else -100 for i in range(features)] for k in range(classes)
        ]
        start: Any = known.at(np.array(rows), weight=3)
    else:
        start = known.start(classes, features)
    world = World(text, known, start, kind, "perceptron" in text)
    warm = [honest(world, rng, classes, features) for _ in range(WARM)]
    return World(text, known, learn_all(known, start, warm), kind, world.takes_updates)


WORLDS = len(_SIZES)
