"""Fewer bits for each integer: a power of two as scale, so that decoding is a shift."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from ostrom.compression.bits import pack, signed, unpack, words_of
from ostrom.compression.codec import Codec, Int32Vector, Layout
from ostrom.errors import TensorError

Integers = npt.NDArray[np.int64]

SHIFT_BITS = 5


def int16(*, layout: Layout) -> Codec:
    """Every integer in 16 bits, with one shift for each tensor: half the bytes.

    q = round(v / 2**s), held inside +-(2**15 - 1);  decoded = q * 2**s

    Args:
        layout: the tensors' shapes.

    Returns:
        A codec; s is the smallest shift, 0 to 16, at which no value of the tensor saturates.

    >>> codec = int16(layout=((3,),))
    >>> codec.decode(codec.encode(np.array([1 << 20, 7, -50], np.int32))).tolist()
    [1048576, 0, -64]

    Source: fixed-point quantisation with a power-of-two scale; Alistarh et al. (2017), "QSGD", has
    the random one.
    """
    return _integers(16, layout)


def int8(*, layout: Layout) -> Codec:
    """Every integer in 8 bits, with one shift for each tensor: a quarter of the bytes.

    q = round(v / 2**s), held inside +-127;  decoded = q * 2**s

    Args:
        layout: the tensors' shapes.

    Returns:
        A codec; s is the smallest shift, 0 to 24, at which no value of the tensor saturates.

    >>> codec = int8(layout=((2,), (1,)))
    >>> codec.decode(codec.encode(np.array([1000, 3, 3], np.int32))).tolist()
    [1000, 0, 3]

    Source: as `int16`.
    """
    return _integers(8, layout)


def int4(*, layout: Layout) -> Codec:
    """Every integer in 4 bits, with one shift for each tensor: an eighth of the bytes.

    q = round(v / 2**s), held inside +-7;  decoded = q * 2**s

    Args:
        layout: the tensors' shapes.

    Returns:
        A codec; s is the shift, 0 to 28, with the least squared error of the tensor: the largest
        values may saturate, which is worth it where few bits are to serve many small ones.

    >>> codec = int4(layout=((3,),))
    >>> codec.decode(codec.encode(np.array([14, -5, 1], np.int32))).tolist()
    [14, -4, 0]

    Source: as `int16`.
    """
    return _integers(4, layout)


def _integers(width: int, layout: Layout) -> Codec:
    sizes = np.array([math.prod(shape) for shape in layout])
    words = words_of([(len(sizes), SHIFT_BITS), (int(sizes.sum()), width)])
    return Codec(partial(_encode, width, sizes), partial(_decode, width, sizes), ((words,),))


def _encode(width: int, sizes: Integers, values: Int32Vector) -> Int32Vector:
    shifts = best_shifts(values, sizes, width)
    fields = shift_down(values, np.repeat(shifts, sizes), width)
    return pack([(shifts, SHIFT_BITS), (fields, width)])


def _decode(width: int, sizes: Integers, words: Int32Vector) -> Int32Vector:
    shifts, fields = unpack(words, [(len(sizes), SHIFT_BITS), (int(sizes.sum()), width)])
    values = signed(fields, width)
    tops = np.maximum.reduceat(np.abs(values), np.cumsum(sizes) - sizes)
    check_shifts(shifts, tops, width)
    return (values << np.repeat(shifts, sizes)).astype(np.int32)


def best_shifts(values: Int32Vector, sizes: Integers, width: int) -> Integers:
    """Each tensor's shift: from 8 bits on the smallest without saturation, else the least error.

    Few bits serve many small values better where a few large ones may saturate.

    >>> values = np.array([60] + 40 * [9], np.int32)
    >>> [best_shifts(values, np.array([41]), width).tolist() for width in (8, 4)]
    [[0], [3]]
    """
    starts = np.cumsum(sizes) - sizes
    shifts = smallest_shifts(np.maximum.reduceat(np.abs(values.astype(np.int64)), starts), width)
    if width >= 8:
        return shifts
    options = np.maximum(shifts - np.arange(4)[:, None], 0)
    errors = []
    for option in options:
        spread = np.repeat(option, sizes)
        left = values - np.ldexp(shift_down(values, spread, width).astype(np.float64), spread)
        errors.append(np.add.reduceat(left * left, starts))
    best: Integers = options[np.argmin(errors, axis=0), np.arange(len(sizes))]
    return best


def smallest_shifts(tops: Integers, width: int) -> Integers:
    """For each largest magnitude the smallest shift at which it rounds into `width` bits.

    >>> smallest_shifts(np.array([0, 127, 128, 1 << 31]), 8).tolist()
    [0, 0, 1, 24]
    """
    limit = (1 << (width - 1)) - 1
    options = np.arange(33 - width)
    fits = np.rint(tops[:, None] / (1 << options).astype(np.float64)) <= limit
    fits[:, -1] = True
    smallest: Integers = np.argmax(fits, axis=1)
    return smallest


def shift_down(values: Int32Vector, shifts: Integers, width: int) -> Integers:
    """Values over 2**shift, halves to even, held inside `width` bits without the lowest value."""
    limit = (1 << (width - 1)) - 1
    rounded = np.rint(np.ldexp(values.astype(np.float64), -shifts))
    inside: Integers = np.clip(rounded, -limit, limit).astype(np.int64)
    return inside


def check_shifts(shifts: Integers, tops: Integers, width: int) -> None:
    """Refuse a shift that is not the smallest one, so that one update has one packing.

    Raises:
        TensorError: a value or a shift that `encode` does not make.
    """
    half = 1 << (width - 1)
    if (tops >= half).any() or (shifts > 32 - width).any():
        raise TensorError(f"a packed value or shift is outside what {width} bits allow")
    if ((shifts > 0) & (tops < half // 2)).any():
        raise TensorError("a packed tensor must use the smallest shift that holds its values")
