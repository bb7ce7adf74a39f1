"""A change of a node's files fails, and it goes on: some of them, `tests.soak disk` fails all."""

from __future__ import annotations

import errno
import itertools
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.soak import disk
from tests.soak.failing import FailingDisk

from ostrom.errors import StoreError
from ostrom.node.journal import Journal
from ostrom.node.looking import Ending, diagnose
from ostrom.node.relay import Book
from ostrom.node.trainer import Sealed

EVERY = {"trainer-0": 23, "validator-0": 47, "relay": 43}
"""Of so many changes one fails here."""

MEMORY = Path("/dev/shm")
"""Where syncs are counted and not waited for, if it is there."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


@pytest.mark.parametrize("name", disk.NODES)
def test_a_node_goes_on_whatever_change_of_its_files_fails(name: str, folder: Path) -> None:
    tally = disk.run(0, name, folder / "node", every=EVERY[name])
    assert not tally.faults
    assert len(tally.changes) > 100
    assert tally.again > 0
    assert {"write", "sync", "rename", "create"} <= set(tally.changes)


def test_a_journal_that_passes_over_a_full_disk_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, began = Journal.keep_update, []

    def keep_or_not(self: Journal, number: int, sealed: Sealed) -> None:
        began.append(watched[-1].changes)
        with suppress(sqlite3.Error):
            keep(self, number, sealed)

    watched: list[FailingDisk] = []
    make = disk.FailingDisk

    def made(*args: int) -> FailingDisk:
        watched.append(make(*args))
        return watched[-1]

    monkeypatch.setattr(disk, "FailingDisk", made)
    monkeypatch.setattr(Journal, "keep_update", keep_or_not)
    assert not disk.run_once(0, "trainer-0", folder / "node").faults
    found = disk.run_once(0, "trainer-0", folder / "node", fail_at=began[0] + 2)
    assert any("before it is safe" in line for line in found.faults)


@pytest.mark.parametrize("kind", [Journal, Book])
def test_who_could_not_open_a_file_may_try_again_in_the_same_process(
    tmp_path: Path, kind: type[Journal] | type[Book]
) -> None:
    about, failures = {"account": "alice"}, []
    for fail_at in itertools.count(1):
        failing = FailingDisk(fail_at)
        path = tmp_path / f"{fail_at}.sqlite"
        with failing.watched():
            try:
                kind(path, about, connect=failing.connect).close()
            except StoreError as error:
                # Held with its traceback: no file may be open because of it.
                failures.append(error)
        if len(failing.kinds) < fail_at:
            break
        kind(path, about, connect=failing.connect).close()
    assert len(failures) > 5


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_broken_disk_is_no_fault_of_the_program(number: int) -> None:
    # A failed write or sync names no file, unlike all else.
    for error in (OSError(number, "broken", "address"), OSError(errno.EIO, "broken")):
        why = diagnose(error)
        assert why is not None
        assert why.ending == Ending.DAMAGED
        assert "\n" not in why.line


# The disk itself.


def test_only_the_watched_change_of_that_number_fails_and_once(tmp_path: Path) -> None:
    failing = FailingDisk(2)
    with failing.mounted():
        (tmp_path / "unwatched").mkdir()
        with failing.watched():
            (tmp_path / "first").mkdir()
            with pytest.raises(OSError) as raised:
                (tmp_path / "second").mkdir()
            (tmp_path / "second").mkdir()
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "second"))
    assert failing.kinds == ["create"] * 3
    assert failing.failed == "create mkdir second"


@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_a_file_is_written_flushed_and_renamed_or_an_error_is_raised(
    tmp_path: Path, fail_at: int
) -> None:
    failing = FailingDisk(fail_at)
    with failing.mounted(), failing.watched(), pytest.raises(OSError) as raised:
        write_and_rename(tmp_path)
    wanted = [errno.ENOSPC, errno.ENOSPC, errno.EIO, errno.EIO]
    assert raised.value.errno == wanted[fail_at - 1]
    assert failing.kinds[:fail_at] == ["create", "write", "sync", "rename"][:fail_at]


def write_and_rename(folder: Path) -> None:
    with (folder / "new").open("wb") as file:
        file.write(b"0123456789")
        file.flush()
        os.fsync(file.fileno())
    os.replace(folder / "new", folder / "old")


def test_of_a_write_that_fails_half_is_on_the_disk(tmp_path: Path) -> None:
    failing = FailingDisk(2)
    with failing.mounted(), failing.watched():
        file = os.open(tmp_path / "new", os.O_WRONLY | os.O_CREAT)
        assert os.write(file, b"0123456789") == 5
        with pytest.raises(OSError):
            os.write(file, b"56789")
        os.close(file)
    assert (tmp_path / "new").read_bytes() == b"01234"


def test_a_database_meets_the_same_disk(tmp_path: Path) -> None:
    whole = FailingDisk()
    with whole.watched():
        create(whole, tmp_path / "whole")
    assert {"create", "write", "sync"} <= set(whole.kinds)
    for fail_at, kind in enumerate(whole.kinds, 1):
        if kind not in ("write", "sync"):
            continue
        failing = FailingDisk(fail_at)
        with failing.watched(), pytest.raises(sqlite3.OperationalError) as raised:
            create(failing, tmp_path / str(fail_at))
        full = raised.value.sqlite_errorcode == sqlite3.SQLITE_FULL
        assert full == (kind == "write")


def create(failing: FailingDisk, path: Path) -> None:
    file = failing.connect(path)
    try:
        file.execute("PRAGMA synchronous = EXTRA")
        file.execute("CREATE TABLE a (b)")
    finally:
        file.close()
