"""The journal: what it keeps, what it refuses, and that the first decision stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ostrom.errors import InputError, StoreError
from ostrom.node.journal import Flight, Journal
from ostrom.node.trainer import Sealed
from ostrom.types import Opening

ABOUT = {"account": "0xA", "task": "00", "chain": "1"}


def sealed(content: bytes) -> Sealed:
    return Sealed(content, Opening(bytes(32), bytes([1]) * 32, 7, bytes([2]) * 32))


def flight(nonce: int, *, most: int = 10, act: str = "commit 1") -> Flight:
    raw = bytes([nonce, most])
    return Flight(nonce, raw * 16, act, raw, most, 1, 5)


def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal", ABOUT)
    first.keep_update(3, sealed(b"an update"))
    first.keep_scores(3, b"evidence", b"scores")
    first.keep_flight(flight(0))
    first.close()
    again = Journal(tmp_path / "journal", ABOUT)
    assert again.updates() == {3: sealed(b"an update")}
    assert again.scores(3) == {b"evidence": b"scores"}
    assert again.flights() == [flight(0)]


def test_the_first_decision_stands(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    journal.keep_update(1, sealed(b"first"))
    journal.keep_update(1, sealed(b"second"))
    journal.keep_scores(1, b"evidence", b"first")
    journal.keep_scores(1, b"evidence", b"second")
    assert journal.updates()[1].content == b"first"
    assert journal.scores(1) == {b"evidence": b"first"}


def test_scores_of_another_fork_stand_beside_the_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    journal.keep_scores(1, b"one fork", b"a")
    journal.keep_scores(1, b"another", b"b")
    assert journal.scores(1) == {b"one fork": b"a", b"another": b"b"}


def test_transactions_are_ordered_by_nonce_and_the_dearest_is_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    for one in (flight(1), flight(0, most=200), flight(0, most=30)):
        journal.keep_flight(one)
    assert [(one.nonce, one.most) for one in journal.flights()] == [(0, 30), (0, 200), (1, 10)]


def test_landing_a_nonce_forgets_it_and_those_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    for nonce in range(3):
        journal.keep_flight(flight(nonce))
    journal.land(1)
    assert [one.nonce for one in journal.flights()] == [2]


def test_fees_beyond_64_bits_are_kept_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    dear = Flight(0, bytes(32), "commit 1", b"raw", 10**30, 10**29, 5)
    journal.keep_flight(dear)
    assert journal.flights() == [dear]


def test_old_rounds_are_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ABOUT)
    for number in (1, 2, 3):
        journal.keep_update(number, sealed(b"u"))
        journal.keep_scores(number, b"e", b"s")
    journal.forget(before=3)
    assert set(journal.updates()) == {3}
    assert journal.scores(2) == {}


def test_a_journal_of_another_account_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "journal", ABOUT).close()
    with pytest.raises(InputError, match="belongs to another account"):
        Journal(tmp_path / "journal", ABOUT | {"account": "0xB"})


def test_two_nodes_cannot_use_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    mine = Journal(path, ABOUT)
    program = (
        "import sys; from pathlib import Path; from ostrom.node.journal import Journal\n"
        f"Journal(Path(sys.argv[1]), {ABOUT!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True
    )
    assert "another node uses" in done.stderr
    mine.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Journal(path, ABOUT)


def test_a_flipped_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, ABOUT)
    for number in range(200):
        journal.keep_update(number, sealed(bytes([number]) * 100))
    journal.close()
    data = bytearray(path.read_bytes())
    data[8192:12288] = bytes(4096)
    path.write_bytes(data)
    with pytest.raises(StoreError):
        Journal(path, ABOUT).updates()
