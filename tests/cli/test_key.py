"""`ostrom key`: what it prints, where the passphrase comes from, and that no key is ever shown."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ostrom.chain.keystore import address_of, load

SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
INTERRUPT = "Ctrl-C"
ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTROM_PASSPHRASE", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that holds a passphrase."""
    path = tmp_path / "passphrase"
    path.touch(0o600)
    path.write_text("from a file\n")
    return path


def read(terminal: int) -> bytes:
    """What comes next; a failure if nothing comes for a minute."""
    ready, _, _ = select.select([terminal], [], [], 60)
    assert ready, "the command says nothing and does not end"
    return os.read(terminal, 1_024)


def typed(answers: list[str], *words: str) -> tuple[int, str]:
    """Run the command in a terminal and answer its prompts; how it ended and what it showed."""
    main, terminal = pty.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "ostrom.cli", *words],
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    try:
        for answer in answers:
            while not shown.endswith(b": "):
                shown += read(main)
            if answer == INTERRUPT:
                command.send_signal(signal.SIGINT)
                continue
            os.write(main, answer.encode())
            shown += b"\n"
        while True:
            part = read(main)
            if not part:
                break
            shown += part
    except OSError:
        pass  # Linux says so where a terminal's other end is closed.
    finally:
        os.close(main)
    return command.wait(30), shown.decode()


def test_a_new_key_prints_its_address_and_nothing_else(
    call: Any, tmp_path: Path, file: Path
) -> None:
    path = tmp_path / "alice.json"
    ended = call("key", "new", "--keystore", path, "--passphrase-file", file)
    assert ended.exit_code == 0
    assert ended.stdout == f"{address_of(path)}\n"
    assert ended.stderr == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path, "from a file").address == address_of(path)


def test_a_light_key_says_so_in_its_file(call: Any, tmp_path: Path, file: Path) -> None:
    path = tmp_path / "light.json"
    call("key", "new", "--keystore", path, "--passphrase-file", file, "--light")
    assert json.loads(path.read_text())["crypto"]["kdfparams"]["n"] == 4096


def test_the_environment_holds_a_passphrase_too(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    environment = {"OSTROM_PASSPHRASE": "from the environment"}
    made = call("key", "new", "--keystore", path, "--light", "--json", env=environment)
    assert json.loads(made.stdout) == {"address": address_of(path), "keystore": str(path)}
    assert load(path, "from the environment")


def test_a_file_comes_before_the_environment(call: Any, tmp_path: Path, file: Path) -> None:
    path = tmp_path / "alice.json"
    words = ("key", "new", "--keystore", path, "--light", "--passphrase-file", file)
    call(*words, env={"OSTROM_PASSPHRASE": "other"})
    assert load(path, "from a file")


def test_a_passphrase_that_others_can_read_is_named(call: Any, tmp_path: Path, file: Path) -> None:
    file.chmod(0o644)
    path = tmp_path / "alice.json"
    ended = call("key", "new", "--keystore", path, "--light", "--passphrase-file", file)
    assert ended.exit_code == 0
    assert ended.stderr == f"ostrom: others can read {file}: chmod 600 {file}\n"


def test_where_nobody_can_type_it_says_what_to_give(call: Any, tmp_path: Path) -> None:
    ended = call("key", "new", "--keystore", tmp_path / "alice.json", input="secret\nsecret\n")
    assert ended.exit_code == 2
    assert "give --passphrase-file, or set OSTROM_PASSPHRASE" in ended.stderr
    assert not (tmp_path / "alice.json").exists()


def test_a_terminal_is_asked_twice_and_shows_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    words = ("key", "new", "--keystore", str(path), "--light")
    status, shown = typed(["tell nobody\n", "tell nobody\n"], *words)
    assert status == 0
    assert "tell nobody" not in shown
    assert "The same again" in shown
    assert load(path, "tell nobody").address in shown


def test_two_answers_that_differ_make_no_key(tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    status, shown = typed(["one\n", "two\n"], "key", "new", "--keystore", str(path), "--light")
    assert status == 2
    assert "the two passphrases differ: nothing was written" in shown
    assert not path.exists()


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [("\x04", 2, "nobody answers 'Passphrase of "), (INTERRUPT, 130, "ostrom: interrupted")],
    ids=["end of input", "interrupt"],
)
def test_a_prompt_that_is_left_leaves_nothing(
    tmp_path: Path, answer: str, status: int, said: str
) -> None:
    ended, shown = typed([answer], "key", "new", "--keystore", str(tmp_path / "alice.json"))
    assert ended == status
    assert said in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_keystore_shows_its_address_without_a_passphrase(
    call: Any, tmp_path: Path, file: Path
) -> None:
    path = tmp_path / "alice.json"
    made = call("key", "new", "--keystore", path, "--light", "--passphrase-file", file)
    assert call("key", "show", "--keystore", path).stdout == made.stdout
    proved = ("key", "show", "--keystore", path, "--open")
    assert call(*proved, "--passphrase-file", file).stdout == made.stdout
    assert call(*proved, env={"OSTROM_PASSPHRASE": "wrong"}).exit_code == 2
    path.chmod(0o604)
    shown = call("key", "show", "--keystore", path, "--json")
    assert json.loads(shown.stdout)["address"] == made.stdout.strip()
    assert "others can read" in shown.stderr


@pytest.mark.parametrize("text", [SECRET, f"0x{SECRET}\n", f" {SECRET.upper()} \nmore"])
def test_a_private_key_from_elsewhere_is_locked_in(
    call: Any, tmp_path: Path, file: Path, text: str
) -> None:
    source, path = tmp_path / "hex", tmp_path / "alice.json"
    source.write_text(text)
    words = ("key", "import", "--keystore", path, "--from", source, "--passphrase-file", file)
    ended = call(*words, "--light")
    assert ended.stdout == f"{ADDRESS}\n"
    assert load(path, "from a file").address == ADDRESS
    assert SECRET not in ended.output + path.read_text()


def test_a_terminal_can_be_asked_for_the_private_key(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "alice.json"
    words = ("key", "import", "--keystore", str(path), "--light", "--passphrase-file", str(file))
    status, shown = typed([f"{SECRET}\n"], *words)
    assert status == 0
    assert ADDRESS in shown
    assert SECRET not in shown


@pytest.mark.parametrize("text", ["", "zz" * 32, SECRET[:-2], SECRET + "00", "00" * 32, "ff" * 32])
def test_what_is_no_private_key_is_refused_without_being_shown(
    call: Any, tmp_path: Path, file: Path, text: str
) -> None:
    source, path = tmp_path / "hex", tmp_path / "alice.json"
    source.write_text(text)
    words = ("key", "import", "--keystore", path, "--from", source, "--passphrase-file", file)
    ended = call(*words)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("ostrom: a private key is ")
    assert ended.stderr.count("\n") == 1
    assert len(text) < 8 or text[:8] not in ended.output
    assert not path.exists()


@pytest.mark.parametrize("verb", ["new", "import"])
def test_no_key_is_overwritten_and_nothing_is_asked(call: Any, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "alice.json"
    path.write_text("precious")
    ended = call("key", verb, "--keystore", path)
    assert (ended.exit_code, ended.stderr) == (
        2,
        f"ostrom: {path} exists: a key is never overwritten, choose another path\n",
    )
    assert path.read_text() == "precious"


def test_no_option_takes_a_secret(call: Any) -> None:
    for verb in ("new", "show", "import"):
        words = call("key", verb, "--help").stdout.split()
        options = {word for word in words if word.startswith("--")}
        assert not options & {"--passphrase", "--password", "--private-key", "--secret"}
