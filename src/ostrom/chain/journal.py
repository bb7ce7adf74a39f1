"""The file of an embedded chain: a header line, then one canonical JSON line per block.

The header holds the format, the chain's number, the genesis time and the genesis hash; a block's
line holds its time, its transaction in hexadecimal (empty if only time passed) and its hash. A line
is written in one piece and flushed before the call that made the block returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ostrom.codec import decode_document, encode_document
from ostrom.errors import CodecError, LedgerError
from ostrom.types import Digest

FORMAT = "ostrom-chain/1"


@dataclass(frozen=True)
class Journal:
    """An open journal to append to."""

    path: Path
    file: BinaryIO

    @classmethod
    def create(cls, path: Path) -> Journal:
        """A new file at `path`.

        Raises:
            LedgerError: a file is there already, or none can be made.
        """
        try:
            return cls(path, path.open("xb"))
        except OSError as error:
            raise LedgerError(f"cannot begin a chain at {path}: {error.strerror}") from None

    @classmethod
    def resume(cls, path: Path, *, size: int) -> Journal:
        """The file at `path`, cut to its first `size` bytes."""
        file = path.open("r+b")
        file.truncate(size)
        file.seek(size)
        return cls(path, file)

    def append(self, line: bytes) -> None:
        """Write one line and flush it.

        Raises:
            LedgerError: the disk does not take it. The chain must not go on in memory.
        """
        try:
            self.file.write(line + b"\n")
            self.file.flush()
        except (OSError, ValueError) as error:
            raise LedgerError(f"cannot write to {self.path}: {error}") from None


def read_lines(path: Path) -> tuple[list[bytes], bool]:
    """The finished lines of a journal, and whether an unfinished one follows them.

    Raises:
        LedgerError: the file cannot be read.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LedgerError(f"cannot read the chain at {path}: {error.strerror}") from None
    return lines, bool(rest)


def header_line(chain_id: int, time: int, genesis: Digest) -> bytes:
    """The first line."""
    return encode_document(
        {"chain": chain_id, "format": FORMAT, "hash": genesis.hex(), "time": time}
    )


def block_line(time: int, raw: bytes, block_hash: Digest) -> bytes:
    """The line of a block; `raw` is its transaction or empty."""
    return encode_document({"hash": block_hash.hex(), "time": time, "tx": raw.hex()})


def read_header(line: bytes) -> int:
    """The genesis time that a header claims.

    Raises:
        LedgerError: it is no header of this format.
    """
    fields = _fields(line)
    if fields.get("format") != FORMAT or not isinstance(fields.get("time"), int):
        raise LedgerError(f"the header does not name the format {FORMAT} and a genesis time")
    return int(fields["time"])


def read_block(line: bytes) -> tuple[int, bytes]:
    """The time and the transaction that a block's line claims.

    Raises:
        LedgerError: it is no line of a block.
    """
    fields = _fields(line)
    try:
        return int(fields["time"]), bytes.fromhex(fields["tx"])
    except (KeyError, TypeError, ValueError):
        raise LedgerError("a block needs its time, tx and hash") from None


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = decode_document(line)
    except CodecError as error:
        raise LedgerError(str(error)) from None
    if not isinstance(fields, dict):
        raise LedgerError("the line is not an object")
    return fields
