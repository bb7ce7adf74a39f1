"""Nearest centroid of rows of numbers.

Class k has n_k samples that sum up to S_k; d_k = floor(2^32 |x - S_k / n_k|^2), and the least
wins. A class without samples is never predicted.

Threat: a contribution that makes the model agree with it (`agrees` takes it out exactly). Not
answered: rows far away from all others, which pull a mean as far as int16 reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostrom.onchain.features import decode_row
from ostrom.onchain.models.distances import (
    SumsState,
    add_sample,
    distances,
    nearest,
    start_sums,
    widen_sums,
)
from ostrom.onchain.models.model import check_no_update, check_size
from ostrom.onchain.models.sketches import sketch_row
from ostrom.onchain.models.sums_words import dump_sums, load_sums


@dataclass(frozen=True)
class Centroid:
    """See the module."""

    def start(self, classes: int, features: int) -> SumsState:
        """A state that has no samples."""
        check_size(classes, features)
        return start_sums(classes, features)

    def classes(self, state: SumsState) -> int:
        """How many labels there are."""
        return len(state.sums)

    def features(self, state: SumsState) -> int:
        """How many numbers a row has."""
        return int(state.sums.shape[1])

    def distances(self, state: SumsState, x: bytes) -> list[int | None]:
        """d of every class; None without samples."""
        return distances(state, decode_row(x, self.features(state)))

    def predict(self, state: SumsState, x: bytes) -> int:
        """The label of the least distance."""
        return nearest(self.distances(state, x))

    def learn(self, state: SumsState, x: bytes, label: int) -> tuple[SumsState, int]:
        """Adds the row to its class; the memo is 1."""
        check_no_update(label, self.classes(state))
        return add_sample(state, label, decode_row(x, self.features(state))), 1

    def agrees(self, state: SumsState, x: bytes, label: int, memo: int) -> bool:
        """Whether the means without the contribution's own predict its label."""
        check_no_update(label, self.classes(state))
        row = decode_row(x, self.features(state))
        rest = add_sample(state, label, row, times=-1) if memo else state
        return nearest(distances(rest, row)) == label

    def sketch(self, x: bytes) -> int:
        """64 bits by the signs of the values."""
        return sketch_row(decode_row(x, max(1, len(x) // 2)))

    def widen(self, state: SumsState, *, classes: int = 0, features: int = 0) -> SumsState:
        """The state with more labels, which have no samples, and features, which were 0."""
        check_size(self.classes(state) + classes, self.features(state) + features)
        return widen_sums(state, classes, features)

    def dump(self, state: SumsState) -> bytes:
        """The words of the contract's storage."""
        return dump_sums(state)

    def load(self, data: bytes) -> SumsState:
        """The state that such words hold."""
        return load_sums(data)


def centroid() -> Centroid:
    """Nearest centroid of rows.

    >>> from ostrom.onchain.features import encode_row
    >>> model = centroid()
    >>> state, _ = model.learn(model.start(2, 2), encode_row([100, 0]), 1)
    >>> state, memo = model.learn(state, encode_row([-100, 0]), 0)
    >>> model.predict(state, encode_row([40, 90]))
    1
    """
    return Centroid()
