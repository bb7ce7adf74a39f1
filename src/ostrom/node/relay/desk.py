"""The relay: takes signed messages and says which transactions carry them.

Pure but for its book: no clock, no network, no threads of its own. `now` is chain time. Whoever
runs it hands in what arrives (`accept`), sends what is due (`due`) and says what became of it
(`mined`, `lost`); all of it may be done twice.

What a relay can do wrong is to carry nothing. It cannot forge, because the contract checks every
signature and opening; it cannot copy, because a commitment opens for its author alone; and what it
does not carry, a trainer sends by itself (`timing.must_send_directly`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ostrom.chain.artifacts import CONTRACTS, artifact
from ostrom.chain.contracts import Registry
from ostrom.chain.ledger import Call
from ostrom.errors import CodecError
from ostrom.node.relay.admission import Ask, Joins, Registrations
from ostrom.node.relay.book import Book, Entry, Formed, Kept, Slot
from ostrom.node.relay.lanes import Commits, Lane, Queue, Reveals
from ostrom.node.relay.messages import (
    MESSAGE_BYTES_MAX,
    Message,
    Place,
    RegistrationMessage,
    decode_message,
    kind_of,
)
from ostrom.node.relay.receipts import (
    CONFLICT,
    ELSEWHERE,
    KNOWN,
    MALFORMED,
    NOT_NOW,
    TAKEN,
    TOO_LONG,
    TOO_MANY,
    Receipt,
    receipt,
)
from ostrom.participation import Participation
from ostrom.protocol import TaskState
from ostrom.types import (
    Address,
    CommitSkipped,
    Digest,
    JoinSkipped,
    Logged,
    RevealSkipped,
)

TRIES_MAX = 3
"""Batches that one message may be in, where transactions fail."""

_PREFIX = "relay "
"""What a batch's key begins with, and the name of no other act."""

ADMISSIONS_PER_SEAT = 2
"""Registrations and joins that are kept, each, for every seat of the task."""


@dataclass(frozen=True)
class Batch:
    """One transaction. `key` names it for ever, so that it need not be sent twice."""

    key: str
    call: Call
    slots: tuple[Slot, ...]


class Relay:
    """A relay of one task of one Training contract.

    Args:
        book: what it has taken; one book for one task.
        lanes: the kinds of messages that it carries, see `lanes_of`.
    """

    def __init__(
        self, place: Place, task_id: Digest, *, book: Book, lanes: Sequence[Lane[Any]]
    ) -> None:
        self.place, self.task_id = place, task_id
        self._book = book
        self._lanes = {lane.kind: lane for lane in lanes}
        self._made: dict[int, Batch] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of messages that it carries."""
        return tuple(self._lanes)

    def accept(
        self, data: bytes, state: TaskState, now: int, *, kind: str | None = None
    ) -> Receipt:
        """Look at what arrived, and take it if it can be carried.

        Once this says 202 the message is on the disk. Any other answer has changed nothing.

        Args:
            data: the bytes of a message, from anybody.
            state: the task at the head of the chain.
            now: the head's time in Unix seconds.
            kind: what the message must be, where its address says so.

        Raises:
            StoreError: the book cannot be written; nothing was taken.
        """
        if len(data) > MESSAGE_BYTES_MAX:
            return receipt(TOO_LONG, f"a message has at most {MESSAGE_BYTES_MAX} bytes")
        try:
            message = decode_message(data)
        except CodecError as error:
            return receipt(MALFORMED, str(error))
        if kind not in (None, kind_of(message)):
            return receipt(MALFORMED, f"this is a {kind_of(message)}, not a {kind}")
        return self._elsewhere(message, state) or self._taken(message, data, state, now)

    def _elsewhere(self, message: Message, state: TaskState) -> Receipt | None:
        """That the message is not for this relay, or the relay not ready."""
        ours = self.place
        if message.chain != ours.chain:
            return receipt(ELSEWHERE, f"this relay is on chain {ours.chain}, not {message.chain}")
        if message.training != ours.training:
            return receipt(ELSEWHERE, f"this relay serves the Training contract {ours.training}")
        if kind_of(message) not in self._lanes:
            return receipt(ELSEWHERE, f"this relay carries only: {', '.join(self._lanes)}")
        if not isinstance(message, RegistrationMessage) and message.task != self.task_id:
            return receipt(ELSEWHERE, f"this relay serves the task {self.task_id.hex()}")
        if state.params is None:
            return receipt(NOT_NOW, "the chain does not show the task yet; ask again later")
        return None

    def _taken(self, message: Message, data: bytes, state: TaskState, now: int) -> Receipt:
        lane = self._lanes[kind_of(message)]
        refused = lane.refuse(message, state, now)
        if refused is not None:
            return refused
        slot, content = lane.slot(message), lane.content(message)
        found = self._book.find(slot)
        if found is not None and (found.content == content or not self._yields(lane, found)):
            return _known(found, content)
        refused = self._full(lane, state, found) or lane.check(message, state)
        if refused is not None:
            return refused
        kept = self._book.keep(slot, content, data, now=now, instead=found)
        if kept is Kept.NEW:
            return receipt(TAKEN, f"taken: {lane.kind} of {slot.account}")
        return _answer(kept)

    def _yields(self, lane: Lane[Any], found: Entry) -> bool:
        """True if a message makes room for another one of its account."""
        return lane.yields(found) and not any(
            found in formed.entries for formed in self._book.open_batches()
        )

    def _full(self, lane: Lane[Any], state: TaskState, found: Entry | None) -> Receipt | None:
        """That the relay keeps as many as it pays for; in a round, seats are the limit."""
        if lane.in_rounds or found is not None:
            return None
        if self._book.count(lane.kind) < ADMISSIONS_PER_SEAT * state.rules.max_trainers:
            return None
        return receipt(TOO_MANY, f"this relay carries no further {lane.kind}: send it directly")

    def due(self, state: TaskState, now: int) -> list[Batch]:
        """The transactions that should be on their way, oldest first.

        A batch stays in the list, under the same key, until the chain shows what it carries, its
        phase is over, or `mined` or `lost` says what became of it. Send each once, and again where
        a reorganisation has taken it away.

        Raises:
            StoreError: the book cannot be written.
        """
        if state.params is None:
            return []
        # The last round stays: a reorganisation may bring it back.
        self._book.forget_rounds(state.number - 1)
        under_way = [one for one in self._book.open_batches() if not self._closed(one, state, now)]
        formed = [self._form(lane, under_way, state, now) for lane in self._lanes.values()]
        kept = self._book.open_batches() if any(formed) else under_way
        self._made = {one.id: self._made.get(one.id) or self._batch(one) for one in kept}
        return [
            self._made[one.id] for one in kept if not self._lanes[one.kind].is_over(one, state, now)
        ]

    def _closed(self, formed: Formed, state: TaskState, now: int) -> bool:
        """Close a batch from which nothing more is to be expected.

        Those of a round stay until the round is forgotten, so that what a reorganisation takes away
        is due again as the very same transaction.
        """
        lane = self._lanes.get(formed.kind)
        if lane is not None and (lane.in_rounds or not lane.is_over(formed, state, now)):
            return False
        self._book.close_batch(formed.id)
        return True

    def _form(
        self, lane: Lane[Any], under_way: Sequence[Formed], state: TaskState, now: int
    ) -> bool:
        """Put what waits into batches, if it is time."""
        number = state.number if lane.in_rounds else 0
        queue = self._queue(lane, number, under_way, state)
        going = queue.waiting[: max(lane.ripe(queue, state, now), 0)]
        ready = self._ready(lane, going, state)
        for first in range(0, len(ready), lane.batch_max):
            self._book.form(ready[first : first + lane.batch_max], now=now)
        return bool(ready)

    def _queue(
        self, lane: Lane[Any], number: int, under_way: Sequence[Formed], state: TaskState
    ) -> Queue:
        waiting = self._book.waiting(lane.kind, number)
        able = [one for one in waiting if one.tries < TRIES_MAX and lane.is_open(one.slot, state)]
        sent = [one for one in under_way if (one.kind, one.number) == (lane.kind, number)]
        accounts = {entry.slot.account for one in sent for entry in one.entries}
        return Queue(able, accounts, self._book.last_formed(lane.kind, number))

    def _ready(self, lane: Lane[Any], waiting: Sequence[Entry], state: TaskState) -> list[Entry]:
        """What the contracts would take now; what they would never take is dropped."""
        ready = []
        for one in waiting:
            found = lane.check(decode_message(one.data), state)
            if found is None:
                ready.append(one)
            elif found.status != NOT_NOW:
                self._give_up(one, found.line)
        return ready

    def _give_up(self, entry: Entry, line: str) -> None:
        """Free the slot if nothing was paid for it yet; else keep it, so that nobody pays twice."""
        if entry.tries:
            self._book.refuse({entry.slot: line})
        else:
            self._book.drop([entry.slot])

    def _batch(self, formed: Formed) -> Batch:
        messages = [decode_message(one.data) for one in formed.entries]
        call = self._lanes[formed.kind].call(messages, self.task_id)
        return Batch(_key(formed), call, tuple(one.slot for one in formed.entries))

    def mined(self, key: str, logs: Iterable[Logged]) -> None:
        """A block holds the batch's transaction, which made these events.

        What the contract skipped is not waited for, and in no other batch. Say so once the state
        that `due` is given includes that block.
        """
        formed = self._open(key)
        if formed is None:
            return
        skips = (CommitSkipped, RevealSkipped, JoinSkipped)
        skipped = [one.event for one in logs if isinstance(one.event, skips)]
        refused = {
            formed.entries[event.index].slot: _name_of(event.reason)
            for event in skipped
            if event.index < len(formed.entries)
        }
        self._book.refuse(refused)

    def lost(self, key: str) -> None:
        """The batch's transaction failed or will never be mined; what can still be sent is due
        again, in another batch."""
        formed = self._open(key)
        if formed is not None:
            self._book.close_batch(formed.id)

    def _open(self, key: str) -> Formed | None:
        """The open batch of that key; an account has other transactions besides."""
        if not key.startswith(_PREFIX):
            return None
        found = self._book.open_batch(int(key.rpartition(" ")[2]))
        return found if found is not None and _key(found) == key else None

    def waiting(self, state: TaskState) -> dict[str, int]:
        """How many messages wait for their first batch, by kind, in the current round."""
        return {
            kind: self._book.count_new(kind, state.number if lane.in_rounds else 0)
            for kind, lane in self._lanes.items()
        }


def lanes_of(place: Place, *, expects: Participation | None = None) -> list[Lane[Any]]:
    """Commitments and openings.

    Args:
        expects: who may contribute to a round, so that a relay waits for nobody else; without it,
            all active trainers.
    """
    return [Commits(place, expects) if expects else Commits(place), Reveals(place)]


def admissions(place: Place, *, ask: Ask, registry: Registry, token: Address) -> list[Lane[Any]]:
    """Registrations and joins, for a relay that pays for them.

    Args:
        ask: a ledger's `call`.
        registry: the Registry that the Training contract uses.
        token: the Registry's staking token.
    """
    return [Registrations(place, registry, token, ask), Joins(place, ask)]


def _key(formed: Formed) -> str:
    return f"{_PREFIX}{formed.kind} {formed.number} {formed.id}"


def _known(found: Entry, content: Digest) -> Receipt:
    if found.content != content:
        return _answer(Kept.OTHER)
    if found.refused is not None:
        return receipt(CONFLICT, f"not carried again: {found.refused}")
    return _answer(Kept.SAME)


def _answer(kept: Kept) -> Receipt:
    if kept is Kept.SAME:
        return receipt(KNOWN, "known already")
    return receipt(CONFLICT, "another message of this account was first, and stays")


def _name_of(selector: bytes) -> str:
    """The contract error of that selector."""
    errors = (artifact(name).errors.get(selector) for name in CONTRACTS)
    return next((error.name for error in errors if error is not None), f"0x{selector.hex()}")
