"""The messages that a relay has taken, written down before it says so.

One SQLite file for one task. A message stands in a slot (its kind, its round, its account), and a
slot takes one message: the first. A batch is what one transaction carries; once formed, it keeps
its number and its messages, so that a relay that is killed goes on with the same batches.

SQLite: https://www.sqlite.org/atomiccommit.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Condition, Lock
from typing import Any, NamedTuple

from ostrom.errors import InputError, StoreError
from ostrom.node.journal import Connect, connect
from ostrom.types import Address, Digest

FORMAT = "ostrom/relay/1"

IN_MEMORY = Path(":memory:")
"""A book that is forgotten with the object."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS messages (kind TEXT NOT NULL, number INTEGER NOT NULL, "
    "account TEXT NOT NULL, content BLOB NOT NULL, data BLOB NOT NULL, taken_at INTEGER NOT NULL, "
    "batch INTEGER, tries INTEGER NOT NULL DEFAULT 0, refused TEXT, "
    "PRIMARY KEY (kind, number, account)) STRICT",
    "CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "kind TEXT NOT NULL, number INTEGER NOT NULL, formed_at INTEGER NOT NULL, "
    "open INTEGER NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS of_batch ON messages (batch) WHERE batch IS NOT NULL",
)
_ENTRY = "kind, number, account, content, data, taken_at, tries, refused"
_WAITING = (
    "kind = ? AND number = ? AND refused IS NULL AND "
    "(batch IS NULL OR batch NOT IN (SELECT id FROM batches WHERE open))"
)
_HERE = "kind = ? AND number = ? AND account = ?"


class Slot(NamedTuple):
    """Where a message stands: `number` is its round, or 0 outside of rounds."""

    kind: str
    number: int
    account: Address


@dataclass(frozen=True)
class Entry:
    """A message that was taken: `content` is what it says, whatever its signature looks like.

    `tries` counts the batches that it was in; `refused` says why it is not carried any more.
    """

    slot: Slot
    content: Digest
    data: bytes
    taken_at: int
    tries: int
    refused: str | None


@dataclass(frozen=True)
class Formed:
    """A batch that was formed and is not known to be over; its entries are sorted by account."""

    id: int
    kind: str
    number: int
    formed_at: int
    entries: tuple[Entry, ...]


class Kept(Enum):
    """What became of a message: it is new, it was there, or another one has its slot."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


@dataclass(eq=False)
class _Wish:
    """A message that waits to be written; `kept` is set once it is on the disk."""

    slot: Slot
    content: Digest
    data: bytes
    now: int
    instead: Entry | None
    kept: Kept | None = None


class Book:
    """The book at `path` of the relay and task that `about` names.

    Threat answered: a kill at any moment, many threads at once, a full disk (nothing is taken that
    is not on the disk). Not answered: a lost file; trainers then send again, or directly.

    Raises:
        InputError: it is the book of another task or chain, or another relay uses it.
        StoreError: the file cannot be read or written.
    """

    def __init__(self, path: Path, about: Mapping[str, str], *, connect: Connect = connect) -> None:
        self.path = path
        self._lock = Lock()
        self._turn, self._writing = Condition(), False
        self._wishes: list[_Wish] = []
        with _faults_of(path):
            self._file = connect(path)
        try:
            self._prepare(about)
        except BaseException:
            # Who tries again in this process must not find the file locked by this attempt.
            self._file.close()
            raise

    def _prepare(self, about: Mapping[str, str]) -> None:
        with _faults_of(self.path):
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            # A third of the time that a rollback journal takes, and as durable with FULL.
            self._run("PRAGMA journal_mode = WAL")
            self._run("PRAGMA synchronous = FULL")
        with self._changing():
            for statement in _TABLES:
                self._run(statement)
            self._identify({"format": FORMAT, **about})

    def _identify(self, wanted: Mapping[str, str]) -> None:
        """Write down whose book it is, or compare."""
        found = dict(self._run("SELECT name, value FROM about"))
        for name, value in wanted.items():
            if found.get(name, value) != value:
                raise InputError(
                    f"the book {self.path} is of another {name} ({found[name]}, not {value}): "
                    "give the relay a folder of its own"
                )
            if name not in found:
                self._run("INSERT INTO about VALUES (?, ?)", (name, value))

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return list(self._file.execute(sql, parameters))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One thread at a time; all or nothing, and on the disk once it is left."""
        with self._lock, _faults_of(self.path):
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            except BaseException:
                self._give_up()
                raise

    def _give_up(self) -> None:
        try:
            self._run("ROLLBACK")
        except Exception:
            # The failed statement has ended the transaction already.
            return

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _faults_of(self.path):
            yield

    def find(self, slot: Slot) -> Entry | None:
        """The message in that slot."""
        with self._reading():
            return self._find(slot)

    def _find(self, slot: Slot) -> Entry | None:
        rows = self._run(f"SELECT {_ENTRY} FROM messages WHERE {_HERE}", slot)
        return _entry(rows[0]) if rows else None

    def keep(
        self, slot: Slot, content: Digest, data: bytes, *, now: int, instead: Entry | None = None
    ) -> Kept:
        """Take a message into its slot, if that is free or still holds the one that it replaces.

        It is on the disk when this returns. What comes while another is being written goes to the
        disk together, because a disk takes as long for many as for one.
        """
        wish = _Wish(slot, content, data, now, instead)
        with self._turn:
            self._wishes.append(wish)
            self._turn.wait_for(lambda: wish.kept or not self._writing)
            if wish.kept is not None:
                return wish.kept
            self._writing, wishes, self._wishes = True, self._wishes, []
        try:
            with self._changing():
                found = [self._keep(one) for one in wishes]
        except BaseException:
            # The others try for themselves, and each is told what is wrong.
            self._end_turn([one for one in wishes if one is not wish])
            raise
        for one, kept in zip(wishes, found):
            one.kept = kept
        self._end_turn([])
        return found[wishes.index(wish)]

    def _end_turn(self, again: Sequence[_Wish]) -> None:
        with self._turn:
            self._writing = False
            self._wishes += again
            self._turn.notify_all()

    def _keep(self, wish: _Wish) -> Kept:
        found = self._find(wish.slot)
        if found is not None and found == wish.instead:
            self._run(f"DELETE FROM messages WHERE {_HERE}", wish.slot)
        elif found is not None:
            return Kept.SAME if found.content == wish.content else Kept.OTHER
        row = (*wish.slot, wish.content, wish.data, wish.now)
        self._run(f"INSERT INTO messages VALUES ({', '.join('?' * 6)}, NULL, 0, NULL)", row)
        return Kept.NEW

    def waiting(self, kind: str, number: int) -> list[Entry]:
        """What stands in no open batch and was not refused, sorted by account."""
        with self._reading():
            return self._entries(_WAITING, (kind, number))

    def count_new(self, kind: str, number: int) -> int:
        """How many messages have been in no batch yet."""
        with self._reading():
            where = "kind = ? AND number = ? AND tries = 0"
            ((found,),) = self._run(f"SELECT count(*) FROM messages WHERE {where}", (kind, number))
            return int(found)

    def _entries(self, where: str, parameters: Sequence[Any]) -> list[Entry]:
        sql = f"SELECT {_ENTRY} FROM messages WHERE {where} ORDER BY lower(account)"
        return [_entry(row) for row in self._run(sql, parameters)]

    def count(self, kind: str) -> int:
        """How many messages of a kind are kept, whatever became of them."""
        with self._reading():
            ((found,),) = self._run("SELECT count(*) FROM messages WHERE kind = ?", (kind,))
            return int(found)

    def form(self, entries: Sequence[Entry], *, now: int) -> None:
        """Put waiting messages of one kind and round into one batch."""
        kind, number, _ = entries[0].slot
        with self._changing():
            self._run(
                "INSERT INTO batches (kind, number, formed_at, open) VALUES (?, ?, ?, 1)",
                (kind, number, now),
            )
            ((batch,),) = self._run("SELECT last_insert_rowid()")
            for one in entries:
                self._run(
                    f"UPDATE messages SET batch = ?, tries = tries + 1 WHERE {_HERE}",
                    (batch, *one.slot),
                )

    def last_formed(self, kind: str, number: int) -> int | None:
        """When the newest batch of a kind and round was formed."""
        with self._reading():
            ((last,),) = self._run(
                "SELECT max(formed_at) FROM batches WHERE kind = ? AND number = ?", (kind, number)
            )
            return last if last is None else int(last)

    def open_batches(self) -> list[Formed]:
        """Batches that are not known to be over, in order of forming."""
        with self._reading():
            return self._batches("open", ())

    def open_batch(self, batch: int) -> Formed | None:
        """The batch of that number, if it is not known to be over."""
        with self._reading():
            return next(iter(self._batches("open AND id = ?", (batch,))), None)

    def _batches(self, where: str, parameters: Sequence[Any]) -> list[Formed]:
        sql = f"SELECT id, kind, number, formed_at FROM batches WHERE {where} ORDER BY id"
        return [
            Formed(id, kind, number, formed_at, tuple(self._entries("batch = ?", (id,))))
            for id, kind, number, formed_at in self._run(sql, parameters)
        ]

    def close_batch(self, batch: int) -> None:
        """A batch is over; its messages wait again, unless they were refused."""
        with self._changing():
            self._run("UPDATE batches SET open = 0 WHERE id = ?", (batch,))

    def refuse(self, refused: Mapping[Slot, str]) -> None:
        """Put these, and why they were refused, into no further batch."""
        if not refused:
            return
        with self._changing():
            for slot, reason in refused.items():
                self._run(f"UPDATE messages SET refused = ? WHERE {_HERE}", (reason, *slot))

    def drop(self, slots: Collection[Slot]) -> None:
        """Free slots, so that another message may take them."""
        if not slots:
            return
        with self._changing():
            for slot in slots:
                self._run(f"DELETE FROM messages WHERE {_HERE}", slot)

    def forget_rounds(self, before: int) -> None:
        """Drop the messages and batches of rounds before that one."""
        old = "number > 0 AND number < ?"
        with self._reading():
            rows = self._run(f"SELECT 1 FROM messages WHERE {old} LIMIT 1", (before,))
            rows += self._run(f"SELECT 1 FROM batches WHERE {old} LIMIT 1", (before,))
        if rows:
            with self._changing():
                self._run(f"DELETE FROM messages WHERE {old}", (before,))
                self._run(f"DELETE FROM batches WHERE {old}", (before,))

    def close(self) -> None:
        """Let the file go, so that another process may take over."""
        with self._lock:
            self._file.close()


def _entry(row: Sequence[Any]) -> Entry:
    kind, number, account, *rest = row
    return Entry(Slot(kind, number, Address(account)), *rest)


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """One line that says what to do, where the machine is at fault."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise InputError(
                f"another relay uses {path}: stop it, or give this one its own folder"
            ) from error
        raise StoreError(f"cannot use the relay's book {path}: {error}") from error
