"""What a compression is: a pair of functions from integers to fewer words and back.

A codec is pure. Error feedback keeps a residual between rounds and stands before the codecs of a
chain, so that what the whole chain loses in one round is added to the next one's update.
Nothing here rounds on the receiving side: what a codec decodes is defined in integers alone, so
that everybody decodes the same bytes, and aggregation stays exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError, TensorError
from ostrom.types import IntVector

Shape: TypeAlias = tuple[int, ...]
Layout: TypeAlias = tuple[Shape, ...]
"""The shapes of the tensors that a vector holds one after the other."""

Int32Vector: TypeAlias = npt.NDArray[np.int32]
State: TypeAlias = Mapping[str, IntVector]
"""What a trainer keeps between its rounds, by name."""

RESIDUAL = "residual"
"""The state's name for what was not sent yet, in the update's own fixed point."""

INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class Codec:
    """`encode`: (m,) int32 -> (words,) int32; `decode`: the way back, or TensorError.

    `layout` are the shapes of the packed tensors: of integers, where a further codec may follow.
    """

    encode: Callable[[Int32Vector], Int32Vector]
    decode: Callable[[Int32Vector], Int32Vector]
    layout: Layout
    final: bool = True
    """True if the words are bit fields, which no other codec can make sense of."""


@dataclass(frozen=True)
class Feedback:
    """Error feedback: `decay` in (0, 1] is how much of the residual reaches the next round."""

    decay: float


@dataclass(frozen=True, eq=False)
class Compression:
    """Codecs one after the other, with error feedback or without. Make one with `compression`.

    `length` is m, the integers of an update; `words` those that it is packed into, int32. With no
    codec at all (`none`) words are the update, int32 or int64, as they are.
    """

    text: str
    length: int
    codecs: tuple[Codec, ...]
    feedback: Feedback | None
    words: int

    def encode(self, values: IntVector, state: State) -> tuple[IntVector, State]:
        """Pack an update.

        v = values + round(decay * residual),  packed = pack(v),  residual' = v - decode(packed)

        Args:
            values: (m,) int32, or int64 inside int32, in the update's fixed point.
            state: what the trainer's last call returned; {} before its first.

        Returns:
            (words,) int32, and the next state: with error feedback {"residual": (m,) int32}, else
            {}.

        Raises:
            InputError: values of another shape or outside int32, or a state that does not fit.

        >>> from ostrom.compression import compression
        >>> sparse = compression("error_feedback|top_k(share=0.5)", layout=((4,),))
        >>> packed, state = sparse.encode(np.array([9, 1, -8, 2]), {})
        >>> sparse.decode(packed).tolist(), state["residual"].tolist()
        ([9, 0, -8, 0], [0, 1, 0, 2])
        """
        if values.shape != (self.length,):
            raise InputError(f"an update of shape {(self.length,)} is wanted, not {values.shape}")
        if not self.codecs:
            return values, {}
        sent = self._with_residual(_inside(values), state)
        packed = sent
        for codec in self.codecs:
            packed = codec.encode(packed)
        if self.feedback is None:
            return packed, {}
        return packed, {RESIDUAL: saturate(sent.astype(np.int64) - self.decode(packed))}

    def decode(self, packed: IntVector) -> IntVector:
        """The update (m,) int32 that a packing stands for; the same on every machine.

        Raises:
            TensorError: not (words,) int32, or not a packing that `encode` could have made.
        """
        allowed = (np.int32,) if self.codecs else (np.int32, np.int64)
        if packed.shape != (self.words,) or packed.dtype not in allowed:
            raise TensorError(
                f"a packed update is int32 of shape {(self.words,)}, "
                f"not {packed.dtype} of shape {packed.shape}"
            )
        if not self.codecs:
            return packed
        values = packed.astype(np.int32, copy=False)
        for codec in reversed(self.codecs):
            values = codec.decode(values)
        return values

    def _with_residual(self, values: Int32Vector, state: State) -> Int32Vector:
        residual = state.get(RESIDUAL)
        if self.feedback is None or residual is None:
            return values
        if residual.shape != values.shape:
            raise InputError(f"the residual has shape {residual.shape}, not {values.shape}")
        kept = np.rint(residual.astype(np.float64) * self.feedback.decay)
        return saturate(values + kept.astype(np.int64))


def _inside(values: IntVector) -> Int32Vector:
    held = values.astype(np.int32, copy=False)
    if not np.array_equal(held, values):
        raise InputError("only updates inside int32 can be compressed: write compression none")
    return held


def saturate(values: IntVector) -> Int32Vector:
    """Values held inside int32.

    >>> saturate(np.array([1 << 40, -5])).tolist()
    [2147483647, -5]
    """
    return np.clip(values, INT32.min, INT32.max).astype(np.int32)


def length_of(layout: Layout) -> int:
    """How many integers tensors of these shapes hold.

    >>> length_of(((2, 3), (4,)))
    10
    """
    return sum(math.prod(shape) for shape in layout)
