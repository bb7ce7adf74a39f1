"""`ostrom network` as a user runs it: up, Ctrl-C, up again, to the end."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ostrom.cli.network import network_app, up
from ostrom.network.local import RUNNING, read_running
from ostrom.network.plan import Choices
from ostrom.network.processes import started_at, wait_until

ASKED = ["--trainers", "2", "--validators", "2", "--rounds", "1", "--json"]
JOIN_SECONDS_MAX, END_SECONDS_MAX = 120, 300


class Up:
    """`ostrom network up` in a process of its own, with what it says in a file."""

    def __init__(self, folder: Path, log: Path) -> None:
        command = [sys.executable, "-m", "ostrom.cli", "network", "up", "--dir", str(folder)]
        self._log = log
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, *ASKED], stdout=subprocess.PIPE, stderr=said, start_new_session=True
            )

    @property
    def said(self) -> str:
        """Its standard error so far."""
        return self._log.read_text("utf-8")

    def end(self) -> tuple[int, str]:
        """Its exit status and standard output."""
        out, _ = self.process.communicate(timeout=END_SECONDS_MAX)
        return self.process.returncode, out.decode()


@pytest.fixture
def started() -> Iterator[list[Up]]:
    running: list[Up] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(60)
        if one.process.stdout is not None:
            one.process.stdout.close()


def test_the_help_says_the_real_defaults() -> None:
    defaults = Choices()
    for name, parameter in inspect.signature(up, eval_str=True).parameters.items():
        if name in Choices.model_fields and name not in ("model", "algorithm", "rpc"):
            (option,) = parameter.annotation.__metadata__
            assert f"[default: {getattr(defaults, name)}]" in option.help


@pytest.mark.parametrize("command", ["down", "status"])
def test_without_a_network_a_command_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(network_app, [command, "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "ostrom network up --dir" in result.stderr


def test_numbers_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    asked = ["up", "--dir", str(tmp_path / "n"), "--trainers", "0"]
    result = CliRunner().invoke(network_app, asked)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "trainers" in result.stderr


def test_a_network_is_interrupted_and_goes_on_to_its_end(tmp_path: Path, started: list[Up]) -> None:
    folder, runner = tmp_path / "network", CliRunner()
    first = Up(folder, tmp_path / "first.log")
    started.append(first)
    assert wait_until(lambda: "block" in first.said, JOIN_SECONDS_MAX), first.said
    noted = read_running(folder)
    assert noted is not None
    assert runner.invoke(network_app, ["status", "--dir", str(folder)]).exit_code == 0
    first.process.send_signal(signal.SIGINT)
    assert first.end()[0] == 130
    assert "ostrom network up --dir" in first.said
    assert not any(started_at(one.pid) for one in noted.children.values())
    assert not (folder / RUNNING).exists()
    assert runner.invoke(network_app, ["status", "--dir", str(folder)]).exit_code == 1

    other = ["up", "--dir", str(folder), "--trainers", "3"]
    assert "leave out --trainers" in runner.invoke(network_app, other).stderr

    again = Up(folder, tmp_path / "again.log")
    started.append(again)
    status, out = again.end()
    assert status == 0, again.said
    outcome = json.loads(out)
    assert outcome["audit"]["passed"]
    assert outcome["rounds_settled"] == 1
    assert outcome["paid"] == outcome["claimed"] != "0"
