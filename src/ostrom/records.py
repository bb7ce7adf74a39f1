"""The documents of a round: score vectors and records, and the balances that a record holds.

A record says how a round was settled: which updates it used or refused and why, the consensus
scores, the payouts, the strikes, and everybody's balances since the task began. What is read here
comes from others, so every field is checked before anyone relies on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ostrom.codec import Document, decode_document, encode_document, is_address
from ostrom.errors import CodecError
from ostrom.protocol import TaskState
from ostrom.types import Address, Digest

RECORD_FORMAT = "ostrom/record/1"
SCORES_FORMAT = "ostrom/scores/1"

RECORD_BYTES_MAX = 1 << 24
"""A record or a score vector: about 50,000 trainers. Beyond 1 MiB it is a tree of blocks."""

_PAIRS = {"scores": str, "faults": str, "payouts": str, "strikes": int, "history": int}
_UPDATE_TEXTS = {"trainer", "update", "samples", "check", "payout"}
_AMOUNT = re.compile(r"[1-9][0-9]{0,77}", re.ASCII)


@dataclass(frozen=True)
class Balances:
    """What every account has earned, and how many strikes it has, since the task began.

    `history` sums each trainer's consensus scores, where the task's aggregation looks at them.
    """

    payouts: Mapping[Address, int] = field(default_factory=dict)
    strikes: Mapping[Address, int] = field(default_factory=dict)
    history: Mapping[Address, int] = field(default_factory=dict)


@dataclass(frozen=True)
class UpdateRow:
    """What a record says of one update. A refused one has a `check` and no score."""

    trainer: Address
    update: Digest
    samples: int
    check: str
    score: int | None
    payout: int


def encode_scores(
    state: TaskState,
    validator: Address,
    scores: Mapping[Address, int],
    *,
    metric: int | None = None,
) -> bytes:
    """A validator's score vector as a document, with its metric of the model if the task asks."""
    rows = [[trainer, scores[trainer]] for trainer in sorted(scores, key=str.lower)]
    return encode_document(
        {
            "format": SCORES_FORMAT,
            "task": state.task_id.hex(),
            "round": state.number,
            "validator": validator,
            "scores": rows,
            "metric": metric,
        },
        max_bytes=RECORD_BYTES_MAX,
    )


def decode_scores(data: bytes, state: TaskState, validator: Address) -> dict[Address, int]:
    """Read a validator's score vector of the current round.

    Raises:
        CodecError: the bytes are not that vector in canonical form.
    """
    document = decode_document(data, max_bytes=RECORD_BYTES_MAX)
    rows = document.get("scores") if isinstance(document, dict) else None
    metric = document.get("metric") if isinstance(document, dict) else None
    well_formed = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and type(row[1]) is int
        for row in rows
    )
    scores = {Address(row[0]): row[1] for row in rows} if well_formed and rows else {}
    well_formed = well_formed and type(metric) in (int, type(None))
    if not well_formed or encode_scores(state, validator, scores, metric=metric) != data:
        raise CodecError(f"not the scores of {validator} for round {state.number}")
    return scores


def decode_metric(data: bytes) -> int | None:
    """The metric in a score vector's document that `decode_scores` has accepted."""
    document = decode_document(data, max_bytes=RECORD_BYTES_MAX)
    metric = document.get("metric") if isinstance(document, dict) else None
    return metric if isinstance(metric, int) else None


def decode_record(data: bytes) -> Document:
    """Read a record.

    Raises:
        CodecError: the bytes are no canonical record.
    """
    document = decode_document(data, max_bytes=RECORD_BYTES_MAX)
    if not isinstance(document, dict) or document.get("format") != RECORD_FORMAT:
        raise CodecError("not a record of this version")
    if not _is_record(document):
        raise CodecError("a record lacks a field, or holds a value of another kind")
    return document


def _is_record(document: dict[str, Document]) -> bool:
    """True if readers can rely on every field: a dishonest quorum may have attested to anything."""
    updates = document.get("updates")
    if type(document.get("metric", "")) not in (int, type(None)):
        return False
    if type(document.get("round")) is not int or not isinstance(updates, list):
        return False
    rows = all(isinstance(row, dict) and _texts_of(row) >= _UPDATE_TEXTS for row in updates)
    lists = (_are_pairs(document.get(name), kind) for name, kind in _PAIRS.items())
    return (
        rows
        and all(lists)
        and all(_AMOUNT.fullmatch(amount) for _, amount in document["payouts"])
        and all(count > 0 for _, count in document["strikes"])
    )


def _texts_of(row: dict[str, Document]) -> set[str]:
    """The fields of an update's row that are texts, if its score is an integer or null."""
    scored = type(row.get("score", "")) in (int, type(None))
    return {key for key, value in row.items() if scored and isinstance(value, str)}


def _are_pairs(rows: Document, kind: type) -> bool:
    """True for a list of [account, value of that kind]."""
    return isinstance(rows, list) and all(
        isinstance(row, list)
        and len(row) == 2
        and isinstance(row[0], str)
        and is_address(row[0])
        and type(row[1]) is kind
        for row in rows
    )


def record_balances(record: Document) -> Balances:
    """The cumulative payouts and strikes that a record holds."""
    return Balances(
        {Address(account): int(amount) for account, amount in record["payouts"]},
        {Address(account): strikes for account, strikes in record["strikes"]},
        {Address(account): score for account, score in record["history"]},
    )


def encode_record(
    state: TaskState,
    *,
    updates: Sequence[UpdateRow],
    voters: Sequence[Address],
    faults: Mapping[Address, str],
    balances: Balances,
    metric: int | None = None,
) -> bytes:
    """The record of the current round of `state`, from its updates in address order.

    `metric` is what the validators measured of the round's model, where the task has a target.

    Raises:
        CodecError: it has more than `RECORD_BYTES_MAX`.
    """
    reveals = state.round.score_reveals
    return encode_document(
        {
            "format": RECORD_FORMAT,
            "task": state.task_id.hex(),
            "round": state.number,
            "parent": state.round.parent,
            "updates": [_update_row(row) for row in updates],
            "scores": _pairs({voter: reveals[voter].hex() for voter in voters}),
            "metric": metric,
            "faults": _pairs(faults),
            "payouts": _pairs({a: str(amount) for a, amount in balances.payouts.items()}),
            "strikes": _pairs(balances.strikes),
            "history": _pairs(balances.history),
        },
        max_bytes=RECORD_BYTES_MAX,
    )


def _update_row(row: UpdateRow) -> Document:
    return {
        "trainer": row.trainer,
        "update": row.update.hex(),
        "samples": str(row.samples),
        "check": row.check,
        "score": row.score,
        "payout": str(row.payout),
    }


def _pairs(values: Mapping[Address, object]) -> list[list[object]]:
    return [[account, values[account]] for account in sorted(values, key=str.lower)]
