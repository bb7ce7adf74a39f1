"""The other commands, and what all of them share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import FAILED_LINE, LINES, report_of

import ostrom
from ostrom.cli.console import printable
from ostrom.errors import AuditError, LedgerError

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Lets an audit find these lines, or raise this error."""
    monkeypatch.chdir(tmp_path)

    def find(*lines: Any) -> None:
        def audit_run(path: Path) -> Any:
            if isinstance(lines[0], Exception):
                raise lines[0]
            return report_of(*lines)

        monkeypatch.setattr("ostrom.audit.audit_run", audit_run)

    return find


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )


def test_an_audit_that_fails_names_the_first_divergence(audited: Any, call: Any) -> None:
    audited(*LINES, FAILED_LINE)
    ended = call("audit", ".")
    assert ended.exit_code == 1
    assert "the audit fails at payouts in round 2: expected 1, got 2" in ended.stderr
    assert "✗ fails" in ended.stdout
    assert json.loads(Path("audit.json").read_text())["passed"] is False


def test_an_audit_without_checks_fails(audited: Any, call: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("ostrom.audit.audit_run", lambda path: report_of())
    assert call("audit", ".").exit_code == 1


@pytest.mark.parametrize("error", [AuditError("no run here"), LedgerError("a torn block")])
def test_what_cannot_be_audited_is_one_line(audited: Any, call: Any, error: Exception) -> None:
    audited(error)
    ended = call("audit", ".")
    assert (ended.exit_code, ended.stderr) == (2, f"ostrom: {error}\n")


def test_an_audit_of_nothing_says_what_to_give(audited: Any, call: Any) -> None:
    ended = call("audit", "missing")
    assert ended.exit_code == 2
    assert "there is no folder missing" in ended.stderr


def test_an_audit_that_holds_is_exit_0_and_is_kept(audited: Any, call: Any) -> None:
    audited(*LINES)
    ended = call("audit", ".")
    assert ended.exit_code == 0
    assert "1 to 2" in ended.stdout
    assert "3 checks, 2 settled rounds" in ended.stdout
    assert json.loads(Path("audit.json").read_text()) == report_of(*LINES).document()


def test_an_audit_as_json_is_its_document(audited: Any, call: Any) -> None:
    audited(*LINES, FAILED_LINE)
    ended = call("audit", ".", "--json")
    assert ended.exit_code == 1
    assert json.loads(ended.stdout) == report_of(*LINES, FAILED_LINE).document()


def test_an_audit_needs_no_right_to_write(audited: Any, call: Any) -> None:
    audited(*LINES)
    Path("audit.json.tmp").mkdir()
    assert call("audit", ".").exit_code == 0


def test_a_hostile_record_cannot_steer_the_terminal(audited: Any, call: Any) -> None:
    line = type(FAILED_LINE)("store", None, False, "\x1b]0;mine\x07[red]bold[/red]\u202e")
    audited(line)
    ended = call("audit", ".")
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.output)
    assert "[red]" in ended.stdout


def test_predict_refuses_what_is_no_image(sim: Any, call: Any) -> None:
    ended = call("predict", ".", "notes.txt")
    assert (ended.exit_code, ended.stderr) == (2, "ostrom: notes.txt is no image\n")
    assert call("predict", ".").exit_code == 2


def test_predict_tells_class_and_certainty(sim: Any, call: Any) -> None:
    text = call("predict", ".", "seven.png").stdout
    assert "seven.png" in text
    assert "75.00 %" in text
    assert "0 (25.00 %)" in text
    (one,) = json.loads(call("predict", ".", "a.png", "--json").stdout)
    assert one == {
        "path": "a.png", "label": 1, "probability": 0.75, "probabilities": [0.25, 0.75],
    }  # fmt: skip


def test_models_lists_versions_and_marks_the_current_one(sim: Any, call: Any) -> None:
    text = call("models", ".").stdout
    assert "bafk1" in text
    assert "current" in text.split("bafk1")[1]
    assert [v["head"] for v in json.loads(call("models", ".", "--json").stdout)] == [False, True]


def test_models_can_go_back(sim: Any, call: Any) -> None:
    ended = call("models", ".", "--roll-back", 1, "--json")
    assert sim.asked == [1]
    assert json.loads(ended.stdout)
    assert call("models", ".", "--roll-back", -1).exit_code == 2


def test_cid_of_a_file_and_of_standard_input(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    assert call("cid", file).stdout == EMPTY + "\n"
    assert call("cid", "-", input=b"").stdout == EMPTY + "\n"
    tree = call("cid", "-", "--profile", "tiny-256b-3", input=bytes(257)).stdout
    assert tree.startswith("bafybei")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/no/such/file"], "cannot read /no/such/file: No such file or directory"),
        (["."], "cannot read .: Is a directory"),
        (["-", "--profile", "x"], "unknown profile 'x'"),
    ],
)
def test_cid_refuses_in_one_line(call: Any, words: list[str], said: str) -> None:
    ended = call("cid", *words)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_version_is_the_packages(call: Any) -> None:
    assert call("--version").stdout == f"ostrom {ostrom.__version__}\n"


def test_help_lists_every_command(call: Any) -> None:
    text = call("--help").stdout
    assert all(name in text for name in ("demo", "audit", "predict", "models", "cid"))
    assert call("deom").exit_code == 2


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    program = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.argv[0] = 'ostrom';"
        "from ostrom.cli import main; main()"
    )
    ended = python(program, "cid", sys.executable)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import atexit, sys\n"
        "heavy = {'torch', 'web3', 'matplotlib', 'numpy', 'eth_tester'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from ostrom.cli import main; main()"
    )
    ended = python(program, *words)
    assert ended.returncode == 0
    assert ended.stderr.strip() == "[]"


def test_text_for_a_terminal_is_printable() -> None:
    assert printable("é ✓ 数") == "é ✓ 数"
    assert "\r" not in printable("a\rb")
