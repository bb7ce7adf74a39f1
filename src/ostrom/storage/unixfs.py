"""One node of a file: UnixFS (https://specs.ipfs.tech/unixfs/) in dag-pb
(https://ipld.io/specs/codecs/dag-pb/spec/).

dag-pb is a subset of protobuf with one encoding per node: links come before the data although
their field number is higher. Protobuf libraries neither write nor check that; these lines do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostrom.errors import CorruptContent, InputError
from ostrom.storage.cid import CID_BYTES, cid_from_bytes, cid_to_bytes
from ostrom.types import Cid

_LINK, _DATA = b"\x12", b"\x0a"
_HASH, _EMPTY_NAME, _TOTAL = bytes((0x0A, CID_BYTES)), b"\x12\x00", b"\x18"
_FILE, _FILE_SIZE, _BLOCK_SIZE = b"\x08\x02", b"\x18", b"\x20"

_VARINT_BYTES_MAX = 9
"""Sizes stay below 2**63, the limit of multiformats varints."""

LINK_BYTES_MAX = 80
"""More than one link can take: 36 of CID, three varints, eight of tags and lengths."""


@dataclass(frozen=True)
class Link:
    """A child block. `size`: bytes of content below it; `total`: bytes of all blocks below it."""

    cid: Cid
    size: int
    total: int


def encode_node(links: Sequence[Link]) -> bytes:
    """The dag-pb block of a file node that has these children.

    >>> from ostrom.storage.cid import cid_from_digest
    >>> len(encode_node([Link(cid_from_digest(bytes(32)), size=256, total=256)]))
    55
    """
    sizes = b"".join(_BLOCK_SIZE + varint(link.size) for link in links)
    data = _FILE + _FILE_SIZE + varint(sum(link.size for link in links)) + sizes
    return b"".join(_encode_link(link) for link in links) + _DATA + prefixed(data)


def decode_node(block: bytes, cid: Cid) -> tuple[Link, ...]:
    """The children in a file node's block; the exact inverse of `encode_node`.

    Raises:
        CorruptContent: the bytes are not what `encode_node` makes; the message names `cid`.

    >>> decode_node(b"", cid_from_bytes(bytes.fromhex("01701220") + bytes(32)))
    Traceback (most recent call last):
    ostrom.errors.CorruptContent: block bafybeiaa...aaaa is no UnixFS file node: ...
    """
    try:
        links = tuple(_parse(_Cursor(block)))
    except (_Malformed, InputError) as error:
        raise CorruptContent(f"block {cid} is no UnixFS file node: {error}") from None
    # One comparison catches what the parser lets pass: wrong sums, long numbers, stray bytes.
    if encode_node(links) != block:
        raise CorruptContent(f"block {cid} is no UnixFS file node: its links are encoded otherwise")
    return links


class _Malformed(Exception):
    """The block breaks the layout."""


@dataclass
class _Cursor:
    """Reads a block from its beginning and never past its end."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise _Malformed(f"it ends early, {count - len(taken)} bytes are missing")
        self.at += count
        return taken

    def accept(self, tag: bytes) -> bool:
        found = self.data.startswith(tag, self.at)
        self.at += len(tag) if found else 0
        return found

    def expect(self, tag: bytes) -> None:
        if not self.accept(tag):
            raise _Malformed(f"byte {self.at} should be {tag.hex()}")

    def varint(self) -> int:
        value = 0
        for position in range(_VARINT_BYTES_MAX):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                return value
        raise _Malformed(f"the number before byte {self.at} is too long")

    def inner(self) -> _Cursor:
        return _Cursor(self.take(self.varint()))


def _parse(cursor: _Cursor) -> Iterator[Link]:
    heads = []
    while cursor.accept(_LINK):
        heads.append(_parse_link(cursor.inner()))
    cursor.expect(_DATA)
    sizes = _parse_sizes(cursor.inner())
    return (Link(cid, size, total) for (cid, total), size in zip(heads, sizes))


def _parse_link(cursor: _Cursor) -> tuple[Cid, int]:
    cursor.expect(_HASH)
    cid = cid_from_bytes(cursor.take(CID_BYTES))
    cursor.expect(_EMPTY_NAME + _TOTAL)
    return cid, cursor.varint()


def _parse_sizes(cursor: _Cursor) -> list[int]:
    cursor.expect(_FILE + _FILE_SIZE)
    cursor.varint()
    sizes = []
    while cursor.accept(_BLOCK_SIZE):
        sizes.append(cursor.varint())
    return sizes


def _encode_link(link: Link) -> bytes:
    body = _HASH + cid_to_bytes(link.cid) + _EMPTY_NAME + _TOTAL + varint(link.total)
    return _LINK + prefixed(body)


def prefixed(data: bytes) -> bytes:
    """`data` after its length.

    >>> prefixed(b"alice")
    b'\\x05alice'
    """
    return varint(len(data)) + data


def varint(value: int) -> bytes:
    """A number in base 128, the low digits first (https://github.com/multiformats/unsigned-varint).

    >>> varint(300).hex()
    'ac02'
    """
    low, rest = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + varint(rest) if rest else bytes((low,))
