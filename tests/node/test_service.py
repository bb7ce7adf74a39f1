"""The node as a process: endings, the loop, the lock, signals."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from ostrom.chain.keystore import WORK_LIGHT, create
from ostrom.errors import ContractError, CorruptContent, InputError, LedgerError, NotFound
from ostrom.node.config import Listen, NodeConfig
from ostrom.node.looking import Ending, Looking, Pace, Stop, diagnose
from ostrom.node.server import Board
from ostrom.node.service import ADDRESS, LOCK, Desk, locked, run, signals
from ostrom.node.space import FULL_LINE
from ostrom.storage import DirectoryStore

PASSPHRASE = "correct horse battery"
SECONDS_MAX = 60


@dataclass
class Scripted:
    """An agent whose looks go as a list says: an error to raise, or a change of its status."""

    script: list[Any]
    then: Callable[[], None] = lambda: None
    shown: dict[str, object] = field(default_factory=dict)
    closed: bool = False

    def poll(self) -> None:
        step = self.script.pop(0) if self.script else self.then()
        if isinstance(step, BaseException):
            raise step
        self.shown = {**self.shown, **(step or {})}

    def status(self) -> Mapping[str, object]:
        return self.shown

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _same_log() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("ostrom")
    before = root.level, ours.level, list(root.handlers)
    yield
    root.handlers[:] = before[2]
    root.setLevel(before[0])
    ours.setLevel(before[1])


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    create(tmp_path / "key.json", PASSPHRASE, work=WORK_LIGHT)
    return NodeConfig(
        role=("relay",),
        rpc=("http://127.0.0.1:9/v3/0123456789abcdef",),
        task="ab" * 32,
        keystore=tmp_path / "key.json",
        folder=tmp_path / "node",
        listen=Listen("127.0.0.1", 0),
        poll_seconds=0.05,
    )


def looking(agent: Scripted) -> Looking:
    """A loop that stops when the script is over, and waits for nothing."""
    stop = threading.Event()
    agent.then = stop.set
    pace = Pace(0.001, most=0.001, draw=lambda: 0.5)
    return Looking(agent, Board(time.monotonic), pace, stop)


# Endings.


def full_database(folder: Path) -> BaseException:
    """What SQLite says when there is no room."""
    file = sqlite3.connect(folder / "full.sqlite")
    file.execute("PRAGMA max_page_count = 2")
    file.execute("CREATE TABLE a (b BLOB)")
    with pytest.raises(sqlite3.OperationalError) as raised:
        file.execute("INSERT INTO a VALUES (?)", (bytes(100_000),))
    file.close()
    return raised.value


def damaged_database(folder: Path) -> BaseException:
    path = folder / "damaged.sqlite"
    path.write_bytes(b"no database" * 1_000)
    file = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError) as raised:
        file.execute("CREATE TABLE a (b)")
    file.close()
    return raised.value


def unreadable_store(folder: Path) -> BaseException:
    """What the store says where its folder has become a file."""
    store = DirectoryStore(folder / "store")
    cid = store.put(b"a model")
    shard = folder / "store" / cid[-2]
    (shard / cid).rename(folder / "moved")
    (shard / cid).mkdir()
    with pytest.raises(Exception) as raised:
        store.get(cid, max_bytes=10)
    return raised.value


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("make", "ending"),
    [
        (lambda folder: full_database(folder), Ending.DISK_FULL),
        (lambda folder: caused(NotFound("x"), OSError(errno.ENOSPC, "full")), Ending.DISK_FULL),
        (lambda folder: caused(InputError("x"), OSError(errno.EDQUOT, "full")), Ending.DISK_FULL),
        (lambda folder: damaged_database(folder), Ending.DAMAGED),
        (lambda folder: caused(NotFound("x"), damaged_database(folder)), Ending.DAMAGED),
        (lambda folder: OSError(errno.EIO, "I/O error", "journal"), Ending.DAMAGED),
        (lambda folder: InputError("no data"), Ending.SETTINGS),
        (lambda folder: Stop(Ending.IN_USE, "taken"), Ending.IN_USE),
        (lambda folder: caused(ValueError(), Stop(Ending.IN_USE, "taken")), Ending.IN_USE),
        (lambda folder: ZeroDivisionError("x"), Ending.BROKEN),
        (lambda folder: unreadable_store(folder), None),
        (lambda folder: LedgerError("no answer"), None),
        (lambda folder: ContractError("refused"), None),
        (lambda folder: NotFound("no block"), None),
        (lambda folder: CorruptContent("wrong bytes"), None),
        (lambda folder: caused(LedgerError("x"), OSError(errno.EPERM, "refused")), None),
    ],
)
def test_an_error_is_mended_by_waiting_or_ends_the_node(
    tmp_path: Path, make: Callable[[Path], BaseException], ending: Ending | None
) -> None:
    found = diagnose(make(tmp_path))
    assert (None if found is None else found.ending) == ending


def test_every_ending_has_a_code_of_its_own_and_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "node.md").read_text("utf-8")
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    assert len({int(one) for one in Ending}) == len(Ending)
    for one in Ending:
        assert f"| {int(one)} |" in table


# The loop.


def test_a_chain_that_fails_is_asked_again_and_health_says_so() -> None:
    agent = Scripted([LedgerError("no answer"), {"round": 1}, NotFound("no model"), {"round": 2}])
    loop = looking(agent)
    seen: list[tuple[bool, str]] = []
    wait = loop.stop.wait

    def note(seconds: float | None = None) -> bool:
        seen.append(loop.board.health())
        return wait(seconds)

    loop.stop.wait = note  # type: ignore[method-assign]
    assert loop.run() == Ending.STOPPED
    assert seen[0] == (False, "has not seen the chain yet: no answer")
    assert [well for well, _ in seen[1:]] == [True] * 4
    status = loop.board.status()
    assert status["poll_errors"] == {"chain": 1, "store": 1}
    assert (status["round"], status["polls"], status["healthy"]) == (2, 5, True)


def test_what_waiting_does_not_mend_ends_the_loop() -> None:
    loop = looking(Scripted([{"round": 1}, InputError("the data are gone"), {"round": 2}]))
    with pytest.raises(Stop, match="the data are gone"):
        loop.run()
    assert loop.polls == 2


def test_waits_grow_up_to_a_minute_and_are_shaken() -> None:
    pace = Pace(2)
    waits = [pace.bad() for _ in range(200)]
    assert all(wait <= 90 for wait in waits)
    assert all(wait >= 30 for wait in waits[10:])
    assert len(set(waits[10:])) > 100
    assert 2 <= waits[0] <= 6
    assert pace.good() == 2
    assert pace.bad() <= 6
    assert Pace(600).bad() <= 900


def test_reorganisations_and_refusals_are_counted_once() -> None:
    steps = [{"reorganised": 2, "refused": ["a", "b"]}, {"refused": []}, {"reorganised": 5}, {}]
    loop = looking(Scripted(steps))
    loop.run()
    status = loop.board.status()
    assert (status["deepest"], status["refused_total"], status["reorganised"]) == (3, 2, 5)


def test_a_status_that_cannot_be_had_is_a_look_that_failed() -> None:
    class Mute(Scripted):
        def status(self) -> Mapping[str, object]:
            raise NotFound("the book is busy")

    loop = looking(Mute([{"round": 1}]))
    assert loop.run() == Ending.STOPPED
    assert loop.errors == {"chain": 0, "store": 2}
    assert loop.board.health() == (False, "has not seen the chain yet: the book is busy")


def test_what_was_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    loop = looking(Scripted([{"sent": 0}, {"sent": 1}, {"landed": 1}, {}]))
    with caplog.at_level(logging.INFO, "ostrom"):
        loop.run()
    assert [record.getMessage() for record in caplog.records] == [
        "looked at the chain",
        "looked at the chain; transactions: 1 sent",
        "looked at the chain; transactions: 1 sent, 1 landed",
    ]


def test_a_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    same = {"round": 1, "phase": "COMMIT", "block": 5, "fault": "no model", "refused": ["late"]}
    loop = looking(Scripted([same, {"block": 6}, {"block": 7}, {"phase": "REVEAL", "fault": ""}]))
    with caplog.at_level(logging.INFO, "ostrom"):
        loop.run()
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("no model") == 1
    assert lines.count("looked at the chain") == 2


# The lock.


def test_two_nodes_never_share_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "node"):
        line = rf"process {os.getpid()}\) uses the folder"
        with pytest.raises(Stop, match=line) as raised, locked(tmp_path / "node"):
            pass
        assert raised.value.ending == Ending.IN_USE
    with locked(tmp_path / "node"):
        assert (tmp_path / "node" / LOCK).read_text() == f"{os.getpid()}\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ostrom.node.service import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)"
    )
    with started(program, str(tmp_path)) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(Stop, match=f"process {other.pid}"), locked(tmp_path):
            pass
        other.kill()
        other.wait(SECONDS_MAX)
        with locked(tmp_path):
            pass


def test_a_folder_is_its_owners_alone(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "node"):
        assert (tmp_path / "a" / "node").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "node"
    with pytest.raises(Stop, match="cannot use the folder") as raised, locked(folder):
        pass
    assert raised.value.ending == Ending.SETTINGS


# The process.


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_node_runs_until_it_is_told_to_stop(config: NodeConfig) -> None:
    stop, seen = threading.Event(), {}
    agent = Scripted([{"round": 1}])

    def look() -> None:
        url = (config.folder / ADDRESS).read_text().strip()
        for page in ("health", "status", "metrics"):
            seen[page] = httpx.get(f"{url}/{page}", trust_env=False, verify=False).status_code
        stop.set()

    agent.then = look
    assert run(config, lambda: PASSPHRASE, lambda desk: agent, stop=stop) == Ending.STOPPED
    assert seen == {"health": 200, "status": 200, "metrics": 200}
    assert agent.closed
    assert not (config.folder / ADDRESS).exists()


def test_a_full_disk_is_one_line_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen: list[str] = []
    script = [
        OSError(errno.ENOSPC, "No space left on device"),
        full_database(tmp_path),
        caused(NotFound("cannot write block x"), OSError(errno.EDQUOT, "Disk quota exceeded")),
        {"fault": FULL_LINE},
        {"fault": "", "round": 1},
    ]
    loop = looking(Scripted(script))
    failed = loop.board.failed

    def note(line: str, status: Mapping[str, object] | None = None) -> None:
        seen.append(line)
        failed(line, status)

    loop.board.failed = note  # type: ignore[method-assign]
    assert loop.run() == Ending.STOPPED
    assert seen == [FULL_LINE] * 4
    assert loop.board.health()[0], "it has recovered"
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == [FULL_LINE, "there is room on the disk again"]
    assert loop.errors == {"chain": 0, "store": 4}


def test_a_full_disk_at_the_start_ends_the_node(config: NodeConfig) -> None:
    def assemble(desk: Desk) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert run(config, lambda: PASSPHRASE, assemble) == Ending.DISK_FULL


def test_the_last_line_of_the_log_is_the_reason(
    config: NodeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    agents = {
        Ending.SETTINGS: Scripted([InputError("no data here")]),
        Ending.BROKEN: Scripted([ZeroDivisionError("division by zero")]),
    }
    for ending, agent in agents.items():
        found = run(config, lambda: PASSPHRASE, lambda desk, agent=agent: agent)  # type: ignore[misc]
        assert found == ending
        assert agent.closed
        faults = [line for line in lines_of(capsys) if " error: " in line]
        assert len(faults) == 1


@pytest.mark.parametrize(
    ("change", "ending", "line"),
    [
        ({"keystore": Path("absent.json")}, Ending.SETTINGS, "cannot read absent.json"),
        ({"listen": Listen("192.0.2.1", 1)}, Ending.SETTINGS, "cannot listen on 192.0.2.1:1"),
    ],
)
def test_settings_that_cannot_be_used_end_it_at_once(
    config: NodeConfig,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    ending: Ending,
    line: str,
) -> None:
    wrong = config.model_copy(update=change)
    assert run(wrong, lambda: PASSPHRASE, lambda desk: Scripted([])) == ending
    assert line in lines_of(capsys)[-1]


def test_a_wrong_passphrase_ends_it_and_is_not_shown(
    config: NodeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, lambda: "not the word", lambda desk: Scripted([])) == Ending.SETTINGS
    (line,) = lines_of(capsys)
    assert "the passphrase does not open" in line
    assert "not the word" not in line


def test_a_second_node_on_the_folder_ends_at_once(
    config: NodeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(config.folder):
        assert run(config, lambda: PASSPHRASE, lambda desk: Scripted([])) == Ending.IN_USE


def test_nothing_secret_is_in_the_log_whoever_logs_it(
    config: NodeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    def careless(desk: Desk) -> Scripted:
        log = logging.getLogger("ostrom.node.careless")
        log.info("%s %s %s", desk.key, PASSPHRASE, desk.config)
        log.info("%r", desk)
        return Scripted([LedgerError(f"cannot reach {desk.config.rpc[0]}"), InputError(PASSPHRASE)])

    run(config.model_copy(update={"log_format": "json"}), lambda: PASSPHRASE, careless)
    text = capsys.readouterr().err
    assert [json.loads(line)["level"] for line in text.splitlines()][-1] == "error"
    assert PASSPHRASE not in text
    assert "0123456789abcdef" not in text
    assert "cannot reach http://127.0.0.1:9" in text


def test_listening_beyond_this_machine_is_said(
    config: NodeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    stop.set()
    wide = config.model_copy(update={"listen": Listen("0.0.0.0", 0)})
    assert run(wide, lambda: PASSPHRASE, lambda desk: Scripted([]), stop=stop) == Ending.STOPPED
    assert any("other machines can reach" in line for line in lines_of(capsys))


# Signals, in a process of their own.

PROGRAM = """
import sys, time
from pathlib import Path
from ostrom.node.config import load_config
from ostrom.node.service import run

class Slow:
    looks = 0
    def poll(self):
        self.looks += 1
        print("began", self.looks, flush=True)
        end = time.monotonic() + float(sys.argv[2])
        while time.monotonic() < end:
            time.sleep(0.01)
        print("ended", self.looks, flush=True)
    def status(self):
        return {"round": self.looks}
    def close(self):
        print("closed", flush=True)

config = load_config(Path(sys.argv[1]), {}, {})
raise SystemExit(int(run(config, lambda: "correct horse battery", lambda desk: Slow())))
"""


@contextmanager
def started(program: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    made = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield made
    finally:
        made.kill()
        made.communicate()


@pytest.fixture
def settings(config: NodeConfig, tmp_path: Path) -> str:
    file = tmp_path / "node.toml"
    file.write_text(
        f'role = "relay"\nrpc = "http://127.0.0.1:9"\ntask = "{config.task}"\n'
        'keystore = "key.json"\nfolder = "node"\nlisten = "127.0.0.1:0"\npoll_seconds = 0.05\n'
    )
    return str(file)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_act_end_and_is_exit_0(settings: str, number: signal.Signals) -> None:
    with started(PROGRAM, settings, "0.5") as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "began 1\n"
        node.send_signal(number)
        rest, log = node.communicate(timeout=SECONDS_MAX)
    assert rest == "ended 1\nclosed\n"
    assert node.returncode == 0
    assert log.splitlines()[-1].endswith(" stopped")
    assert not (Path(settings).parent / "node" / ADDRESS).exists()


def test_a_second_signal_ends_at_once(settings: str) -> None:
    with started(PROGRAM, settings, "600") as node:
        assert node.stdout is not None
        node.stdout.readline()
        node.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert node.poll() is None
        began = time.monotonic()
        node.send_signal(signal.SIGTERM)
        node.wait(SECONDS_MAX)
    assert node.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 5


def test_a_signal_ends_a_long_wait(settings: str) -> None:
    text = Path(settings).read_text().replace("poll_seconds = 0.05", "poll_seconds = 600")
    Path(settings).write_text(text)
    with started(PROGRAM, settings, "0") as node:
        assert node.stdout is not None
        assert [node.stdout.readline() for _ in range(2)][1] == "ended 1\n"
        time.sleep(0.3)
        node.send_signal(signal.SIGTERM)
        assert node.wait(SECONDS_MAX) == 0


def test_a_killed_process_leaves_a_folder_that_the_next_one_takes(settings: str) -> None:
    with started(PROGRAM, settings, "600") as node:
        assert node.stdout is not None
        node.stdout.readline()
        node.kill()
        node.wait(SECONDS_MAX)
    with started(PROGRAM, settings, "0") as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "began 1\n"
        node.terminate()
        node.communicate(timeout=SECONDS_MAX)
    assert node.returncode == 0


def test_a_thread_other_than_the_first_leaves_signals_alone() -> None:
    before, during = signal.getsignal(signal.SIGTERM), []

    def inside() -> None:
        with signals(threading.Event()):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert during == [before]


def test_signals_are_put_back() -> None:
    before, stop = signal.getsignal(signal.SIGINT), threading.Event()
    with signals(stop):
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGINT) == before
