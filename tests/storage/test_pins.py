"""Pins: what they reach is never deleted, whatever else goes; kills and threads included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.errors import InputError, NotFound, StoreError
from ostrom.storage import DirectoryStore, MemoryStore, cid_of, codec_of
from ostrom.storage.pins import Pins
from ostrom.types import Cid

TINY = "tiny-256b-3"
HOUR = 3600.0
LIMIT = 1 << 20


def content_of(number: int, size: int = 900) -> bytes:
    return bytes((number + i * i) % 251 for i in range(size))


@pytest.fixture
def store(clock: Any) -> MemoryStore:
    return MemoryStore(TINY, clock=clock)


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "pins.sqlite")


def test_what_is_no_cid_cannot_be_pinned_and_nothing_is(pins: Pins) -> None:
    with pytest.raises(InputError, match="CID"):
        pins.pin("task", cid_of(b"a"), "../etc/passwd")
    assert pins.pinned() == ()


@pytest.mark.parametrize("task", ["", "t" * 257])
def test_a_task_needs_a_name(pins: Pins, task: str) -> None:
    with pytest.raises(InputError, match="name"):
        pins.pin(task, cid_of(b"a"))


def test_pins_need_a_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another file"):
        Pins(tmp_path / "absent" / "pins.sqlite")
    (tmp_path / "text").write_text("this is no database, but long enough to be read as one" * 50)
    with pytest.raises(InputError, match="another file"):
        Pins(tmp_path / "text")


def test_what_no_pin_reaches_goes_and_what_one_reaches_stays(
    store: MemoryStore, pins: Pins, clock: Any
) -> None:
    kept, gone = store.put(content_of(1)), store.put(content_of(2))
    pins.pin("task", kept)
    clock.now += HOUR + 1
    found = pins.collect(store, now=clock.now)
    assert store.get(kept, max_bytes=LIMIT) == content_of(1)
    assert not store.has(gone)
    assert found.pinned == len(list(store.cids()))
    assert len(found.deleted) > 3


def test_a_shared_block_stays_as_long_as_one_content_needs_it(
    store: MemoryStore, pins: Pins, clock: Any
) -> None:
    first, second = store.put(bytes(256) + b"a" * 256), store.put(bytes(256) + b"b" * 256)
    pins.pin("alice", first)
    pins.pin("bob", second)
    clock.now += 2 * HOUR
    pins.unpin("alice")
    pins.collect(store, now=clock.now)
    assert not store.has(first)
    assert store.get(second, max_bytes=LIMIT) == bytes(256) + b"b" * 256


def test_a_content_of_two_tasks_stays_until_both_are_done(
    store: MemoryStore, pins: Pins, clock: Any
) -> None:
    root = store.put(content_of(1))
    pins.pin("alice", root)
    pins.pin("bob", root)
    clock.now += 2 * HOUR
    assert pins.unpin("alice") == 1
    assert pins.collect(store, now=clock.now).deleted == ()
    assert pins.unpin("bob", root, cid_of(b"other")) == 1
    assert pins.collect(store, now=clock.now).deleted != ()
    assert list(store.cids()) == []


def test_young_blocks_stay_until_their_age(store: MemoryStore, pins: Pins, clock: Any) -> None:
    root = store.put(content_of(1))
    clock.now += HOUR
    found = pins.collect(store, now=clock.now)
    assert (found.deleted, found.young) == ((), len(list(store.cids())))
    clock.now += 0.1
    assert pins.collect(store, now=clock.now).deleted != ()
    assert not store.has(root)


def test_putting_again_makes_a_block_young(store: MemoryStore, pins: Pins, clock: Any) -> None:
    root = store.put(content_of(1))
    clock.now += 2 * HOUR
    store.put(content_of(1))
    assert pins.collect(store, now=clock.now).deleted == ()
    assert store.has(root)


def test_old_leaves_of_a_young_root_stay(store: MemoryStore, pins: Pins, clock: Any) -> None:
    root = store.put(content_of(1))
    clock.now += 2 * HOUR
    store.write_block(root, store.read_block(root, LIMIT))
    pins.collect(store, now=clock.now)
    assert store.get(root, max_bytes=LIMIT) == content_of(1)


@pytest.mark.parametrize("damage", [None, b"", b"wrong"])
def test_nothing_is_deleted_while_a_pinned_node_is_missing_or_damaged(
    store: MemoryStore, pins: Pins, clock: Any, damage: bytes | None
) -> None:
    root, scrap = store.put(content_of(1)), store.put(b"scrap")
    block = store.read_block(root, LIMIT)
    pins.pin("task", root)
    if damage is None:
        del store._blocks[root]
    else:
        store._blocks[root] = damage
    clock.now += 2 * HOUR
    before = list(store.cids())
    with pytest.raises(StoreError, match=root):
        pins.collect(store, now=clock.now)
    assert list(store.cids()) == before
    store._blocks[root] = block
    assert pins.collect(store, now=clock.now).deleted == (scrap,)
    assert store.get(root, max_bytes=LIMIT) == content_of(1)


def test_a_missing_leaf_stops_no_collection(store: MemoryStore, pins: Pins, clock: Any) -> None:
    root, scrap = store.put(content_of(1)), store.put(b"scrap")
    del store._blocks[cid_of(content_of(1)[:256], TINY)]
    pins.pin("task", root, cid_of(b"never put"))
    clock.now += 2 * HOUR
    assert pins.collect(store, now=clock.now).deleted == (scrap,)


def test_a_root_goes_before_its_children(store: MemoryStore, pins: Pins, clock: Any) -> None:
    root = store.put(content_of(1, size=5000))
    clock.now += 2 * HOUR
    deleted = pins.collect(store, now=clock.now).deleted
    assert deleted[0] == root
    kinds = [codec_of(cid) for cid in deleted]
    assert kinds == sorted(kinds)


class Interrupted(MemoryStore):
    """A store whose process is killed after some deletions."""

    left = 0

    def delete_block(self, cid: Cid, *, written_before: float | None = None) -> bool:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().delete_block(cid, written_before=written_before)


def test_after_any_interruption_a_root_that_is_left_has_its_content(clock: Any) -> None:
    contents = [content_of(n, size=n * 800) for n in range(5)]
    for left in range(20):
        store, pins = Interrupted(TINY, clock=lambda: 0.0), Pins()
        roots = [store.put(content) for content in contents]
        store.left = left
        with pytest.raises(KeyboardInterrupt):
            pins.collect(store, now=clock.now)
        for root, content in zip(roots, contents):
            if store.has(root):
                assert store.get(root, max_bytes=LIMIT) == content


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    pinned=st.sets(st.integers(0, 7)),
    late=st.sets(st.integers(0, 7)),
    repeated=st.booleans(),
)
def test_pinned_and_young_content_survives_and_all_else_goes(
    sizes: list[int], pinned: set[int], late: set[int], repeated: bool
) -> None:
    times = [0.0]
    store, pins = MemoryStore(TINY, clock=lambda: times[0]), Pins()
    contents = [bytes(s) if repeated else content_of(i, s) for i, s in enumerate(sizes)]
    roots = [store.put(content) for content in contents]
    for index in pinned & set(range(len(roots))):
        pins.pin(f"task {index % 3}", roots[index])
    times[0] = 5000.0
    for index in late & set(range(len(roots))):
        store.put(contents[index])
    pins.collect(store, now=6000.0)
    kept = {roots[i] for i in (pinned | late) if i < len(roots)}
    for root, content in zip(roots, contents):
        if root in kept:
            assert store.get(root, max_bytes=LIMIT) == content
    pins.unpin("task 0"), pins.unpin("task 1"), pins.unpin("task 2")
    pins.collect(store, now=99_999.0)
    assert list(store.cids()) == []


def test_pins_are_listed_by_task(pins: Pins) -> None:
    a, b = sorted((cid_of(b"a"), cid_of(b"b")))
    pins.pin("two", b)
    pins.pin("one", b, a, a)
    assert pins.tasks() == ("one", "two")
    assert pins.pinned("one") == pins.pinned() == (a, b)
    assert pins.pinned("none") == ()
    assert pins.unpin("none") == 0


def test_pins_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    """The child is killed at once after `pin` returned."""
    cid = cid_of(b"a")
    code = (
        "import os, signal, sys\n"
        "from ostrom.storage.pins import Pins\n"
        "pins = Pins(sys.argv[1])\n"
        "pins.pin('task', sys.argv[2])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "pins.sqlite"
    done = subprocess.run([sys.executable, "-c", code, str(path), cid], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    again = Pins(path)
    assert again.pinned("task") == (cid,)
    again.close()


def test_threads_pin_and_collect_at_once_and_lose_nothing(tmp_path: Path) -> None:
    """No age protects anything here: to pin before the put is enough."""
    store = DirectoryStore(tmp_path / "store", profile=TINY, durable=False)
    pins = Pins(tmp_path / "pins.sqlite")
    failed: list[BaseException] = []
    deleted: list[Cid] = []
    done = threading.Event()

    def collector() -> None:
        while not done.is_set():
            try:
                deleted.extend(pins.collect(store, now=1e12, age_seconds_min=0).deleted)
            except StoreError:
                continue

    def worker(number: int) -> None:
        try:
            for turn in range(12):
                content = content_of(number * 100 + turn % 3)
                root = cid_of(content, TINY)
                pins.pin(f"task {number}", root)
                store.put(content)
                assert store.get(root, max_bytes=LIMIT) == content
                pins.unpin(f"task {number}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(4)]
    cleaner = threading.Thread(target=collector)
    for thread in [*threads, cleaner]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    cleaner.join()
    assert failed == []
    assert deleted
    pins.close()


def test_a_directory_deletes_only_what_is_old_enough(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, durable=False)
    cid = store.put(b"alice")
    os.utime(tmp_path / cid[-2] / cid, (1000, 1000))
    assert store.written_at(cid) == 1000
    assert not store.delete_block(cid, written_before=1000)
    assert store.has(cid)
    assert store.delete_block(cid, written_before=1000.5)
    assert not store.has(cid)
    assert not store.delete_block(cid)
    with pytest.raises(NotFound):
        store.written_at(cid)


def test_a_read_only_directory_deletes_nothing(tmp_path: Path) -> None:
    cid = DirectoryStore(tmp_path, durable=False).put(b"alice")
    reader = DirectoryStore(tmp_path, read_only=True)
    with pytest.raises(StoreError, match="read-only"):
        reader.delete_block(cid)
    assert reader.has(cid)


def test_a_deletion_outside_the_directory_is_impossible(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store", durable=False)
    cid = store.put(b"alice")
    target = tmp_path / "target"
    target.write_bytes(b"alice")
    file = store.path / cid[-2] / cid
    file.unlink()
    file.symlink_to(target)
    store.delete_block(cid)
    assert target.read_bytes() == b"alice"
