"""Child processes that are started together, watched, and stopped without orphans.

Every child leads a session of its own, so a Ctrl-C in the terminal reaches this process alone and
children are stopped in the order that this process wants. What runs is written down with the time
it started: a later process can find and stop what a killed one left behind, and never signals a
stranger that was given the same number.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ostrom.errors import InputError

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_000)
STOP_SECONDS_MAX = 15.0
LINES_KEPT = 3
LOG_TAIL_BYTES = 8_192
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A process's number and when it started, as text that another process at that number lacks."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """True while that very process runs."""
        return bool(self.started) and started_at(self.pid) == self.started


class Process:
    """A child whose output goes to a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start `command`, in this process's environment and folder unless others are given.

        Raises:
            InputError: there is no such program, or the log cannot be written.
        """
        self.name, self.log = name, log
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as out:
                self._child = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=None if environment is None else dict(environment),
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise InputError(f"cannot start {name}: {error}") from None
        self.running = Running(self._child.pid, started_at(self._child.pid))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._child.poll()

    @property
    def gone(self) -> bool:
        """True once it has ended with all that it started."""
        return self._child.poll() is not None and not _group_lives(self.pid)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the child and all that it started; wait for its end after SIGKILL."""
        _signal_group(self.pid, number)
        if number == signal.SIGKILL:
            self._child.wait()

    def last_words(self) -> str:
        """The end of its log in one line, for an error message."""
        return tail(self.log)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block has ended: no child is started and not noted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {
        one: signal.signal(one, lambda number, _: held.append(number))
        for one in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for one, former in before.items():
            signal.signal(one, former)
        for number in held[:1]:
            signal.raise_signal(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, and nothing interrupt what is then cleared away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_: int, __: object) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    for one in before:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one, former in before.items():
            signal.signal(one, former)


def stop(processes: Iterable[Process], *, seconds_max: float = STOP_SECONDS_MAX) -> list[str]:
    """SIGTERM to all, time to end, then SIGKILL; the names of those that had to be killed."""
    asked = [one for one in processes if not one.gone]
    for one in asked:
        one.kill(signal.SIGTERM)
    wait_until(lambda: all(one.gone for one in asked), seconds_max)
    late = [one for one in asked if not one.gone]
    for one in late:
        one.kill()
    return [one.name for one in late]


def stop_left(left: Iterable[Running], *, seconds_max: float = STOP_SECONDS_MAX) -> int:
    """Stop processes that another process started; how many of them still ran."""
    found = [one for one in left if one.alive]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in found:
            _signal(one, number)
        if wait_until(lambda: not any(one.alive for one in found), seconds_max):
            break
    return len(found)


def _signal(one: Running, number: signal.Signals) -> None:
    if not one.alive:
        return
    try:
        # A child of `Process` leads its group; another process may be part of a foreign one.
        if os.getpgid(one.pid) == one.pid and one.pid != os.getpgrp():
            os.killpg(one.pid, number)
        else:
            os.kill(one.pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise InputError(f"process {one.pid} belongs to another user") from None


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _group_lives(leader: int) -> bool:
    """True if the group still has a process, other than ended ones that nobody waited for."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def started_at(pid: int) -> str:
    """When a process started, as text; empty if none of that number runs.

    >>> started_at(os.getpid()) == started_at(os.getpid()) != ""
    True
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "" if Path("/proc/self").exists() else _started_by_ps(pid)
    # Field 2 is the name in parentheses, which may hold anything; 3 is the state, 22 the start.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _started_by_ps(pid: int) -> str:
    """The same where there is no /proc."""
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    state, _, started = found.partition(" ")
    return "" if state.startswith("Z") else started.strip()


def wait_until(holds: Callable[[], bool], seconds_max: float) -> bool:
    """True once `holds()` is true, False if it has not become true in time."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """That many different ones, below those that systems give to outgoing connections: a process
    may take its port seconds later, and any connection made meanwhile could have it."""
    chosen: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(chosen) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        chosen.append(port)
    return chosen


def listens(port: int) -> bool:
    """True if somebody accepts connections at the port on loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def tail(log: Path) -> str:
    """The last lines of a log in one line; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return " / ".join(line.strip() for line in lines if line.strip())[-300:]
