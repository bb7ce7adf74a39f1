"""Following one task on a chain whose newest blocks can vanish.

The follower keeps the task's state after each recent block. Where the chain that it sees no longer
holds one of those blocks, it goes back to the last common one and reads on from there. Events are
asked for by block hash near the head and by range further back, and what they add up to is compared
with what the contract itself counts, so that a node which leaves events out is noticed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ostrom.chain.client import Block, ChainClient
from ostrom.chain.contracts import Training
from ostrom.errors import LedgerError, ProtocolError
from ostrom.protocol import TaskState, replay
from ostrom.types import Digest, Logged

KEPT = 96
"""Deeper than any chain reorganises, and not deeper than the states that its nodes keep (128)."""

NEAR = 16
"""Blocks below the confirmed one with which a follower begins to read one by one."""

SPAN = 2_000
"""Blocks in one request for old events."""


@dataclass(frozen=True)
class View:
    """The task at the head and at the confirmed block.

    `safe` is what a node decides by; `state` tells what has been done already. `dropped` counts the
    blocks that vanished at this look.
    """

    head: Block
    state: TaskState
    confirmed: Block
    safe: TaskState
    dropped: int = 0


class Follower:
    """Reads one task of one Training contract, from the block `first` on.

    Args:
        confirmations: blocks that must stand on a block before a node acts on what it says. A
            chain whose blocks are final at once needs none.
        kept: blocks whose states are kept; a deeper reorganisation is read from `first` again.
    """

    def __init__(
        self,
        chain: ChainClient,
        training: Training,
        task_id: Digest,
        *,
        first: int = 0,
        confirmations: int = 0,
        kept: int = KEPT,
    ) -> None:
        self._chain, self._training, self._task_id = chain, training, task_id
        self._first, self._confirmations, self._kept = first, confirmations, kept
        self._line: deque[tuple[Block, TaskState]] = deque(maxlen=kept + confirmations)

    def look(self) -> View:
        """The newest view.

        Raises:
            LedgerError: the chain cannot be read, contradicts itself, or has left events out; what
                was known before stays, and another look may succeed.
        """
        head = self._chain.head()
        dropped = self._go_back(head)
        self._go_on(head)
        newest, state = self._line[-1]
        confirmed, safe = self._confirmed(newest)
        return View(newest, state, confirmed, safe, dropped)

    def _go_back(self, head: Block) -> int:
        """Forget the blocks that the chain of `head` no longer holds; how many there were."""
        dropped = 0
        while self._line:
            mine = self._line[-1][0]
            if mine == head:
                break
            # A shorter chain that agrees with ours is a node that lags: nothing vanished.
            if mine.number > head.number and self._holds(head):
                break
            if mine.number <= head.number and self._chain.block(mine.number) == mine:
                break
            self._line.pop()
            dropped += 1
        return dropped

    def _holds(self, block: Block) -> bool:
        return any(mine == block for mine, _ in self._line)

    def _go_on(self, head: Block) -> None:
        """Read the blocks between what is known and `head`, and compare what they say."""
        if not self._line:
            self._line.append(self._begin(head))
        known, state = self._line[-1]
        read: list[tuple[Block, TaskState]] = []
        for number in range(known.number + 1, head.number + 1):
            block = head if number == head.number else self._chain.block(number)
            if block is None or block.parent != known.hash:
                raise LedgerError(f"block {number} does not follow the one before it: look again")
            state = self._applied(state, self._chain.logs_of(block))
            read.append((block, state))
            known = block
        if read:
            self._check(state, known)
            self._line += read

    def _begin(self, head: Block) -> tuple[Block, TaskState]:
        """Read the old blocks by range, up to a few below where blocks may still vanish."""
        near = min(self._kept, self._confirmations + NEAR)
        last = max(min(self._first, head.number), head.number - near)
        state = TaskState(task_id=self._task_id)
        for first in range(self._first, last + 1, SPAN):
            logs = self._chain.logs(first, min(first + SPAN - 1, last))
            state = self._applied(state, logs)
        block = head if last == head.number else self._chain.block(last)
        if block is None:
            raise LedgerError(f"the chain has no block {last}: look again")
        self._check(state, block)
        return block, state

    def _applied(self, state: TaskState, logs: list[Logged]) -> TaskState:
        try:
            return replay(state, logs)
        except ProtocolError as error:
            # What was left out may be long ago: read everything again.
            self._line.clear()
            raise LedgerError(f"the chain's events contradict each other: {error}") from None

    def _check(self, state: TaskState, block: Block) -> None:
        """Compare what the events add up to with what the contract says after that block."""
        told = self._training.task_at(self._chain, self._task_id, block=block)
        here = state.round
        gone = sum(m.left or m.expelled for m in state.members.values())
        seated = len(state.members) - gone
        equal = (
            (state.phase, told.phase),
            (state.number, told.round),
            (seated, told.trainers + told.validators),
            (state.allocated, told.allocated),
            (state.claimed_total, told.claimed),
        )
        # Of those who lost their seats, the contract and the events count different acts.
        enough = (
            (here.commits, told.commits),
            (here.reveals, told.reveals),
            (here.score_commits, told.score_commits),
            (here.score_reveals, told.score_reveals),
            (here.attestations, told.attestations),
        )
        # A task is created together with its first model.
        missing = any(mine != theirs for mine, theirs in equal)
        missing = missing or (state.params is not None and not state.versions)
        if missing or any(len(mine) + gone < theirs for mine, theirs in enough):
            self._line.clear()
            raise LedgerError(f"events are missing up to block {block.number}: look again")

    def _confirmed(self, newest: Block) -> tuple[Block, TaskState]:
        """The newest block that enough others stand on; the oldest known where there is none."""
        for block, state in reversed(self._line):
            if newest.number - block.number >= self._confirmations:
                return block, state
        return self._line[0]
