"""What came out of a market, as it is claimed on a chain and checked by everybody.

A stage of a claim has points 0 to n, one after each contribution: the hash of the state, then a bit
for each test sample, set if that state predicts it wrongly (bit `j % 256` of word `j // 256`). The
contract counts the bits and plays the rule itself; what can be false is a stage's first state, a
step or a bit, and one honest observer refutes it by repeating that one. `find_fault` is that
observer.

Threat: a false evaluation of the test set. Not answered: nobody watches during the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from ostrom.codec import keccak
from ostrom.errors import InputError
from ostrom.onchain.data import Sample
from ostrom.onchain.market import Market, Position, Settlement, is_wrong, play, settle, states
from ostrom.onchain.models.model import Model
from ostrom.types import Digest

S = TypeVar("S")

WORD_BYTES = 32
WORD_BITS = 256


@dataclass(frozen=True)
class Piece:
    """A part of the test set, committed to by `digest`, the hash of a secret salt and samples."""

    salt: bytes
    samples: tuple[Sample, ...]

    @property
    def content(self) -> bytes:
        """The samples as bytes: label (uint16), length of the features (uint16), features."""
        return b"".join(
            sample.label.to_bytes(2, "big") + len(sample.x).to_bytes(2, "big") + sample.x
            for sample in self.samples
        )

    @property
    def digest(self) -> Digest:
        """`keccak256(salt ++ content)`."""
        return keccak(self.salt + self.content)


@dataclass(frozen=True)
class Stage:
    """A stage as it is posted: who was in, and the points."""

    alive: frozenset[int]
    points: bytes

    @property
    def alive_bits(self) -> int:
        """Bit p is set if party p is in."""
        return sum(1 << party for party in self.alive)


@dataclass(frozen=True)
class Fault:
    """The first thing in a stage that is false.

    `point` is the one before a false `step`, that of a false `sample` (its place among those that
    count), or 0 for a false `start`. `state` is the model's words at that point.
    """

    kind: str
    point: int
    state: bytes
    sample: int = 0


def read_samples(content: bytes) -> tuple[Sample, ...]:
    """The samples of a piece's content.

    Raises:
        InputError: the bytes end within a sample.

    >>> read_samples(Piece(b"", (Sample(b"abc", 1),)).content)
    (Sample(x=b'abc', label=1),)
    """
    found, at = [], 0
    while at < len(content):
        label, length = (int.from_bytes(content[i : i + 2], "big") for i in (at, at + 2))
        at += 4 + length
        if at > len(content):
            raise InputError("the samples end too early: the piece was not revealed whole")
        found.append(Sample(content[at - length : at], label))
    return tuple(found)


def point(model: Model[S], state: S, samples: Sequence[Sample]) -> bytes:
    """A state's hash and its bits of wrong samples."""
    bits = sum(is_wrong(model, state, sample) << j for j, sample in enumerate(samples))
    return keccak(model.dump(state)) + write_bits(bits, len(samples))


def write_bits(bits: int, samples: int) -> bytes:
    """Bits in words, the first word's first.

    >>> write_bits(5, 3).hex()[-2:], len(write_bits(0, 257))
    ('05', 64)
    """
    count = -(-samples // WORD_BITS)
    part = (1 << WORD_BITS) - 1
    words = (bits >> (WORD_BITS * i) & part for i in range(count))
    return b"".join(word.to_bytes(WORD_BYTES, "big") for word in words)


def read_bits(data: bytes) -> int:
    """The inverse of `write_bits`.

    >>> read_bits(write_bits(1 << 300 | 7, 400)) == 1 << 300 | 7
    True
    """
    words = (data[at : at + WORD_BYTES] for at in range(0, len(data), WORD_BYTES))
    return sum(int.from_bytes(word, "big") << (WORD_BITS * i) for i, word in enumerate(words))


def make_claim(model: Model[S], start: S, market: Market) -> tuple[tuple[Stage, ...], Settlement]:
    """The true claim about a market, and what it settles."""
    settlement = settle(model, start, market)
    stages = tuple(
        Stage(position.alive, _points(model, start, market, position.alive))
        for position in settlement.positions[:-1]
    )
    return stages, settlement


def replay_claim(market: Market, stages: Iterable[Stage]) -> Iterator[Position]:
    """The position after each stage by the bits that a claim has, true or false.

    Raises:
        InputError: a stage of the wrong length, or after the end, or of others than are in.
    """
    position = market.opening()
    for stage in stages:
        if position.is_over or stage.alive != position.alive:
            raise InputError("the stages of this claim do not follow each other")
        position = play(position, _scores(market, stage))
        yield position


def find_fault(model: Model[S], start: S, market: Market, stage: Stage) -> Fault | None:
    """The first thing in a claimed stage that is not so, or None."""
    width = _width(market)
    truth: list[S] = []
    for index, state in enumerate(states(model, start, market, alive=stage.alive)):
        truth.append(state)
        claimed = stage.points[index * width : (index + 1) * width]
        if claimed[:WORD_BYTES] != keccak(model.dump(state)):
            before = max(index - 1, 0)
            return Fault("step" if index else "start", before, model.dump(truth[before]))
        bits = read_bits(claimed[WORD_BYTES:])
        for place, sample in enumerate(market.samples):
            if is_wrong(model, state, sample) != bool(bits >> place & 1):
                return Fault("sample", index, model.dump(state), place)
    return None


def place_in_pieces(pieces: Sequence[Piece], first: int, place: int) -> tuple[int, int]:
    """The piece, and which of its samples, that is at a place among the samples that count.

    >>> pieces = [Piece(b"", (Sample(b"", 0),) * 2)] * 3
    >>> place_in_pieces(pieces, 1, 3)
    (2, 1)
    """
    counted = chain.from_iterable(
        ((number, index) for index in range(len(piece.samples)))
        for number, piece in enumerate(pieces)
        if number != first
    )
    return list(counted)[place]


def counted_samples(pieces: Sequence[Piece], first: int) -> tuple[Sample, ...]:
    """The samples of all pieces but the one that was shown first, in the order of the pieces."""
    others = (piece.samples for number, piece in enumerate(pieces) if number != first)
    return tuple(chain.from_iterable(others))


def _points(model: Model[S], start: S, market: Market, alive: frozenset[int]) -> bytes:
    along = states(model, start, market, alive=alive)
    return b"".join(point(model, state, market.samples) for state in along)


def _scores(market: Market, stage: Stage) -> list[int]:
    width, order = _width(market), market.order(stage.alive)
    if len(stage.points) != width * (len(order) + 1):
        raise InputError("a stage has a point before its contributions and one after each")
    starts = range(WORD_BYTES, len(stage.points), width)
    wrong = [read_bits(stage.points[at : at + width - WORD_BYTES]).bit_count() for at in starts]
    scores = [0] * len(market.opening().balances)
    for (party, _), before, after in zip(order, wrong, wrong[1:]):
        scores[party] += before - after
    return scores


def _width(market: Market) -> int:
    return WORD_BYTES * (1 + -(-len(market.samples) // WORD_BITS))
