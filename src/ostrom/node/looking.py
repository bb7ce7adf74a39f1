"""The loop of a node: look at the chain, say how it went, wait, look again.

An error is either one that waiting mends (the chain cannot be reached, content is not to be had,
the disk is full) or the end of the process, with a line and a code of its own.
"""

from __future__ import annotations

import errno
import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from ostrom.errors import InputError, LedgerError, OstromError, StoreError
from ostrom.node.server import Board
from ostrom.node.space import FULL_LINE, causes, is_full

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 60.0


class Ending(IntEnum):
    """Why a node ended; the process's exit code."""

    STOPPED = 0
    BROKEN = 1
    SETTINGS = 2
    DISK_FULL = 3
    DAMAGED = 4
    IN_USE = 5


class Stop(OstromError):
    """What waiting does not mend: the ending, and one line for the user."""

    def __init__(self, ending: Ending, line: str) -> None:
        self.ending, self.line = ending, line
        super().__init__(line)


class Agent(Protocol):
    """What the process drives."""

    def poll(self) -> None:
        """Look at the chain once and do what is due."""

    def status(self) -> Mapping[str, object]:
        """What a person wants to know."""

    def close(self) -> None:
        """Let go of files and connections."""


_UNUSABLE = frozenset({errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM})


def diagnose(error: BaseException) -> Stop | None:
    """Why the node must end because of this error, or None where it should try again later.

    >>> diagnose(LedgerError("the node does not answer")) is None
    True
    >>> diagnose(OSError(errno.ENOSPC, "No space left on device")).ending.name
    'DISK_FULL'
    """
    found = list(causes(error))
    for one in found:
        if isinstance(one, Stop):
            return one
    if is_full(error):
        return Stop(Ending.DISK_FULL, f"the disk is full: {error}; make room and start again")
    if isinstance(error, InputError):
        return Stop(Ending.SETTINGS, str(error))
    if any(isinstance(one, sqlite3.Error) for one in found):
        return Stop(Ending.DAMAGED, f"the journal cannot be used: {error}")
    if any(isinstance(one, OSError) and _is_ours(one) for one in found):
        return Stop(Ending.DAMAGED, f"the node's folder cannot be used: {error}")
    if isinstance(error, (LedgerError, StoreError)):
        return None
    return Stop(Ending.BROKEN, f"a fault in the program: {type(error).__name__}: {error}")


def _is_ours(error: OSError) -> bool:
    """True for a fault of a file, as opposed to one of a connection; a write names no file."""
    return error.errno in _UNUSABLE and (error.errno == errno.EIO or error.filename is not None)


@dataclass
class Pace:
    """How long to wait before the next look, in seconds.

    After good looks `every`; after bad ones twice as long each time, at most `most`, and shaken by
    up to a half so that nodes do not all ask at once.
    """

    every: float
    most: float = WAIT_SECONDS_MAX
    draw: Callable[[], float] = random.SystemRandom().random
    _bad: int = 0

    def good(self) -> float:
        """After a look that went well."""
        self._bad = 0
        return self.every

    def bad(self) -> float:
        """After one that did not.

        >>> pace = Pace(1, draw=lambda: 0.5)
        >>> [pace.bad() for _ in range(8)]
        [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        """
        self._bad = min(self._bad + 1, 32)
        wait = min(self.every * float(1 << self._bad), max(self.most, self.every))
        return wait * (0.5 + self.draw())


@dataclass
class Looking:
    """The loop: look, say how it went, wait."""

    agent: Agent
    board: Board
    pace: Pace
    stop: threading.Event
    polls: int = 0
    errors: dict[str, int] = field(default_factory=lambda: {"chain": 0, "store": 0})
    refusals: int = 0
    deepest: int = 0
    _reorganised: int = 0
    _said: str = ""
    _full: bool = False

    def run(self) -> Ending:
        """Look until told to stop.

        Raises:
            Stop: the node must end.
        """
        while not self.stop.is_set():
            self.stop.wait(self._look())
        return Ending.STOPPED

    def _look(self) -> float:
        """One look; how long to wait after it."""
        began = self.board.clock()
        self.polls += 1
        try:
            self.agent.poll()
            status = self._status()
        except Exception as error:
            return self._failed(error)
        if status.get("fault") == FULL_LINE:
            return self._waits_for_room(status)
        self._has_room()
        self.board.looked({**status, "poll_took": round(self.board.clock() - began, 3)})
        self._tell(status)
        return self.pace.good()

    def _failed(self, error: Exception) -> float:
        ending = diagnose(error)
        if ending is not None and ending.ending == Ending.DISK_FULL:
            return self._waits_for_room(self._status_if_any())
        if ending is not None:
            self.board.failed(ending.line)
            raise ending from error
        self._has_room()
        self.errors["chain" if isinstance(error, LedgerError) else "store"] += 1
        self.board.failed(str(error), self._status_if_any())
        wait = self.pace.bad()
        log.warning("%s; looking again in %.0f s", error, wait)
        self._said = ""
        return wait

    def _waits_for_room(self, status: dict[str, object] | None) -> float:
        """A full disk ends no node that runs: it forgets nothing, and somebody may make room."""
        self.errors["store"] += 1
        self.board.failed(FULL_LINE, status)
        if not self._full:
            # Once: a log on that disk would keep it full.
            log.error("%s", FULL_LINE)
        self._full, self._said = True, ""
        return self.pace.bad()

    def _has_room(self) -> None:
        if self._full:
            log.info("there is room on the disk again")
        self._full = False

    def _status_if_any(self) -> dict[str, object] | None:
        try:
            return self._status()
        except (LedgerError, StoreError):
            return None

    def _status(self) -> dict[str, object]:
        """The agent's status with the loop's own counts."""
        status = dict(self.agent.status())
        refused = status.get("refused")
        self.refusals += len(refused) if isinstance(refused, list) else 0
        vanished = status.get("reorganised")
        if isinstance(vanished, int):
            depth, self._reorganised = vanished - self._reorganised, vanished
            self.deepest = max(self.deepest, depth)
            if depth > 0:
                log.warning("the chain took %d blocks back", depth, extra={"depth": depth})
        counts = {"polls": self.polls, "poll_errors": dict(self.errors)}
        return {**status, **counts, "refused_total": self.refusals, "deepest": self.deepest}

    def _tell(self, status: Mapping[str, object]) -> None:
        """Log a change of round or phase, what was sent, and faults that are new."""
        line = "{round} {phase} {fault} {notice} {refused} {sent} {landed} {failed}"
        line = line.format_map(_Absent(status))
        if line == self._said:
            return
        self._said = line
        names = ("round", "phase", "block")
        about = {name: status[name] for name in names if name in status}
        done = ", ".join(f"{status[name]} {name}" for name in _COUNTED if status.get(name))
        log.info("looked at the chain%s", f"; transactions: {done}" * bool(done), extra=about)
        for name in ("fault", "notice"):
            if status.get(name):
                log.warning("%s", status[name], extra=about)
        refused = status.get("refused")
        for refusal in refused if isinstance(refused, list) else []:
            log.warning("%s", refusal, extra=about)


_COUNTED = ("sent", "landed", "failed")


class _Absent(dict[str, object]):
    """A mapping that has nothing to say of what it lacks."""

    def __missing__(self, name: str) -> str:
        return ""
