"""A store in a directory: one file per block, named by its CID, for any number of processes.

A block appears under its name only when it is complete: written to a temporary file beside it,
flushed, then renamed. Every file is reached through its open directory and no symbolic link is
followed, so nothing outside the directory is read or written.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ostrom.errors import InputError, NotFound, StoreError
from ostrom.storage.cid import is_cid
from ostrom.storage.dag import DEFAULT_PROFILE
from ostrom.storage.store import Store
from ostrom.types import Cid

SHARDS = "abcdefghijklmnopqrstuvwxyz234567"
"""A block's shard is its CID's last character but one: the last holds only three bits."""

TEMPORARY_PREFIX = ".writing-"
LEFTOVER_SECONDS_MIN = 3600
"""A temporary file this old has lost its writer; a live one is renamed within seconds."""

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DirectoryStore(Store):
    """Content in the directory `path`, which is created unless `read_only`.

    `durable`: what `put` returned survives a loss of power; two fsyncs a block. Without it a
    block is still all or nothing for a killed process.

    Threat answered: a killed writer, a full disk, damaged files, links that lead elsewhere.
    Not answered: a machine that lies about having flushed; whoever may delete the files.

    Raises:
        InputError: `path` is no directory, cannot be created, or is absent and `read_only`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = DirectoryStore(folder)
    ...     cid = store.put(b"an update")
    ...     DirectoryStore(folder, read_only=True).get(cid, max_bytes=100)
    b'an update'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        profile: str = DEFAULT_PROFILE,
        read_only: bool = False,
        durable: bool = True,
    ) -> None:
        super().__init__(profile)
        self.path = Path(path)
        self._read_only = read_only
        self._durable = durable
        if not read_only:
            self._prepare()
            self._remove_leftovers()
        elif not self.path.is_dir():
            raise InputError(f"no store at {self.path}; give the directory of an existing store")

    def cids(self) -> Iterator[Cid]:
        for shard in SHARDS:
            for name in self._names(shard):
                if is_cid(name) and _shard_of(Cid(name)) == shard:
                    yield Cid(name)

    def has_block(self, cid: Cid) -> bool:
        try:
            with self._explained("find", cid), self._shard(cid) as shard:
                mode = os.stat(cid, dir_fd=shard, follow_symlinks=False).st_mode
        except NotFound:
            return False
        return stat.S_ISREG(mode)

    def read_block(self, cid: Cid, limit: int) -> bytes:
        with (
            self._explained("read", cid),
            self._shard(cid) as shard,
            _opened(cid, _READ_FLAGS, shard) as file,
        ):
            return self._read_file(file, cid, limit)

    def write_block(self, cid: Cid, block: bytes) -> None:
        if self._read_only:
            raise StoreError(f"cannot write block {cid}: the store {self.path} is read-only")
        with self._explained("write", cid), self._shard(cid) as shard:
            fcntl.flock(shard, fcntl.LOCK_SH)
            if not self._keeps(shard, cid, block):
                self._replace(shard, cid, block)
            self._flush(shard)

    def written_at(self, cid: Cid) -> float:
        """When the block was last put, in seconds since 1970; NotFound."""
        with self._explained("find", cid), self._shard(cid) as shard:
            return os.stat(cid, dir_fd=shard, follow_symlinks=False).st_mtime

    def delete_block(self, cid: Cid, *, written_before: float | None = None) -> bool:
        """Delete the block unless it was put at that time or later; True if it was deleted.

        A lock on the shard keeps out writers that would find the block there and rely on it.
        """
        if self._read_only:
            raise StoreError(f"cannot delete block {cid}: the store {self.path} is read-only")
        try:
            with self._explained("delete", cid), self._shard(cid) as shard:
                fcntl.flock(shard, fcntl.LOCK_EX)
                written = os.stat(cid, dir_fd=shard, follow_symlinks=False).st_mtime
                if written_before is not None and written >= written_before:
                    return False
                os.unlink(cid, dir_fd=shard)
                self._flush(shard)
        except NotFound:
            return False
        return True

    def _read_file(self, file: int, cid: Cid, limit: int) -> bytes:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"block {cid} in {self.path} is not a regular file; remove it")
        return _read_fully(file, min(limit, status.st_size) + 1)

    def _keeps(self, shard: int, cid: Cid, block: bytes) -> bool:
        """True if the file is here and sound; it is then flushed and as young as a new one."""
        try:
            with _opened(cid, _READ_FLAGS, shard) as file:
                if self._read_file(file, cid, len(block)) != block:
                    return False
                os.utime(file)
                self._flush(file)
        except (OSError, StoreError):
            return False
        return True

    def _replace(self, shard: int, cid: Cid, block: bytes) -> None:
        temporary = TEMPORARY_PREFIX + secrets.token_hex(8)
        try:
            with _opened(temporary, _CREATE_FLAGS, shard) as file:
                _write_fully(file, block)
                self._flush(file)
            os.replace(temporary, cid, src_dir_fd=shard, dst_dir_fd=shard)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=shard)
            raise

    def _flush(self, descriptor: int) -> None:
        if self._durable:
            os.fsync(descriptor)

    def _prepare(self) -> None:
        try:
            touched = [self.path] if self.path.exists() else [self.path, self.path.parent]
            for shard in SHARDS:
                (self.path / shard).mkdir(parents=True, exist_ok=True)
            for folder in touched:
                with _opened(str(folder), os.O_RDONLY | os.O_DIRECTORY) as directory:
                    self._flush(directory)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"cannot use {self.path} as a store: {reason}") from error

    def _remove_leftovers(self) -> None:
        oldest = time.time() - LEFTOVER_SECONDS_MIN
        for shard in SHARDS:
            for name in self._names(shard):
                if name.startswith(TEMPORARY_PREFIX):
                    self._remove_older(shard, name, oldest)

    def _remove_older(self, shard: str, name: str, oldest: float) -> None:
        with suppress(OSError), _opened(str(self.path / shard), _DIRECTORY_FLAGS) as directory:
            if os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime < oldest:
                os.unlink(name, dir_fd=directory)

    def _names(self, shard: str) -> list[str]:
        """The names of the files in a shard, sorted; a copy may lack empty shards."""
        try:
            with _opened(str(self.path / shard), _DIRECTORY_FLAGS) as directory:
                return _file_names(directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"cannot list {self.path / shard}: {reason}") from error

    @contextmanager
    def _shard(self, cid: Cid) -> Iterator[int]:
        with _opened(str(self.path / _shard_of(cid)), _DIRECTORY_FLAGS) as directory:
            yield directory

    @contextmanager
    def _explained(self, verb: str, cid: Cid) -> Iterator[None]:
        """Name the block in the system's complaint."""
        try:
            yield
        except OSError as error:
            raise self._explanation(verb, cid, error) from error

    def _explanation(self, verb: str, cid: Cid, error: OSError) -> StoreError:
        if isinstance(error, FileNotFoundError) and verb != "write":
            return NotFound(f"no block {cid} in the store {self.path}; put its content first")
        return StoreError(f"cannot {verb} block {cid} in {self.path}: {error.strerror or error}")


def _shard_of(cid: Cid) -> str:
    return cid[-2]


@contextmanager
def _opened(name: str, flags: int, directory: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o666, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _file_names(directory: int) -> list[str]:
    """Sorted names; directories and links are left out."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def _read_fully(file: int, count: int) -> bytes:
    parts = []
    while count > 0 and (part := os.read(file, count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _write_fully(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
