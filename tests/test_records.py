"""Records and score vectors of more trainers than one block can name."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ostrom import types as t
from ostrom.codec import DOCUMENT_BYTES_MAX, keccak
from ostrom.errors import CodecError, NotFound, StoreError
from ostrom.evidence import read_record, read_scores
from ostrom.records import RECORD_BYTES_MAX, decode_scores, encode_scores
from ostrom.storage import MemoryStore, cid_from_digest, cid_of, digest_of
from ostrom.types import Address, Phase

MANY = 20_000


@cache
def many(count: int = MANY) -> dict[Address, int]:
    return {Address(f"0x{keccak(i.to_bytes(4, 'big'))[:20].hex()}"): i for i in range(count)}


def long_vector(play: Any) -> bytes:
    data = encode_scores(play.state, play.validators[0], many())
    assert DOCUMENT_BYTES_MAX < len(data) < RECORD_BYTES_MAX
    return data


def test_a_vector_beyond_the_limit_is_refused(play: Any) -> None:
    scores = {Address("0x" + "ab" * 20): 1, Address("0x" + "cd" * (RECORD_BYTES_MAX // 2)): 2}
    with pytest.raises(CodecError, match="at most 16777216 bytes"):
        encode_scores(play.state, play.validators[0], scores)
    with pytest.raises(CodecError, match="at most 16777216 bytes"):
        decode_scores(b" " * (RECORD_BYTES_MAX + 1), play.state, play.validators[0])


@pytest.mark.parametrize("change", [b" ", b"}", b"0"])
def test_a_long_vector_with_a_byte_more_is_refused(play: Any, change: bytes) -> None:
    with pytest.raises(CodecError):
        decode_scores(long_vector(play) + change, play.state, play.validators[0])


def test_a_long_record_without_all_of_its_blocks_is_not_found(play: Any) -> None:
    data, store = long_vector(play), MemoryStore()
    whole = MemoryStore()
    root = whole.put(data)
    store.write_block(root, whole.read_block(root, 1 << 20))
    with pytest.raises(StoreError):
        read_record(store, digest_of(root))


def test_a_record_that_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound, match="no block bafk"):
        read_record(MemoryStore(), bytes(32))


def test_a_long_record_is_read_by_the_digest_of_its_root(play: Any) -> None:
    data, store = long_vector(play), MemoryStore()
    digest = digest_of(store.put(data))
    assert read_record(store, digest) == data
    assert decode_scores(data, play.state, play.validators[0]) == many()


def test_whoever_stores_a_root_as_content_does_not_hide_the_tree(play: Any) -> None:
    data, store = long_vector(play), MemoryStore()
    root = store.put(data)
    raw = store.put(store.read_block(root, 1 << 20))
    assert raw == cid_from_digest(digest_of(root), "raw")
    assert read_record(store, digest_of(root)) == data


def test_a_short_record_is_one_block_as_ever(play: Any) -> None:
    store = MemoryStore()
    data = encode_scores(play.state, play.validators[0], many(3))
    assert cid_of(data) == cid_from_digest(digest_of(cid_of(data)), "raw")
    assert read_record(store, digest_of(store.put(data))) == data


def test_a_long_vector_reaches_the_settlement(play: Any) -> None:
    play.to_score()
    validator, data = play.validators[0], long_vector(play)
    play.tell(t.ScoresCommitted(play.id, play.number, validator, bytes(32)))
    play.start(Phase.SCORE_REVEAL)
    digest = digest_of(play.store.put(data))
    play.tell(t.ScoresRevealed(play.id, play.number, validator, digest))
    assert read_scores(play.store, play.state) == {validator: many()}
