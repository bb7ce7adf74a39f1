"""What a model of the coupled mode starts with: its encoder, its size and what it knows already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ostrom.cli.collab_session import encode, numbers
from ostrom.errors import InputError
from ostrom.mechanisms import only
from ostrom.onchain.data import STREAMS, Sample, learn_all, load_stream
from ostrom.onchain.encoders import Encoder, Hashing, Quantise, Vocabulary, encoder
from ostrom.onchain.features import decode_row
from ostrom.onchain.models import KMeans, NaiveBayes, Perceptron, SparseCentroid, model
from ostrom.onchain.models.model import Model
from ostrom.storage import Store

LINES_MAX = 1_000_000
VOCABULARY_WORDS = 1_000
SCALE = 256


@dataclass(frozen=True)
class Start:
    """A model as it will be deployed. `content` is what the encoder's text names by a CID."""

    model: Model[Any]
    state: Any
    encoder: Encoder
    content: bytes | None
    classes: int
    features: int
    learnt: int


@dataclass(frozen=True)
class Lines:
    """A file of labelled data: in each line a label, then a text behind a tab, or numbers."""

    labels: tuple[int, ...]
    values: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Lines:
        """The lines of a UTF-8 file; empty ones are passed over.

        Raises:
            InputError: it cannot be read, or a line has no label.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {path}: {error}") from None
        lines = [line for line in text.splitlines() if line.strip()]
        if not 1 <= len(lines) <= LINES_MAX:
            raise InputError(f"{path} has no lines, or more than {LINES_MAX:,}")
        pairs = [line.split("\t" if "\t" in line else ",", 1) for line in lines]
        for number, pair in enumerate(pairs, 1):
            if len(pair) != 2 or not pair[0].strip().isdecimal():
                raise InputError(
                    f"{path}, line {number}: give a label, then a tab and a text, or commas and "
                    "numbers"
                )
        return cls(tuple(int(label) for label, _ in pairs), tuple(value for _, value in pairs))

    def encoded(self, by: Encoder) -> tuple[Sample, ...]:
        """The lines as samples."""
        pairs = zip(self.values, self.labels)
        return tuple(Sample(encode(by, value), label) for value, label in pairs)


def plan(
    kind: str,
    by: str | None,
    data: str | None,
    *,
    classes: int | None,
    features: int | None,
    seed: int,
    store: Store | None,
) -> Start:
    """The start that the options describe.

    Args:
        kind: the model's text.
        by: the encoder's text; without it the data decide.
        data: a named task, or a file of labelled lines; nothing is known without it.
        classes, features: sizes that neither data nor encoder tell.
        seed: cuts a named task into its parts.
        store: has the content that `by` names.

    Raises:
        InputError: an option is missing, or some do not fit.
    """
    known = model(kind)
    made, samples = _encoder_and_samples(known, by, data, seed=seed, store=store)
    _check_fit(known, made)
    width = _features(made, features, samples)
    labels = classes or max((sample.label for sample in samples), default=-1) + 1
    if isinstance(known, KMeans):
        return _clusters(known, made, samples, clusters=classes or labels)
    if labels < 2:
        raise InputError("how many labels are there? give --classes, or --data with all of them")
    state = learn_all(known, known.start(labels, width), samples)
    return Start(known, state, made, content_of(made), labels, width, len(samples))


def content_of(made: Encoder) -> bytes | None:
    """The list or table that others need to encode alike."""
    if isinstance(made, Vocabulary) or (isinstance(made, Quantise) and made.centre):
        return made.content
    return None


def samples_of(data: str, by: Encoder, *, seed: int) -> tuple[Sample, ...]:
    """Labelled data in an encoder's form: the test part of a named task, or a file's lines.

    Raises:
        InputError: there are none of that name, or the task has another encoder.
    """
    if not _is_stream(data):
        return Lines.read(Path(data)).encoded(by)
    stream = load_stream(data, seed=seed)
    if stream.encoder.text != by.text:
        raise InputError(
            f"{data} with seed {seed} has another encoder than the model: give its --seed"
        )
    return stream.test


def _encoder_and_samples(
    known: Model[Any], by: str | None, data: str | None, *, seed: int, store: Store | None
) -> tuple[Encoder, tuple[Sample, ...]]:
    if data is None:
        if by is None:
            raise InputError("what makes features? give --encoder, or --data")
        return encoder(by, store), ()
    if _is_stream(data):
        if by is not None:
            raise InputError(f"{data} has its own encoder: leave --encoder out")
        stream = load_stream(data, seed=seed)
        return stream.encoder, stream.warm
    lines = Lines.read(Path(data))
    made = _fitted(known, by, lines, store)
    return made, lines.encoded(made)


def _fitted(known: Model[Any], by: str | None, lines: Lines, store: Store | None) -> Encoder:
    """The encoder for a file's lines; one that nobody names is made of them."""
    if by is not None:
        return encoder(by, store)
    if _reads_tokens(known):
        counted = isinstance(known, NaiveBayes)
        return Vocabulary.of(lines.values, size=VOCABULARY_WORDS, counted=counted)
    rows = [numbers(value.replace(",", " ").split()) for value in lines.values]
    if len({len(row) for row in rows}) > 1:
        raise InputError("the lines do not all have as many numbers")
    scale = known.one if isinstance(known, Perceptron) else SCALE
    return Quantise.of(rows, scale=scale)


def _check_fit(known: Model[Any], made: Encoder) -> None:
    if _reads_tokens(known) == isinstance(made, Quantise):
        wanted = "hashing or vocabulary" if _reads_tokens(known) else "quantise"
        raise InputError(f"this model takes another encoder than {made.text}: {wanted}")
    if isinstance(made, Hashing | Vocabulary) and made.counted != isinstance(known, NaiveBayes):
        raise InputError("naive_bayes counts words and no other model does: give it counted=1")


def _reads_tokens(known: Model[Any]) -> bool:
    is_sparse = isinstance(known, Perceptron) and known.sparse
    return is_sparse or isinstance(known, NaiveBayes | SparseCentroid)


def _features(made: Encoder, given: int | None, samples: Sequence[Sample]) -> int:
    found = len(made.centre) if isinstance(made, Quantise) else made.features
    if not found and samples:
        found = len(samples[0].x) // 2
    if found and given not in (None, found):
        raise InputError(f"the encoder has {found:,} features: leave --features out")
    if not found and given is None:
        raise InputError("how many numbers has a row? give --features, or --data")
    return found or given or 0


def _clusters(known: KMeans, made: Encoder, samples: Sequence[Sample], *, clusters: int) -> Start:
    """Clusters that begin at the first rows; those that follow are learnt without their labels."""
    if not 1 <= clusters <= len(samples):
        raise InputError("k_means starts at rows: give --data with as many as --classes at least")
    width = _features(made, None, samples)
    rows = np.array([decode_row(sample.x, width) for sample in samples[:clusters]])
    rest = [Sample(sample.x, 0) for sample in samples[clusters:]]
    state = learn_all(known, known.at(rows), rest)
    return Start(known, state, made, content_of(made), clusters, width, len(samples))


def _is_stream(data: str) -> bool:
    return data.partition("(")[0] in STREAMS and only(data).name in STREAMS
