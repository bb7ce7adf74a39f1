"""Model versions: their lineage on the chain, and their bytes from the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostrom.errors import CorruptContent, NotFound, StoreError, TensorError
from ostrom.protocol import TaskState
from ostrom.spec import Spec
from ostrom.storage import Store, cid_from_digest
from ostrom.tensors import chunk_root, decode_tensors
from ostrom.types import Cid, Digest, IntVector, ModelPublished

TENSORS_PER_MODEL_MAX = 8
BLOCK_BYTES_MAX = 1 << 20
"""A longer file is a tree."""


@dataclass(frozen=True)
class Version:
    """One model version as the chain lists it; `head` marks the one in force."""

    number: int
    parent: int
    round: int
    model: Cid
    head: bool


def lineage(state: TaskState, store: Store) -> list[Version]:
    """All versions of a task, oldest first; rolling back moves the head and deletes nothing."""
    return [
        Version(v.version, v.parent, v.round, tensor_cid(store, v.model), v.version == state.head)
        for v in state.versions.values()
    ]


def tensor_cid(store: Store, digest: Digest) -> Cid:
    """The CID of a tensor file of which the chain holds only the digest.

    A file of at most one chunk is a raw block, a longer one a dag-pb tree. Anyone can store a
    tree's root block as content of its own, or a raw block as a root: the name of a tree is right
    if the store can open it as one, since no tensor file reads as a root block.
    """
    tree, raw = cid_from_digest(digest, "dag-pb"), cid_from_digest(digest, "raw")
    if store.has(raw) and _reads_as_tensors(store, raw):
        return raw
    try:
        store.stream(tree)
    except StoreError:
        return raw
    return tree


def _reads_as_tensors(store: Store, raw: Cid) -> bool:
    """True if that block is a whole tensor file; then no other node need be asked for a tree."""
    try:
        decode_tensors(store.get(raw, max_bytes=BLOCK_BYTES_MAX), expect=None)
    except (StoreError, TensorError):
        return False
    return True


def load_model(store: Store, published: ModelPublished, spec: Spec) -> dict[str, IntVector]:
    """A model version's tensors: "parameters" (d,) int32 and the server's "state.*".

    Raises:
        NotFound: the store does not hold it.
        CorruptContent: the bytes or the numbers are not those that the chain names.
    """
    bytes_max = 8 * TENSORS_PER_MODEL_MAX * spec.parameters + (1 << 20)
    cid = tensor_cid(store, published.model)
    try:
        tensors = decode_tensors(store.get(cid, max_bytes=bytes_max), expect=None)
    except TensorError as error:
        raise CorruptContent(f"{cid} holds no model: {error}") from None
    parameters = tensors.get("parameters")
    fits = parameters is not None and parameters.shape == (spec.parameters,)
    if parameters is None or not fits or parameters.dtype != np.int32:
        raise CorruptContent(f"{cid} holds no model of {spec.parameters} parameters")
    if chunk_root(parameters) != published.model_root:
        raise CorruptContent(f"{cid} does not have the chunk root that the chain names")
    return tensors


def parent_of_round(state: TaskState) -> ModelPublished:
    """The version that the current round starts from.

    Raises:
        NotFound: the chain has published no such version.
    """
    number = state.round.parent
    if number not in state.versions:
        raise NotFound(f"the chain has published no model version {number} yet")
    return state.versions[number]
