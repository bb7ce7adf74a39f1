"""Gathering a round's evidence from the chain's state and the store.

A fault of somebody else's bytes becomes an absence (None, or a missing vector): it must never stop
the one who reads them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.codec import DOCUMENT_BYTES_MAX
from ostrom.errors import CodecError, ContentTooLarge, CorruptContent, NotFound
from ostrom.protocol import TaskState
from ostrom.records import (
    RECORD_BYTES_MAX,
    Balances,
    decode_metric,
    decode_record,
    decode_scores,
    record_balances,
)
from ostrom.registry import load_model, parent_of_round
from ostrom.settlement import Evidence
from ostrom.spec import Spec
from ostrom.storage import Store, cid_from_digest, codec_for
from ostrom.targets import target
from ostrom.types import Address, Digest, IntVector, Result
from ostrom.updates import update_file_size

NOT_TO_BE_HAD = (NotFound, CorruptContent, ContentTooLarge)
"""What a store says of content; any other error is of the store itself."""


def fetch_update(store: Store, digest: Digest, spec: Spec) -> bytes:
    """A revealed update file.

    Raises:
        StoreError: it is not there, is damaged, or has not the length that the spec fixes.
    """
    size = update_file_size(spec)
    return store.get(cid_from_digest(digest, codec_for(size)), max_bytes=size)


def read_update(store: Store, digest: Digest, spec: Spec) -> bytes | None:
    """A revealed update file, or None where the store has no right bytes for it.

    Raises:
        StoreError: the store does not work. To judge without the content would be a false verdict.
    """
    try:
        return fetch_update(store, digest, spec)
    except NOT_TO_BE_HAD:
        return None


def read_document(store: Store, digest: Digest) -> bytes:
    """A document that the chain names by digest.

    Raises:
        StoreError: it is not there, or it is damaged.
    """
    return store.get(cid_from_digest(digest, "raw"), max_bytes=DOCUMENT_BYTES_MAX)


def read_record(store: Store, digest: Digest) -> bytes:
    """A record or a score vector that the chain names by digest, however many trainers it names.

    One of more than 1 MiB is a tree of blocks, and the digest is that of its root. No root looks
    like the beginning of a document, so the digest alone decides what is read.

    Raises:
        StoreError: it is not there, is damaged, or is too long.
    """
    tree = cid_from_digest(digest, "dag-pb")
    try:
        data = read_document(store, digest)
    except NotFound as absent:
        try:
            # Only asking tells whether other nodes have it as a tree.
            return store.get(tree, max_bytes=RECORD_BYTES_MAX)
        except NotFound:
            raise absent from None
    if data.startswith(b"{") or not store.has(tree):
        return data
    return store.get(tree, max_bytes=RECORD_BYTES_MAX)


def read_scores(store: Store, state: TaskState) -> dict[Address, dict[Address, int]]:
    """The revealed score vectors that can be read; the others are left out.

    Raises:
        StoreError: the store does not work.
    """
    vectors: dict[Address, dict[Address, int]] = {}
    for validator, digest in state.round.score_reveals.items():
        try:
            vectors[validator] = decode_scores(read_record(store, digest), state, validator)
        except (*NOT_TO_BE_HAD, CodecError):
            continue
    return vectors


def last_balances(store: Store, state: TaskState) -> Balances:
    """The balances of the last settled round; empty before the first."""
    last = last_settled(state)
    if last is None:
        return Balances()
    return balances_of(store, last.record)


def balances_of(store: Store, record: Digest) -> Balances:
    """The balances that a record holds.

    Raises:
        StoreError: it is not there, or it is damaged.
        CodecError: it is no record.
    """
    return record_balances(decode_record(read_record(store, record)))


def read_metrics(store: Store, state: TaskState, spec: Spec) -> dict[Address, int]:
    """What validators measured of the round's model; nothing where the task has no target."""
    if target(spec.target) is None:
        return {}
    found: dict[Address, int] = {}
    for validator in read_scores(store, state):
        metric = decode_metric(read_record(store, state.round.score_reveals[validator]))
        if metric is not None:
            found[validator] = metric
    return found


def target_reached(store: Store, state: TaskState, spec: Spec) -> bool:
    """True if the last settled round's model is as good as the task's sponsor wants."""
    wanted, last = target(spec.target), last_settled(state)
    if wanted is None or last is None:
        return False
    metric = _metric(store, last.record)
    return metric is not None and metric >= wanted


@lru_cache(maxsize=4)
def _metric(store: Store, record: Digest) -> int | None:
    metric: int | None = decode_record(read_record(store, record))["metric"]
    return metric


def last_settled(state: TaskState) -> Result | None:
    """The result of the last settled round; None before the first."""
    settled = [r.settled for r in state.rounds.values() if r.settled]
    return settled[-1] if settled else None


def last_change(store: Store, state: TaskState, spec: Spec) -> IntVector | None:
    """How the model that the round starts from differs from its own parent; None for the first.

    Raises:
        StoreError: one of the two is missing or damaged.
    """
    here = parent_of_round(state)
    if here.parent not in state.versions:
        return None
    before = load_model(store, state.versions[here.parent], spec)["parameters"]
    after = load_model(store, here, spec)["parameters"]
    return after.astype(np.int64) - before


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
