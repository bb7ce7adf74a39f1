"""Interrupted anywhere, a run can be audited as far as it got, and resumed to the same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit import audit_run
from ostrom.chain.journal import Journal
from ostrom.errors import LedgerError
from ostrom.sim.runner import Progress

STEPS = 15
"""How often a run of the tests' size reports its progress."""


class Interrupter:
    """A progress callback that is Ctrl-C at one of its calls."""

    def __init__(self, at: int = -1) -> None:
        self.at, self.calls = at, 0

    def __call__(self, progress: Progress) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the uninterrupted run is, once somebody has made it."""
    return {"folder": tmp_path_factory.mktemp("whole")}


@pytest.fixture
def expected(whole: dict[str, Path], start: Any, files_of: Any) -> dict[str, bytes]:
    """Chain and store of the uninterrupted run."""
    if not (whole["folder"] / "chain.jsonl").exists():
        report = Interrupter()
        start(whole["folder"], report)
        assert report.calls == STEPS
    files: dict[str, bytes] = files_of(whole["folder"])
    return files


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_interrupted_at_any_step_it_passes_the_audit_and_resumes_to_the_same_bytes(
    start: Any, again: Any, files_of: Any, expected: dict[str, bytes], tmp_path: Path, step: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, Interrupter(step))
    if (tmp_path / "chain.jsonl").exists():
        report = audit_run(tmp_path)
        assert report.passed, report.divergence
        settled = (tmp_path / "history.jsonl").read_text().count('"void":false') - 1
        assert report.rounds_settled == settled
    again(tmp_path)
    assert files_of(tmp_path) == expected
    assert audit_run(tmp_path).passed


@pytest.mark.parametrize("step", [3, 8])
def test_interrupted_twice_it_still_ends_well(
    start: Any,
    again: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, Interrupter(step))
    with monkeypatch.context() as patch:
        _fail_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            again(tmp_path)
    again(tmp_path)
    report = audit_run(tmp_path)
    assert report.passed
    assert report.rounds_settled == 2


def test_resuming_a_finished_run_leaves_it_as_it_is(
    start: Any, again: Any, files_of: Any, tmp_path: Path
) -> None:
    start(tmp_path, rounds=1)
    before = {**files_of(tmp_path), "history": (tmp_path / "history.jsonl").read_bytes()}
    again(tmp_path)
    assert before == {**files_of(tmp_path), "history": (tmp_path / "history.jsonl").read_bytes()}
    assert audit_run(tmp_path).passed


def _fail_at(patch: pytest.MonkeyPatch, line: int, *, torn: bool = False) -> None:
    """Ctrl-C while a journal writes its line of that number, counted from now."""
    append, lines = Journal.append, iter(range(1_000_000))

    def failing(self: Journal, data: bytes) -> None:
        if next(lines) == line:
            if torn:
                self.file.write(data[: len(data) // 2])
                self.file.flush()
            else:
                append(self, data)
            self.file.close()
            raise KeyboardInterrupt
        append(self, data)

    patch.setattr(Journal, "append", failing)


TINY = {"clients": 1, "validators": 1, "rounds": 1, "samples": 100}
LINES = 25
"""Lines of the chain of a run of that size, its header included."""


def test_a_tiny_chain_has_as_many_lines_as_the_tests_below_believe(
    start: Any, tmp_path: Path
) -> None:
    start(tmp_path, **TINY)
    assert len((tmp_path / "chain.jsonl").read_bytes().splitlines()) == LINES


@pytest.mark.parametrize("line", range(LINES))
def test_interrupted_at_any_block_it_resumes_to_the_same_end(
    start: Any, again: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    with monkeypatch.context() as patch:
        _fail_at(patch, line, torn=line % 2 == 0)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path, **TINY)
    again(tmp_path)
    report = audit_run(tmp_path)
    assert report.passed, report.divergence
    assert report.rounds_settled == 1
    assert len((tmp_path / "chain.jsonl").read_bytes().splitlines()) == LINES


def test_a_torn_last_line_is_named_by_the_audit_and_dropped_by_resume(
    start: Any, again: Any, files_of: Any, expected: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, Interrupter(7))
    chain = tmp_path / "chain.jsonl"
    lines = len(chain.read_bytes().splitlines())
    with chain.open("ab") as file:
        file.write(b'{"hash":"00')
    found = audit_run(tmp_path).divergence
    assert found is not None
    assert found.check == "chain"
    assert f"line {lines + 1} is unfinished" in found.detail
    again(tmp_path)
    assert files_of(tmp_path) == expected


def test_a_damaged_chain_is_not_resumed(start: Any, again: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, Interrupter(7))
    chain = tmp_path / "chain.jsonl"
    data = bytearray(chain.read_bytes())
    data[len(data) // 2] ^= 1
    chain.write_bytes(data)
    with pytest.raises(LedgerError, match="line"):
        again(tmp_path)
    assert chain.read_bytes() == bytes(data)


SCRIPT = """
import signal
import sys
from pathlib import Path
from ostrom.sim.config import RunConfig
from ostrom.sim.run import simulate

# A shell in the background starts its children deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
fields = dict(dataset="digits", model="logistic", clients=2, validators=2, rounds=200,
              workers=1, samples=300)
simulate(RunConfig.of(fields), Path(sys.argv[1]), progress=lambda p: print(p.round, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_gets_a_signal_leaves_a_run_that_passes_the_audit(
    tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    with process.stdout as lines:
        next(line for line in lines if int(line) == 3)
        time.sleep(0.02)
        process.send_signal(number)
        lines.read()
    assert process.wait(timeout=60) != 0
    report = audit_run(out)
    assert report.passed, report.divergence
    assert report.rounds_settled >= 2
