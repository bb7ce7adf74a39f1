"""What a node keeps for which task, and the removal of everything else.

A pin names a task and the CID of a content. `collect` deletes blocks that no pin reaches and that
have not been written for a while; the while protects content that is being put and not pinned yet.
Pins live in an SQLite file: a killed process loses none that `pin` returned from.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from ostrom.errors import CorruptContent, InputError, NotFound, StoreError
from ostrom.storage.cid import codec_of, parse_cid
from ostrom.storage.dag import Profile, block_bytes_max
from ostrom.storage.unixfs import decode_node
from ostrom.storage.walk import open_tree
from ostrom.types import Cid

AGE_SECONDS_MIN = 3600.0
"""How long a block is kept after it was last written unless the caller says otherwise."""

_TASK_CHARACTERS_MAX = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pin (
    task TEXT NOT NULL, cid TEXT NOT NULL, PRIMARY KEY (task, cid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pin_by_cid ON pin (cid);
"""


class Incomplete(StoreError):
    """A pinned content of which a node is missing or damaged; `cid` is its root."""

    def __init__(self, cid: Cid, line: str) -> None:
        self.cid = cid
        super().__init__(line)


class Collectable(Protocol):
    """A store whose blocks can be deleted: `DirectoryStore`, `MemoryStore`."""

    @property
    def layout(self) -> Profile:
        """How its content is cut."""

    def cids(self) -> Iterator[Cid]:
        """The CID of each block."""

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """The block, not verified; NotFound."""

    def written_at(self, cid: Cid) -> float:
        """When the block was last written, in seconds of the store's clock; NotFound."""

    def delete_block(self, cid: Cid, *, written_before: float | None = None) -> bool:
        """Delete the block unless it was written later; True if it is gone by this call."""


@dataclass(frozen=True)
class Collected:
    """What a collection did: blocks deleted, reached by pins, and too young."""

    deleted: tuple[Cid, ...]
    pinned: int
    young: int


class Pins:
    """The pins in the SQLite file `path`, or in memory if it is None. Threads may share it.

    >>> from ostrom.storage import MemoryStore
    >>> store, pins = MemoryStore(clock=lambda: 0.0), Pins()
    >>> model, scrap = store.put(b"a model"), store.put(b"scrap")
    >>> pins.pin("task 1", model)
    >>> pins.collect(store, now=9999.0).deleted == (scrap,)
    True
    >>> pins.unpin("task 1"), pins.collect(store, now=9999.0).deleted == (model,)
    (1, True)
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                ":memory:" if path is None else os.fspath(path),
                isolation_level=None,
                check_same_thread=False,
                timeout=30.0,
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"cannot keep pins in {path}: {error}; give another file") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def pin(self, task: str, *cids: str) -> None:
        """Keep these contents for the task. Pin before you put or fetch.

        Raises:
            InputError: a CID is none, or the task's name is empty or longer than 256 characters.
        """
        if not 0 < len(task) <= _TASK_CHARACTERS_MAX:
            raise InputError(f"a task's name has 1 to {_TASK_CHARACTERS_MAX} characters")
        rows = [(task, parse_cid(cid)) for cid in cids]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO pin VALUES (?, ?)", rows)

    def unpin(self, task: str, *cids: str) -> int:
        """Keep these contents, or all if none is named, no longer; how many pins went."""
        with self._transaction():
            if not cids:
                return self._db.execute("DELETE FROM pin WHERE task = ?", (task,)).rowcount
            rows = [(task, cid) for cid in cids]
            return self._db.executemany("DELETE FROM pin WHERE task = ? AND cid = ?", rows).rowcount

    def pinned(self, task: str | None = None) -> tuple[Cid, ...]:
        """The contents that are pinned, for one task or for any, in order."""
        query = "SELECT DISTINCT cid FROM pin WHERE ?1 IS NULL OR task = ?1 ORDER BY cid"
        with self._lock:
            return tuple(Cid(cid) for (cid,) in self._db.execute(query, (task,)))

    def tasks(self) -> tuple[str, ...]:
        """The tasks that pin anything, in order."""
        with self._lock:
            rows = self._db.execute("SELECT DISTINCT task FROM pin ORDER BY task").fetchall()
        return tuple(task for (task,) in rows)

    def collect(
        self,
        store: Collectable,
        *,
        now: float,
        age_seconds_min: float = AGE_SECONDS_MIN,
        deletes_max: int | None = None,
    ) -> Collected:
        """Delete the blocks that no pin reaches and that are older than `age_seconds_min`.

        `now` is the time of the clock that `store.written_at` shows. Nodes go before what they
        link, so a root that is left has its content. What a young block reaches stays, too. With
        `deletes_max` some may be left for the next collection, as a killed one leaves them.

        Raises:
            Incomplete: a node below a pin is missing or damaged, so that nobody knows what it
                reaches; nothing was deleted. Repair that content, or unpin it.
        """
        with self._transaction():
            oldest = now - age_seconds_min
            held = list(store.cids())
            young = {cid for cid in held if _is_young(store, cid, oldest)}
            kept = self._reached(store)
            for cid in young:
                if codec_of(cid) == "dag-pb":
                    kept.update(_reach_leniently(store, cid))
            rest = [cid for cid in held if cid not in kept and cid not in young]
            due = _parents_first(store, rest)[:deletes_max]
            deleted = [cid for cid in due if _deleted(store, cid, oldest)]
        return Collected(tuple(deleted), len(kept), len(young))

    def _reached(self, store: Collectable) -> set[Cid]:
        reached: set[Cid] = set()
        for root in self.pinned():
            reached.add(root)
            if codec_of(root) == "dag-pb":
                try:
                    tree = open_tree(store.read_block, root, profile=store.layout)
                    reached.update(tree.cids())
                except (NotFound, CorruptContent) as error:
                    line = f"cannot tell what the pinned {root} needs, so nothing is deleted"
                    raise Incomplete(root, f"{line}: {error}") from error
        return reached

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing, on the disk when it returns; other processes wait meanwhile."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"cannot change the pins: {error}") from error


def _is_young(store: Collectable, cid: Cid, oldest: float) -> bool:
    try:
        return store.written_at(cid) >= oldest
    except NotFound:
        return False


def _reach_leniently(store: Collectable, cid: Cid) -> set[Cid]:
    """What a young node reaches, as far as it is there: it may be still on its way."""
    found: set[Cid] = set()
    stack = [cid]
    while stack:
        name = stack.pop()
        if name in found:
            continue
        found.add(name)
        if codec_of(name) == "dag-pb":
            with suppress(NotFound, CorruptContent):
                block = store.read_block(name, block_bytes_max(store.layout))
                stack.extend(link.cid for link in decode_node(block, name))
    return found


def _parents_first(store: Collectable, cids: list[Cid]) -> list[Cid]:
    """Nodes by the size of their content, falling, then leaves: no child before its parent."""
    return sorted(cids, key=lambda cid: (-_size_below(store, cid), cid))


def _size_below(store: Collectable, cid: Cid) -> int:
    if codec_of(cid) == "raw":
        return -1
    try:
        block = store.read_block(cid, block_bytes_max(store.layout))
        return sum(link.size for link in decode_node(block, cid))
    except (NotFound, CorruptContent):
        return 0


def _deleted(store: Collectable, cid: Cid, oldest: float) -> bool:
    return store.delete_block(cid, written_before=oldest)
