"""Real processes: they end when they are told to, and nothing of them stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostrom.errors import InputError
from ostrom.network.processes import (
    Process,
    Running,
    free_ports,
    listens,
    started_at,
    stop,
    stop_left,
    stoppable,
    tail,
    uninterrupted,
    wait_until,
)

PATIENT = "import time\nprint('up', flush=True)\ntime.sleep(600)"
DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PATIENT}"
PARENT = (
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '''{DEAF}'''])\n{PATIENT}"
)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    running: list[Process] = []
    yield running
    for one in running:
        one.kill()


def run(started: list[Process], tmp_path: Path, program: str, *, ups: int = 1) -> Process:
    """A Python program that has printed "up" that many times."""
    log = tmp_path / f"{len(started)}.log"
    one = Process(f"number {len(started)}", [sys.executable, "-c", program], log=log)
    started.append(one)
    assert wait_until(lambda: log.read_text().count("up") >= ups, 30)
    return one


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot start node"):
        Process("node", [str(tmp_path / "absent")], log=tmp_path / "log")


def test_a_child_works_in_the_folder_that_it_is_given(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    program = "from pathlib import Path; Path('mine').touch()"
    one = Process("one", [sys.executable, "-c", program], log=tmp_path / "log", folder=place)
    assert wait_until(lambda: one.gone, 30)
    assert (place / "mine").exists()


def test_stopping_asks_and_waits(started: list[Process], tmp_path: Path) -> None:
    both = [run(started, tmp_path, PATIENT) for _ in range(2)]
    assert stop(both) == []
    assert [one.status for one in both] == [-signal.SIGTERM, -signal.SIGTERM]


def test_who_does_not_listen_is_killed_late(started: list[Process], tmp_path: Path) -> None:
    one = run(started, tmp_path, DEAF)
    assert stop([one], seconds_max=0.3) == [one.name]
    assert one.status == -signal.SIGKILL


def test_what_a_child_has_started_ends_with_it(started: list[Process], tmp_path: Path) -> None:
    one = run(started, tmp_path, PARENT, ups=2)
    assert stop([one], seconds_max=0.5) == [one.name]
    assert wait_until(lambda: one.gone, 10)


def test_what_another_process_left_is_found_and_stopped(
    started: list[Process], tmp_path: Path
) -> None:
    left = [run(started, tmp_path, program).running for program in (PATIENT, DEAF)]
    assert stop_left(left, seconds_max=0.5) == 2
    assert stop_left(left) == 0


def test_a_stranger_with_the_same_number_is_left_alone(
    started: list[Process], tmp_path: Path
) -> None:
    one = run(started, tmp_path, PATIENT)
    assert stop_left([Running(one.pid, "another time")]) == 0
    assert one.status is None


def test_an_ended_process_has_no_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert wait_until(lambda: started_at(child.pid) == "", 30)  # dead, not yet waited for
    assert child.wait() == 0
    assert not Running(child.pid, "").alive


def test_ports_differ_and_are_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not any(listens(port) for port in ports)


def test_a_log_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\n\n  second\n")
    assert tail(tmp_path / "log") == "first / second"
    assert tail(tmp_path / "absent") == ""


def test_an_interrupt_waits_until_a_child_is_noted() -> None:
    noted = []

    def note() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            noted.append(True)

    with pytest.raises(KeyboardInterrupt):
        note()
    assert noted == [True]


def test_sigterm_ends_a_stoppable_block_once() -> None:
    cleared = []

    def work() -> None:
        with stoppable():
            try:
                signal.raise_signal(signal.SIGTERM)
                time.sleep(10)
            finally:
                signal.raise_signal(signal.SIGINT)  # impatience does not stop the clearing away
                cleared.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleared == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
