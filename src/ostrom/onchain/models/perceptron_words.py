"""A perceptron's state as its contract stores it: rows 1 to K - 1, each a header and lanes.

The header is features (16 bits) | classes (8), both in row 1 only | 0 (8) | bias (32), and of an
averaged one u of the bias (64) | 0 (64) | c (64; row 1 only). Then comes one lane a feature: the
weight, or u and then the weight; the last word is filled up with lanes of zeros. Numbers are
written plus half their range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.onchain.features import Integers
from ostrom.onchain.models.model import check_size, frozen
from ostrom.onchain.models.words import (
    WORD_BITS,
    WORD_BYTES,
    check_length,
    check_whole,
    pack,
    unpack,
)

_PAST_BITS = {8: 56, 16: 48, 32: 96}
"""The bits of u beside a weight of so many."""

_BIAS_BITS = 32
_BIAS_PAST_BITS = 64


@dataclass(frozen=True, eq=False)
class PerceptronState:
    """`weights` int64 (K, 1 + V): biases first, row 0 is zero. `past` is u (exact integers, same
    shape) and `count` is c, of an averaged perceptron."""

    weights: Integers
    past: npt.NDArray[np.object_] | None = None
    count: int = 1


def dump_rows(state: PerceptronState, bits: int) -> bytes:
    """The words of a state with weights of so many bits."""
    return b"".join(_dump_row(state, row, bits) for row in range(1, len(state.weights)))


def load_rows(data: bytes, *, bits: int, averaged: bool) -> PerceptronState:
    """The state that such words hold.

    Raises:
        InputError: they are no state, or one of other dimensions than they say.
    """
    check_whole(data)
    features, classes = unpack(data[:WORD_BYTES], [16, 8])
    check_size(classes, features)
    widths = _widths(features, bits, averaged)
    size = sum(widths) // 8
    check_length(data, (classes - 1) * size)
    weights = np.zeros((classes, 1 + features), dtype=np.int64)
    past = np.zeros(weights.shape, dtype=object)
    count = 1
    for row in range(1, classes):
        values = unpack(data[(row - 1) * size : row * size], widths)
        weights[row, 0] = values[3] - (1 << (_BIAS_BITS - 1))
        if averaged:
            past[row, 0] = values[4] - (1 << (_BIAS_PAST_BITS - 1))
            count = values[6] if row == 1 else count
            lanes = values[7:][: 2 * features]
            half = 1 << (_PAST_BITS[bits] - 1)
            past[row, 1:] = [lane - half for lane in lanes[::2]]
            lanes = lanes[1::2]
        else:
            lanes = values[4:][:features]
        weights[row, 1:] = np.array(lanes, dtype=np.int64) - (1 << (bits - 1))
    if (weights[:, 1:] == -1 << (bits - 1)).any() or (weights[:, 0] == -1 << 31).any():
        raise InputError("a weight lies below the range in which a contract keeps its weights")
    return PerceptronState(frozen(weights), frozen(past) if averaged else None, count)


def _dump_row(state: PerceptronState, row: int, bits: int) -> bytes:
    classes, columns = state.weights.shape
    averaged = state.past is not None
    widths = _widths(columns - 1, bits, averaged)
    weights: list[int] = state.weights[row].tolist()
    first = row == 1
    values = [columns - 1, classes] if first else [0, 0]
    values += [0, weights[0] + (1 << (_BIAS_BITS - 1))]
    if state.past is not None:
        past = state.past[row].tolist()
        values += [past[0] + (1 << (_BIAS_PAST_BITS - 1)), 0, state.count if first else 0]
        for other, weight in zip(past[1:], weights[1:]):
            values += [other + (1 << (_PAST_BITS[bits] - 1)), weight + (1 << (bits - 1))]
    else:
        values += [weight + (1 << (bits - 1)) for weight in weights[1:]]
    blank = [1 << (width - 1) for width in widths[len(values) :]]
    return pack(zip(values + blank, widths))


def _widths(features: int, bits: int, averaged: bool) -> list[int]:
    """The lanes of a row, to the end of its last word."""
    head = [16, 8, 8, _BIAS_BITS, *([_BIAS_PAST_BITS, 64, 64] if averaged else [])]
    lane = [_PAST_BITS[bits], bits] if averaged else [bits]
    spare = -(sum(head) + features * sum(lane)) % WORD_BITS
    return head + lane * (features + spare // sum(lane))
