"""Online k-means (MacQueen 1967) for data without labels, and how much of an outlier a row is.

Cluster p has n_p rows that sum up to S_p, loaded at the start, and R_p, the sum of what its rows
were away: e = floor(|x - S_p / n_p|^2), at most 2^56 - 1. A contribution's label is 0; `predict`
gives the nearest cluster. outlier = floor(2^16 e n_p / max(R_p, 1)) is the distance over the
cluster's mean distance, and a contribution is agreed with up to `limit` of that, its own part
taken out.

Threat: rows that belong nowhere and drag a centre away. Not answered: many rows that build a
cluster of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ostrom.errors import InputError
from ostrom.onchain.features import Integers, decode_row
from ostrom.onchain.models.distances import (
    DISTANCE_BITS,
    SumsState,
    add_sample,
    distance,
    distances,
    nearest,
    start_sums,
    widen_sums,
)
from ostrom.onchain.models.model import check_no_update, check_size, frozen
from ostrom.onchain.models.sketches import sketch_row
from ostrom.onchain.models.sums_words import dump_sums, load_sums

OUTLIER_BITS = 16
AWAY_MAX = (1 << 56) - 1
LIMIT = 4 << OUTLIER_BITS
"""Four times the mean distance, in the contract's fixed point."""


@dataclass(frozen=True)
class KMeans:
    """See the module. `limit` has 16 fractional bits."""

    limit: int

    def start(self, classes: int, features: int) -> SumsState:
        """Clusters without rows, which are never predicted; see `at`."""
        check_size(classes, features, classes_min=1)
        return replace(start_sums(classes, features), spread=(0,) * classes)

    def at(self, centres: Integers, *, weight: int = 1) -> SumsState:
        """Clusters at `centres` (K, V), each as heavy as `weight` rows."""
        state = self.start(*centres.shape)
        counts = frozen(np.full(len(centres), weight, dtype=np.int64))
        return replace(state, counts=counts, sums=frozen(centres.astype(np.int64) * weight))

    def classes(self, state: SumsState) -> int:
        """How many clusters there are."""
        return len(state.sums)

    def features(self, state: SumsState) -> int:
        """How many numbers a row has."""
        return int(state.sums.shape[1])

    def predict(self, state: SumsState, x: bytes) -> int:
        """The nearest cluster."""
        return nearest(distances(state, decode_row(x, self.features(state))))

    def outlier_score(self, state: SumsState, x: bytes) -> int:
        """The distance over the cluster's mean distance, with 16 fractional bits."""
        row = decode_row(x, self.features(state))
        return _outlier(state, nearest(distances(state, row)), row)

    def learn(self, state: SumsState, x: bytes, label: int) -> tuple[SumsState, int]:
        """Adds the row to the nearest cluster p; the memo is e << 8 | p + 1."""
        check_no_update(label, 1)
        row = decode_row(x, self.features(state))
        found = nearest(distances(state, row))
        away = _away(state, found, row)
        after = _spread(add_sample(state, found, row), found, away)
        return after, away << 8 | found + 1

    def agrees(self, state: SumsState, x: bytes, label: int, memo: int) -> bool:
        """Whether the row is no outlier in the cluster that it joined, without itself.

        A row that is not in the model is judged in the cluster nearest to it.
        """
        check_no_update(label, 1)
        row = decode_row(x, self.features(state))
        found = (memo & 255) - 1 if memo else nearest(distances(state, row))
        if memo:
            state = _spread(add_sample(state, found, row, times=-1), found, -(memo >> 8))
        return bool(state.counts[found]) and _outlier(state, found, row) <= self.limit

    def sketch(self, x: bytes) -> int:
        """64 bits by the signs of the values."""
        return sketch_row(decode_row(x, max(1, len(x) // 2)))

    def widen(self, state: SumsState, *, classes: int = 0, features: int = 0) -> SumsState:
        """The state with more clusters, which have no rows, and features, which were 0."""
        check_size(self.classes(state) + classes, self.features(state) + features, classes_min=1)
        return widen_sums(state, classes, features)

    def dump(self, state: SumsState) -> bytes:
        """The words of the contract's storage."""
        return dump_sums(state)

    def load(self, data: bytes) -> SumsState:
        """The state that such words hold."""
        return load_sums(data, spread=True)


def _away(state: SumsState, cluster: int, row: Integers) -> int:
    """e: the squared distance to a cluster's centre, whole and bounded."""
    found = distance(int(state.counts[cluster]), state.sums[cluster], row)
    if found is None:
        raise InputError("no cluster has a centre: load centres first")
    return min(found >> DISTANCE_BITS, AWAY_MAX)


def _spread(state: SumsState, cluster: int, change: int) -> SumsState:
    spread = list(state.spread)
    spread[cluster] = max(spread[cluster] + change, 0)
    return replace(state, spread=tuple(spread))


def _outlier(state: SumsState, cluster: int, row: Integers) -> int:
    away, count = _away(state, cluster, row), int(state.counts[cluster])
    return (away * count << OUTLIER_BITS) // max(state.spread[cluster], 1)


def k_means(*, limit: int = LIMIT) -> KMeans:
    """Online k-means that agrees with rows up to `limit` / 2^16 times the mean distance.

    >>> from ostrom.onchain.features import encode_row
    >>> model = k_means()
    >>> state = model.at(np.array([[100, 0], [-100, 0]]))
    >>> state, memo = model.learn(state, encode_row([110, 0]), 0)
    >>> model.predict(state, encode_row([-7, 5])), memo == 100 << 8 | 1
    (1, True)
    """
    if limit < 1:
        raise InputError(f"the limit of outliers is above 0, {limit} is not")
    return KMeans(limit)
