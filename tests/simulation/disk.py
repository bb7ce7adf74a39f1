"""A disk in memory under real SQLite, and what a power cut leaves of it.

A write is sure once the file has been synchronised after it, a name once its file has, or once it
was deleted with its directory synchronised (https://www.sqlite.org/vfs.html). At a crash every
sector of 512 bytes that is not sure is kept or lost by itself: so writes are lost, torn and
reordered. Nothing else is atomic.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apsw
from tests.simulation.faults import Crash

SECTOR = 512

Hook = Callable[[str], None]
"""Called before each write, sync, truncation and deletion with its name; it may raise."""

_numbers = itertools.count()


@dataclass
class SimFile:
    """A file: what is on the platter, what the machine sees, and the changes between the two."""

    sure: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    changes: list[tuple[int, bytes]] = field(default_factory=list)
    cut: int | None = None
    """The least length that the file was cut to since it was last sure."""
    named: bool = False

    def write(self, data: bytes, offset: int) -> None:
        """Write in the machine's memory only."""
        _put(self.seen, data, offset)
        self.changes.append((offset, data))

    def truncate(self, size: int) -> None:
        """Cut off what is beyond `size` bytes."""
        del self.seen[size:]
        self.cut = size if self.cut is None else min(size, self.cut)
        self.changes.append((-1, size.to_bytes(8, "big")))

    def sync(self) -> None:
        """Bring everything to the platter, the file's name too."""
        self.sure[:] = self.seen
        self.changes.clear()
        self.cut, self.named = None, True

    def after_crash(self, dice: Random) -> SimFile | None:
        """What a power cut leaves; None if not even the name."""
        if not self.named and dice.random() < 0.5:
            return None
        left = bytearray(self.sure)
        for offset, data in self.changes:
            if offset < 0:
                if dice.random() < 0.5:
                    del left[int.from_bytes(data, "big") :]
                continue
            for start in range(0, len(data), SECTOR):
                if dice.random() < 0.5:
                    _put(left, data[start : start + SECTOR], offset + start)
        return SimFile(bytearray(left), bytearray(left), named=True)

    def intact(self) -> SimFile:
        """What is left where only the process ended: the machine writes the rest itself."""
        return SimFile(bytearray(self.seen), bytearray(self.seen), named=True)


def _put(target: bytearray, data: bytes, offset: int) -> None:
    if len(target) < offset:
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data


class SimDisk:
    """The files of one machine by name. `hook` is asked before every change."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.hook: Hook = lambda what: None
        self.changes = 0
        self._mounted = _Mounted(self, {})
        self._ghosts: list[_Mounted] = []

    def connect(self, path: Path) -> Connection:
        """Open a database, as `ostrom.node.journal` does."""
        return Connection(self._mounted, path)

    def crash(self, *, tear: bool) -> None:
        """End the process; with `tear` the machine too. Open connections see a ghost from now on.

        Nothing that a ghost does reaches the disk.
        """
        left: dict[str, SimFile] = {}
        for name, file in self._mounted.deleted.items():
            if tear and self._dice.random() < 0.5:
                left[name] = SimFile(bytearray(file.sure), bytearray(file.sure), named=True)
        for name, file in self._mounted.files.items():
            kept = file.after_crash(self._dice) if tear else file.intact()
            if kept is not None:
                left[name] = kept
        self._mounted.cut_off()
        self._ghosts.append(self._mounted)
        self._mounted = _Mounted(self, left)

    def copy(self) -> SimDisk:
        """Another disk with only what is sure: the worst that a power cut can leave."""
        other = SimDisk(Random(0))
        for name, file in [*self._mounted.deleted.items(), *self._mounted.files.items()]:
            if file.named:
                other._mounted.files[name] = SimFile(
                    bytearray(file.sure), bytearray(file.sure), named=True
                )
        return other

    def bury(self) -> None:
        """Close what ended processes left open; not from within one."""
        for ghost in self._ghosts:
            ghost.unmount()
        self._ghosts.clear()

    def unmount(self) -> None:
        """Close everything: nothing is used any more."""
        self._mounted.cut_off()
        self._ghosts.append(self._mounted)
        self.bury()

    def files(self) -> dict[str, bytes]:
        """What is to be read now, by name."""
        return {name: bytes(file.seen) for name, file in self._mounted.files.items()}

    def changing(self, what: str) -> None:
        """Ask the hook before a change."""
        self.changes += 1
        self.hook(what)


class Connection:
    """An `apsw` connection that raises what `sqlite3` would."""

    def __init__(self, mounted: _Mounted, path: Path) -> None:
        self._mounted = mounted
        with _translated():
            self._file = apsw.Connection(str(path), vfs=mounted.name)
        mounted.connections.append(self._file)
        self._is_alive()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[Any]:
        """Run one statement; its rows."""
        with _translated():
            rows = list(self._file.execute(sql, parameters))
        self._is_alive()
        return rows

    def close(self) -> None:
        """Let the file go."""
        with _translated():
            self._file.close()

    def _is_alive(self) -> None:
        """SQLite passes over some errors, and with them over the end of its own process."""
        if self._mounted.is_ghost:
            raise Crash("the process has ended")


class _translated:
    """Turns errors of `apsw` into those of `sqlite3`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            raise sqlite3.DatabaseError(str(error)) from None
        if isinstance(error, apsw.Error):
            raise sqlite3.OperationalError(str(error)) from None


class _Mounted(apsw.VFS):
    """The files as one run of a process sees them."""

    def __init__(self, disk: SimDisk, files: dict[str, SimFile]) -> None:
        self.name = f"simulated {next(_numbers)}"
        self.files = files
        self.deleted: dict[str, SimFile] = {}
        """What is gone but would be there again after a power cut."""
        self.connections: list[apsw.Connection] = []
        self._disk: SimDisk | None = disk
        super().__init__(self.name, base="")

    @property
    def is_ghost(self) -> bool:
        """True once this run is over."""
        return self._disk is None

    def cut_off(self) -> None:
        """Let nothing reach the disk from now on."""
        self._disk = None

    def unmount(self) -> None:
        """Close what is open."""
        for one in self.connections:
            one.close(True)
        self.unregister()

    def changing(self, what: str) -> None:
        """Ask before a change, unless this run is over."""
        if self._disk is not None:
            self._disk.changing(what)

    def xFullPathname(self, name: str) -> str:
        return name

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self.files

    def xDelete(self, name: str, sync_directory: bool) -> None:
        self.changing("delete")
        file = self.files.pop(name, None)
        if sync_directory:
            self.deleted.clear()
        elif file is not None and file.named:
            self.deleted[name] = file

    def xRandomness(self, count: int) -> bytes:
        return bytes(range(7, 7 + min(count, 200))).ljust(count, b"\1")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        file = SimFile()
        if name is not None:
            path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            if path not in self.files:
                self.changing("create")
                self.files[path] = file
            file = self.files[path]
        flags[1] = flags[0]
        return _Open(self, file)


class _Open:
    """An open file, as SQLite uses it."""

    def __init__(self, mounted: _Mounted, file: SimFile) -> None:
        self._mounted, self._file = mounted, file

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._mounted.changing("write")
        self._file.write(bytes(data), offset)

    def xTruncate(self, size: int) -> None:
        self._mounted.changing("truncate")
        self._file.truncate(size)

    def xSync(self, flags: int) -> None:
        self._mounted.changing("sync")
        self._file.sync()

    def xFileSize(self) -> int:
        return len(self._file.seen)

    def xLock(self, level: int) -> None:
        return None

    def xUnlock(self, level: int) -> None:
        return None

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xClose(self) -> None:
        return None
