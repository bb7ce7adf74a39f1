"""The i-th system call fails, or is the process's last, for every i: the store stays consistent."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostrom.codec import sha256
from ostrom.errors import CorruptContent, NotFound, StoreError
from ostrom.storage import DirectoryStore, cid_of, digest_of
from ostrom.storage import directory as module

TINY = "tiny-256b-3"
CONTENT = bytes(range(256)) + b"b" * 256 + b"c" * 256 + b"d"
ROOT = cid_of(CONTENT, TINY)
CALLS = ("open", "write", "fsync", "replace", "read", "fstat")
CHANGES = ("write", "fsync", "replace")


class Killed(BaseException):
    """The process is gone: nothing that follows takes effect."""


class FaultyOs:
    """The `os` module, whose `fail_at`-th call of CALLS fails; a write stops half way."""

    def __init__(self, fail_at: int, *, kill: bool = False) -> None:
        self.fail_at, self.kill = fail_at, kill
        self.calls: list[str] = []
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name in CALLS:
            return lambda *args, **kwargs: self._call(name, real, *args, **kwargs)
        if name in ("unlink", "stat"):
            return lambda *args, **kwargs: self._unless_dead(real, *args, **kwargs)
        return real

    def _unless_dead(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.dead:
            raise Killed
        return real(*args, **kwargs)

    def _call(self, name: str, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.dead:
            raise Killed
        self.calls.append(name)
        if len(self.calls) != self.fail_at:
            return real(*args, **kwargs)
        if name == "write":
            real(args[0], args[1][: len(args[1]) // 2])
        if self.kill:
            self.dead = True
            raise Killed
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def put_with_fault(
    path: Path, faults: FaultyOs, monkeypatch: pytest.MonkeyPatch
) -> StoreError | Killed | None:
    store = DirectoryStore(path, profile=TINY)
    with monkeypatch.context() as patch:
        patch.setattr(module, "os", faults)
        try:
            assert store.put(CONTENT) == ROOT
        except (StoreError, Killed) as failure:
            return failure
    return None


def assert_consistent(path: Path) -> None:
    """Each visible block is whole; the content is whole or absent."""
    store = DirectoryStore(path, profile=TINY, read_only=True)
    for cid in store.cids():
        assert sha256(store.read_block(cid, 1 << 20)) == digest_of(cid)
    if store.has(ROOT):
        assert store.get(ROOT, max_bytes=1_000) == CONTENT
    else:
        with pytest.raises(NotFound):
            store.get(ROOT, max_bytes=1_000)


@pytest.mark.parametrize("kill", [False, True], ids=["failing", "killed"])
def test_whichever_call_fails_no_partial_content_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    for fail_at in itertools.count(1):
        path = tmp_path / str(fail_at)
        faults = FaultyOs(fail_at, kill=kill)
        failure = put_with_fault(path, faults, monkeypatch)
        assert_consistent(path)
        if len(faults.calls) < fail_at:
            assert failure is None
            break
        assert_leftovers(path, kill=kill)
        assert DirectoryStore(path, profile=TINY).put(CONTENT) == ROOT
        assert_consistent(path)
    assert fail_at > 7 * 5


def assert_leftovers(path: Path, *, kill: bool) -> None:
    leftovers = list(path.rglob(".writing-*"))
    if kill:
        assert len(leftovers) <= 1
    else:
        assert leftovers == []


@pytest.mark.parametrize("kill", [False, True], ids=["failing", "killed"])
def test_whichever_call_fails_a_repair_gives_the_old_block_or_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    for fail_at in itertools.count(1):
        path = tmp_path / str(fail_at)
        store = DirectoryStore(path, profile=TINY, durable=False)
        store.put(CONTENT)
        leaf = cid_of(b"c" * 256)
        (path / leaf[-2] / leaf).write_bytes(b"damaged")
        faults = FaultyOs(fail_at, kill=kill)
        put_with_fault(path, faults, monkeypatch)
        if store.read_block(leaf, 256) == b"damaged":
            with pytest.raises(CorruptContent, match=leaf):
                store.get(ROOT, max_bytes=1_000)
        else:
            assert store.get(ROOT, max_bytes=1_000) == CONTENT
        store.put(CONTENT)
        assert store.get(ROOT, max_bytes=1_000) == CONTENT
        if len(faults.calls) < fail_at:
            break
    assert fail_at > 7


def test_a_failure_to_flush_is_never_reported_as_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = FaultyOs(0)
    assert put_with_fault(tmp_path / "quiet", quiet, monkeypatch) is None
    for place, name in enumerate(quiet.calls, start=1):
        if name in CHANGES:
            faults = FaultyOs(place)
            failure = put_with_fault(tmp_path / str(place), faults, monkeypatch)
            assert isinstance(failure, StoreError)
            assert "No space left" in str(failure)


def test_each_block_is_flushed_before_and_after_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = FaultyOs(0)
    put_with_fault(tmp_path, faults, monkeypatch)
    changes = [name for name in faults.calls if name in CHANGES]
    assert changes == ["write", "fsync", "replace", "fsync"] * 7


def test_a_block_that_is_already_there_is_flushed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DirectoryStore(tmp_path, profile=TINY, durable=False).put(CONTENT)
    faults = FaultyOs(0)
    put_with_fault(tmp_path, faults, monkeypatch)
    assert [name for name in faults.calls if name in CHANGES] == ["fsync", "fsync"] * 7


def test_without_durability_nothing_is_flushed_and_names_still_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path, profile=TINY, durable=False)
    faults = FaultyOs(0)
    monkeypatch.setattr(module, "os", faults)
    store.put(CONTENT)
    assert [name for name in faults.calls if name in CHANGES] == ["write", "replace"] * 7
