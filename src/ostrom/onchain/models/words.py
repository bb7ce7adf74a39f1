"""States as the words of a contract's storage: lanes of bits, from the most significant bit on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ostrom.errors import InputError

WORD_BYTES = 32
WORD_BITS = 8 * WORD_BYTES


def pack(lanes: Iterable[tuple[int, int]]) -> bytes:
    """Lanes (value, bits) one after the other, in whole words; what is left over is 0.

    Raises:
        InputError: a value is negative or too large for its lane.

    >>> pack([(1, 8), (2, 16)]).hex().rstrip("0")
    '010002'
    """
    total = used = 0
    for value, bits in lanes:
        if not 0 <= value < 1 << bits:
            raise InputError(f"{value} does not fit into {bits} bits of the contract's storage")
        total, used = total << bits | value, used + bits
    spare = -used % WORD_BITS
    return (total << spare).to_bytes((used + spare) // 8)


def unpack(data: bytes, widths: Sequence[int]) -> list[int]:
    """The values of lanes of these widths in bits; the inverse of `pack`.

    Raises:
        InputError: the data is shorter than the lanes.

    >>> unpack(pack([(1, 8), (2, 16)]), [8, 16])
    [1, 2]
    """
    left = 8 * len(data)
    if sum(widths) > left:
        raise InputError(f"a state of {len(data)} bytes is too short for its own dimensions")
    total, values = int.from_bytes(data), []
    for bits in widths:
        left -= bits
        values.append(total >> left & ((1 << bits) - 1))
    return values


def check_whole(data: bytes) -> None:
    """Raise InputError unless a state has whole words, at least one."""
    if not data or len(data) % WORD_BYTES:
        raise InputError(f"a state is words of {WORD_BYTES} bytes, {len(data)} bytes are not")


def check_length(data: bytes, wanted: int) -> None:
    """Raise InputError unless a state has as many bytes as its dimensions say."""
    if len(data) != wanted:
        raise InputError(f"a state of these dimensions has {wanted} bytes, not {len(data)}")
