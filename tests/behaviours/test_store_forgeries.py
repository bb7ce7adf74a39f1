"""Trees that mallory forges: each block fits its hash, the tree is still not one that `put` makes.

Without these checks one content would have many CIDs, and a few small blocks could unfold into
any number of bytes or steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, StoreError
from ostrom.storage import (
    DirectoryStore,
    MemoryStore,
    PeerStore,
    Store,
    cid_from_digest,
    cid_of,
    cid_to_bytes,
)
from ostrom.types import Cid

TINY = "tiny-256b-3"
A, B, C = b"a" * 256, b"b" * 256, b"c" * 88


@pytest.fixture(params=["memory", "directory", "peers"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore(TINY)
    if request.param == "peers":
        return PeerStore(MemoryStore(TINY), list, lambda url, cid, limit: b"")
    return DirectoryStore(tmp_path, profile=TINY, durable=False)


# An encoder of our own: it must be able to lie.


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes((value & 0x7F | 0x80,)), value >> 7
    return out + bytes((value,))


def prefixed(data: bytes) -> bytes:
    return varint(len(data)) + data


def link(cid: bytes, total: int, name: bytes = b"\x12\x00") -> bytes:
    return b"\x12" + prefixed(b"\x0a" + prefixed(cid) + name + b"\x18" + varint(total))


def data(sizes: list[int], *, claimed: int | None = None, kind: bytes = b"\x08\x02") -> bytes:
    total = sum(sizes) if claimed is None else claimed
    body = kind + b"\x18" + varint(total) + b"".join(b"\x20" + varint(s) for s in sizes)
    return b"\x0a" + prefixed(body)


def stretched(end: bytes) -> bytes:
    """The data of a file of 256 and 88 bytes; its last field, 20 58, is replaced by `end`."""
    return b"\x0a" + prefixed(b"\x08\x02\x18\xd8\x02\x20\x80\x02" + end)


def raw(store: Store, block: bytes) -> bytes:
    cid = cid_from_digest(sha256(block), "raw")
    store.write_block(cid, block)
    return cid_to_bytes(cid)


def node(store: Store, block: bytes) -> bytes:
    cid = cid_from_digest(sha256(block), "dag-pb")
    store.write_block(cid, block)
    return cid_to_bytes(cid)


def leaves(store: Store, *blocks: bytes) -> bytes:
    return b"".join(link(raw(store, block), len(block)) for block in blocks)


def sound(store: Store, *blocks: bytes) -> bytes:
    return leaves(store, *blocks) + data([len(block) for block in blocks])


def tower(store: Store, height: int) -> bytes:
    """A chain of nodes with one child each over one full leaf."""
    block = sound(store, A)
    total = len(block) + 256
    for _ in range(height):
        block = link(node(store, block), total) + data([256])
        total += len(block)
    return block


def spiral(store: Store) -> bytes:
    """Every level holds the level below three times: 60 blocks claim 3**60 leaves."""
    size, block = 768, sound(store, A, A, A)
    total = len(block) + 768
    for _ in range(32):
        child = node(store, block)
        block = link(child, total) * 3 + data([size] * 3)
        size, total = size * 3, total * 3 + len(block)
    return block


def with_inner(
    store: Store,
    first: bytes,
    size: int = 768,
    *,
    extra: int = 0,
    name: Callable[[Store, bytes], bytes] = node,
) -> bytes:
    """A root over a forged first child and an honest second one."""
    second = sound(store, A, C)
    return (
        link(name(store, first), len(first) + size + extra)
        + link(node(store, second), len(second) + 344)
        + data([size, 344])
    )


def odd_links(store: Store, cid: bytes) -> bytes:
    return link(cid, 256) + leaves(store, C) + data([256, 88])


Forge = Callable[[Store], bytes]
FORGERIES: dict[str, Forge] = {
    "no bytes": lambda s: b"",
    "noise": lambda s: bytes(range(200)),
    "text": lambda s: b"<html>404 not found</html>",
    "a huge length": lambda s: b"\x12\xff\xff\xff\xff\x07" + bytes(50),
    "no links": lambda s: data([]),
    "one link": lambda s: sound(s, A),
    "a whole file in one small node": lambda s: sound(s, C),
    "four links where three fit": lambda s: sound(s, A, A, A, A),
    "a short leaf first": lambda s: sound(s, C, A),
    "a short leaf in the middle": lambda s: sound(s, A, C, A),
    "an empty leaf at the end": lambda s: sound(s, A, B, b""),
    "only empty leaves": lambda s: sound(s, b"", b"", b""),
    "a leaf longer than a chunk": lambda s: sound(s, A + b"!", C),
    "more claimed than linked": lambda s: leaves(s, A, C) + data([256, 88], claimed=345),
    "less claimed than linked": lambda s: leaves(s, A, C) + data([256, 88], claimed=343),
    "a leaf's size overstated": lambda s: leaves(s, A, C) + data([256, 89]),
    "a leaf's size understated": lambda s: leaves(s, A, C) + data([256, 87]),
    "a leaf's stored size overstated": lambda s: (
        leaves(s, A) + link(raw(s, C), 89) + data([256, 88])
    ),
    "a leaf's stored size zero": lambda s: leaves(s, A) + link(raw(s, C), 0) + data([256, 88]),
    "more sizes than links": lambda s: leaves(s, A, B) + data([256, 256, 88]),
    "fewer sizes than links": lambda s: leaves(s, A, B, C) + data([256, 256]),
    "data before links": lambda s: data([256, 88]) + leaves(s, A, C),
    "data twice": lambda s: sound(s, A, C) + data([256, 88]),
    "no data": lambda s: leaves(s, A, C),
    "a byte too many": lambda s: sound(s, A, C) + b"\0",
    "a byte too few": lambda s: sound(s, A, C)[:-1],
    "an unknown field": lambda s: sound(s, A, C) + b"\x1a\x00",
    "a directory": lambda s: leaves(s, A, C) + data([256, 88], kind=b"\x08\x01"),
    "a symbolic link": lambda s: leaves(s, A, C) + data([256, 88], kind=b"\x08\x04"),
    "a shard": lambda s: leaves(s, A, C) + data([256, 88], kind=b"\x08\x05"),
    "content inside the node": lambda s: (
        leaves(s, A, C) + data([256, 88], kind=b"\x08\x02\x12\x02hi")
    ),
    "a file mode": lambda s: leaves(s, A, C) + stretched(b"\x20\x58\x38\xa4\x03"),
    "a named link": lambda s: (
        leaves(s, A) + link(raw(s, C), 88, name=b"\x12\x01x") + data([256, 88])
    ),
    "a link without name": lambda s: leaves(s, A) + link(raw(s, C), 88, name=b"") + data([256, 88]),
    "a number in too many bytes": lambda s: leaves(s, A, C) + stretched(b"\x20\xd8\x00"),
    "a number without end": lambda s: leaves(s, A, C) + b"\x0a\x0f\x08\x02\x18" + b"\xff" * 12,
    "packed sizes": lambda s: (
        leaves(s, A, C)
        + b"\x0a"
        + prefixed(b"\x08\x02\x18" + varint(344) + b"\x22" + prefixed(varint(256) + varint(88)))
    ),
    "a CIDv0 link": lambda s: odd_links(s, b"\x12\x20" + sha256(A)),
    "a link of another hash": lambda s: odd_links(s, b"\x01\x55\x1e\x20" + sha256(A)),
    "an identity link": lambda s: odd_links(s, b"\x01\x55\x00\x20" + bytes(32)),
    "a link of another codec": lambda s: odd_links(s, b"\x01\x71\x12\x20" + sha256(A)),
    "a cut link": lambda s: odd_links(s, b"\x01\x55\x12\x20" + sha256(A)[:-1]),
    "a node where a leaf belongs": lambda s: (
        link(node(s, sound(s, A, B, C)), 256) + leaves(s, C) + data([256, 88])
    ),
    "a leaf under a node's name": lambda s: odd_links(s, node(s, A)),
    "a node under a leaf's name": lambda s: with_inner(s, sound(s, A, A, A), name=raw),
    "leaves beside nodes": lambda s: (
        link(node(s, sound(s, A, A, A)), len(sound(s, A, A, A)) + 768)
        + leaves(s, A, C)
        + data([768, 256, 88])
    ),
    "a leaf where a node belongs": lambda s: (
        link(raw(s, bytes(768)), 768) + leaves(s, C) + data([768, 88])
    ),
    "an inner node that is noise": lambda s: with_inner(s, bytes(40)),
    "an inner node that is not full": lambda s: with_inner(s, sound(s, A, B, C), 600),
    "an inner node of another size": lambda s: with_inner(s, sound(s, A, B, C)),
    "an inner node of another stored size": lambda s: with_inner(s, sound(s, A, A, A), extra=1),
    "an inner node of another file size": lambda s: with_inner(s, sound(s, A, B, C), extra=-168),
    "an inner node of four leaves": lambda s: with_inner(s, sound(s, *[A[:192]] * 4)),
    "an inner tower": lambda s: with_inner(s, tower(s, 5), 768),
    "a tower of one": lambda s: tower(s, 1),
    "a tower of a thousand": lambda s: tower(s, 1000 if isinstance(s, MemoryStore) else 50),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forged_tree_is_refused(store: Store, forge: Forge) -> None:
    block = forge(store)
    root = cid_from_digest(sha256(block), "dag-pb")
    store.write_block(root, block)
    with pytest.raises(CorruptContent, match=r"bafy|bafk") as caught:
        store.get(root, max_bytes=10_000)
    assert "\n" not in str(caught.value)
    with pytest.raises(CorruptContent):
        list(store.stream(root))


def test_the_forgers_encoder_agrees_with_the_store_when_it_does_not_lie(store: Store) -> None:
    assert data([256, 88]) == stretched(b"\x20\x58")
    for content in (A + C, A + B + C, A * 3):
        blocks = [content[at : at + 256] for at in range(0, len(content), 256)]
        assert sha256(sound(store, *blocks)) == sha256(store.read_block(store.put(content), 10_000))
    inner = with_inner(store, sound(store, A, A, A))
    assert store.get(named(store, inner), max_bytes=2_000) == A * 4 + C


def test_a_spiral_of_small_blocks_is_stopped_by_its_claim(store: Store) -> None:
    root = named(store, spiral(store))
    with pytest.raises(ContentTooLarge, match="claims"):
        store.get(root, max_bytes=10_000)
    with pytest.raises(ContentTooLarge, match="claims"):
        store.stream(root)


def test_a_spiral_may_be_streamed_as_far_as_wanted(store: Store) -> None:
    opened: Iterator[bytes] = store.stream(named(store, spiral(store)), max_bytes=1 << 62)
    assert next(opened) == next(opened) == A


def test_a_claim_beyond_63_bits_is_refused(store: Store) -> None:
    block = leaves(store, A, C) + data([1 << 63, 88])
    with pytest.raises(CorruptContent, match="too long"):
        store.get(named(store, block), max_bytes=1 << 62)


def test_a_tree_of_another_profile_is_refused(store: Store) -> None:
    content = bytes(300_000)
    other = MemoryStore("kubo-cidv1-256k")
    root = other.put(content)
    for cid in other.cids():
        store.write_block(cid, other.read_block(cid, 1 << 20))
    with pytest.raises(CorruptContent, match="layout"):
        store.get(root, max_bytes=1 << 20)


def test_a_node_read_as_plain_bytes_is_what_its_cid_says(store: Store) -> None:
    root = store.put(A + C)
    node_bytes = store.read_block(root, 10_000)
    assert store.get(store.put(node_bytes), max_bytes=1_000) == node_bytes
    assert store.get(root, max_bytes=1_000) == A + C


def test_a_long_plain_block_is_refused(store: Store) -> None:
    block = bytes(257)
    cid = Cid(cid_of(block))
    store.write_block(cid, block)
    with pytest.raises(StoreError, match=cid):
        store.get(cid, max_bytes=10_000)


def named(store: Store, block: bytes) -> Cid:
    cid = cid_from_digest(sha256(block), "dag-pb")
    store.write_block(cid, block)
    return cid
