"""Few of the integers: the largest ones, with their places.

Answers: bytes. Does not answer: privacy; the places tell what a trainer's data moved most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ostrom.compression.bits import pack, signed, unpack, words_of
from ostrom.compression.codec import INT32, Codec, Int32Vector, Layout, length_of
from ostrom.compression.integers import SHIFT_BITS, best_shifts, check_shifts, shift_down
from ostrom.errors import InputError, TensorError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SCALE_BITS = 8
MANTISSA_BITS = 3


def top_k(*, layout: Layout, share: float = 0.01, bits: int = 8) -> Codec:
    """The largest magnitudes of the whole update.

    decoded_i = round(v_i / 2**s) * 2**s for the k = ceil(share * m) largest |v_i|, else 0

    Places are packed as Elias and Fano do: the low bits of each, then the high parts in unary,
    about 2 + log2(1 / share) bits a place.

    Args:
        layout: the tensors' shapes.
        share: 0 < share <= 1 of all integers are sent.
        bits: 2 to 16 for each value, with one shift s for all.

    Returns:
        A codec of fixed length; ties go to the lower place.

    Raises:
        InputError: an argument is out of range.

    >>> codec = top_k(layout=((2, 3),), share=0.3)
    >>> codec.decode(codec.encode(np.array([5, -100, 0, 0, 7, 6], np.int32))).tolist()
    [0, -100, 0, 0, 7, 0]

    Source: Aji & Heafield (2017), "Sparse Communication for Distributed Gradient Descent"; Elias
    (1974), "Efficient Storage and Retrieval by Content and Address of Static Files".
    """
    if not 0 < share <= 1 or not 2 <= bits <= 16:
        raise InputError(f"top_k: share in (0, 1] and bits in 2 to 16, not {share} and {bits}")
    m = length_of(layout)
    k = min(m, int(np.ceil(share * m)))
    low = (m // k).bit_length() - 1
    code = Ranked(m, k, low, bits)
    return Codec(partial(_encode_ranked, code), partial(_decode_ranked, code), ((code.words,),))


@dataclass(frozen=True)
class Ranked:
    """`k` of `m` places, the `low` bits of each apart, and values of `bits` bits."""

    m: int
    k: int
    low: int
    bits: int

    @property
    def plan(self) -> list[tuple[int, int]]:
        unary = ((self.m - 1) >> self.low) + self.k
        return [(1, SHIFT_BITS), (self.k, self.bits), (self.k, self.low), (unary, 1)]

    @property
    def words(self) -> int:
        return words_of(self.plan)


def _encode_ranked(code: Ranked, values: Int32Vector) -> Int32Vector:
    places = _largest(np.abs(values.astype(np.int64)), code.k)
    chosen = values[places]
    shift = best_shifts(chosen, np.array([code.k]), code.bits)
    unary = np.zeros(code.plan[-1][0], np.int64)
    unary[(places >> code.low) + np.arange(code.k)] = 1
    lows = places & ((1 << code.low) - 1)
    rounded = shift_down(chosen, shift, code.bits)
    return pack([(shift, SHIFT_BITS), (rounded, code.bits), (lows, code.low), (unary, 1)])


def _largest(magnitudes: Integers, k: int) -> Integers:
    """The places of the `k` largest, ascending; ties go to the lower place."""
    least = np.partition(magnitudes, len(magnitudes) - k)[len(magnitudes) - k]
    above = np.flatnonzero(magnitudes > least)
    equal = np.flatnonzero(magnitudes == least)[: k - len(above)]
    return np.sort(np.concatenate([above, equal]))


def _decode_ranked(code: Ranked, words: Int32Vector) -> Int32Vector:
    shift, fields, lows, unary = unpack(words, code.plan)
    highs = np.flatnonzero(unary) - np.arange(np.count_nonzero(unary))
    if len(highs) != code.k:
        raise TensorError(f"a packed update must name {code.k} places, not {len(highs)}")
    places = (highs << code.low) + lows
    _check_places(places, code.m)
    rounded = signed(fields, code.bits)
    check_shifts(shift, np.abs(rounded).max(keepdims=True), code.bits)
    values = np.zeros(code.m, np.int32)
    values[places] = rounded << shift
    return values


def chunk_top_k(
    *, layout: Layout, chunk: int = 64, k: int = 2, bits: int = 2, group: int = 16
) -> Codec:
    """The `k` largest magnitudes of every `chunk` integers, each in `bits` bits.

    decoded_i = sign(v_i) * (2 j + 1) * scale for the chosen i, else 0,  0 <= j < 2**(bits - 1)

    Args:
        layout: the tensors' shapes; chunks run through all of them.
        chunk: a power of two from 2 to 65,536.
        k: 1 to `chunk` integers of each chunk.
        bits: 1 to 8 for each value: its sign and which odd multiple of the scale it is.
        group: so many chunks share a scale, which has 8 bits.

    Returns:
        A codec of fixed length: (log2(chunk) + bits) * k / chunk bits for each integer, and 8 /
        (chunk * group) for the scales.

    Raises:
        InputError: an argument is out of range.

    >>> codec = chunk_top_k(layout=((4,),), chunk=4, k=1, bits=1)
    >>> codec.decode(codec.encode(np.array([1, -80, 3, 0], np.int32))).tolist()
    [0, -80, 0, 0]

    Source: Peng et al. (2024), "Decoupled Momentum Optimization"; Sarfi et al. (2025),
    "Communication Efficient LLM Pre-training with SparseLoCo".
    """
    if not 2 <= chunk <= 1 << 16 or chunk & (chunk - 1):
        raise InputError(f"chunk_top_k: chunk must be a power of two, 2 to 65536, not {chunk}")
    if not 1 <= k <= chunk or not 1 <= bits <= 8 or group < 1:
        raise InputError("chunk_top_k: k is 1 to chunk, bits 1 to 8, group at least 1")
    code = Chunked(length_of(layout), chunk, k, bits, group)
    words = words_of(code.plan)
    return Codec(partial(_encode_chunked, code), partial(_decode_chunked, code), ((words,),))


@dataclass(frozen=True)
class Chunked:
    """`k` of every `chunk` of `m` integers; of a last chunk shorter than `k` all."""

    m: int
    chunk: int
    k: int
    bits: int
    group: int

    @property
    def chunks(self) -> int:
        return -(-self.m // self.chunk)

    @property
    def groups(self) -> int:
        return -(-self.chunks // self.group)

    @property
    def entries(self) -> int:
        """How many values are sent."""
        last = self.m - (self.chunks - 1) * self.chunk
        return (self.chunks - 1) * self.k + min(self.k, last)

    @property
    def plan(self) -> list[tuple[int, int]]:
        width = self.chunk.bit_length() - 1
        return [(self.groups, SCALE_BITS), (self.entries, width), (self.entries, self.bits)]

    def owners(self) -> tuple[Integers, Integers]:
        """Each entry's chunk and its group."""
        chunks = np.arange(self.entries) // self.k
        return chunks, chunks // self.group

    def plain(self) -> Integers:
        """The places within their chunks of entries that all are zero."""
        return np.arange(self.entries) % self.k


def _encode_chunked(code: Chunked, values: Int32Vector) -> Int32Vector:
    chunks, groups = code.owners()
    # Behind the end -1 stands for nothing: no magnitude is smaller, so it is chosen last.
    padded = np.full(code.chunks * code.chunk, -1, np.int64)
    padded[: code.m] = np.abs(values.astype(np.int64))
    rows = padded.reshape(code.chunks, code.chunk)
    chosen = np.argpartition(-rows, code.k - 1, axis=1)[:, : code.k]
    # Real places are below those of the padding, so that sorting leaves those at the very end.
    places = np.sort(chosen, axis=1).ravel()[: code.entries]
    taken = values[chunks * code.chunk + places]
    scales = _scales(code, np.abs(taken.astype(np.float64)))
    steps = _minifloat(scales)[groups]
    fields = _levels(code, taken, steps)
    empty = steps == 0
    places = np.where(empty, code.plain(), places)
    width = code.plan[1][1]
    return pack([(scales, SCALE_BITS), (places, width), (np.where(empty, 0, fields), code.bits)])


def _decode_chunked(code: Chunked, words: Int32Vector) -> Int32Vector:
    scales, places, fields = unpack(words, code.plan)
    chunks, groups = code.owners()
    steps = _minifloat(scales)
    if (steps > _scale_max(code.bits)).any():
        raise TensorError("a packed scale is so large that values leave int32")
    steps, empty = steps[groups], steps[groups] == 0
    if (empty & ((places != code.plain()) | (fields != 0))).any():
        raise TensorError("a packed group without a scale must have no values")
    where = chunks * code.chunk + places
    _check_places(where, code.m)
    values = np.zeros(code.m, np.int32)
    values[where] = (2 * fields - ((1 << code.bits) - 1)) * steps
    return values


def _scales(code: Chunked, magnitudes: Floats) -> Integers:
    """Each group's scale: least squares between magnitudes and their odd multiples, iterated."""
    _, groups = code.owners()
    half = 1 << (code.bits - 1)

    def total(parts: Floats) -> Floats:
        return np.bincount(groups, weights=parts, minlength=code.groups).astype(np.float64)

    steps = total(magnitudes) / total(np.ones_like(magnitudes)) / half
    for _ in range(4 if half > 1 else 0):
        each = np.maximum(steps, 1.0)[groups]
        odd = 2 * np.clip(np.floor(magnitudes / (2 * each)), 0, half - 1) + 1
        steps = total(magnitudes * odd) / total(odd * odd)
    table = _minifloat(np.arange(1 << SCALE_BITS))
    allowed = table[table <= _scale_max(code.bits)]
    middles = (allowed[1:] + allowed[:-1]) / 2
    return np.searchsorted(middles, steps)


def _levels(code: Chunked, values: Int32Vector, steps: Integers) -> Integers:
    """Which of the 2**bits odd multiples of its step each value is nearest to, from below."""
    half = 1 << (code.bits - 1)
    level = np.floor(values / (2.0 * np.maximum(steps, 1))).astype(np.int64)
    return np.clip(level + half, 0, 2 * half - 1)


def _minifloat(codes: Integers) -> Integers:
    """8 bits as an integer with 4 significant bits: m, or (8 + m) * 2**(e - 1) for e > 0.

    >>> _minifloat(np.array([0, 7, 8, 15, 16, 17])).tolist()
    [0, 7, 8, 15, 16, 18]
    """
    mantissa, exponent = codes & ((1 << MANTISSA_BITS) - 1), codes >> MANTISSA_BITS
    whole = mantissa + (1 << MANTISSA_BITS)
    return np.where(exponent == 0, mantissa, whole << np.maximum(exponent - 1, 0))


def _scale_max(bits: int) -> int:
    return int(INT32.max) // ((1 << bits) - 1)


def _check_places(places: Integers, m: int) -> None:
    if (np.diff(places) <= 0).any() or places[-1] >= m:
        raise TensorError("the places of a packed update must ascend and lie inside the update")
