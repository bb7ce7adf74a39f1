"""Nearest centroid of sets of tokens, scaled lazily: only the sample's tokens are read or written.

Class k has n_k samples, S_ki of which have token i, and Q_k = sum_i S_ki^2. The mean is S_k / n_k
and the squared distance, less |x|^2 which all classes have in common, is d_k = floor(2^32 Q_k /
n_k^2) - floor(2^33 T_k / n_k), T_k the sum of S_ki over the sample's tokens. A class without
samples is never predicted.

Threat: a contribution that makes the model agree with it (`agrees` takes it out exactly). Not
answered: many contributions that agree with each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ostrom.errors import InputError
from ostrom.onchain.features import Integers, decode_tokens
from ostrom.onchain.models.count_words import (
    COUNT_MAX,
    Table,
    dump_table,
    load_table,
    tokens_a_word,
)
from ostrom.onchain.models.distances import DISTANCE_BITS, nearest
from ostrom.onchain.models.model import UPDATE, check_no_update, check_size, frozen, grown
from ostrom.onchain.models.sketches import sketch_tokens

SAMPLES_MAX = (1 << 32) - 1
SQUARES_BITS = 48
SQUARES_MAX = (1 << SQUARES_BITS) - 1
_LANE_BITS = 80


@dataclass(frozen=True, eq=False)
class SparseCentroidState:
    """`samples` n (K,), `squares` Q (K,), `sums` S (K, V), all int64.

    `packed` tokens share a word of the contract's storage.
    """

    samples: Integers
    squares: Integers
    sums: Integers
    packed: int


@dataclass(frozen=True)
class SparseCentroid:
    """See the module."""

    def start(self, classes: int, features: int) -> SparseCentroidState:
        """A state that has no samples."""
        check_size(classes, features)
        none = frozen(np.zeros(classes, dtype=np.int64))
        sums = frozen(np.zeros((classes, features), dtype=np.int64))
        return SparseCentroidState(none, none, sums, tokens_a_word(classes))

    def classes(self, state: SparseCentroidState) -> int:
        """How many labels there are."""
        return len(state.sums)

    def features(self, state: SparseCentroidState) -> int:
        """How many tokens there are."""
        return int(state.sums.shape[1])

    def distances(self, state: SparseCentroidState, x: bytes) -> list[int | None]:
        """d of every class; None without samples."""
        tokens = decode_tokens(x, self.features(state))
        totals = state.sums[:, tokens].sum(axis=1).tolist()
        return _distances(state.samples.tolist(), state.squares.tolist(), totals)

    def predict(self, state: SparseCentroidState, x: bytes) -> int:
        """The label of the least distance."""
        return nearest(self.distances(state, x))

    def learn(
        self, state: SparseCentroidState, x: bytes, label: int
    ) -> tuple[SparseCentroidState, int]:
        """Adds the sample to its class; the memo is 1.

        Raises:
            InputError: also if a number would not fit; the contract refuses the sample then.
        """
        check_no_update(label, self.classes(state))
        tokens = decode_tokens(x, self.features(state))
        before = state.sums[label, tokens]
        samples, squares, sums = state.samples.copy(), state.squares.copy(), state.sums.copy()
        samples[label] += 1
        squares[label] += 2 * int(before.sum()) + len(tokens)
        sums[label, tokens] += 1
        full = samples[label] > SAMPLES_MAX or squares[label] > SQUARES_MAX
        if full or before.max(initial=0) >= COUNT_MAX:
            raise InputError("this model has no room for another sample like that")
        return replace(
            state, samples=frozen(samples), squares=frozen(squares), sums=frozen(sums)
        ), 1

    def agrees(self, state: SparseCentroidState, x: bytes, label: int, memo: int) -> bool:
        """Whether the means without the contribution's own predict its label."""
        check_no_update(label, self.classes(state))
        tokens = decode_tokens(x, self.features(state))
        here = state.sums[:, tokens]
        samples, squares = state.samples.tolist(), state.squares.tolist()
        if memo:
            here[label] = np.maximum(here[label] - 1, 0)
            own = 2 * int(here[label].sum()) + len(tokens)
            samples[label] = max(samples[label] - 1, 0)
            squares[label] = max(squares[label] - own, 0)
        return nearest(_distances(samples, squares, here.sum(axis=1).tolist())) == label

    def sketch(self, x: bytes) -> int:
        """64 bits by the tokens."""
        return sketch_tokens(decode_tokens(x, UPDATE))

    def widen(
        self, state: SparseCentroidState, *, classes: int = 0, features: int = 0
    ) -> SparseCentroidState:
        """The state with more labels, which have no samples, and tokens, which no sample has."""
        check_size(self.classes(state) + classes, self.features(state) + features)
        return replace(
            state,
            samples=frozen(np.pad(state.samples, (0, classes))),
            squares=frozen(np.pad(state.squares, (0, classes))),
            sums=grown(state.sums, rows=classes, columns=features),
        )

    def dump(self, state: SparseCentroidState) -> bytes:
        """The words of the contract's storage: a class's lane is n (32 bits) | Q (48)."""
        totals = zip(state.samples.tolist(), state.squares.tolist())
        lanes = [samples << SQUARES_BITS | squares for samples, squares in totals]
        return dump_table(Table(state.sums, lanes, state.packed), lane_bits=_LANE_BITS)

    def load(self, data: bytes) -> SparseCentroidState:
        """The state that such words hold."""
        sums, lanes, packed = load_table(data, lane_bits=_LANE_BITS)
        samples = np.array([lane >> SQUARES_BITS for lane in lanes], dtype=np.int64)
        squares = np.array([lane & SQUARES_MAX for lane in lanes], dtype=np.int64)
        return SparseCentroidState(frozen(samples), frozen(squares), sums, packed)


def _distances(samples: list[int], squares: list[int], totals: list[int]) -> list[int | None]:
    return [
        (q << DISTANCE_BITS) // (n * n) - (t << (DISTANCE_BITS + 1)) // n if n else None
        for n, q, t in zip(samples, squares, totals)
    ]


def sparse_centroid() -> SparseCentroid:
    """Nearest centroid of sets of tokens.

    >>> from ostrom.onchain.features import encode_tokens
    >>> model = sparse_centroid()
    >>> state, _ = model.learn(model.start(2, 1_000), encode_tokens([3, 14]), 1)
    >>> state, memo = model.learn(state, encode_tokens([15, 92]), 0)
    >>> model.predict(state, encode_tokens([14, 65]))
    1
    """
    return SparseCentroid()
