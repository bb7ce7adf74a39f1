"""Gathering a round's evidence from the chain's state and the store.

A fault of somebody else's bytes becomes an absence (None, or a missing vector): it must never stop
the one who reads them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.codec import DOCUMENT_BYTES_MAX
from ostrom.errors import CodecError, StoreError
from ostrom.protocol import TaskState
from ostrom.records import Balances, decode_record, decode_scores, record_balances
from ostrom.registry import load_model, parent_of_round
from ostrom.settlement import Evidence
from ostrom.spec import Spec
from ostrom.storage import Store, cid_from_digest, codec_for
from ostrom.tensors import encode_tensors
from ostrom.types import Address, Digest


@lru_cache(maxsize=16)
def update_file_size(length: int, dtype: str) -> int:
    """The bytes of an update file; the spec fixes them, and with them the CID's codec.

    >>> update_file_size(10, "int32")
    112
    """
    return len(encode_tensors({"update": np.zeros(length, dtype=dtype)}))


def fetch_update(store: Store, digest: Digest, spec: Spec) -> bytes:
    """A revealed update file.

    Raises:
        StoreError: it is not there, is damaged, or has not the length that the spec fixes.
    """
    size = update_file_size(spec.update_length, spec.dtype)
    return store.get(cid_from_digest(digest, codec_for(size)), max_bytes=size)


def read_update(store: Store, digest: Digest, spec: Spec) -> bytes | None:
    """A revealed update file, or None where the store has no right bytes for it."""
    try:
        return fetch_update(store, digest, spec)
    except StoreError:
        return None


def read_document(store: Store, digest: Digest) -> bytes:
    """A document that the chain names by digest.

    Raises:
        StoreError: it is not there, or it is damaged.
    """
    return store.get(cid_from_digest(digest, "raw"), max_bytes=DOCUMENT_BYTES_MAX)


def read_scores(store: Store, state: TaskState) -> dict[Address, dict[Address, int]]:
    """The revealed score vectors that can be read; the others are left out."""
    vectors: dict[Address, dict[Address, int]] = {}
    for validator, digest in state.round.score_reveals.items():
        try:
            vectors[validator] = decode_scores(read_document(store, digest), state, validator)
        except (StoreError, CodecError):
            continue
    return vectors


def last_balances(store: Store, state: TaskState) -> Balances:
    """The balances of the last settled round; empty before the first."""
    settled = [r for r in state.rounds.values() if r.settled]
    if not settled or settled[-1].settled is None:
        return Balances()
    return record_balances(decode_record(read_document(store, settled[-1].settled.record)))


def gather(store: Store, state: TaskState, spec: Spec) -> Evidence:
    """All that the current round's result depends on, apart from the scores.

    Raises:
        StoreError: the parent model or the last record is missing or damaged; without them
            nothing can be settled.
    """
    reveals = state.round.reveals
    return Evidence(
        state=state,
        spec=spec,
        parent=load_model(store, parent_of_round(state), spec),
        contents={a: read_update(store, r.update, spec) for a, r in reveals.items()},
        before=last_balances(store, state),
    )
