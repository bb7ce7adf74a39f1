"""What every store must do, whatever it keeps its blocks in.

A new kind of store adds one line to KINDS.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound
from ostrom.storage import DirectoryStore, MemoryStore, PeerStore, Store, cid_of
from ostrom.types import Cid

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "cids.json").read_text())
PATTERN = bytes((31 * i + 7) % 251 for i in range(251))
"""Byte i of every vector's content is (31 i + 7) mod 251."""

TINY = "tiny-256b-3"
SIZES = (0, 1, 255, 256, 257, 511, 512, 513, 767, 768, 769, 1024, 2303, 2304, 2305, 6912, 6913)
LIMIT = 1 << 20


def content_of(size: int) -> bytes:
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


@dataclass(frozen=True)
class Opened:
    """A store and how mallory changes a block behind its back."""

    store: Store
    damage: Callable[[Cid, bytes], Any]
    remove: Callable[[Cid], Any]

    def blocks(self) -> dict[Cid, bytes]:
        return {cid: self.store.read_block(cid, LIMIT) for cid in self.store.cids()}


@contextmanager
def memory(profile: str = TINY) -> Iterator[Opened]:
    store = MemoryStore(profile)
    yield Opened(store, store._blocks.__setitem__, store._blocks.__delitem__)


@contextmanager
def directory(profile: str = TINY) -> Iterator[Opened]:
    with TemporaryDirectory() as folder:
        store = DirectoryStore(folder, profile=profile, durable=False)

        def file(cid: Cid) -> Path:
            return store.path / cid[-2] / cid

        yield Opened(
            store, lambda cid, data: file(cid).write_bytes(data), lambda cid: file(cid).unlink()
        )


@contextmanager
def peers(profile: str = TINY) -> Iterator[Opened]:
    """A store with peers that has none at the moment."""
    with memory(profile) as local:
        store = PeerStore(local.store, list, lambda url, cid, limit: b"")
        yield Opened(store, local.damage, local.remove)


KINDS = {"memory": memory, "directory": directory, "peers": peers}


@pytest.fixture(params=list(KINDS))
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    with KINDS[request.param]() as store:
        yield store


every_kind = pytest.mark.parametrize("kind", list(KINDS))


HOSTILE_CIDS = {
    "empty": "",
    "path upwards": "../../etc/passwd",
    "absolute path": "/etc/passwd",
    "path before a CID": "a/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    "path of a CID's length": "b" + "../" * 19 + "a",
    "NUL": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk\0",
    "newline at the end": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku\n",
    "newline inside": "bafkreihdwdcefgh4dqkjv67uzcmw7\njee6xedzdetojuzjevtenxquvyku",
    "escape codes": "\x1b[2J\x1b[31mowned",
    "very long": "b" + "a" * 10_000_000,
    "upper case": "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
    "mixed case": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykU",
    "CIDv0": "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
    "base58": "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
    "base16": "f01551220" + "00" * 32,
    "one character short": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",
    "one character long": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykua",
    "stray bits": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv",
    "padding": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvy==",
    "Cyrillic a": "b\u0430fkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    "full-width digit": "bafkreihdwdcefgh\uff14dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    "sha2-512": "bafkrgqg" + "a" * 51,
    "dag-cbor": "bafyrei" + "a" * 52,
    "CIDv2": "b" + "aj" + "a" * 56,
    "all zero": "b" + "a" * 58,
    "gateway path": "/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
}


@pytest.mark.parametrize("text", HOSTILE_CIDS.values(), ids=list(HOSTILE_CIDS))
@pytest.mark.parametrize("verb", ["get", "stream", "has"])
def test_what_is_not_a_cid_is_refused_in_one_short_printable_line(
    opened: Opened, verb: str, text: str
) -> None:
    arguments = {"max_bytes": 10} if verb == "get" else {}
    with pytest.raises(InputError, match="CID") as caught:
        getattr(opened.store, verb)(text, **arguments)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 200


def test_absent_content_is_not_found_and_named(opened: Opened) -> None:
    cid = cid_of(b"absent")
    assert not opened.store.has(cid)
    with pytest.raises(NotFound, match=cid):
        opened.store.get(cid, max_bytes=10)
    with pytest.raises(NotFound, match=cid):
        opened.store.stream(cid)


@pytest.mark.parametrize("size", [1, 256, 257, 2305])
def test_content_over_the_callers_limit_is_refused(opened: Opened, size: int) -> None:
    cid = opened.store.put(content_of(size))
    with pytest.raises(ContentTooLarge, match=cid):
        opened.store.get(cid, max_bytes=size - 1)
    with pytest.raises(ContentTooLarge, match=cid):
        opened.store.stream(cid, max_bytes=size - 1)
    assert opened.store.get(cid, max_bytes=size) == content_of(size)


def test_a_negative_limit_is_refused(opened: Opened) -> None:
    with pytest.raises(InputError, match="max_bytes"):
        opened.store.get(opened.store.put(b""), max_bytes=-1)


def test_too_large_content_is_refused_before_a_leaf_is_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = opened.store.put(content_of(2305))
    reads = record_reads(opened, monkeypatch)
    with pytest.raises(ContentTooLarge):
        opened.store.get(cid, max_bytes=2304)
    assert [name for name, _ in reads] == [cid]


def test_no_read_asks_for_more_than_a_block_can_have(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = opened.store.put(content_of(6913))
    reads = record_reads(opened, monkeypatch)
    opened.store.get(cid, max_bytes=LIMIT)
    assert max(limit for _, limit in reads) <= 80 * 4


def record_reads(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Cid, int]]:
    reads = []
    read = opened.store.read_block

    def recorded(cid: Cid, limit: int) -> bytes:
        reads.append((cid, limit))
        return read(cid, limit)

    monkeypatch.setattr(opened.store, "read_block", recorded)
    return reads


def test_a_text_stream_is_refused(opened: Opened) -> None:
    with pytest.raises(InputError, match="binary"):
        opened.store.put(io.StringIO("text"))  # type: ignore[arg-type]


@every_kind
def test_an_unknown_profile_is_refused_with_the_known_ones(kind: str) -> None:
    with pytest.raises(InputError, match="unixfs-v1-2025"), KINDS[kind]("none"):
        pass


@pytest.mark.parametrize("size", [1, 255, 256, 300, 769])
def test_every_truncated_or_extended_block_is_refused(opened: Opened, size: int) -> None:
    cid = opened.store.put(content_of(size))
    for name, block in opened.blocks().items():
        lengths = {0, 1, len(block) // 2, len(block) - 1} - {len(block)}
        wrong = [block[:length] for length in lengths]
        wrong += [block + extra for extra in (b"\0", block, bytes(1000))]
        for damaged in wrong:
            opened.damage(name, damaged)
            with pytest.raises(CorruptContent, match=name):
                opened.store.get(cid, max_bytes=256 * 10)
        opened.damage(name, block)
    assert opened.store.get(cid, max_bytes=size) == content_of(size)


def test_every_missing_block_is_named(opened: Opened) -> None:
    cid = opened.store.put(content_of(2305))
    for name, block in opened.blocks().items():
        opened.remove(name)
        with pytest.raises(NotFound, match=name):
            opened.store.get(cid, max_bytes=LIMIT)
        opened.damage(name, block)


def test_a_block_under_another_blocks_name_is_refused(opened: Opened) -> None:
    cid = opened.store.put(content_of(769))
    blocks = opened.blocks()
    for name, other in itertools.permutations(blocks, 2):
        opened.damage(name, blocks[other])
        with pytest.raises(CorruptContent, match=name):
            opened.store.get(cid, max_bytes=LIMIT)
        opened.damage(name, blocks[name])


def test_every_bit_flip_anywhere_in_a_tree_is_refused() -> None:
    with memory() as opened:
        cid = opened.store.put(content_of(769))
        flips = 0
        for name, block in opened.blocks().items():
            for bit in range(8 * len(block)):
                opened.damage(name, flipped(block, bit))
                flips += 1
                with pytest.raises(CorruptContent, match=name):
                    opened.store.get(cid, max_bytes=LIMIT)
            opened.damage(name, block)
        assert flips > 8 * 769
        assert opened.store.get(cid, max_bytes=LIMIT) == content_of(769)


def test_a_hundred_thousand_bit_flips_in_plain_blocks_are_refused() -> None:
    with memory() as opened:
        accepted = flips = 0
        for number in range(49):
            block = bytes((number,)) + content_of(255)
            cid = opened.store.put(block)
            for bit in range(8 * len(block)):
                opened.damage(cid, flipped(block, bit))
                flips += 1
                accepted += is_readable(opened.store, cid)
        assert flips > 100_000
        assert accepted == 0


def is_readable(store: Store, cid: Cid) -> bool:
    try:
        store.get(cid, max_bytes=LIMIT)
    except CorruptContent:
        return False
    return True


@every_kind
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_bit_flip_is_refused_and_putting_again_repairs(kind: str, data: st.DataObject) -> None:
    with KINDS[kind]() as opened:
        content = content_of(data.draw(st.integers(1, 3000)))
        cid = opened.store.put(content)
        name, block = data.draw(st.sampled_from(sorted(opened.blocks().items())))
        opened.damage(name, flipped(block, data.draw(st.integers(0, 8 * len(block) - 1))))
        with pytest.raises(CorruptContent, match=name):
            opened.store.get(cid, max_bytes=LIMIT)
        assert opened.store.put(content) == cid
        assert opened.store.get(cid, max_bytes=LIMIT) == content


def flipped(block: bytes, bit: int) -> bytes:
    changed = bytearray(block)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_stream_ends_before_the_first_damaged_leaf(opened: Opened) -> None:
    content = bytes(256) + b"\1" * 256 + b"\2" * 256 + b"\3" * 256
    cid = opened.store.put(content)
    opened.damage(cid_of(content[512:768]), b"\2" * 255 + b"\0")
    seen: list[bytes] = []
    with pytest.raises(CorruptContent):
        drain(opened.store.stream(cid), seen)
    assert b"".join(seen) == content[:512]


def drain(leaves: Iterator[bytes], into: list[bytes]) -> None:
    for leaf in leaves:
        into.append(leaf)


def test_a_damaged_root_is_refused_when_the_stream_is_opened(opened: Opened) -> None:
    cid = opened.store.put(content_of(300))
    opened.damage(cid, b"")
    with pytest.raises(CorruptContent, match=cid):
        opened.store.stream(cid)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_comes_back(opened: Opened, size: int) -> None:
    content = content_of(size)
    cid = opened.store.put(content)
    assert cid == cid_of(content, TINY)
    assert opened.store.has(cid)
    assert opened.store.get(cid, max_bytes=size) == content
    assert b"".join(opened.store.stream(cid)) == content


@every_kind
@settings(max_examples=20, deadline=None)
@given(content=st.one_of(st.binary(max_size=900), st.integers(0, 9000).map(content_of)))
def test_any_content_comes_back(kind: str, content: bytes) -> None:
    with KINDS[kind]() as opened:
        cid = opened.store.put(content)
        assert opened.store.get(cid, max_bytes=len(content)) == content


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["size"] < 4_000_000], ids=str)
def test_stores_give_the_cids_that_kubo_gives(vector: dict[str, Any]) -> None:
    for kind in KINDS.values():
        if vector["profile"] == TINY and vector["size"] > 3000 and kind is directory:
            continue
        with kind(vector["profile"]) as opened:
            content = content_of(vector["size"])
            assert opened.store.put(content) == vector["cid"]
            assert opened.store.get(vector["cid"], max_bytes=len(content)) == content


class Dribble(io.BytesIO):
    """A socket: gives seven bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size if size is not None and size >= 0 else 7, 7))


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_of_short_reads_gives_the_same_cid(opened: Opened, size: int) -> None:
    assert opened.store.put(Dribble(content_of(size))) == cid_of(content_of(size), TINY)


def test_a_failing_source_leaves_no_content_behind(opened: Opened) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 512:
                raise ConnectionError("the peer went away")
            return super().read(size)

    with pytest.raises(ConnectionError):
        opened.store.put(Broken(content_of(769)))
    assert not opened.store.has(cid_of(content_of(769), TINY))


def test_putting_twice_changes_nothing(opened: Opened) -> None:
    first = opened.store.put(content_of(769))
    blocks = opened.blocks()
    assert opened.store.put(content_of(769)) == first
    assert opened.blocks() == blocks


def test_every_block_is_listed_once(opened: Opened) -> None:
    assert list(opened.store.cids()) == []
    opened.store.put(content_of(769))
    opened.store.put(b"alice")
    listed = list(opened.store.cids())
    assert len(listed) == len(set(listed)) == 4 + 3 + 1


def test_equal_leaves_are_kept_once(opened: Opened) -> None:
    cid = opened.store.put(bytes(256 * 9))
    assert len(list(opened.store.cids())) == 3
    assert opened.store.get(cid, max_bytes=LIMIT) == bytes(256 * 9)
