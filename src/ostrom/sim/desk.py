"""From actions to transactions: signing, batching and sending for everybody in the process.

A relay carries commits and reveals in one transaction each, so that trainers need no ether; the
other actions go out alone, signed by whom they name, or by the relay where anyone may send them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from ostrom.chain.contracts import SignedCommit, TrainerOpening, Training
from ostrom.chain.ledger import Call, Ledger, Receipt
from ostrom.chain.wallet import Key, commit_digest, training_domain
from ostrom.node import (
    Action,
    Attest,
    Commit,
    CommitScores,
    Refund,
    Reveal,
    RevealScores,
)
from ostrom.node.relay.timing import BATCH_MAX
from ostrom.node.transactions import call_of
from ostrom.protocol import TaskState
from ostrom.types import Address, Digest, Phase

Batch = tuple[Action, ...]

GAS_NAMES: dict[type, str] = {
    Commit: "commit",
    Reveal: "reveal",
    CommitScores: "score",
    RevealScores: "score",
    Attest: "attest",
}

_PHASES: dict[type, Phase] = {
    Commit: Phase.COMMIT,
    Reveal: Phase.REVEAL,
    CommitScores: Phase.SCORE,
    RevealScores: Phase.SCORE_REVEAL,
    Attest: Phase.ATTEST,
}


def is_stale(batch: Batch, state: TaskState) -> bool:
    """True if the phase that a validator's action needs has closed since it was wished.

    >>> is_stale((CommitScores(1, Address("0x0"), bytes(32)),), TaskState())
    True
    """
    first = batch[0]
    if isinstance(first, (CommitScores, RevealScores, Attest)):
        return state.phase != _PHASES[type(first)] or first.round != state.number
    return False


@dataclass
class Spending:
    """What the chain cost since the last `take`: gas by phase, calldata bytes, refusals."""

    gas: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    calldata: int = 0
    refusals: list[str] = field(default_factory=list)

    def add(self, batch: Batch, receipt: Receipt) -> None:
        """Count one transaction."""
        self.gas[GAS_NAMES.get(type(batch[0]), "other")] += receipt.gas_used
        self.calldata += receipt.calldata

    def take(self) -> Spending:
        """What was spent, and start again from nothing."""
        spent = Spending(dict(self.gas), self.calldata, self.refusals)
        self.gas, self.calldata, self.refusals = defaultdict(int), 0, []
        return spent


@dataclass(frozen=True)
class Desk:
    """Signs with the parties' keys and sends to one task of one Training contract."""

    ledger: Ledger
    training: Training
    task_id: Digest
    relay: Key
    sponsor: Key
    keys: dict[Address, Key]

    def batches(self, actions: Sequence[Action]) -> list[Batch]:
        """Group what one transaction can carry; the order among equals stays.

        >>> from ostrom.node import Advance, Refund
        >>> desk = Desk.__new__(Desk)
        >>> [len(batch) for batch in desk.batches([Advance(), Refund()])]
        [1, 1]
        """
        relayed = [a for kind in (Commit, Reveal) for a in _chunks(actions, kind)]
        alone = [(a,) for a in actions if not isinstance(a, (Commit, Reveal))]
        return [*relayed, *alone]

    def send(self, batch: Batch) -> Receipt:
        """Send one batch.

        Raises:
            ContractError: the contract refuses it.
        """
        return self.ledger.send(self._call(batch), self._sender(batch[0]))

    def _sender(self, action: Action) -> Key:
        if isinstance(action, (CommitScores, RevealScores, Attest)):
            return self.keys[action.validator]
        return self.sponsor if isinstance(action, Refund) else self.relay

    def _call(self, batch: Batch) -> Call:
        """One call for the whole batch."""
        first = batch[0]
        if isinstance(first, Commit):
            commits = [self._signed(one) for one in batch if isinstance(one, Commit)]
            return self.training.commit_batch(self.task_id, first.round, commits=commits)
        if isinstance(first, Reveal):
            opened = [TrainerOpening(a.trainer, a.opening) for a in batch if isinstance(a, Reveal)]
            return self.training.reveal_batch(self.task_id, first.round, openings=opened)
        return call_of(first, self.training, self.task_id)

    def _signed(self, action: Commit) -> SignedCommit:
        domain = training_domain(self.ledger.chain_id, self.training.address)
        digest = commit_digest(
            domain, self.task_id, round=action.round, commitment=action.commitment
        )
        return SignedCommit.of(action.commitment, self.keys[action.trainer].sign(digest))


def _chunks(actions: Sequence[Action], kind: type[Commit] | type[Reveal]) -> list[Batch]:
    rest = iter([a for a in actions if isinstance(a, kind)])
    chunks = iter(lambda: tuple(islice(rest, BATCH_MAX)), ())
    return list(chunks)
