"""CAR files: what is refused, and that a store's content survives the way through one."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound
from ostrom.storage import MemoryStore, cid_from_digest, cid_of, cid_to_bytes
from ostrom.storage.car import decode_car, encode_car, load_car
from ostrom.storage.unixfs import varint
from ostrom.storage.walk import open_tree
from ostrom.types import Cid

TINY = "tiny-256b-3"
PATTERN = bytes((31 * i + 7) % 251 for i in range(251)) * 30
LIMIT = 1 << 20


def exported(size: int) -> tuple[Cid, bytes]:
    store = MemoryStore(TINY)
    root = store.put(PATTERN[:size])
    tree = open_tree(store.read_block, root, profile=store.layout)
    return root, b"".join(encode_car([root], tree.blocks()))


def imported(data: bytes, *, limit: int = LIMIT) -> MemoryStore:
    store = MemoryStore(TINY)
    load_car(store, io.BytesIO(data), total_bytes=limit)
    return store


ALICE = cid_of(b"alice")
HEADER = next(encode_car([ALICE], []))
SECTION = varint(36 + 5) + cid_to_bytes(ALICE) + b"alice"

NO_CARS = {
    "nothing": b"",
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "a huge header": varint(1 << 40),
    "an endless length": b"\xff" * 20,
    "a padded length": b"\xbb\x00" + HEADER[1:],
    "an empty header": b"\x00",
    "half a header": HEADER[:20],
    "version 2": HEADER[:-1] + b"\x02",
    "a CARv2 prefix": bytes.fromhex("0aa16776657273696f6e02") + bytes(40),
    "keys in another order": varint(17) + bytes.fromhex("a26776657273696f6e0165726f6f747380"),
    "a third key": b"\x3b" + b"\xa3" + HEADER[2:],
    "24 roots": varint(2000) + b"\xa2\x65roots\x98\x18",
    "a root that is no CID": HEADER.replace(cid_to_bytes(ALICE), bytes(36)),
    "a root of another codec": HEADER.replace(b"\x01\x55\x12", b"\x01\x71\x12"),
    "an indefinite array": HEADER.replace(b"\x81", b"\x9f"),
    "an empty section": HEADER + b"\x00",
    "a section without a whole CID": HEADER + varint(35) + bytes(35),
    "a section of another hash": HEADER + SECTION.replace(b"\x12\x20", b"\x13\x20"),
    "a wrong byte": HEADER + SECTION[:-1] + b"E",
    "half a block": HEADER + SECTION[:-2],
    "half a CID": HEADER + SECTION[:20],
    "a length alone": HEADER + b"\xac",
    "a padded section length": HEADER + b"\xa9\x00" + SECTION[1:],
}


@pytest.mark.parametrize("data", NO_CARS.values(), ids=list(NO_CARS))
def test_what_is_no_car_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(CorruptContent, match=r"CAR|corrupt") as caught:
        imported(data)
    assert str(caught.value).isprintable()


def test_a_block_over_the_limit_is_refused_before_it_is_read() -> None:
    class Watched(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1) -> bytes:
            self.most = max(self.most, size or 0)
            return super().read(size)

    stream = Watched(HEADER + varint(1 << 40) + cid_to_bytes(ALICE) + bytes(5000))
    with pytest.raises(ContentTooLarge, match="at most"):
        load_car(MemoryStore(TINY), stream, total_bytes=LIMIT)
    assert stream.most < 1000


def test_an_endless_car_ends_at_the_limit() -> None:
    data = HEADER + SECTION * 1000
    with pytest.raises(ContentTooLarge, match="more bytes"):
        imported(data, limit=10_000)


def test_too_many_roots_cannot_be_written() -> None:
    with pytest.raises(InputError, match="at most 23"):
        list(encode_car([ALICE] * 24, []))


def test_a_root_without_its_content_is_not_kept() -> None:
    root, data = exported(2305)
    cut = next(i for i in range(len(data) - 200, 0, -1) if data[i : i + 4] == b"\x01\x55\x12\x20")
    store = MemoryStore(TINY)
    with pytest.raises(NotFound, match="neither"):
        load_car(store, io.BytesIO(data[: cut - 2]), total_bytes=LIMIT)
    assert not store.has(root)


def test_a_cut_car_is_refused_or_ends_between_blocks() -> None:
    root, data = exported(700)
    for length in range(len(data)):
        with pytest.raises((CorruptContent, NotFound)):
            imported(data[:length])
    assert imported(data).get(root, max_bytes=700) == PATTERN[:700]


def test_no_changed_byte_passes() -> None:
    _, data = exported(700)
    for at in range(len(data)):
        changed = data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]
        with pytest.raises((CorruptContent, NotFound, ContentTooLarge)):
            imported(changed)


def test_nodes_are_written_after_their_children_in_any_order() -> None:
    store = MemoryStore(TINY)
    root = store.put(PATTERN[:2305])
    blocks = list(open_tree(store.read_block, root, profile=store.layout).blocks())
    for order in (blocks, blocks[::-1], sorted(blocks)):
        target = Recorded(TINY)
        load_car(target, io.BytesIO(b"".join(encode_car([root], order))), total_bytes=LIMIT)
        assert target.written[-1] == root
        assert target.get(root, max_bytes=LIMIT) == PATTERN[:2305]


class Recorded(MemoryStore):
    """A store that knows in which order it was written."""

    def __init__(self, profile: str) -> None:
        super().__init__(profile)
        self.written: list[Cid] = []

    def write_block(self, cid: Cid, block: bytes) -> None:
        self.written.append(cid)
        super().write_block(cid, block)


def test_a_node_that_no_root_needs_is_not_kept() -> None:
    root, data = exported(700)
    stray = MemoryStore(TINY)
    other = stray.put(bytes(3000))
    blocks = open_tree(stray.read_block, other, profile=stray.layout).blocks()
    store = imported(data + b"".join(itertools.islice(encode_car([], blocks), 1, None)))
    assert store.has(root)
    assert not store.has(other)


def test_a_foreign_node_is_refused() -> None:
    node = b"\x0a\x02\x08\x01"
    cid = cid_from_digest(sha256(node), "dag-pb")
    with pytest.raises(CorruptContent, match="UnixFS file"):
        imported(b"".join(encode_car([cid], [(cid, node)])))


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_car_or_a_refusal(data: bytes) -> None:
    for prefix in (b"", HEADER, HEADER + SECTION):
        try:
            car = decode_car(io.BytesIO(prefix + data), block_bytes=256, total_bytes=LIMIT)
            blocks = list(car.blocks)
        except (CorruptContent, ContentTooLarge):
            continue
        assert b"".join(encode_car(car.roots, blocks)) == prefix + data


@pytest.mark.parametrize("size", [0, 1, 256, 257, 769, 2304, 2305, 6913])
def test_content_survives_the_way_through_a_car(size: int) -> None:
    root, data = exported(size)
    assert imported(data).get(root, max_bytes=size) == PATTERN[:size]


def test_a_header_is_canonical_dag_cbor() -> None:
    root = cid_to_bytes(ALICE)
    start = b"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"
    assert start + root + b"\x67version\x01" == HEADER
