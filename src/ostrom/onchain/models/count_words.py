"""A table of counts as its contract stores it: tokens x classes, 16 bits each.

The header is lanes of one width: features (16 bits) | classes (8) | t (8) | 0, then a lane for each
class. Then, for each group of t tokens and each block of 16 / t classes, a word: the counts of the
group's first token, then the next token's. t was fixed at deployment, whatever the model grows to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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

COUNT_MAX = 65_535
COUNTS_A_WORD = 16


class Table(NamedTuple):
    """`counts` int64 (K, V), for each class what its lane of the header holds, and t."""

    counts: Integers
    lanes: list[int]
    packed: int


def tokens_a_word(classes: int) -> int:
    """How many tokens share a word in a contract that is deployed with so many classes.

    >>> tokens_a_word(2), tokens_a_word(10)
    (8, 1)
    """
    return max(1, COUNTS_A_WORD // classes)


def dump_table(table: Table, *, lane_bits: int) -> bytes:
    """The words of a table."""
    counts, lanes, packed = table
    classes, features = counts.shape
    first = (features << 16 | classes << 8 | packed) << (lane_bits - 32)
    header = _pack_header([first, *lanes], lane_bits)
    columns, blocks, groups = _shape(classes, features, packed)
    room = np.zeros((groups * packed, blocks * columns), dtype=">u2")
    room[:features, :classes] = counts.T
    words = np.zeros((groups, blocks, COUNTS_A_WORD), dtype=">u2")
    cut = room.reshape(groups, packed, blocks, columns).transpose(0, 2, 1, 3)
    words[:, :, : packed * columns] = cut.reshape(groups, blocks, packed * columns)
    return header + words.tobytes()


def load_table(data: bytes, *, lane_bits: int) -> Table:
    """The table that such words hold.

    Raises:
        InputError: they are no table, or one of other dimensions than they say.
    """
    check_whole(data)
    features, classes, packed = unpack(data[:WORD_BYTES], [16, 8, 8])
    check_size(classes, features)
    if not 1 <= packed <= COUNTS_A_WORD:
        raise InputError(f"a word of counts holds 1 to {COUNTS_A_WORD} tokens, not {packed}")
    columns, blocks, groups = _shape(classes, features, packed)
    header = WORD_BYTES * (classes // (WORD_BITS // lane_bits) + 1)
    check_length(data, header + WORD_BYTES * groups * blocks)
    lanes = _unpack_header(data[:header], lane_bits)[1 : 1 + classes]
    words = np.frombuffer(data[header:], dtype=">u2").reshape(groups, blocks, COUNTS_A_WORD)
    cut = words[:, :, : packed * columns].reshape(groups, blocks, packed, columns)
    room = cut.transpose(0, 2, 1, 3).reshape(groups * packed, blocks * columns)
    return Table(frozen(room[:features, :classes].T.astype(np.int64)), lanes, packed)


def _pack_header(lanes: Sequence[int], lane_bits: int) -> bytes:
    """No lane is cut by the end of a word."""
    each = WORD_BITS // lane_bits
    cuts = [lanes[at : at + each] for at in range(0, len(lanes), each)]
    return b"".join(pack([(lane, lane_bits) for lane in cut]) for cut in cuts)


def _unpack_header(data: bytes, lane_bits: int) -> list[int]:
    widths = [lane_bits] * (WORD_BITS // lane_bits)
    words = [data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES)]
    return [lane for word in words for lane in unpack(word, widths)]


def _shape(classes: int, features: int, packed: int) -> tuple[int, int, int]:
    """Classes a word, blocks of classes, groups of tokens."""
    columns = COUNTS_A_WORD // packed
    return columns, -(-classes // columns), -(-features // packed)
