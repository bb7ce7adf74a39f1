from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import apsw
import pytest
from tests.simulation.disk import SimDisk
from tests.simulation.faults import Crash

from ostrom.errors import StoreError
from ostrom.node.journal import Flight, Journal

PATH = Path("/journal.sqlite")
ABOUT = {"task": "a task"}


def flight(nonce: int) -> Flight:
    return Flight(nonce, nonce.to_bytes(32, "big"), "act", bytes(200), 1, 1, 1)


def journal_of(disk: SimDisk) -> Journal:
    return Journal(PATH, ABOUT, connect=disk.connect)


def fill(journal: Journal, first: int, last: int) -> int:
    """Keep flights until something stops it; how many are kept for sure."""
    done = first
    try:
        for nonce in range(first, last):
            journal.keep_flight(flight(nonce))
            done = nonce + 1
    except (Crash, sqlite3.Error, StoreError):
        pass
    return done


def at_change(disk: SimDisk, number: int, act: Callable[[], None]) -> None:
    """Do something at the disk's change of that number, counted from now."""
    disk.changes = 0

    def hook(what: str) -> None:
        if disk.changes == number:
            act()

    disk.hook = hook


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_write_loses_nothing_that_was_said_to_be_kept(seed: int) -> None:
    for number in range(1, 45):
        disk = SimDisk(Random(f"{seed} {number}"))

        def cut(disk: SimDisk = disk) -> None:
            disk.crash(tear=True)
            raise Crash("power cut")

        journal = journal_of(disk)
        fill(journal, 0, 2)
        at_change(disk, number, cut)
        done = fill(journal, 2, 5)
        disk.hook = lambda what: None
        kept = [one.nonce for one in journal_of(disk).flights()]
        assert kept[:done] == list(range(done))
        assert len(kept) <= done + 1
        disk.unmount()


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_a_disk_that_fails_at_any_write_keeps_what_was_said_to_be_kept(error: type) -> None:
    for number in range(1, 45):
        disk = SimDisk(Random(number))

        def fail() -> None:
            raise error("simulated")

        journal = journal_of(disk)
        at_change(disk, number, fail)
        done = fill(journal, 0, 3)
        disk.hook = lambda what: None
        disk.crash(tear=True)
        kept = [one.nonce for one in journal_of(disk).flights()]
        assert kept[:done] == list(range(done))
        disk.unmount()


def test_without_synchronisation_a_power_cut_loses_something() -> None:
    """The disk is as unkind as it claims to be."""
    lost = 0
    for seed in range(20):
        disk = SimDisk(Random(seed))
        journal = journal_of(disk)
        list(journal._file.execute("PRAGMA synchronous = OFF"))
        done = fill(journal, 0, 3)
        disk.crash(tear=True)
        try:
            lost += len(journal_of(disk).flights()) < done
        except (StoreError, sqlite3.Error):
            lost += 1
        disk.unmount()
    assert lost > 10


def test_a_process_that_ends_leaves_what_it_wrote() -> None:
    disk = SimDisk(Random(0))
    fill(journal_of(disk), 0, 3)
    disk.crash(tear=False)
    assert len(journal_of(disk).flights()) == 3
    disk.unmount()


def test_an_ended_process_reaches_the_disk_no_more() -> None:
    disk = SimDisk(Random(0))
    old = journal_of(disk)
    disk.crash(tear=False)
    with pytest.raises(Crash):
        old.keep_flight(flight(0))
    assert journal_of(disk).flights() == []
    disk.unmount()
