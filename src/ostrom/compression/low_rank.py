"""Matrices as products of two thin ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ostrom.compression.codec import Codec, Int32Vector, Layout, Shape, saturate
from ostrom.errors import InputError, TensorError

Floats = npt.NDArray[np.float64]

FACTOR_BITS = 15
"""The left factor has orthonormal columns, in units of 2**-15."""

RANK_MAX = 1024
"""So many products of 2**15 and 2**31 sum to less than 2**57."""

ITERATIONS = 6


def low_rank(*, layout: Layout, rank: int = 4) -> Codec:
    """Every matrix as integer factors B (out, rank) and A (rank, in) that are multiplied exactly.

    decoded = round_half_up(B A / 2**15),  B orthonormal columns from 6 subspace iterations,
    A = B^T V

    A tensor (out, ...) counts as the matrix (out, in) with `in` the product of the rest. Tensors
    of one dimension, and those that two factors would not make smaller, go as they are. Trainers'
    decoded products are summed, which is exact; averaging the factors themselves is not the
    average of the updates, since mean(B) mean(A) is not mean(B A). Each column of B and each row of
    A is a tensor of its own to a codec that follows, with a scale of its own. A is held inside
    int32, which values below 2**31 / sqrt(out) never touch.

    Args:
        layout: the tensors' shapes.
        rank: 1 to 1,024.

    Returns:
        A codec whose words are integers again, so that `int8` may follow it.

    Raises:
        InputError: rank is out of range.

    >>> codec = low_rank(layout=((4, 5),), rank=1)
    >>> v = np.outer([1, -2, 3, 0], [100, 50, 0, -50, 1000]).astype(np.int32).ravel()
    >>> codec.layout, int(np.abs(codec.decode(codec.encode(v)) - v).max()) <= 1
    (((4,), (5,)), True)

    Source: Vogels et al. (2019), "PowerSGD: Practical Low-Rank Gradient Compression".
    """
    if not isinstance(rank, int) or not 1 <= rank <= RANK_MAX:
        raise InputError(f"low_rank: rank must be 1 to {RANK_MAX}, not {rank}")
    parts = tuple(Part.of(shape, rank) for shape in layout)
    packed = tuple(shape for part in parts for shape in part.shapes)
    return Codec(partial(_encode, parts), partial(_decode, parts), packed, final=False)


@dataclass(frozen=True)
class Part:
    """One tensor as a matrix; rank 0 if it goes as it is."""

    shape: Shape
    out: int
    inner: int
    rank: int

    @classmethod
    def of(cls, shape: Shape, rank: int) -> Part:
        out, inner = shape[0], math.prod(shape[1:])
        smaller = rank * (out + inner) < out * inner
        return cls(shape, out, inner, rank if smaller else 0)

    @property
    def shapes(self) -> Layout:
        """What is sent for it."""
        factors = ((self.out,),) * self.rank + ((self.inner,),) * self.rank
        return factors or (self.shape,)

    @property
    def size(self) -> int:
        return self.out * self.inner

    @property
    def packed(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes)


def _encode(parts: tuple[Part, ...], values: Int32Vector) -> Int32Vector:
    packed, start = [], 0
    for part in parts:
        piece = values[start : start + part.size]
        packed.append(_factors(part, piece) if part.rank else piece)
        start += part.size
    return np.concatenate(packed)


def _decode(parts: tuple[Part, ...], packed: Int32Vector) -> Int32Vector:
    values, start = [], 0
    for part in parts:
        piece = packed[start : start + part.packed]
        values.append(_product(part, piece) if part.rank else piece)
        start += part.packed
    return np.concatenate(values)


def _factors(part: Part, piece: Int32Vector) -> Int32Vector:
    matrix = piece.reshape(part.out, part.inner)
    left = np.rint(_basis(matrix, part.rank) * (1 << FACTOR_BITS))
    right = np.einsum("ir,ij->rj", left / (1 << FACTOR_BITS), matrix.astype(np.float64))
    return np.concatenate([left.astype(np.int32).T.ravel(), _rounded(right).ravel()])


def _basis(matrix: npt.NDArray[np.int32], rank: int) -> Floats:
    """Orthonormal columns (out, rank) that hold most of the matrix."""
    tall = len(matrix) > matrix.shape[1]
    gram = _gram(matrix.T if tall else matrix)
    basis = np.random.default_rng(matrix.size).standard_normal((len(gram), rank))
    for _ in range(ITERATIONS):
        basis = _orthonormal(np.einsum("ik,kr->ir", gram, _orthonormal(basis)))
    if tall:
        basis = _orthonormal(np.einsum("ij,jr->ir", matrix.astype(np.float64), basis))
    return basis


def _gram(matrix: npt.NDArray[np.int32]) -> Floats:
    """M M^T, without the last bits of large values.

    So few bits are kept that every partial sum is an integer below 2**53: then a BLAS is exact,
    and the number of its threads cannot change a trainer's bytes.
    """
    bits = (53 - matrix.shape[1].bit_length()) // 2
    top = int(np.abs(matrix.astype(np.int64)).max())
    short = (matrix >> max(0, top.bit_length() - bits)).astype(np.float64)
    gram: Floats = short @ short.T
    return gram


def _orthonormal(columns: Floats) -> Floats:
    """Gram and Schmidt, twice for good measure; a column without a direction of its own is 0."""
    result = np.zeros_like(columns)
    for i, column in enumerate(columns.T):
        length = float(np.sqrt((column * column).sum()))
        for _ in range(2):
            column = column - (result * (result * column[:, None]).sum(axis=0)).sum(axis=1)
        left = float(np.sqrt((column * column).sum()))
        result[:, i] = column / left if left > 1e-9 * length else 0.0
    return result


def _product(part: Part, piece: Int32Vector) -> Int32Vector:
    split = part.out * part.rank
    left = piece[:split].reshape(part.rank, part.out).astype(np.int64)
    right = piece[split:].reshape(part.rank, part.inner).astype(np.int64)
    if (np.abs(left) > 1 << FACTOR_BITS).any():
        raise TensorError(f"the left factor's entries are at most 2**{FACTOR_BITS} in magnitude")
    # Integers never reach a BLAS, and stay below 2**57.
    product = sum(left[r, :, None] * right[r] for r in range(part.rank))
    half = 1 << (FACTOR_BITS - 1)
    return saturate((np.asarray(product) + half) >> FACTOR_BITS).ravel()


def _rounded(values: Floats) -> Int32Vector:
    return np.clip(np.rint(values), -(1 << 31), (1 << 31) - 1).astype(np.int32)
