"""What a relay checks and sends for each kind of message of a round: commitments and openings.

Everything is checked against the task's state before it is taken, so that a relay pays for nothing
that the contract would skip, and holds at most one message per trainer, kind and round.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from ostrom.chain.contracts import Training
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import commit_digest, recover
from ostrom.errors import InputError
from ostrom.node.relay.book import Entry, Formed, Slot
from ostrom.node.relay.messages import (
    CommitMessage,
    JoinMessage,
    Message,
    Place,
    RegistrationMessage,
    RevealMessage,
    signature_of,
)
from ostrom.node.relay.receipts import (
    CONFLICT,
    FORBIDDEN,
    KNOWN,
    MALFORMED,
    TOO_LATE,
    Receipt,
    receipt,
)
from ostrom.node.relay.timing import BATCH_MAX, owes, ripe
from ostrom.participation import Participation, everybody
from ostrom.protocol import TaskState
from ostrom.types import Address, Digest, Phase, Role

M = TypeVar("M", bound=Message, contravariant=True)

_MARKS = 2
"""A commitment's last 28 bytes are above this: the contract keeps smaller numbers as marks."""


@dataclass(frozen=True)
class Queue:
    """What waits of one kind and round, whose messages are in open batches, and when the last
    batch was formed."""

    waiting: Sequence[Entry]
    under_way: Set[Address]
    last: int | None

    def ripe(self, expected: set[Address], state: TaskState, now: int) -> int:
        """How many should go, where messages of the `expected` accounts may still come."""
        missing = expected.difference((one.slot.account for one in self.waiting), self.under_way)
        return ripe(state, now, waiting=len(self.waiting), missing=len(missing), last=self.last)


class Lane(Protocol[M]):
    """One kind of message. Nothing here has a state or a clock.

    A transaction carries `batch_max` messages. Without `in_rounds` they are for the whole task.
    """

    kind: ClassVar[str]
    batch_max: ClassVar[int]
    in_rounds: ClassVar[bool]

    def slot(self, message: M) -> Slot:
        """Where the message stands."""

    def content(self, message: M) -> Digest:
        """What the message says, without its signature: two of one content are one."""

    def refuse(self, message: M, state: TaskState, now: int) -> Receipt | None:
        """Why the message is not taken, or that the chain has it already; signatures included."""

    def check(self, message: M, state: TaskState) -> Receipt | None:
        """Why the contracts would refuse it now, where only they can say."""

    def yields(self, found: Entry) -> bool:
        """True if a kept message, which is not under way, makes room for another one."""

    def is_open(self, slot: Slot, state: TaskState) -> bool:
        """True while the chain still waits for what stands in the slot."""

    def is_over(self, formed: Formed, state: TaskState, now: int) -> bool:
        """True if nothing is to be expected of a batch as the chain stands."""

    def ripe(self, queue: Queue, state: TaskState, now: int) -> int:
        """How many of the messages that wait should be sent."""

    def call(self, messages: Sequence[M], task_id: Digest) -> Call:
        """The transaction that carries the messages."""


@dataclass(frozen=True)
class Commits:
    """Commitments: the trainer's signature binds chain, contract, task, round and content."""

    place: Place
    expects: Participation = field(default_factory=everybody)

    kind: ClassVar[str] = "commit"
    batch_max: ClassVar[int] = BATCH_MAX
    in_rounds: ClassVar[bool] = True

    def slot(self, message: CommitMessage) -> Slot:
        """One commitment per trainer and round."""
        return Slot(self.kind, message.round, message.trainer)

    def content(self, message: CommitMessage) -> Digest:
        """The commitment."""
        return message.commitment

    def refuse(self, message: CommitMessage, state: TaskState, now: int) -> Receipt | None:
        """Early, late, by a stranger, not signed by the trainer, or a second one."""
        trainer, number = message.trainer, message.round
        done = state.round.commits.get(trainer) if number == state.number else None
        if done is None:
            wrong = _wrong_turn(Phase.COMMIT, number, state, now) or _no_trainer(trainer, state)
            if wrong is not None:
                return wrong
        if int.from_bytes(message.commitment[4:], "big") <= _MARKS:
            return receipt(MALFORMED, "the commitment is not a hash: its last 28 bytes are a mark")
        digest = commit_digest(
            self.place.domain, message.task, round=number, commitment=message.commitment
        )
        return not_signed_by(trainer, message, digest) or _done(done, message.commitment, trainer)

    def check(self, message: CommitMessage, state: TaskState) -> Receipt | None:
        """The state says it all."""
        return None

    def yields(self, found: Entry) -> bool:
        """The first commitment stays."""
        return False

    def is_open(self, slot: Slot, state: TaskState) -> bool:
        """True while the trainer may still commit in that round."""
        return state.phase == Phase.COMMIT and _owed(slot, state)

    def is_over(self, formed: Formed, state: TaskState, now: int) -> bool:
        """True while no entry is open."""
        return all(one.refused or not self.is_open(one.slot, state) for one in formed.entries)

    def ripe(self, queue: Queue, state: TaskState, now: int) -> int:
        """All once all who train have handed in, or it is time."""
        if state.phase != Phase.COMMIT or not queue.waiting:
            return 0
        return queue.ripe({one for one in self.expects(state) if owes(state, one)}, state, now)

    def call(self, messages: Sequence[CommitMessage], task_id: Digest) -> Call:
        """`commitBatch`."""
        commits = [one.signed for one in messages]
        return Training(self.place.training).commit_batch(
            task_id, messages[0].round, commits=commits
        )


@dataclass(frozen=True)
class Reveals:
    """Openings: what opens a trainer's commitment can come from nobody else."""

    place: Place

    kind: ClassVar[str] = "reveal"
    batch_max: ClassVar[int] = BATCH_MAX
    in_rounds: ClassVar[bool] = True

    def slot(self, message: RevealMessage) -> Slot:
        """One opening per trainer and round."""
        return Slot(self.kind, message.round, message.trainer)

    def content(self, message: RevealMessage) -> Digest:
        """The commitment that it opens."""
        return message.commitment

    def refuse(self, message: RevealMessage, state: TaskState, now: int) -> Receipt | None:
        """Early, late, of nobody's commitment, or not what was committed to."""
        trainer, number = message.trainer, message.round
        here = state.round
        done = trainer in here.reveals and number == state.number
        wrong = None if done else _wrong_turn(Phase.REVEAL, number, state, now)
        if wrong is not None:
            return wrong
        committed = here.commits.get(trainer)
        if committed is None:
            return receipt(FORBIDDEN, f"{trainer} has no commitment in round {number}")
        if committed != message.commitment:
            return receipt(FORBIDDEN, f"this does not open the commitment of {trainer}")
        return receipt(KNOWN, "the chain has it already") if done else None

    def check(self, message: RevealMessage, state: TaskState) -> Receipt | None:
        """The state says it all."""
        return None

    def yields(self, found: Entry) -> bool:
        """What opened a commitment that a reorganisation took away makes room for what opens the
        one that the chain has now."""
        return True

    def is_open(self, slot: Slot, state: TaskState) -> bool:
        """True while the trainer still owes the opening."""
        return state.phase == Phase.REVEAL and _owed(slot, state)

    def is_over(self, formed: Formed, state: TaskState, now: int) -> bool:
        """True while no entry is open."""
        return all(one.refused or not self.is_open(one.slot, state) for one in formed.entries)

    def ripe(self, queue: Queue, state: TaskState, now: int) -> int:
        """All once all who committed have handed in, or it is time."""
        if state.phase != Phase.REVEAL or not queue.waiting:
            return 0
        return queue.ripe(set(state.round.missed), state, now)

    def call(self, messages: Sequence[RevealMessage], task_id: Digest) -> Call:
        """`revealBatch`."""
        openings = [one.entry for one in messages]
        return Training(self.place.training).reveal_batch(
            task_id, messages[0].round, openings=openings
        )


def not_signed_by(
    account: Address, message: CommitMessage | JoinMessage | RegistrationMessage, digest: Digest
) -> Receipt | None:
    """That the account did not sign the digest; None if it did."""
    try:
        signer = recover(digest, signature_of(message))
    except InputError as error:
        return receipt(FORBIDDEN, str(error))
    if signer != account:
        return receipt(FORBIDDEN, f"this is not signed by {account} for this chain and contract")
    return None


def _owed(slot: Slot, state: TaskState) -> bool:
    return slot.number == state.number and owes(state, slot.account)


def _wrong_turn(phase: Phase, number: int, state: TaskState, now: int) -> Receipt | None:
    """That it is too early or too late for an act of that phase and round."""
    if number < state.number or state.over:
        return receipt(TOO_LATE, f"round {number} is over")
    if number > state.number or state.phase < phase:
        here = f"the task is in the {state.phase.name} phase of round {state.number}"
        return receipt(CONFLICT, f"too early for round {number}: {here}")
    if state.phase > phase or now > state.deadline:
        return receipt(TOO_LATE, f"the {phase.name} phase of round {number} is over")
    return None


def _no_trainer(account: Address, state: TaskState) -> Receipt | None:
    if state.is_active(account):
        return None
    if state.may_act(account, Role.TRAINER):
        since = state.members[account].since
        return receipt(FORBIDDEN, f"{account} trains from round {since} on")
    return receipt(FORBIDDEN, f"{account} is no trainer of this task")


def _done(done: Digest | None, commitment: Digest, trainer: Address) -> Receipt | None:
    if done is None:
        return None
    if done == commitment:
        return receipt(KNOWN, "the chain has it already")
    return receipt(CONFLICT, f"{trainer} has committed to something else")
