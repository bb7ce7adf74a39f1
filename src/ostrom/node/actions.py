"""What a role wants done on the chain. Whoever drives the role signs and sends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ostrom.types import Address, Digest, Opening, Result


@dataclass(frozen=True)
class Commit:
    """Commit to an update; a relay may carry it once the trainer has signed it."""

    round: int
    trainer: Address
    commitment: Digest


@dataclass(frozen=True)
class Reveal:
    """Open a commitment; anyone may carry it, the opening proves its author."""

    round: int
    trainer: Address
    opening: Opening


@dataclass(frozen=True)
class CommitScores:
    """Commit to a score vector."""

    round: int
    validator: Address
    commitment: Digest


@dataclass(frozen=True)
class RevealScores:
    """Reveal a score vector's digest."""

    round: int
    validator: Address
    scores: Digest
    salt: Digest


@dataclass(frozen=True)
class Attest:
    """Attest to a round's result."""

    round: int
    validator: Address
    result: Result


@dataclass(frozen=True)
class Advance:
    """Push an overdue phase on; anyone may."""


@dataclass(frozen=True)
class Sanction:
    """Apply an account's cumulative strikes; anyone may."""

    account: Address
    strikes: int
    proof: tuple[Digest, ...]


@dataclass(frozen=True)
class Claim:
    """Pay out all that an account ever earned; anyone may, the money goes to the account."""

    account: Address
    cumulative: int
    proof: tuple[Digest, ...]


@dataclass(frozen=True)
class Refund:
    """Return what the pool did not pay to the sponsor."""


Action: TypeAlias = (
    Commit | Reveal | CommitScores | RevealScores | Attest | Advance | Sanction | Claim | Refund
)
