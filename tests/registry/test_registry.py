from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom import types as t
from ostrom.errors import CorruptContent, NotFound, StoreError
from ostrom.protocol import TaskState
from ostrom.registry import Version, lineage, load_model, parent_of_round, tensor_cid
from ostrom.storage import MemoryStore, cid_from_digest, cid_of, digest_of
from ostrom.tensors import chunk_root, encode_tensors
from ostrom.types import IntVector, ModelPublished, Phase

TASK = bytes(32)


def published(content: bytes, root: bytes, *, number: int = 1) -> ModelPublished:
    return ModelPublished(TASK, number, 0, 0, digest_of(cid_of(content)), root, bytes(32))


def parameters(count: int = 5) -> IntVector:
    return np.arange(count, dtype=np.int32)


def model(**tensors: Any) -> bytes:
    return encode_tensors({"parameters": parameters()} | tensors)


NO_MODELS = {
    "noise": b"noise",
    "nothing": b"",
    "no parameters": encode_tensors({"state.momentum": parameters()}),
    "too few parameters": encode_tensors({"parameters": parameters(4)}),
    "a matrix": encode_tensors({"parameters": parameters().reshape(1, 5)}),
    "wide parameters": encode_tensors({"parameters": parameters().astype(np.int64)}),
    "a byte too many": model() + b"\0",
}


@pytest.mark.parametrize("content", NO_MODELS.values(), ids=NO_MODELS.keys())
def test_content_that_is_no_model_of_the_spec_is_corrupt(small_spec: Any, content: bytes) -> None:
    store = MemoryStore()
    store.put(content)
    with pytest.raises(CorruptContent):
        load_model(store, published(content, chunk_root(parameters())), small_spec())


def test_a_model_under_another_chunk_root_is_corrupt(small_spec: Any) -> None:
    store = MemoryStore()
    store.put(model())
    with pytest.raises(CorruptContent, match="chunk root"):
        load_model(store, published(model(), bytes(32)), small_spec())


def test_a_model_that_nobody_serves_is_not_found(small_spec: Any) -> None:
    with pytest.raises(NotFound):
        load_model(MemoryStore(), published(model(), bytes(32)), small_spec())


def test_a_flipped_bit_is_corrupt(small_spec: Any) -> None:
    store = MemoryStore()
    cid = store.put(model())
    store.write_block(cid, model()[:-1] + b"\x01")
    with pytest.raises(StoreError, match="hash"):
        load_model(store, published(model(), chunk_root(parameters())), small_spec())


def test_a_round_without_a_published_parent_cannot_start() -> None:
    with pytest.raises(NotFound, match="version 0"):
        parent_of_round(TaskState())


def test_a_model_comes_back_with_its_server_state(small_spec: Any) -> None:
    store, momentum = MemoryStore(), np.ones(5, dtype=np.int64)
    content = model(**{"state.momentum": momentum})
    store.put(content)
    tensors = load_model(store, published(content, chunk_root(parameters())), small_spec())
    assert sorted(tensors) == ["parameters", "state.momentum"]
    assert np.array_equal(tensors["parameters"], parameters())
    assert encode_tensors(tensors) == content


LARGE = 300_000
"""Integers of a model that takes more than one chunk."""


def test_a_large_model_is_a_tree_and_a_small_one_a_block() -> None:
    store = MemoryStore()
    for count in (5, LARGE):
        cid = store.put(encode_tensors({"parameters": parameters(count)}))
        assert tensor_cid(store, digest_of(cid)) == cid
    unknown = tensor_cid(store, bytes(32))
    assert unknown == cid_from_digest(bytes(32), "raw")


def test_mallory_cannot_hide_a_large_model_behind_its_own_root_block(small_spec: Any) -> None:
    """Anyone may store a tree's root block as content: it has the very digest of the tree."""
    store, values = MemoryStore(), parameters(LARGE)
    content = encode_tensors({"parameters": values})
    cid = store.put(content)
    node = store.read_block(cid, 1 << 20)
    assert digest_of(store.put(node)) == digest_of(cid)
    spec = small_spec(parameters=LARGE, layout=((LARGE,),))
    tensors = load_model(store, published(content, chunk_root(values)), spec)
    assert np.array_equal(tensors["parameters"], values)


def test_mallory_cannot_hide_a_small_model_behind_a_block_of_another_codec(
    small_spec: Any,
) -> None:
    store = MemoryStore()
    cid = store.put(model())
    store.write_block(cid_from_digest(digest_of(cid), "dag-pb"), model())
    load_model(store, published(model(), chunk_root(parameters())), small_spec())


def test_the_lineage_lists_every_version_and_marks_the_head(play: Any) -> None:
    first = play.play_round()
    play.start(Phase.COMMIT)
    play.tell(t.ModelRolledBack(play.id, 1, 2))
    second = play.play_round()
    versions = lineage(play.state, play.store)
    assert [(v.number, v.parent, v.round, v.head) for v in versions] == [
        (1, 0, 0, False),
        (2, 1, 1, False),
        (3, 1, 2, True),
    ]
    assert [v.model for v in versions[1:]] == [cid_of(first.model), cid_of(second.model)]
    assert all(isinstance(v, Version) and play.store.has(v.model) for v in versions)


def test_a_round_starts_from_the_head_that_stood_at_its_start(play: Any) -> None:
    assert parent_of_round(play.state).version == 1
    play.play_round()
    assert parent_of_round(play.state).version == 1
    play.start(Phase.COMMIT)
    assert parent_of_round(play.state).version == 2
