"""What one trainer keeps between its rounds: one file a round, whole or absent, and verified.

A file's name holds the round and the CID of what is in it. It is flushed and renamed before the
update that belongs to it is committed to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ostrom.errors import InputError, StoreError, TensorError
from ostrom.storage import cid_of
from ostrom.tensors import FILE_BYTES_MAX, decode_tensors, encode_tensors
from ostrom.types import IntVector

SUFFIX = ".safetensors"
EMPTY = "empty"
"""Stands for the CID where an algorithm keeps nothing: no tensor file is empty."""


class Kept:
    """A trainer's states in the folder `path`, which is created at the first save.

    Threat answered: a kill at any moment, a full disk, a damaged file. Not answered: a folder that
    is put back from an old copy; the update then starts from an older state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rounds(self) -> list[int]:
        """The rounds after which a state is kept, oldest first."""
        return sorted(self._files())

    def load(self, number: int) -> Mapping[str, IntVector]:
        """The state after that round.

        Raises:
            InputError: it is missing or damaged.
        """
        found = self._files().get(number)
        if found is None:
            raise InputError(f"{self.path} holds no state of round {number}")
        cid = found.name.split(".")[1]
        if cid == EMPTY:
            return {}
        try:
            data = found.read_bytes()
            if cid_of(data) != cid:
                raise StoreError("its bytes have changed")
            return decode_tensors(data, max_bytes=FILE_BYTES_MAX)
        except (OSError, StoreError, TensorError) as error:
            raise InputError(
                f"the trainer's state {found} is lost: {error}; remove it to go on without"
            ) from error

    def save(self, number: int, state: Mapping[str, IntVector], *, base: int | None) -> None:
        """Keep the state after that round and the one that it was made from; drop all others.

        Raises:
            StoreError: the disk does not take it.
        """
        data = encode_tensors(state) if state else b""
        name = f"{number:08d}.{cid_of(data) if state else EMPTY}{SUFFIX}"
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(self.path / name, data)
            for other, file in self._all():
                if file.name != name and other != base:
                    file.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"cannot keep the trainer's state in {self.path}: {reason}") from error

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _files(self) -> dict[int, Path]:
        return dict(self._all())

    def _all(self) -> list[tuple[int, Path]]:
        """Every state by its round, the newest file of a round last."""
        if not self.path.is_dir():
            return []
        files = [file for file in self.path.iterdir() if file.name[:8].isdecimal()]
        whole = [file for file in files if file.name.endswith(SUFFIX) and file.name.count(".") == 2]
        whole.sort(key=lambda file: file.stat().st_mtime_ns)
        return [(int(file.name[:8]), file) for file in whole]
