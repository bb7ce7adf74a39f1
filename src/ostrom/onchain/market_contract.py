"""The prediction market's contract as typed calls, over any ledger; see `contracts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ostrom.chain.contracts import Contract
from ostrom.chain.ledger import Call, Ledger
from ostrom.onchain.claims import Fault, Piece, Stage
from ostrom.onchain.data import Sample
from ostrom.types import Address, Digest


class MarketPhase(IntEnum):
    """Where a market is; the last three are ends."""

    NONE = 0
    DRAW = 1
    SHOW = 2
    PARTICIPATION = 3
    REVEAL = 4
    CLAIM = 5
    SETTLED = 6
    FORFEITED = 7
    CANCELLED = 8


@dataclass(frozen=True)
class MarketTerms:
    """What the provider of a market chooses; 0 stands for the default."""

    participation_seconds: int = 0
    reveal_seconds: int = 0
    claim_seconds: int = 0
    challenge_seconds: int = 0
    contributions_max: int = 0
    grouped: bool = False
    stake_min: int = 0
    bond: int = 0


@dataclass(frozen=True)
class MarketState:
    """A market as it stands; see `MarketState` in `IMarket.sol`."""

    number: int
    phase: MarketPhase
    deadline: int
    first: int
    revealed: int
    samples: int
    contributions: int
    parties: int
    collected: int
    learnt: int
    pending: int
    bounty: int
    stakes: int
    accepted: int
    start_hash: Digest


@dataclass(frozen=True)
class ClaimState:
    """A claim as it stands; `alive` has bit p if party p is in."""

    market: int
    claimant: Address
    bond: int
    complete: bool
    refuted: bool
    window_end: int
    stages: int
    alive: int
    rounds: int
    rest: int
    balances_hash: Digest


class Market(Contract):
    """A prediction market; see `market` and `claims`."""

    def create(self, pieces: Sequence[Piece], terms: MarketTerms, *, bounty: int) -> Call:
        """Escrow a bounty and commit to a test set. Only the provider."""
        digests = tuple(piece.digest for piece in pieces)
        counts = tuple(len(piece.samples) for piece in pieces)
        return Call("Market", self.address, "create", (digests, counts, terms), bounty)

    def draw(self) -> Call:
        """Draw the piece to show first."""
        return self._call("draw")

    def reveal(self, number: int, piece: Piece) -> Call:
        """Publish a piece. Only the provider."""
        return self._call("reveal", number, piece.salt, piece.content)

    def cancel(self) -> Call:
        """Give a market up that nobody takes part in."""
        return self._call("cancel")

    def add(self, sample: Sample, stake: int) -> Call:
        """Stake on a contribution."""
        return Call("Market", self.address, "add", (sample.x, sample.label), stake)

    def claim(self, stage: Stage, *, bond: int) -> Call:
        """Open a claim with its first stage."""
        return Call("Market", self.address, "claim", (stage.points,), bond)

    def extend(self, claim: int, balances: Sequence[int], *, stage: Stage) -> Call:
        """Add the next stage; `balances` is what the stage before left."""
        return self._call("extend", claim, tuple(balances), stage.points)

    def challenge(
        self,
        claim: int,
        fault: Fault,
        *,
        stage: tuple[int, Stage],
        proof: Sample | tuple[int, Piece, int] | None = None,
    ) -> Call:
        """Refute a claim by a fault in one of its stages (its number and itself).

        `proof` is the contribution of a false step, or of a false sample the piece's number, the
        piece and which of its samples.
        """
        number, posted = stage
        point = (number, posted.alive_bits, posted.points, fault.point, fault.state)
        if fault.kind == "start":
            return self._call("challengeStart", claim, point)
        if isinstance(proof, Sample):
            return self._call("challengeStep", claim, point, (proof.label, proof.x))
        assert proof is not None, "a false sample is proved by its piece"
        which, piece, index = proof
        shown = (which, piece.salt, piece.content, index)
        return self._call("challengeSample", claim, point, shown)

    def accept(self, claim: int) -> Call:
        """Settle the market by a claim whose window has passed."""
        return self._call("accept", claim)

    def return_bond(self, claim: int) -> Call:
        """Return the bond of a claim that was not refuted."""
        return self._call("returnBond", claim)

    def forfeit(self) -> Call:
        """End a market whose provider did not reveal, or which nobody claims."""
        return self._call("forfeit")

    def collect(self, balances: Sequence[int], *, most: int) -> Call:
        """Credit the next `most` parties with what they are owed."""
        return self._call("collect", tuple(balances), most)

    def learn(self, samples: Sequence[Sample]) -> Call:
        """Make the model learn the next contributions of those still in."""
        return self._call("learn", tuple((sample.label, sample.x) for sample in samples))

    def withdraw(self) -> Call:
        """Send the caller's balance to the caller."""
        return self._call("withdraw")

    def balance_of(self, ledger: Ledger, account: Address) -> int:
        """What an account may withdraw."""
        return int(ledger.call(self._call("balanceOf", account)))

    def market(self, ledger: Ledger) -> MarketState:
        """The market that is going on, or the last."""
        found: dict[str, Any] = ledger.call(self._call("market"))
        return MarketState(**{**found, "phase": MarketPhase(found["phase"])})

    def terms(self, ledger: Ledger) -> MarketTerms:
        """Its terms, with the defaults filled in."""
        return MarketTerms(**ledger.call(self._call("terms")))

    def claim_of(self, ledger: Ledger, claim: int) -> ClaimState:
        """A claim as it stands."""
        return ClaimState(**ledger.call(self._call("claimOf", claim)))

    def claim_count(self, ledger: Ledger) -> int:
        """How many claims there were, in all markets."""
        return int(ledger.call(self._call("claimCount")))
