"""The tasks that the coupled mode is measured on, as streams of encoded contributions.

- `passages`: 2,615 paragraphs of documentation, 14 to 48 words, about graphs (0, from NetworkX) or
  algebra (1, from SymPy); both names were left out, licences lie beside the file;
- `digits`: 1,797 images of 8 x 8 pixels in 10 classes, see `ostrom.data`;
- `breast_cancer`: 569 rows of 30 numbers in 2 classes (Wolberg, Street and Mangasarian 1995; CC BY
  4.0), as scikit-learn ships it.

One seeded permutation cuts a task: a fifth is for testing, a tenth of the rest is the warm start
that the deployer has, and the others arrive in that order. The encoder is made of the warm start
alone.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ostrom.data import load_dataset
from ostrom.errors import DatasetError
from ostrom.mechanisms import bind, only
from ostrom.onchain.encoders import LIMIT, Encoder, Quantise, Vocabulary
from ostrom.onchain.models.model import Model

S = TypeVar("S")

PASSAGE_BYTES_MAX = 1 << 20
TEST_SHARE = 5
"""One in so many samples is for testing."""

WARM_SHARE = 10
"""One in so many of the others is the warm start."""


@dataclass(frozen=True)
class Sample:
    """Encoded features and their label."""

    x: bytes
    label: int


@dataclass(frozen=True)
class Stream:
    """A task: what the deployer starts with, what arrives, what measures the model."""

    name: str
    classes: int
    features: int
    encoder: Encoder
    warm: tuple[Sample, ...]
    arrivals: tuple[Sample, ...]
    test: tuple[Sample, ...]


def load_stream(text: str, *, seed: int) -> Stream:
    """The task that a text names: `passages(counted=0,features=1000,limit=20)`, `digits(scale=256)`
    or `breast_cancer(scale=256)`; all arguments may be left out.

    Raises:
        InputError: an unknown name or argument, or a package that is missing.

    >>> stream = load_stream("digits", seed=1)
    >>> len(stream.warm), len(stream.arrivals), len(stream.test), stream.features
    (144, 1294, 359, 64)
    """
    return bind(STREAMS, only(text))(np.random.default_rng(seed))


def learn_all(model: Model[S], state: S, samples: Sequence[Sample]) -> S:
    """The state after all samples, learnt in their order."""
    for sample in samples:
        state, _ = model.learn(state, sample.x, sample.label)
    return state


def accuracy(model: Model[S], state: S, samples: Sequence[Sample]) -> float:
    """The share of samples whose label the model predicts, in per cent."""
    right = sum(model.predict(state, sample.x) == sample.label for sample in samples)
    return 100 * right / len(samples)


def _passages(
    rng: np.random.Generator, /, counted: int = 0, features: int = 1_000, limit: int = LIMIT
) -> Stream:
    labels, texts = _read_passages()
    order = rng.permutation(len(texts))
    warm = [texts[i] for i in _cut(order)[0]]
    encoder = Vocabulary.of(warm, size=features, counted=counted == 1, limit=limit)
    encode = {i: encoder.encode(texts[i]) for i in order.tolist()}
    return _stream("passages", encoder, order, encode, labels)


def _digits(rng: np.random.Generator, /, scale: int = 256) -> Stream:
    digits = load_dataset("digits").train
    rows = digits.x.reshape(len(digits), -1).astype(np.float64)
    return _rows("digits", rng, rows, digits.y, scale)


def _breast_cancer(rng: np.random.Generator, /, scale: int = 256) -> Stream:
    try:
        from sklearn.datasets import load_breast_cancer  # type: ignore[import-untyped]
    except ImportError:
        raise DatasetError("breast_cancer is in scikit-learn: pip install scikit-learn") from None
    rows, labels = load_breast_cancer(return_X_y=True)
    return _rows("breast_cancer", rng, rows, labels, scale)


STREAMS: Mapping[str, Callable[..., Stream]] = {
    "passages": _passages,
    "digits": _digits,
    "breast_cancer": _breast_cancer,
}


def _rows(
    name: str,
    rng: np.random.Generator,
    rows: npt.NDArray[np.float64],
    labels: npt.NDArray[Any],
    scale: int,
) -> Stream:
    order = rng.permutation(len(rows))
    encoder = Quantise.of(rows[_cut(order)[0]], scale=scale)
    encode = {i: encoder.encode(rows[i]) for i in order.tolist()}
    return _stream(name, encoder, order, encode, labels.tolist())


def _stream(
    name: str,
    encoder: Vocabulary | Quantise,
    order: npt.NDArray[np.int64],
    encoded: Mapping[int, bytes],
    labels: Sequence[int],
) -> Stream:
    features = encoder.features if isinstance(encoder, Vocabulary) else len(encoder.centre)
    parts = [tuple(Sample(encoded[i], labels[i]) for i in part.tolist()) for part in _cut(order)]
    return Stream(name, max(labels) + 1, features, encoder, *parts)


def _cut(order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Warm start, arrivals, test."""
    test = len(order) // TEST_SHARE
    rest = order[test:]
    warm = -(-len(rest) // WARM_SHARE)
    return rest[:warm], rest[warm:], order[:test]


@lru_cache(maxsize=1)
def _read_passages() -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Labels and texts in the file's order."""
    packed = resources.files("ostrom.onchain").joinpath("passages.tsv.xz").read_bytes()
    lines = lzma.decompress(packed).decode("ascii").splitlines()
    pairs = [line.split("\t") for line in lines]
    return tuple(int(label) for label, _ in pairs), tuple(text for _, text in pairs)
