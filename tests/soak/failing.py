"""A real disk of which the i-th change fails, once: everything that one process does to its files.

Counted are writes, synchronisations, renames and links, deletions, truncations, new files and
folders, and times that are set: those of Python through `os` and `open`, those of SQLite through a
VFS above the system's own (https://www.sqlite.org/vfs.html). A write that fails has written half.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw

CREATING = os.O_CREAT | os.O_TRUNC
CALLS = {
    "fsync": "sync",
    "fdatasync": "sync",
    "replace": "rename",
    "rename": "rename",
    "link": "rename",
    "unlink": "delete",
    "remove": "delete",
    "rmdir": "delete",
    "mkdir": "create",
    "truncate": "truncate",
    "ftruncate": "truncate",
    "utime": "touch",
}
"""Functions of `os` that change a disk, and as what they count."""

NAMELESS = ("fsync", "fdatasync", "ftruncate")
"""They take a descriptor: the system's complaint names no file."""

NEED_ROOM = ("write", "create")
"""What a full disk refuses; the rest fails on a broken disk alone."""

_real_open, _numbers = io.open, itertools.count()


@dataclass
class FailingDisk:
    """Counts changes while it is watched, and fails the one numbered `fail_at`, from 1.

    `number` is the error, ENOSPC or EIO; what a full disk does not refuse fails with EIO.
    """

    fail_at: int = 0
    number: int = errno.ENOSPC
    kinds: list[str] = field(default_factory=list)
    """What was counted, in order."""
    failed: str = ""
    """What failed, with the file's name where there is one."""
    _opened: list[apsw.Connection] = field(default_factory=list)
    _watched: bool = False
    _torn: int = 0
    """The error that the rest of a write will meet."""

    def __post_init__(self) -> None:
        self._vfs = _Vfs(self)

    @property
    def changes(self) -> int:
        """All that were counted."""
        return len(self.kinds)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count, and fail, what is done within."""
        before, self._watched = self._watched, True
        try:
            yield
        finally:
            self._watched = before

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Leave out what is done within: it is somebody else's."""
        before, self._watched = self._watched, False
        try:
            yield
        finally:
            self._watched = before

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Stand between Python and the disk."""
        with ExitStack() as stack:
            for name, kind in CALLS.items():
                stack.enter_context(patch.object(os, name, self._counted(name, kind)))
            stack.enter_context(patch.object(os, "write", self._write(os.write)))
            stack.enter_context(patch.object(os, "open", self._os_open(os.open)))
            stack.enter_context(patch("builtins.open", self._open))
            stack.enter_context(patch.object(io, "open", self._open))
            yield

    def connect(self, path: Path) -> Connection:
        """Open a database, as `ostrom.node.journal` does."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _translated():
            file = apsw.Connection(str(path), vfs=self._vfs.name)
        self._opened.append(file)
        return Connection(file)

    def let_go(self) -> None:
        """Close every database, as the system does when a process ends."""
        with self.unwatched():
            while self._opened:
                self._opened.pop().close(True)

    def strikes(self, kind: str, what: object) -> int:
        """Count a change; the error's number if it is the one that fails, else 0."""
        if not self._watched:
            return 0
        self.kinds.append(kind)
        if self.changes != self.fail_at:
            return 0
        self.failed = f"{kind} {what}"
        return self.number if kind in NEED_ROOM else errno.EIO

    def _counted(self, name: str, kind: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if found := self.strikes(kind, f"{name} {_shown(args[0])}"):
                raise _fault(found, None if name in NAMELESS else args[0])
            return real(*args, **kwargs)

        return call

    def _os_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            found = self.strikes("create", _shown(path)) if flags & CREATING else 0
            if found:
                raise _fault(found, path)
            return real(path, flags, *args, **kwargs)

        return call

    def _write(self, real: Callable[..., int]) -> Callable[[int, Any], int]:
        return lambda descriptor, data: self.write(lambda part: real(descriptor, part), data)

    def write(self, real: Callable[[Any], int], data: Any) -> int:
        """Write; of the one that fails half is taken, and the call for the rest raises."""
        if self._watched and self._torn:
            torn, self._torn = self._torn, 0
            raise _fault(torn, None)
        found = self.strikes("write", f"{len(data)} bytes")
        if found and len(data) < 2:
            raise _fault(found, None)
        self._torn = found
        return real(memoryview(data)[: len(data) // 2] if found else data)

    def _open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """`open`, with files that count where it is for writing."""
        if not self._watched or not set(mode) & set("wax+"):
            return _real_open(file, mode, *args, **kwargs)
        found = 0 if isinstance(file, int) else self.strikes("create", _shown(file))
        if found:
            raise _fault(found, file)
        names = ("buffering", "encoding", "errors", "newline")
        options = {**dict(zip(names, args)), **kwargs}
        raw = _File(self, file, mode.replace("b", "").replace("t", ""))
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        encoding = options.get("encoding") or "utf-8"
        return io.TextIOWrapper(buffered, encoding, options.get("errors"), options.get("newline"))


class _File(io.FileIO):
    """A file whose writes count."""

    def __init__(self, disk: FailingDisk, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._disk = disk

    def write(self, data: Any) -> int:
        return self._disk.write(super().write, data)

    def truncate(self, size: int | None = None) -> int:
        if found := self._disk.strikes("truncate", _shown(self.name)):
            raise _fault(found, None)
        return super().truncate(size)


class Rows(list[Any]):
    """A statement's rows, and how many it has changed."""

    rowcount = 0

    def fetchall(self) -> Rows:
        """As `sqlite3`."""
        return self


class Connection:
    """An `apsw` connection that answers and raises as one of `sqlite3` would."""

    def __init__(self, file: apsw.Connection) -> None:
        self._file = file

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""
        with _translated():
            rows = Rows(self._file.execute(sql, parameters))
        rows.rowcount = self._file.changes()
        return rows

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        """Run one statement for each."""
        rows = Rows()
        for one in parameters:
            rows.rowcount += self.execute(sql, one).rowcount
        return rows

    def executescript(self, sql: str, /) -> Rows:
        """Run several statements."""
        return self.execute(sql)

    def close(self) -> None:
        """Let the file go; SQLite does so whatever happens, and says nothing."""
        with suppress(apsw.Error):
            self._file.close(True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        damaged = isinstance(error, (apsw.CorruptError, apsw.NotADBError))
        translated = (sqlite3.DatabaseError if damaged else sqlite3.OperationalError)(str(error))
        translated.sqlite_errorcode = error.result
        raise translated from None


class _Vfs(apsw.VFS):
    """The system's VFS, with every change counted."""

    def __init__(self, disk: FailingDisk) -> None:
        self.name, self._disk = f"failing {next(_numbers)}", disk
        super().__init__(self.name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        if flags[0] & apsw.SQLITE_OPEN_CREATE and not Path(path).exists():
            _refuse(self._disk.strikes("create", _shown(path)))
        return _Database(self._disk, name, flags)

    def xDelete(self, name: str, sync_directory: bool) -> None:
        if Path(name).exists():
            _refuse(self._disk.strikes("delete", _shown(name)))
        super().xDelete(name, sync_directory)


class _Database(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk, self._shown = disk, _shown(path)

    def xWrite(self, data: bytes, offset: int) -> None:
        if found := self._disk.strikes("write", self._shown):
            super().xWrite(bytes(data)[: len(data) // 2], offset)
            _refuse(found)
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        _refuse(self._disk.strikes("truncate", self._shown))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        _refuse(self._disk.strikes("sync", self._shown))
        super().xSync(flags)


def _refuse(number: int) -> None:
    """What SQLite's own VFS makes of the system's complaint."""
    if not number:
        return
    full = number == errno.ENOSPC
    refusal = (apsw.FullError if full else apsw.IOError)(os.strerror(number))
    refusal.result = refusal.extendedresult = apsw.SQLITE_FULL if full else apsw.SQLITE_IOERR
    raise refusal


def _fault(number: int, name: Any) -> OSError:
    named = [] if name is None or isinstance(name, int) else [os.fspath(name)]
    return OSError(number, os.strerror(number), *named)


def _shown(name: Any) -> str:
    """A file's name without its folder."""
    return str(name) if isinstance(name, int) else Path(os.fspath(name)).name
