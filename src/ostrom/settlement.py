"""From a round's evidence to its result: the computation that every validator repeats.

Validators settle rounds with `settle`; the audit repeats the very same call later. It is a pure
function of what the chain says, what the store holds and what the spec names, in integers, so that
honest validators attest to one digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TypeAlias

import numpy as np

from ostrom.aggregation import Pipeline, leave_one_out, pipeline
from ostrom.codec import Document, decode_document, encode_document, is_address, sha256
from ostrom.errors import CodecError
from ostrom.incentives import accumulate, consensus, incentive, payout_root
from ostrom.protocol import RoundState, TaskState
from ostrom.spec import Spec
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import add_saturating, chunk_root, encode_tensors
from ostrom.types import Address, Digest, IntVector, Result, Revealed
from ostrom.verification import Checked, check_round

Tensors: TypeAlias = Mapping[str, IntVector]

RECORD_FORMAT = "ostrom/record/1"
SCORES_FORMAT = "ostrom/scores/1"

_PAIRS = {"scores": str, "faults": str, "payouts": str, "strikes": int}
_UPDATE_TEXTS = {"trainer", "update", "samples", "check", "payout"}
_AMOUNT = re.compile(r"[1-9][0-9]{0,77}", re.ASCII)

STRIKES_MAX = 3
"""The contract expels at the third strike; later faults cost nothing more."""


@dataclass(frozen=True)
class Balances:
    """What every account has earned, and how many strikes it has, since the task began."""

    payouts: Mapping[Address, int] = field(default_factory=dict)
    strikes: Mapping[Address, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What settles the current round of `state`.

    `parent` holds the tensors of the model that the round started from, `contents` the update
    files by trainer (None where nobody serves one), `before` the balances of the last settled
    round.
    """

    state: TaskState
    spec: Spec
    parent: Tensors
    contents: Mapping[Address, bytes | None]
    before: Balances = field(default_factory=Balances)


@dataclass(frozen=True)
class Candidate:
    """A round's checked updates, in address order, with the model that they make."""

    checked: list[Checked]
    tensors: Tensors
    evidence: Evidence

    @property
    def accepted(self) -> list[Checked]:
        """The updates that passed every check."""
        return [one for one in self.checked if one.values is not None]

    def without_each(self) -> IntVector:
        """(n, d) int32: the model parameters that leave out one accepted update each."""
        stack, weights = _rows(self.accepted)
        rule, parent = _rule(self.evidence.spec), self.evidence.parent
        deltas = leave_one_out(rule, stack, weights, _server_state(parent))
        return add_saturating(parent["parameters"], deltas)


@dataclass(frozen=True)
class Outcome:
    """A settled round: what goes to the chain and what goes to the store."""

    result: Result
    model: bytes
    record: bytes
    balances: Balances


@dataclass(frozen=True)
class _Question:
    """What a round's aggregate depends on; the evidence rides along and is not compared."""

    spec: Spec
    parent: Digest
    reveals: tuple[Revealed, ...]
    available: frozenset[Address]
    exact: bool
    evidence: Evidence = field(compare=False)


def candidate(evidence: Evidence, *, exact: bool = True, fresh: bool = False) -> Candidate:
    """Check the round's updates and aggregate the accepted ones.

    Validators of one process ask the same question, so the last answers are kept; `fresh` computes
    anew whatever was computed before, as an audit must. `exact=False` allows a faster solver for
    scoring; a result always uses the exact one.
    """
    state = evidence.state
    question = _Question(
        spec=evidence.spec,
        parent=state.versions[state.round.parent].model,
        reveals=tuple(state.round.reveals.values()),
        available=frozenset(a for a, data in evidence.contents.items() if data is not None),
        exact=exact,
        evidence=evidence,
    )
    if fresh:
        return Candidate(*_answer.__wrapped__(question), evidence)
    with _ONE_AT_A_TIME:
        return Candidate(*_answer(question), evidence)


_ONE_AT_A_TIME = Lock()
"""So that the second thread to ask finds the first one's answer."""


@lru_cache(maxsize=2)
def _answer(question: _Question) -> tuple[list[Checked], Tensors]:
    evidence = question.evidence
    checked = check_round(question.reveals, evidence.contents, question.spec)
    accepted = [one for one in checked if one.values is not None]
    rule = _rule(question.spec)
    return checked, _aggregate(rule, accepted, evidence.parent, exact=question.exact)


def settle(made: Candidate, scores: Mapping[Address, Mapping[Address, int]]) -> Outcome:
    """The round's result.

    Args:
        made: the checked updates and their exact aggregate.
        scores: each validator's revealed score vector, trainer -> score, with the chain's digest
            already verified.
    """
    evidence = made.evidence
    points = consensus_scores(made, scores)
    payouts = _payouts(made, points, sorted(scores, key=str.lower))
    faults = _faults(made)
    balances = Balances(
        accumulate(evidence.before.payouts, payouts),
        accumulate(evidence.before.strikes, dict.fromkeys(faults, 1)),
    )
    record = encode_document(_record(made, points, payouts, scores, faults, balances))
    model = encode_tensors(dict(made.tensors))
    result = Result(
        model=digest_of(cid_of(model)),
        model_root=chunk_root(made.tensors["parameters"]),
        record=sha256(record),
        payouts=payout_root(evidence.state.task_id, balances.payouts),
        paid=sum(payouts.values()),
        sanctions=payout_root(evidence.state.task_id, balances.strikes),
    )
    return Outcome(result, model, record, balances)


def encode_scores(state: TaskState, validator: Address, scores: Mapping[Address, int]) -> bytes:
    """A validator's score vector as a document."""
    rows = [[trainer, scores[trainer]] for trainer in sorted(scores, key=str.lower)]
    return encode_document(
        {
            "format": SCORES_FORMAT,
            "task": state.task_id.hex(),
            "round": state.number,
            "validator": validator,
            "scores": rows,
        }
    )


def decode_scores(data: bytes, state: TaskState, validator: Address) -> dict[Address, int]:
    """Read a validator's score vector of the current round.

    Raises:
        CodecError: the bytes are not that vector in canonical form.
    """
    document = decode_document(data)
    rows = document.get("scores") if isinstance(document, dict) else None
    well_formed = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and type(row[1]) is int
        for row in rows
    )
    scores = {Address(row[0]): row[1] for row in rows} if well_formed and rows else {}
    if not well_formed or encode_scores(state, validator, scores) != data:
        raise CodecError(f"not the scores of {validator} for round {state.number}")
    return scores


def decode_record(data: bytes) -> Document:
    """Read a record.

    Raises:
        CodecError: the bytes are no canonical record.
    """
    document = decode_document(data)
    if not isinstance(document, dict) or document.get("format") != RECORD_FORMAT:
        raise CodecError("not a record of this version")
    if not _is_record(document):
        raise CodecError("a record lacks a field, or holds a value of another kind")
    return document


def _is_record(document: dict[str, Document]) -> bool:
    """True if readers can rely on every field: a dishonest quorum may have attested to anything."""
    updates = document.get("updates")
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
        {Address(account): int(strikes) for account, strikes in record["strikes"]},
    )


def consensus_scores(
    made: Candidate, scores: Mapping[Address, Mapping[Address, int]]
) -> dict[Address, int]:
    """The stake-weighted median over validators, for each accepted trainer.

    A trainer whom no revealed vector scores gets zero.
    """
    stakes = made.evidence.state.committee()
    voters = [v for v in sorted(scores, key=str.lower) if v in stakes]
    trainers = [one.verdict.trainer for one in made.accepted]
    if not voters or not trainers:
        return dict.fromkeys(trainers, 0)
    matrix = [[scores[v].get(trainer) for trainer in trainers] for v in voters]
    return dict(zip(trainers, consensus(matrix, [stakes[v] for v in voters])))


def _rule(spec: Spec) -> Pipeline:
    return pipeline(spec.aggregation, fraction_bits=spec.fraction_bits)


def _rows(accepted: list[Checked]) -> tuple[IntVector, IntVector]:
    values = [one.values for one in accepted if one.values is not None]
    return np.stack(values), np.array([one.samples for one in accepted], dtype=np.int64)


def _server_state(parent: Tensors) -> dict[str, IntVector]:
    return {name[6:]: value for name, value in parent.items() if name.startswith("state.")}


def _aggregate(
    rule: Pipeline, accepted: list[Checked], parent: Tensors, *, exact: bool
) -> dict[str, IntVector]:
    if not accepted:
        return dict(parent)
    stack, weights = _rows(accepted)
    delta, state = rule.aggregate(stack, weights, _server_state(parent), exact=exact)
    tensors: dict[str, IntVector] = {"parameters": add_saturating(parent["parameters"], delta)}
    return tensors | {f"state.{name}": value for name, value in state.items()}


def _payouts(
    made: Candidate, points: Mapping[Address, int], voters: list[Address]
) -> dict[Address, int]:
    """This round's payouts; zero payouts are left out. Everything rounds down."""
    state, spec = made.evidence.state, made.evidence.spec
    budget = state.budget()
    share = budget * spec.validators_bps // 10_000
    trainers = list(points)
    stakes = [state.members[trainer].stake for trainer in trainers]
    pay = incentive(spec.incentive)([points[a] for a in trainers], stakes, budget - share)
    paid = dict(zip(trainers, pay)) | {v: share // len(voters) for v in voters}
    return {account: amount for account, amount in paid.items() if amount}


def _faults(made: Candidate) -> dict[Address, str]:
    """Who earns a strike in this round, and why; at most one strike each."""
    faults = chain_faults(made.evidence.state)
    for one in made.checked:
        if one.verdict.strike:
            faults[one.verdict.trainer] = one.verdict.check
    # The last record says who is out: when sanctions reach the chain is anybody's choice.
    strikes = made.evidence.before.strikes
    out = {account for account, count in strikes.items() if count >= STRIKES_MAX}
    return {a: faults[a] for a in sorted(faults, key=str.lower) if a not in out}


def chain_faults(state: TaskState) -> dict[Address, str]:
    """The faults that the chain alone proves, since the last settled round.

    A trainer who commits and does not reveal; a validator who does not reveal scores, who attests
    to another digest than the settled one, or who lets a void round's deadline pass.
    """
    faults: dict[Address, str] = {}
    settled = [n for n, r in state.rounds.items() if r.settled]
    last = max(settled, default=0)
    if last:
        faults |= _dissent(state.rounds[last])
    for number in range(last + 1, state.number + 1):
        faults |= dict.fromkeys(state.rounds[number].missed, "missed_reveal")
        faults |= _silence(state, state.rounds[number])
    return faults


def _dissent(here: RoundState) -> dict[Address, str]:
    votes = here.attestations.values()
    return {v.validator: "wrong_attestation" for v in votes if v.result != here.settled}


def _silence(state: TaskState, here: RoundState) -> dict[Address, str]:
    """Validators who owed scores or an attestation and gave none."""
    if not here.reveals:
        return {}
    validators = state.committee()
    faults = dict.fromkeys((v for v in validators if v not in here.score_reveals), "missed_scores")
    if here.void:
        late = (v for v in validators if v not in here.attestations)
        faults |= dict.fromkeys(late, "missed_attestation")
    return faults


def _pairs(values: Mapping[Address, object]) -> list[list[object]]:
    return [[account, values[account]] for account in sorted(values, key=str.lower)]


def _texts(amounts: Mapping[Address, int]) -> Mapping[Address, str]:
    return {account: str(amount) for account, amount in amounts.items()}


def _record(
    made: Candidate,
    points: Mapping[Address, int],
    payouts: Mapping[Address, int],
    voters: Iterable[Address],
    faults: Mapping[Address, str],
    balances: Balances,
) -> Document:
    state = made.evidence.state
    here = state.round
    updates = [
        {
            "trainer": one.verdict.trainer,
            "update": here.reveals[one.verdict.trainer].update.hex(),
            "samples": str(one.samples),
            "check": one.verdict.check,
            "score": points.get(one.verdict.trainer),
            "payout": str(payouts.get(one.verdict.trainer, 0)),
        }
        for one in made.checked
    ]
    return {
        "format": RECORD_FORMAT,
        "task": state.task_id.hex(),
        "round": state.number,
        "parent": here.parent,
        "updates": updates,
        "scores": _pairs({v: here.score_reveals[v].hex() for v in voters}),
        "faults": _pairs(faults),
        "payouts": _pairs(_texts(balances.payouts)),
        "strikes": _pairs(balances.strikes),
    }
