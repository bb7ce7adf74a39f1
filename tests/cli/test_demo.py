"""`ostrom demo`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import FAILED_LINE, LINES

from ostrom.report.words import CONFIG_OPTIONS, demo_command
from ostrom.sim.config import RunConfig


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--skew", "0.05"], "give a share from 0.1 to 1"),
        (["--skew", "7"], "give a share from 0.1 to 1"),
        (["--skew", "nan"], "give a share from 0.1 to 1"),
        (["--skew", "0.9)("], "ostrom: "),
        (["--clients", "0"], "clients"),
        (["--rounds", "-3"], "rounds"),
        (["--attack", "sleep"], "unknown attack"),
        (["--attack", "zeros(trainers=99)"], "there are only 10 trainers"),
        (["--resume", "missing"], "there is no folder missing"),
        (["--resume", ".", "--seed", "3", "--out", "x"], "leave out --seed, --out"),
    ],
)
def test_bad_settings_are_one_line_that_helps(
    sim: Any, call: Any, words: list[str], said: str
) -> None:
    ended = call("demo", *words)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    assert sim.asked == []


@pytest.mark.parametrize("words", [["--clients", "many"], ["--cleints", "3"], ["extra"]])
def test_a_mistyped_command_line_is_exit_2(sim: Any, call: Any, words: list[str]) -> None:
    ended = call("demo", *words)
    assert ended.exit_code == 2
    assert "Traceback" not in ended.output


def test_a_failed_start_leaves_no_folder(sim: Any, call: Any) -> None:
    call("demo", "--attack", "sleep")
    assert not list(Path("runs").glob("*"))


def test_a_run_is_never_overwritten(sim: Any, call: Any) -> None:
    assert call("demo", "--out", "here").exit_code == 0
    ended = call("demo", "--out", "here")
    assert ended.exit_code == 2
    assert "--resume here" in ended.stderr
    Path("other").mkdir()
    Path("other/letter").write_text("dear alice")
    assert "is not empty" in call("demo", "--out", "other").stderr
    assert "is not empty" in call("demo", "--out", "other/letter").stderr


def test_a_broken_program_keeps_its_traceback(sim: Any, call: Any) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    sim.then = broken
    assert isinstance(call("demo").exception, ZeroDivisionError)


def test_ctrl_c_says_how_to_go_on(sim: Any, call: Any) -> None:
    sim.then = interrupt
    ended = call("demo", "--out", "here")
    assert ended.exit_code == 130
    last = ended.stderr.splitlines()[-1]
    assert "kept in here" in last
    assert "ostrom audit here" in last
    assert "ostrom demo --resume here" in last


def test_an_audit_that_fails_fails_the_demo(sim: Any, call: Any) -> None:
    sim.lines = (*LINES, FAILED_LINE)
    ended = call("demo")
    assert ended.exit_code == 1
    assert "FAILED at payouts in round 2" in ended.stdout


def test_without_settings_the_defaults_are_the_configs(sim: Any, call: Any) -> None:
    assert call("demo").exit_code == 0
    assert sim.asked == [RunConfig()]


OPEN = {
    "samples": "all",
    "start": "a fresh model",
    "workers": "one per core",
    "model": "by data set",
    "algorithm": "by data set",
}
"""Settings whose default is no single value."""


def test_help_names_the_configs_own_defaults(call: Any) -> None:
    text = " ".join(call("demo", "--help", env={"COLUMNS": "200"}).stdout.split())
    for name, value in RunConfig().model_dump().items():
        shown = OPEN.get(name, value)
        assert f"[default: {shown}]" in text.split(f"--{name} ")[1].split(" --")[0]


def test_every_setting_has_an_option_and_is_in_the_command_to_repeat_it(call: Any) -> None:
    assert {*CONFIG_OPTIONS, "workers"} == set(RunConfig.model_fields)


def test_the_command_on_the_report_makes_the_same_run(sim: Any, call: Any) -> None:
    config = RunConfig(
        dataset="digits",
        clients=5,
        skew="shards(k=2)",
        attack="sign_flip(trainers=2)|silent_validator",
        aggregation="nnm(f=1)|trimmed_mean(f=1)",
        samples=100,
        seed=7,
    )
    words = shlex.split(demo_command(config.model_dump()))[1:]
    assert call(*words).exit_code == 0
    assert sim.asked == [config]


def test_a_plain_number_is_the_share_of_the_skew(sim: Any, call: Any) -> None:
    call("demo", "--skew", "0.95", "--algorithm", "ridge")
    assert sim.asked[0].skew == "emphasis(share=0.95)"
    assert sim.asked[0].algorithm == "ridge"


def test_runs_are_numbered(sim: Any, call: Any) -> None:
    Path("runs/007-old").mkdir(parents=True)
    Path("runs/notes").mkdir()
    call("demo", "--dataset", "digits")
    call("demo", "--dataset", "../my data/set.npz")
    names = sorted(path.name for path in Path("runs").iterdir())
    assert names == ["007-old", "008-digits", "009-set", "notes"]


def test_without_a_terminal_each_round_is_a_line(sim: Any, call: Any) -> None:
    lines = call("demo", "--rounds", "3").stderr.splitlines()
    assert lines[0] == "setting up"
    assert [line[:9] for line in lines[1:]] == ["round 1/3", "round 2/3", "round 3/3"]
    assert "60.00 %" in lines[1]
    assert "80.00 %" in lines[3]


def test_json_is_all_there_is_on_stdout(sim: Any, call: Any) -> None:
    ended = call("demo", "--json", "--out", "here")
    document = json.loads(ended.stdout)
    assert document["path"] == "here"
    assert document["final"] == {"accuracy": 0.97, "loss": None}
    assert document["audit"]["passed"] is True
    assert "round" in ended.stderr


def test_the_end_tells_the_result_and_what_to_do_next(sim: Any, call: Any) -> None:
    text = call("demo", "--out", "my run").stdout
    for expected in (
        "97.00 %", "the paper: 9.80 %", "passed, 3 checks", "10 OSTR of 100 OSTR",
        "my run/report.html", "ostrom audit 'my run'", "20 per update",
    ):  # fmt: skip
        assert expected in text


def test_a_run_can_be_resumed(sim: Any, call: Any) -> None:
    Path("here").mkdir()
    assert call("demo", "--resume", "here").exit_code == 0
    assert sim.asked == [Path("here")]
