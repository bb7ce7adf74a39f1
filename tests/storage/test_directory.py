"""The directory store: files that are not what they should be, and many users at once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ostrom.codec import sha256
from ostrom.errors import CorruptContent, InputError, NotFound, StoreError
from ostrom.storage import DirectoryStore, MemoryStore, Store, cid_of, codec_of, digest_of
from ostrom.storage import directory as module
from ostrom.types import Cid

TINY = "tiny-256b-3"
UPDATE = b"alice's update"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store", durable=False)


def file_of(store: DirectoryStore, cid: Cid) -> Path:
    return store.path / cid[-2] / cid


def assert_sound(store: Store) -> None:
    for cid in store.cids():
        assert sha256(store.read_block(cid, 1 << 20)) == digest_of(cid)


def test_an_absent_directory_cannot_be_opened_read_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no store at"):
        DirectoryStore(tmp_path / "absent", read_only=True)
    assert not (tmp_path / "absent").exists()


def test_a_file_cannot_be_opened_as_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for read_only in (True, False):
        with pytest.raises(InputError, match="file"):
            DirectoryStore(tmp_path / "file", read_only=read_only)


def test_a_read_only_store_takes_nothing_and_changes_nothing(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    leftover = file_of(store, cid).with_name(".writing-00")
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    reader = DirectoryStore(store.path, read_only=True)
    assert reader.get(cid, max_bytes=100) == UPDATE
    with pytest.raises(StoreError, match="read-only"):
        reader.put(b"more")
    assert leftover.exists()


def test_a_symbolic_link_is_not_followed_even_to_the_right_bytes(
    store: DirectoryStore, tmp_path: Path
) -> None:
    cid = store.put(UPDATE)
    (tmp_path / "elsewhere").write_bytes(UPDATE)
    file_of(store, cid).unlink()
    file_of(store, cid).symlink_to(tmp_path / "elsewhere")
    assert not store.has(cid)
    assert list(store.cids()) == []
    with pytest.raises(StoreError, match=cid):
        store.get(cid, max_bytes=100)


def test_putting_again_replaces_a_symbolic_link_and_not_its_target(
    store: DirectoryStore, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    cid = cid_of(UPDATE)
    file_of(store, cid).symlink_to(tmp_path / "elsewhere")
    store.put(UPDATE)
    assert store.get(cid, max_bytes=100) == UPDATE
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_a_shard_that_is_a_symbolic_link_is_neither_read_nor_written(
    store: DirectoryStore, tmp_path: Path
) -> None:
    cid = cid_of(UPDATE)
    outside = tmp_path / "outside"
    outside.mkdir()
    file_of(store, cid).parent.rmdir()
    file_of(store, cid).parent.symlink_to(outside)
    with pytest.raises(StoreError, match=cid):
        store.put(UPDATE)
    with pytest.raises(StoreError, match=cid):
        store.get(cid, max_bytes=100)
    with pytest.raises(StoreError, match="cannot list"):
        list(store.cids())
    assert list(outside.iterdir()) == []


def test_a_directory_in_a_blocks_place_is_named(store: DirectoryStore) -> None:
    cid = cid_of(UPDATE)
    file_of(store, cid).mkdir()
    assert not store.has(cid)
    for act in (lambda: store.put(UPDATE), lambda: store.get(cid, max_bytes=100)):
        with pytest.raises(StoreError, match=cid):
            act()


def test_a_named_pipe_in_a_blocks_place_does_not_hang(store: DirectoryStore) -> None:
    cid = cid_of(UPDATE)
    os.mkfifo(file_of(store, cid))
    with pytest.raises(StoreError, match="not a regular file"):
        store.get(cid, max_bytes=100)
    store.put(UPDATE)
    assert store.get(cid, max_bytes=100) == UPDATE


def test_a_huge_file_in_a_blocks_place_is_not_read_into_memory(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    os.truncate(file_of(store, cid), 1 << 40)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptContent, match=cid):
            store.get(cid, max_bytes=1 << 41)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20


class Refusing:
    """The `os` module, where one call fails."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.error = name, OSError(number, os.strerror(number))

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self.name else getattr(os, name)

    def _refuse(self, *_: object, **__: object) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("open", errno.EACCES, "Permission denied"),
        ("open", errno.EMFILE, "Too many open files"),
        ("read", errno.EIO, "Input/output error"),
        ("write", errno.ENOSPC, "No space left"),
        ("replace", errno.EROFS, "Read-only file system"),
    ],
)
def test_the_systems_refusal_is_one_line_that_names_the_block(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, name: str, number: int, said: str
) -> None:
    cid = store.put(UPDATE) if name == "read" else cid_of(UPDATE)
    monkeypatch.setattr(module, "os", Refusing(name, number))
    with pytest.raises(StoreError, match=f"{cid}.*{said}") as caught:
        store.get(cid, max_bytes=100) if name == "read" else store.put(UPDATE)
    assert "\n" not in str(caught.value)


def test_permission_denied_is_not_mistaken_for_absence(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = store.put(UPDATE)
    monkeypatch.setattr(module, "os", Refusing("open", errno.EACCES))
    for act in (lambda: store.has(cid), lambda: store.get(cid, max_bytes=100)):
        with pytest.raises(StoreError, match="Permission denied") as caught:
            act()
        assert not isinstance(caught.value, NotFound)
    with pytest.raises(StoreError, match="cannot list"):
        list(store.cids())


def test_a_disk_that_takes_little_at_a_time_gets_all(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sipping:
        def __getattr__(self, name: str) -> Any:
            return self._write if name == "write" else getattr(os, name)

        def _write(self, file: int, data: memoryview) -> int:
            return os.write(file, data[:3])

    monkeypatch.setattr(module, "os", Sipping())
    assert store.get(store.put(UPDATE), max_bytes=100) == UPDATE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    file_of(store, cid).chmod(0)
    with pytest.raises(StoreError, match=cid):
        store.get(cid, max_bytes=100)


def test_a_vanished_shard_is_absence_to_readers_and_failure_to_writers(
    store: DirectoryStore,
) -> None:
    cid = cid_of(UPDATE)
    file_of(store, cid).parent.rmdir()
    assert not store.has(cid)
    assert list(store.cids()) == []
    with pytest.raises(NotFound, match=cid):
        store.get(cid, max_bytes=100)
    with pytest.raises(StoreError, match="cannot write"):
        store.put(UPDATE)


def test_files_that_are_no_blocks_are_ignored(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    other = next(shard for shard in module.SHARDS if shard != cid[-2])
    (store.path / other / cid).write_bytes(UPDATE)
    (store.path / cid[-2] / "notes.txt").write_text("hello")
    (store.path / cid[-2] / cid.upper()).write_bytes(UPDATE)
    (store.path / cid).write_bytes(UPDATE)
    assert list(store.cids()) == [cid]


def test_only_old_leftovers_of_killed_writers_are_removed(store: DirectoryStore) -> None:
    old, young = (store.path / "a" / f".writing-{age}" for age in ("old", "young"))
    for leftover in (old, young):
        leftover.write_bytes(b"half a block")
    past = time.time() - 2 * module.LEFTOVER_SECONDS_MIN
    os.utime(old, (past, past))
    assert list(store.cids()) == []
    DirectoryStore(store.path)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_sound_block_is_not_written_again_and_counts_as_new(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    os.utime(file_of(store, cid), (1000, 1000))
    before = file_of(store, cid).stat()
    store.put(UPDATE)
    after = file_of(store, cid).stat()
    assert before.st_ino == after.st_ino
    assert after.st_mtime > before.st_mtime == 1000


@pytest.mark.parametrize("damage", [b"", b"alice's updatE", b"alice's", b"alice's update and more"])
def test_a_damaged_block_is_repaired_by_putting_it_again(
    store: DirectoryStore, damage: bytes
) -> None:
    cid = store.put(UPDATE)
    file_of(store, cid).write_bytes(damage)
    with pytest.raises(CorruptContent, match=cid):
        store.get(cid, max_bytes=100)
    assert store.put(UPDATE) == cid
    assert store.get(cid, max_bytes=100) == UPDATE


def test_the_users_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        store = DirectoryStore(tmp_path / "private")
        cid = store.put(UPDATE)
    finally:
        os.umask(before)
    assert file_of(store, cid).stat().st_mode & 0o077 == 0


def test_a_store_lasts_beyond_its_object(store: DirectoryStore) -> None:
    cid = store.put(UPDATE)
    assert DirectoryStore(str(store.path)).get(cid, max_bytes=100) == UPDATE


def test_both_kinds_of_store_hold_the_same_blocks(tmp_path: Path) -> None:
    stores: list[Store] = [
        MemoryStore(TINY),
        DirectoryStore(tmp_path, profile=TINY, durable=False),
    ]
    for store in stores:
        store.put(bytes(range(256)) * 9 + b"!")
    blocks = [{cid: store.read_block(cid, 1 << 20) for cid in store.cids()} for store in stores]
    assert blocks[0] == blocks[1]
    assert {codec_of(cid) for cid in blocks[0]} == {"raw", "dag-pb"}


def test_no_descriptor_stays_open(store: DirectoryStore) -> None:
    before = len(os.listdir("/dev/fd"))
    cid = store.put(UPDATE)
    for _ in range(20):
        store.get(cid, max_bytes=100)
        store.has(cid)
        next(iter(store.cids()))
        with pytest.raises(NotFound):
            store.get(cid_of(b"absent"), max_bytes=100)
    assert len(os.listdir("/dev/fd")) == before


def test_long_content_passes_through_in_little_memory(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, durable=False)
    source = tmp_path / "source"
    with source.open("wb") as file:
        for number in range(24):
            file.write(bytes((number,)) * (1 << 20))
    tracemalloc.start()
    try:
        with source.open("rb") as file:
            cid = store.put(file)
        total = sum(len(chunk) for chunk in store.stream(cid))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 24 << 20
    assert peak < 8 << 20


def test_writers_and_readers_of_the_same_content_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    content = bytes(range(256)) * 12 + b"!"
    root = cid_of(content, TINY)
    failures: list[BaseException] = []

    def put() -> None:
        for _ in range(5):
            DirectoryStore(tmp_path, profile=TINY, durable=False).put(content)

    def read() -> None:
        reader = DirectoryStore(tmp_path, profile=TINY, read_only=True)
        for _ in range(50):
            if reader.has(root):
                assert reader.get(root, max_bytes=1 << 20) == content

    def guarded(act: Any) -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(act,)) for act in [put] * 6 + [read] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not list(tmp_path.rglob(".writing-*"))
    assert_sound(DirectoryStore(tmp_path, profile=TINY))


WRITER = """
import sys
from ostrom.storage import DirectoryStore
store = DirectoryStore(sys.argv[1], profile="tiny-256b-3", durable=False)
print("ready", flush=True)
for number in range(10**9):
    print(store.put(str(number).encode() * 400), flush=True)
"""


def test_a_killed_writer_leaves_a_sound_store(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
    store = DirectoryStore(tmp_path, profile=TINY, durable=False)
    assert_sound(store)
    for number, cid in enumerate(lines[1:]):
        assert store.get(cid, max_bytes=1 << 20) == str(number).encode() * 400
