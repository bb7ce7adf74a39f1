from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import InputError, StoreError
from ostrom.node.journal import Connection, connect
from ostrom.node.relay.book import IN_MEMORY, Book, Kept, Slot
from ostrom.types import Address

ABOUT = {"chain": "1", "task": "t"}
ALICE, BOB = Address("0xA1"), Address("0xb0")


def slot(account: Address = ALICE, number: int = 1) -> Slot:
    return Slot("commit", number, account)


def test_a_slot_takes_one_message_and_knows_it_again() -> None:
    book = Book(IN_MEMORY, ABOUT)
    assert book.keep(slot(), b"one", b"data", now=5) == Kept.NEW
    assert book.keep(slot(), b"one", b"other", now=6) == Kept.SAME
    assert book.keep(slot(), b"two", b"data", now=7) == Kept.OTHER
    assert book.keep(slot(BOB), b"two", b"data", now=7) == Kept.NEW
    found = book.find(slot())
    assert found is not None
    assert (found.content, found.data, found.taken_at, found.tries) == (b"one", b"data", 5, 0)


def test_a_message_is_replaced_only_by_who_saw_it() -> None:
    book = Book(IN_MEMORY, ABOUT)
    book.keep(slot(), b"one", b"1", now=1)
    seen = book.find(slot())
    assert book.keep(slot(), b"two", b"2", now=2, instead=seen) == Kept.NEW
    assert book.keep(slot(), b"three", b"3", now=3, instead=seen) == Kept.OTHER


def test_a_batch_keeps_its_messages_sorted_by_account() -> None:
    book = Book(IN_MEMORY, ABOUT)
    for account in (BOB, ALICE):
        book.keep(slot(account), b"c", b"d", now=1)
    book.form(book.waiting("commit", 1), now=2)
    (formed,) = book.open_batches()
    assert [one.slot.account for one in formed.entries] == [ALICE, BOB]
    assert book.waiting("commit", 1) == []
    book.refuse({slot(): "no"})
    book.close_batch(formed.id)
    assert [(one.slot, one.tries) for one in book.waiting("commit", 1)] == [(slot(BOB), 1)]
    assert book.open_batches() == []
    assert book.last_formed("commit", 1) == 2
    assert book.last_formed("commit", 2) is None


def test_one_open_batch_is_found_by_its_number() -> None:
    book = Book(IN_MEMORY, ABOUT)
    for account in (BOB, ALICE):
        book.keep(slot(account), b"c", b"d", now=1)
        book.form(book.waiting("commit", 1), now=2)
    first, second = book.open_batches()
    assert book.open_batch(second.id) == second
    book.close_batch(second.id)
    assert book.open_batch(second.id) is None
    assert book.open_batch(first.id) == first


def test_old_rounds_are_forgotten_and_what_is_for_the_task_is_not() -> None:
    book = Book(IN_MEMORY, ABOUT)
    for number in range(4):
        book.keep(slot(number=number), b"c", b"d", now=1)
        book.form(book.waiting("commit", number), now=1)
    book.forget_rounds(3)
    assert [book.find(slot(number=n)) is None for n in range(4)] == [False, True, True, False]
    assert [formed.number for formed in book.open_batches()] == [0, 3]


def test_the_book_of_another_task_is_refused(tmp_path: Path) -> None:
    Book(tmp_path / "book", ABOUT).close()
    with pytest.raises(InputError, match=r"of another task \(t, not u\)"):
        Book(tmp_path / "book", ABOUT | {"task": "u"})


def test_what_is_no_book_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StoreError, match="cannot use the relay's book"):
        Book(path, ABOUT)
    assert path.read_bytes() == b"no database " * 100


def has_room(book: Book, number: int) -> bool:
    try:
        return book.keep(slot(number=number), b"c", bytes(2_000), now=1) == Kept.NEW
    except StoreError as error:
        return "full" not in str(error)


def test_a_full_disk_takes_nothing_and_what_was_taken_stays(tmp_path: Path) -> None:
    def small(path: Path) -> Connection:
        file = connect(path)
        list(file.execute("PRAGMA max_page_count = 12"))
        return file

    book = Book(tmp_path / "book", ABOUT, connect=small)
    taken = next(number for number in range(100) if not has_room(book, number))
    assert taken
    assert book.count("commit") == taken
    assert book.find(slot(number=taken)) is None
    book.close()
    assert Book(tmp_path / "book", ABOUT).count("commit") == taken


class SlowDisk:
    """A real connection that says how often it reached the disk, which takes a while."""

    def __init__(self, path: Path) -> None:
        self.file, self.commits = connect(path), 0

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[Any]:
        if sql == "COMMIT":
            time.sleep(0.02)
            self.commits += 1
        return self.file.execute(sql, parameters)

    def close(self) -> None:
        self.file.close()


def test_what_comes_at_once_goes_to_a_slow_disk_together(tmp_path: Path) -> None:
    disk = SlowDisk(tmp_path / "book")
    book = Book(tmp_path / "book", ABOUT, connect=lambda _: disk)
    before = disk.commits

    def keep(number: int) -> Kept:
        return book.keep(slot(number=number // 2), b"%d" % number, b"d", now=1)

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(keep, range(64)))
    assert (found.count(Kept.NEW), found.count(Kept.OTHER)) == (32, 32)
    assert disk.commits - before <= 32
    book.close()
    again = Book(tmp_path / "book", ABOUT)
    kept = [again.find(slot(number=number)) for number in range(32)]
    first = [found[2 * number] == Kept.NEW for number in range(32)]
    wanted = [b"%d" % (2 * number + (not one)) for number, one in enumerate(first)]
    assert [one.content for one in kept if one] == wanted


def test_each_of_many_at_once_is_told_that_the_disk_is_full(tmp_path: Path) -> None:
    def small(path: Path) -> Connection:
        disk = SlowDisk(path)
        list(disk.execute("PRAGMA max_page_count = 12"))
        return disk

    book = Book(tmp_path / "book", ABOUT, connect=small)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda number: has_room(book, number), range(64)))
    assert 0 < found.count(True) < 64
    assert [book.find(slot(number=number)) is not None for number in range(64)] == found


CHILD = """
import os, sys
from pathlib import Path
from ostrom.node.relay.book import Book, Slot
book = Book(Path(sys.argv[1]), {"chain": "1", "task": "t"})
for number in range(1, 10_000):
    book.keep(Slot("commit", number, "0xA1"), b"c", b"d" * 500, now=1)
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_answered_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "book"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, env=os.environ
    ) as child:
        assert child.stdout is not None
        answered = [int(child.stdout.readline()) for _ in range(40)][-1]
        child.kill()
        answered = max([answered, *map(int, child.stdout.read().split(b"\n")[:-1])])
    book = Book(path, ABOUT)
    kept = book.count("commit")
    assert answered <= kept <= answered + 1
    assert all(book.find(slot(number=number)) for number in range(1, kept + 1))
    book.close()
    ((verdict,),) = sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall()
    assert verdict == "ok"
