"""Sums of rows as their contract stores them: lanes of 32 bits, each class in its own words.

Lane 0 is features (16 bits) | classes (8) | 0, in class 0 only; lane 1 is n; of k-means lanes 2
to 4 are R (96 bits); then come the sums, signed.
"""

from __future__ import annotations

import numpy as np

from ostrom.onchain.models.distances import SumsState
from ostrom.onchain.models.model import check_size, frozen
from ostrom.onchain.models.words import WORD_BYTES, check_length, check_whole, pack, unpack

_SPREAD_BITS = 96
_LANE_BYTES = 4


def dump_sums(state: SumsState) -> bytes:
    """The words of a state; one with a spread is k-means'."""
    return b"".join(_dump_class(state, label) for label in range(len(state.sums)))


def load_sums(data: bytes, *, spread: bool = False) -> SumsState:
    """The state that such words hold; `spread` says whether it is k-means'.

    Raises:
        InputError: they are no state, or one of other dimensions than they say.
    """
    check_whole(data)
    features, classes = unpack(data[:WORD_BYTES], [16, 8])
    check_size(classes, features, classes_min=1)
    start = 20 if spread else 8
    size = _round_up(start + _LANE_BYTES * features)
    check_length(data, classes * size)
    heads = [unpack(data[at:], [32, 32, _SPREAD_BITS]) for at in range(0, len(data), size)]
    lanes = np.frombuffer(data, dtype=">i4").reshape(classes, size // _LANE_BYTES)
    first = start // _LANE_BYTES
    return SumsState(
        frozen(np.array([count for _, count, _ in heads], dtype=np.int64)),
        frozen(lanes[:, first : first + features].astype(np.int64)),
        tuple(away for _, _, away in heads) if spread else (),
    )


def _dump_class(state: SumsState, label: int) -> bytes:
    classes, features = state.sums.shape
    first = (features << 16 | classes << 8) if label == 0 else 0
    head = [(first, 32), (int(state.counts[label]), 32)]
    if state.spread:
        head.append((state.spread[label], _SPREAD_BITS))
    size = sum(bits for _, bits in head) // 8
    row: bytes = pack(head)[:size] + state.sums[label].astype(">i4").tobytes()
    return row.ljust(_round_up(len(row)), b"\0")


def _round_up(size: int) -> int:
    return -(-size // WORD_BYTES) * WORD_BYTES
