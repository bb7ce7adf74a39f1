"""A market of the coupled mode as the chain's events tell it, and its provider's secret."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostrom.cli.collab_file import write_whole
from ostrom.codec import encode_document, parse_json
from ostrom.errors import CodecError, InputError
from ostrom.onchain.claims import Piece, Stage, counted_samples, read_samples
from ostrom.onchain.data import Sample
from ostrom.onchain.market import Market, Staked
from ostrom.types import Digest, Logged, OtherEvent

SECRET_FORMAT = "ostrom/market-secret/1"
SECRET_BYTES_MAX = 1 << 24
SALT_BYTES = 32
PIECE_BYTES_MAX = 16_384
PIECES_MAX = 64


@dataclass
class PostedClaim:
    """A claim and its stages, as they were posted."""

    claimant: str
    stages: list[Stage] = field(default_factory=list)
    balances: tuple[int, ...] = ()
    refuted: bool = False


@dataclass
class MarketLog:
    """The last market. `pieces` has those that were revealed, by their numbers."""

    number: int = 0
    bounty: int = 0
    digests: tuple[Digest, ...] = ()
    grouped: bool = False
    first: int | None = None
    pieces: dict[int, Piece] = field(default_factory=dict)
    staked: list[Staked] = field(default_factory=list)
    claims: dict[int, PostedClaim] = field(default_factory=dict)

    @property
    def rule(self) -> Market:
        """What the market decides on.

        Raises:
            InputError: not all of the test set is revealed.
        """
        ordered = self.all_pieces
        samples = counted_samples(ordered, -1 if self.first is None else self.first)
        return Market(tuple(self.staked), samples, self.bounty, self.grouped)

    @property
    def all_pieces(self) -> list[Piece]:
        """The whole test set.

        Raises:
            InputError: not all of it is revealed.
        """
        if len(self.pieces) < len(self.digests) or not self.digests:
            raise InputError("the provider has not revealed the whole test set yet")
        return [self.pieces[number] for number in range(len(self.digests))]


def read_log(events: Iterable[Logged]) -> MarketLog:
    """The last market of these events."""
    log = MarketLog()
    for logged in events:
        event = logged.event
        if isinstance(event, OtherEvent):
            if event.name == "MarketCreated":
                log = _created(event.arguments)
            elif event.name in _READ:
                _READ[event.name](log, event.arguments)
    return log


def used_digests(events: Iterable[Logged]) -> Iterator[Digest]:
    """The pieces of all markets so far."""
    for logged in events:
        event = logged.event
        if isinstance(event, OtherEvent) and event.name == "MarketCreated":
            pieces: Any = event.arguments["pieces"]
            yield from pieces


def cut(samples: tuple[Sample, ...], pieces: int) -> tuple[Piece, ...]:
    """The samples in pieces of about the same size, each with a random salt.

    Raises:
        InputError: there are too few samples, or one piece gets too long.
    """
    if not 2 <= pieces <= min(PIECES_MAX, len(samples)):
        raise InputError(
            f"a market has 2 to {PIECES_MAX} pieces of at least one sample each: "
            f"{len(samples):,} samples cannot be {pieces}"
        )
    found = tuple(
        Piece(secrets.token_bytes(SALT_BYTES), samples[index::pieces]) for index in range(pieces)
    )
    longest = max(len(piece.content) for piece in found)
    if longest > PIECE_BYTES_MAX:
        raise InputError(
            f"a piece has {longest:,} bytes, more than {PIECE_BYTES_MAX:,}: give more --pieces"
        )
    return found


def write_secret(path: Path, pieces: Iterable[Piece]) -> None:
    """Keep what the provider must reveal later; readable by its owner alone.

    Raises:
        InputError: it cannot be written.
    """
    lines = [{"salt": piece.salt.hex(), "samples": piece.content.hex()} for piece in pieces]
    document = encode_document({"format": SECRET_FORMAT, "pieces": lines})
    write_whole(path, document + b"\n", secret=True)


def read_secret(path: Path) -> tuple[Piece, ...]:
    """What `write_secret` kept.

    Raises:
        InputError: the file cannot be read, or is none of its kind.
    """
    try:
        with path.open("rb") as stream:
            found: Any = parse_json(stream.read(SECRET_BYTES_MAX))
        if found["format"] != SECRET_FORMAT:
            raise ValueError(found["format"])
        return tuple(
            Piece(bytes.fromhex(line["salt"]), read_samples(bytes.fromhex(line["samples"])))
            for line in found["pieces"]
        )
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the file that ostrom collab market open "
            "wrote"
        ) from None
    except (CodecError, KeyError, TypeError, ValueError):
        raise InputError(f"{path} holds no test set of a market") from None


def _created(given: Mapping[str, Any]) -> MarketLog:
    terms: Any = given["terms"]
    return MarketLog(
        number=given["market"],
        bounty=given["bounty"],
        digests=tuple(given["pieces"]),
        grouped=terms["grouped"],
    )


def _drawn(log: MarketLog, given: Mapping[str, Any]) -> None:
    log.first = given["piece"]


def _revealed(log: MarketLog, given: Mapping[str, Any]) -> None:
    log.pieces[given["piece"]] = Piece(given["salt"], read_samples(given["samples"]))


def _queued(log: MarketLog, given: Mapping[str, Any]) -> None:
    sample = Sample(given["x"], given["label"])
    log.staked.append(Staked(given["contributor"], sample, given["stake"]))


def _opened(log: MarketLog, given: Mapping[str, Any]) -> None:
    log.claims[given["claim"]] = PostedClaim(given["claimant"])


def _claimed(log: MarketLog, given: Mapping[str, Any]) -> None:
    claim = log.claims[given["claim"]]
    bits = given["alive"]
    alive = frozenset(party for party in range(bits.bit_length()) if bits >> party & 1)
    claim.stages.append(Stage(alive, given["points"]))
    claim.balances = tuple(given["balances"])


def _refuted(log: MarketLog, given: Mapping[str, Any]) -> None:
    log.claims[given["claim"]].refuted = True


_READ = {
    "FirstPieceDrawn": _drawn,
    "PieceRevealed": _revealed,
    "ContributionQueued": _queued,
    "ClaimOpened": _opened,
    "StageClaimed": _claimed,
    "ClaimRefuted": _refuted,
}
