"""What a node must not forget: written down before anything of it leaves the machine.

One SQLite file for one account in one task. A transaction is written before it is sent, an update
and a score vector before they are committed to; so a node that is killed at any moment goes on
with the same contents, the same salts and the same nonces. Nothing that stands here is ever
changed: what a second attempt would write differently, the first has decided.

SQLite: https://www.sqlite.org/atomiccommit.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ostrom.errors import InputError, StoreError
from ostrom.node.trainer import Sealed
from ostrom.types import Digest, Opening

FORMAT = "ostrom/journal/1"

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS updates (
  round INTEGER PRIMARY KEY, content BLOB NOT NULL, content_digest BLOB NOT NULL,
  chunk_root BLOB NOT NULL, samples INTEGER NOT NULL, salt BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS scores (
  round INTEGER NOT NULL, evidence BLOB NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (round, evidence)) STRICT;
CREATE TABLE IF NOT EXISTS transactions (
  hash BLOB PRIMARY KEY, nonce INTEGER NOT NULL, act TEXT NOT NULL, raw BLOB NOT NULL,
  most TEXT NOT NULL, tip TEXT NOT NULL, block INTEGER NOT NULL) STRICT;
"""


class Connection(Protocol):
    """What the journal asks of SQLite; `sqlite3` and `apsw` both have it."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Iterable[Any]:
        """Run one statement."""

    def close(self) -> None:
        """Let the file go."""


Connect: TypeAlias = Callable[[Path], Connection]


def connect(path: Path) -> Connection:
    """A connection that begins transactions only when told to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


@dataclass(frozen=True)
class Flight:
    """A signed transaction that may be on its way. `block` is the head when it was signed.

    `most` and `tip` are its fees in wei per gas, `act` names what it does.
    """

    nonce: int
    hash: Digest
    act: str
    raw: bytes
    most: int
    tip: int
    block: int


class Journal:
    """The file at `path` of the account that `about` names.

    Threat answered: a kill at any moment, a full disk, two nodes on one folder.
    Not answered: a file that is lost or put back from an old copy; then stop before the next round.

    Raises:
        InputError: the file belongs to another account, task or chain, or another node uses it.
        StoreError: it is damaged.
    """

    def __init__(self, path: Path, about: Mapping[str, str], *, connect: Connect = connect) -> None:
        self.path = path
        try:
            self._file = connect(path)
        except Exception as error:
            raise _explained(path, error) from error
        try:
            self._prepare()
            self._identify(about)
        except Exception as error:
            # Who tries again in this process must not find the file locked by this attempt.
            self._file.close()
            raise _explained(path, error) from error

    def _prepare(self) -> None:
        run = self._file.execute
        list(run("PRAGMA locking_mode = EXCLUSIVE"))
        list(run("PRAGMA journal_mode = DELETE"))
        list(run("PRAGMA synchronous = EXTRA"))
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    list(run(statement))
        (verdict,) = next(iter(run("PRAGMA quick_check")))
        if verdict != "ok":
            raise StoreError(f"the journal {self.path} is damaged: {verdict}")

    def _identify(self, about: Mapping[str, str]) -> None:
        """Write down whose journal it is, or compare."""
        wanted = {"format": FORMAT, **about}
        found = dict(self._rows("SELECT name, value FROM about"))
        for name, value in wanted.items():
            if found.get(name, value) != value:
                raise InputError(
                    f"the journal {self.path} belongs to another {name} ({found[name]}, not "
                    f"{value}): give the node a folder of its own"
                )
        if not found:
            with self._transaction():
                for row in wanted.items():
                    self._run("INSERT INTO about VALUES (?, ?)", row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk once it is left."""
        list(self._file.execute("BEGIN IMMEDIATE"))
        try:
            yield
            list(self._file.execute("COMMIT"))
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        try:
            list(self._file.execute("ROLLBACK"))
        except Exception:
            # The failed statement has ended the transaction already.
            return

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        list(self._file.execute(sql, parameters))

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return list(self._file.execute(sql, parameters))

    def updates(self) -> dict[int, Sealed]:
        """The sealed updates by round."""
        rows = self._rows(
            "SELECT round, content, content_digest, chunk_root, samples, salt "
            "FROM updates ORDER BY round"
        )
        return {
            number: Sealed(content, Opening(digest, root, samples, salt))
            for number, content, digest, root, samples, salt in rows
        }

    def keep_update(self, number: int, sealed: Sealed) -> None:
        """Decide a round's update, once and for all."""
        one = sealed.opening
        row = (number, sealed.content, one.update, one.chunk_root, one.samples, one.salt)
        with self._transaction():
            self._run("INSERT OR IGNORE INTO updates VALUES (?, ?, ?, ?, ?, ?)", row)

    def scores(self, number: int) -> dict[Digest, bytes]:
        """A round's score vectors by the evidence that they judge; several after a fork."""
        return dict(self._rows("SELECT evidence, content FROM scores WHERE round = ?", (number,)))

    def keep_scores(self, number: int, evidence: Digest, content: bytes) -> None:
        """Decide the scores of a round with that evidence, once and for all."""
        with self._transaction():
            self._run("INSERT OR IGNORE INTO scores VALUES (?, ?, ?)", (number, evidence, content))

    def flights(self) -> list[Flight]:
        """Transactions that may still be on their way, by nonce, the dearest last."""
        rows = self._rows("SELECT nonce, hash, act, raw, most, tip, block FROM transactions")
        flights = [
            Flight(nonce, hash_, act, raw, int(most), int(tip), block)
            for nonce, hash_, act, raw, most, tip, block in rows
        ]
        return sorted(flights, key=lambda one: (one.nonce, one.most, one.hash))

    def keep_flight(self, one: Flight) -> None:
        """Write a transaction down before it is sent."""
        row = (one.hash, one.nonce, one.act, one.raw, str(one.most), str(one.tip), one.block)
        with self._transaction():
            self._run("INSERT OR IGNORE INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def land(self, nonce: int) -> None:
        """Forget the transactions up to that nonce: the chain holds one of it for good."""
        with self._transaction():
            self._run("DELETE FROM transactions WHERE nonce <= ?", (nonce,))

    def forget(self, before: int) -> None:
        """Drop the contents of rounds before that one."""
        old = self._rows(
            "SELECT 1 FROM updates WHERE round < ? UNION ALL "
            "SELECT 1 FROM scores WHERE round < ? LIMIT 1",
            (before, before),
        )
        if old:
            with self._transaction():
                self._run("DELETE FROM updates WHERE round < ?", (before,))
                self._run("DELETE FROM scores WHERE round < ?", (before,))

    def close(self) -> None:
        """Let the file go, so that another process may take over."""
        self._file.close()


def _explained(path: Path, error: Exception) -> Exception:
    """One line that says what to do, where the cause is the machine's."""
    if isinstance(error, (InputError, StoreError)):
        return error
    text = str(error)
    if "locked" in text:
        return InputError(f"another node uses {path}: stop it, or give this one its own folder")
    if isinstance(error, sqlite3.DatabaseError) and "not a database" in text:
        return StoreError(f"the journal {path} is damaged: {text}")
    if isinstance(error, (sqlite3.Error, OSError)):
        return StoreError(f"cannot use the journal {path}: {text}")
    return error
