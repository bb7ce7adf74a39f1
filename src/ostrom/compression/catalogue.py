"""Compression texts to functions: `error_feedback(decay=0.9)|low_rank(rank=2)|int8`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ostrom.compression.codec import Codec, Compression, Feedback, Int32Vector, Layout, length_of
from ostrom.compression.integers import int4, int8, int16
from ostrom.compression.low_rank import low_rank
from ostrom.compression.sparse import chunk_top_k, top_k
from ostrom.errors import InputError
from ostrom.mechanisms import bind, format_mechanisms, parse_mechanisms


def none(*, layout: Layout) -> Codec:
    """The update as it is, int32 or int64: one word for each integer.

    decoded = v

    Args:
        layout: the tensors' shapes.

    Returns:
        A codec that does nothing; a chain leaves it out.

    >>> none(layout=((2, 3),)).layout
    ((2, 3),)
    """
    return Codec(_same, _same, layout, final=False)


def error_feedback(*, decay: float = 1.0) -> Feedback:
    """Add to each update what the last rounds' packings left out.

    v = x + round(decay * e),  e' = v - decode(encode(v))

    Args:
        decay: 0 < decay <= 1, how much of the residual e reaches the next round.

    Returns:
        The first member of a chain; the state is "residual", (m,) int32.

    Raises:
        InputError: decay is out of range.

    >>> error_feedback(decay=0.5).decay
    0.5

    Source: Karimireddy et al. (2019), "Error Feedback Fixes SignSGD and other Gradient Compression
    Schemes"; with decay: Peng et al. (2024), "Decoupled Momentum Optimization".
    """
    if not 0 < decay <= 1:
        raise InputError(f"error_feedback: decay must be above 0 and at most 1, not {decay}")
    return Feedback(decay)


COMPRESSIONS: Mapping[str, Callable[..., Codec | Feedback]] = {
    "none": none,
    "error_feedback": error_feedback,
    "int16": int16,
    "int8": int8,
    "int4": int4,
    "top_k": top_k,
    "chunk_top_k": chunk_top_k,
    "low_rank": low_rank,
}


def compression(text: str, *, layout: Layout) -> Compression:
    """The compression that a text names, for updates that hold tensors of these shapes.

    Args:
        text: codecs joined by `|`, with `error_feedback` before them or without.
        layout: the shapes of an update's tensors, one after the other.

    Returns:
        A compression whose packings all have the same number of words.

    Raises:
        InputError: an unknown name or argument, a value out of range, another order, or a layout
            without tensors.

    >>> small = compression("error_feedback(decay=0.9)|low_rank(rank=1)|int8", layout=((64, 99),))
    >>> small.length, small.words
    (6336, 42)
    """
    if not layout or min(map(math.prod, layout)) < 1:
        raise InputError(f"a layout has at least one shape, none of them empty, not {layout}")
    mechanisms = parse_mechanisms(text)
    given = {"layout": layout}
    parts: list[Codec | Feedback] = []
    for mechanism in mechanisms:
        part = bind(COMPRESSIONS, mechanism, given)()
        given = {"layout": part.layout} if isinstance(part, Codec) else given
        parts.append(part)
    feedback = parts[0] if isinstance(parts[0], Feedback) else None
    codecs = [part for part in parts if isinstance(part, Codec)]
    if len(parts) - len(codecs) > (feedback is not None) or not codecs:
        raise InputError(f"error_feedback stands before the codecs, once: {text!r}")
    if any(codec.final for codec in codecs[:-1]):
        raise InputError(f"only low_rank and none may stand before another codec: {text!r}")
    words = length_of(codecs[-1].layout)
    active = tuple(codec for codec in codecs if codec.encode is not _same)
    return Compression(format_mechanisms(mechanisms), length_of(layout), active, feedback, words)


def _same(values: Int32Vector) -> Int32Vector:
    return values
