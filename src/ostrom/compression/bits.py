"""Bit fields in int32 words: little-endian, least significant bit first, zeros at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ostrom.compression.codec import Int32Vector
from ostrom.errors import TensorError
from ostrom.types import IntVector

WORD_BITS = 32


def words_of(plan: Iterable[tuple[int, int]]) -> int:
    """How many words fields of a plan [(count, width in bits), ...] take, at least one.

    >>> words_of([(3, 10), (1, 3)])
    2
    """
    return max(1, -(-sum(count * width for count, width in plan) // WORD_BITS))


def pack(fields: Sequence[tuple[IntVector, int]]) -> Int32Vector:
    """Vectors of integers, each with its width in bits (0 to 32), as int32 words.

    >>> pack([(np.array([1, 2]), 2), (np.array([-1]), 28)]).tolist()
    [-7]
    """
    parts = [_bits(values, width) for values, width in fields]
    total = words_of((len(values), width) for values, width in fields) * WORD_BITS
    bits = np.zeros(total, np.uint8)
    whole = np.concatenate(parts)
    bits[: len(whole)] = whole
    return np.packbits(bits, bitorder="little").view("<i4").astype(np.int32)


def unpack(words: Int32Vector, plan: Sequence[tuple[int, int]]) -> list[npt.NDArray[np.int64]]:
    """The fields of `plan` [(count, width), ...] as unsigned integers; the inverse of `pack`.

    Raises:
        TensorError: a bit behind the last field is set.

    >>> [field.tolist() for field in unpack(np.array([-7], np.int32), [(2, 2), (1, 28)])]
    [[1, 2], [268435455]]
    """
    bits = np.unpackbits(words.astype("<i4").view(np.uint8), bitorder="little")
    fields, start = [], 0
    for count, width in plan:
        stop = start + count * width
        fields.append(_integers(bits[start:stop].reshape(count, width)))
        start = stop
    if bits[start:].any():
        raise TensorError("the bits behind the last field of a packed update must be zero")
    return fields


def signed(fields: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Fields of `width` bits read as two's complement.

    >>> signed(np.array([1, 15]), 4).tolist()
    [1, -1]
    """
    half = 1 << (width - 1)
    return (fields ^ half) - half


def _bits(values: IntVector, width: int) -> npt.NDArray[np.uint8]:
    size = next(size for size in (1, 2, 4) if width <= 8 * size)
    parts = values.astype(np.int64).astype(f"<u{size}").view(np.uint8).reshape(len(values), size)
    bits = np.unpackbits(parts, axis=1, bitorder="little")
    return bits[:, :width].ravel()


def _integers(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    whole = np.zeros(len(bits), np.int64)
    if bits.size:
        for i, part in enumerate(np.packbits(bits, axis=1, bitorder="little").T):
            whole |= part.astype(np.int64) << (8 * i)
    return whole
