"""CAR files: many blocks in one stream, as IPFS programs exchange them.

CARv1 (https://ipld.io/specs/transport/car/carv1/): a header that names the roots, then sections of
one block each, every part with its length before it. The decoder takes no other form: one encoding
per header, the CIDs that Ostrom makes, numbers without padding, each block verified when it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound
from ostrom.storage.cid import CID_BYTES, cid_from_bytes, cid_to_bytes, codec_of
from ostrom.storage.dag import Block, block_bytes_max, verify_block
from ostrom.storage.store import Store
from ostrom.storage.unixfs import decode_node, prefixed, varint
from ostrom.types import Cid

ROOTS_MAX = 23
"""More roots than one CBOR byte counts are of no use here."""

_EMPTY_IDENTITY = bytes.fromhex("01550000")
"""`bafkqaaa`, the CID that holds no bytes and needs no block; gateways are probed with it."""

_HEADER_BYTES_MAX = 64 + ROOTS_MAX * (CID_BYTES + 8)
_VARINT_BYTES_MAX = 9
_ROOTS, _VERSION = b"\xa2\x65roots", b"\x67version\x01"
_LINK = b"\xd8\x2a\x58\x25\x00"
"""CBOR's tag 42, for a CID, then a byte string of 37 bytes whose first is zero."""

_PROBE_HEADER = _ROOTS + b"\x81\xd8\x2a\x45\x00" + _EMPTY_IDENTITY + _VERSION


@dataclass(frozen=True)
class Car:
    """A CAR whose header was read: its roots, and its blocks, each verified as it is taken."""

    roots: tuple[Cid, ...]
    blocks: Iterator[Block] = field(repr=False)


def encode_car(roots: Sequence[Cid], blocks: Iterable[Block]) -> Iterator[bytes]:
    """The bytes of a CAR, part by part: the header, then each block with its CID.

    Raises:
        InputError: more than 23 roots, or a root that is no CID.

    >>> from ostrom.storage import cid_of
    >>> parts = list(encode_car([cid_of(b"alice")], [(cid_of(b"alice"), b"alice")]))
    >>> [len(part) for part in parts]
    [59, 42]
    """
    yield prefixed(_header([cid_to_bytes(root) for root in roots]))
    for cid, block in blocks:
        yield varint(CID_BYTES + len(block)) + cid_to_bytes(cid) + block


def encode_probe() -> bytes:
    """The CAR of `bafkqaaa`, the CID of no bytes: a header and no block.

    >>> encode_probe()[1:].hex()[:32]
    'a265726f6f747381d82a450001550000'
    """
    return prefixed(_PROBE_HEADER)


def _header(roots: Sequence[bytes]) -> bytes:
    if len(roots) > ROOTS_MAX:
        raise InputError(f"a CAR has at most {ROOTS_MAX} roots here, not {len(roots)}")
    links = b"".join(_LINK + root for root in roots)
    return _ROOTS + bytes((0x80 + len(roots),)) + links + _VERSION


def decode_car(stream: BinaryIO, *, block_bytes: int, total_bytes: int) -> Car:
    """The CAR that `stream` holds. Blocks have at most `block_bytes`, all parts `total_bytes`.

    The header is read at the call; the blocks as they are taken. Memory: one block.

    Raises:
        CorruptContent: not a CARv1 of the CIDs that Ostrom makes, cut off, or a block with
            another hash than its CID; the blocks taken before were sound.
        ContentTooLarge: a block or the whole has more bytes.

    >>> import io
    >>> from ostrom.storage import cid_of
    >>> data = b"".join(encode_car([cid_of(b"alice")], [(cid_of(b"alice"), b"alice")]))
    >>> car = decode_car(io.BytesIO(data), block_bytes=256, total_bytes=1000)
    >>> [block for _, block in car.blocks]
    [b'alice']
    """
    source = _Source(stream, total_bytes)
    length = source.varint()
    if length is None:
        raise CorruptContent("this is no CAR: it is empty")
    if length > _HEADER_BYTES_MAX:
        raise CorruptContent(f"this is no CAR: its header claims {length} bytes")
    return Car(_roots(source.take(length)), _sections(source, block_bytes))


def load_car(store: Store, stream: BinaryIO, *, total_bytes: int) -> tuple[Cid, ...]:
    """Put the blocks of a CAR into a store and return its roots, whose content is then complete.

    A node is written after all that it links, whatever their order in the stream, so a killed
    import leaves no root without its content. Nodes wait in memory: below 1/10,000 of the content.

    Raises:
        CorruptContent, ContentTooLarge: as `decode_car`; leaves that came before stay.
        NotFound: a block that a root needs is neither in the CAR nor in the store.

    >>> import io
    >>> from ostrom.storage import MemoryStore, cid_of
    >>> data = b"".join(encode_car([cid_of(b"alice")], [(cid_of(b"alice"), b"alice")]))
    >>> store = MemoryStore()
    >>> store.get(load_car(store, io.BytesIO(data), total_bytes=1000)[0], max_bytes=100)
    b'alice'
    """
    car = decode_car(stream, block_bytes=block_bytes_max(store.layout), total_bytes=total_bytes)
    nodes: dict[Cid, bytes] = {}
    for cid, block in car.blocks:
        if codec_of(cid) == "raw":
            store.write_block(cid, block)
        else:
            nodes[cid] = block
    for root in car.roots:
        for cid in _children_first(root, nodes, store):
            store.write_block(cid, nodes[cid])
    return car.roots


def _children_first(root: Cid, nodes: dict[Cid, bytes], store: Store) -> list[Cid]:
    """The nodes under `root` that the CAR brought, each after its children; NotFound if any lacks.

    Hashes admit no cycle. A stack of one's own: a hostile chain may be deeper than Python's.
    """
    order: list[Cid] = []
    done: set[Cid] = set()
    stack = [(root, False)]
    while stack:
        cid, expanded = stack.pop()
        if expanded:
            order.append(cid)
        elif cid in done:
            continue
        elif cid in nodes:
            done.add(cid)
            stack.append((cid, True))
            stack.extend((link.cid, False) for link in decode_node(nodes[cid], cid))
        elif not store.has_block(cid):
            raise NotFound(f"block {cid} is in neither the CAR nor the store; export it whole")
    return order


def _roots(header: bytes) -> tuple[Cid, ...]:
    """The roots in a header; what differs from `_header` in one byte is refused."""
    start, step = len(_ROOTS) + 1, len(_LINK) + CID_BYTES
    count = header[start - 1] - 0x80 if len(header) >= start else -1
    if not 0 <= count <= ROOTS_MAX:
        raise CorruptContent("this is no CAR: its header is not the one of version 1")
    first = start + len(_LINK)
    raw = [header[first + step * n : first + step * n + CID_BYTES] for n in range(count)]
    if any(len(root) != CID_BYTES for root in raw) or _header(raw) != header:
        raise CorruptContent("this is no CAR: its header is not the one of version 1")
    return tuple(_cid(root) for root in raw)


def _sections(source: _Source, block_bytes: int) -> Iterator[Block]:
    while (length := source.varint()) is not None:
        if length < CID_BYTES:
            raise CorruptContent(f"the CAR has a section of {length} bytes, too few for a CID")
        if length - CID_BYTES > block_bytes:
            raise ContentTooLarge(
                f"the CAR has a block of {length - CID_BYTES} bytes; at most {block_bytes} are "
                "allowed"
            )
        cid = _cid(source.take(CID_BYTES))
        yield cid, verify_block(cid, source.take(length - CID_BYTES), block_bytes)


def _cid(raw: bytes) -> Cid:
    try:
        return cid_from_bytes(raw)
    except InputError as error:
        raise CorruptContent(f"the CAR names a block that cannot be used: {error}") from None


@dataclass
class _Source:
    """A stream that gives at most `rest` bytes more."""

    stream: BinaryIO
    rest: int

    def take(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0:
            part = self._read(count)
            if not part:
                raise CorruptContent(f"the CAR ends early, {count} bytes are missing")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def varint(self) -> int | None:
        """The next number; None at the end of the stream."""
        value = 0
        for position in range(_VARINT_BYTES_MAX):
            byte = self._read(1)
            if not byte and position == 0:
                return None
            if not byte:
                raise CorruptContent("the CAR ends early, within a length")
            value |= (byte[0] & 0x7F) << (7 * position)
            if byte[0] < 0x80:
                if byte[0] == 0 and position > 0:
                    raise CorruptContent("the CAR has a length with padding")
                return value
        raise CorruptContent("the CAR has a length of more than nine bytes")

    def _read(self, count: int) -> bytes:
        part = self.stream.read(count)
        self.rest -= len(part)
        if self.rest < 0:
            raise ContentTooLarge("the CAR has more bytes than are allowed")
        return part
