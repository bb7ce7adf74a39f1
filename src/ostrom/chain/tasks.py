"""Looking tasks up over JSON-RPC: which there are, who is in them, and how fast the chain goes.

Views say where a task is; what it was created with and who joined is in events, which are asked for
by topic, so that a long history costs little. It believes the node, as `RpcLedger` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from ostrom.chain.answers import Log, logs
from ostrom.chain.artifacts import artifact, decode_log
from ostrom.chain.contracts import ModelVersion
from ostrom.chain.deployed import Deployed
from ostrom.chain.refusals import TooLong, Unreachable
from ostrom.chain.rpc import RpcLedger
from ostrom.errors import LedgerError
from ostrom.types import (
    Address,
    Digest,
    Event,
    Joined,
    Left,
    Role,
    Sanctioned,
    TaskCreated,
)

BLOCKS_TIMED = 32
"""The chain's pace is the mean over so many blocks."""

SPAN_BLOCKS_MAX = 50_000
"""Blocks that are searched in one request; few logs fit the topics that are asked for."""

Topics: TypeAlias = Sequence[Sequence[str] | str | None]


@dataclass(frozen=True)
class Seat:
    """A member of a task, as its events tell it."""

    account: Address
    role: Role
    stake: int
    strikes: int = 0
    left: bool = False
    expelled: bool = False


@dataclass(frozen=True)
class Pace:
    """The head's number and time, and how many seconds a block takes; None on a chain at rest."""

    block: int
    time: int
    block_seconds: float | None

    def blocks(self, seconds: int) -> int | None:
        """How many blocks `seconds` are, rounded up.

        >>> Pace(9, 0, 12.0).blocks(36), Pace(9, 0, 12.0).blocks(37), Pace(9, 0, None).blocks(1)
        (3, 4, None)
        """
        if not self.block_seconds:
            return None
        return -int(-seconds // self.block_seconds)


def read_pace(ledger: RpcLedger) -> Pace:
    """The head, and the mean time between the last blocks.

    Raises:
        LedgerError: the node cannot be reached, or lost a block meanwhile.
    """
    head = ledger.client.head()
    span = min(head.number, BLOCKS_TIMED)
    before = ledger.client.block(head.number - span)
    if before is None:
        raise LedgerError("the node's chain has changed: try again")
    seconds = head.time - before.time
    return Pace(head.number, head.time, seconds / span if span and seconds else None)


def created_tasks(ledger: RpcLedger, at: Deployed) -> list[TaskCreated]:
    """All tasks of a network, the oldest first."""
    found = _events(ledger, at, [[_topic("TaskCreated")]])
    return [event for event in found if isinstance(event, TaskCreated)]


def created_task(ledger: RpcLedger, at: Deployed, task_id: Digest) -> TaskCreated | None:
    """The creation of one task; None if there is none of that name."""
    found = _events(ledger, at, [[_topic("TaskCreated")], f"0x{task_id.hex()}"])
    return next((event for event in found if isinstance(event, TaskCreated)), None)


def seats(ledger: RpcLedger, at: Deployed, task_id: Digest) -> list[Seat]:
    """All who ever joined a task, in the order in which they did."""
    topics = [_topic(name) for name in ("Joined", "Left", "Sanctioned")]
    found: dict[Address, Seat] = {}
    for event in _events(ledger, at, [topics, f"0x{task_id.hex()}"]):
        if isinstance(event, Joined):
            found[event.account] = Seat(event.account, event.role, event.stake)
        elif isinstance(event, Left | Sanctioned) and event.account in found:
            found[event.account] = _changed(found[event.account], event)
    return list(found.values())


def versions(ledger: RpcLedger, at: Deployed, task_id: Digest) -> list[ModelVersion]:
    """A task's model versions, from number 1."""
    models = at.contracts.models
    count = models.version_count(ledger, task_id)
    return [models.version(ledger, task_id, number=number) for number in range(1, count + 1)]


def last_settled_version(ledger: RpcLedger, at: Deployed, task_id: Digest) -> ModelVersion | None:
    """The version that the last settled round published; None before the first."""
    models = at.contracts.models
    count = models.version_count(ledger, task_id)
    return None if count < 2 else models.version(ledger, task_id, number=count)


def _changed(seat: Seat, event: Left | Sanctioned) -> Seat:
    if isinstance(event, Left):
        return replace(seat, left=True)
    return replace(seat, strikes=event.strikes, expelled=event.expelled)


@cache
def _topic(name: str) -> str:
    """The first topic of one of Training's events."""
    events = artifact("Training").events
    return next(f"0x{topic.hex()}" for topic, event in events.items() if event.name == name)


def _events(ledger: RpcLedger, at: Deployed, topics: Topics) -> list[Event]:
    """Training's events with these topics, in the chain's order.

    Nodes bound ranges and answers in ways of their own: spans shrink until one is answered.
    """
    found: list[Log] = []
    first, head, span = at.block, ledger.block_number, SPAN_BLOCKS_MAX
    while first <= head:
        last = min(first + span - 1, head)
        try:
            found += _logs(ledger, at, topics, first=first, last=last)
        except LedgerError as error:
            too_much = isinstance(error, TooLong) or not isinstance(error, Unreachable)
            if not too_much or first == last:
                raise
            span = max((last - first + 1) // 2, 1)
        else:
            first = last + 1
    return [decode_log("Training", log.topics, log.data) for log in found]


def _logs(ledger: RpcLedger, at: Deployed, topics: Topics, *, first: int, last: int) -> list[Log]:
    where = {
        "fromBlock": hex(first),
        "toBlock": hex(last),
        "address": at.contracts.training.address,
        "topics": list(topics),
    }
    return logs(ledger.request("eth_getLogs", where))
