"""Telling a full disk from every other fault, whoever complains: a file, a store, or SQLite."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

FULL_LINE = "the disk is full: make room, and the node goes on by itself"


def is_full(error: BaseException) -> bool:
    """True if the error, or what caused it, is that the disk or a quota on it is full.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(ValueError())
    (True, False)
    """
    return any(
        getattr(one, "errno", None) in FULL or sqlite_code(one) == sqlite3.SQLITE_FULL
        for one in causes(error)
    )


def sqlite_code(error: BaseException) -> int:
    """SQLite's primary result code, 0 where it is no error of SQLite's."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, and what caused that."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
