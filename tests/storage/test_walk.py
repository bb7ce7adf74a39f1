"""The walk over a tree: the blocks that a part of content needs, each once or each time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.errors import CorruptContent, InputError, NotFound
from ostrom.storage import MemoryStore, cid_of, codec_of
from ostrom.storage.walk import Tree, open_tree

TINY = "tiny-256b-3"
PATTERN = bytes((31 * i + 7) % 251 for i in range(251)) * 40


def opened(content: bytes) -> tuple[MemoryStore, Tree]:
    store = MemoryStore(TINY)
    return store, open_tree(store.read_block, store.put(content), profile=store.layout)


def test_what_is_no_cid_is_refused() -> None:
    store = MemoryStore(TINY)
    with pytest.raises(InputError, match="CID"):
        open_tree(store.read_block, "../x", profile=store.layout)


def test_a_missing_root_is_not_found() -> None:
    store = MemoryStore(TINY)
    with pytest.raises(NotFound):
        open_tree(store.read_block, cid_of(b"absent"), profile=store.layout)


def test_a_damaged_block_ends_the_walk_by_name() -> None:
    store, tree = opened(PATTERN[:2305])
    for cid, block in list(tree.blocks())[1:]:
        store._blocks[cid] = block[:-1] + bytes((block[-1] ^ 1,))
        with pytest.raises(CorruptContent, match=cid):
            list(tree.blocks())
        store._blocks[cid] = block


@pytest.mark.parametrize("size", [0, 1, 256, 257, 769, 2304, 2305, 6913, 9000])
def test_a_walk_gives_every_block_of_the_store_once_and_the_root_first(size: int) -> None:
    store, tree = opened(PATTERN[:size])
    blocks = list(tree.blocks())
    assert blocks[0][0] == tree.cid
    assert sorted(cid for cid, _ in blocks) == list(store.cids())
    assert tree.size == size


def test_a_parent_comes_before_its_children_and_leaves_are_in_order() -> None:
    _, tree = opened(PATTERN[:6913])
    leaves = [block for cid, block in tree.blocks(once=False) if codec_of(cid) == "raw"]
    assert b"".join(leaves) == PATTERN[:6913]


def test_repeated_blocks_come_once_or_each_time() -> None:
    _, tree = opened(bytes(256 * 27))
    assert [len(block) for _, block in tree.blocks(once=True)].count(256) == 1
    assert [len(block) for _, block in tree.blocks(once=False)].count(256) == 27
    assert sum(len(block) for _, block in tree.blocks(once=False)) == tree.total


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 7000),
    ends=st.tuples(st.integers(0, 7000), st.integers(0, 7000)),
    repeated=st.booleans(),
    once=st.booleans(),
)
def test_a_span_has_the_blocks_that_its_bytes_need_and_no_others(
    size: int, ends: tuple[int, int], repeated: bool, once: bool
) -> None:
    content = bytes(size) if repeated else PATTERN[:size]
    _, tree = opened(content)
    start, stop = min(ends), min(max(ends), size)
    names = [cid for cid, _ in tree.blocks(span=(start, stop), once=once)]
    assert names[0] == tree.cid
    if once:
        assert len(names) == len(set(names))
    needed = {
        cid_of(content[at : at + 256], TINY)
        for at in range(0, size, 256)
        if at < stop and start < at + 256
    }
    if start < stop:
        assert {cid for cid in names if codec_of(cid) == "raw"} == needed
    else:
        assert names == [tree.cid]
