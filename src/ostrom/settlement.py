"""From a round's evidence to its result: the computation that every validator repeats.

Validators settle rounds with `settle`; the audit repeats the very same call later. It is a pure
function of what the chain says, what the store holds and what the spec names, in integers, so that
honest validators attest to one digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import RLock
from typing import TypeAlias

import numpy as np

from ostrom.aggregation import Pipeline, leave_one_out, pipeline
from ostrom.codec import sha256
from ostrom.incentives import accumulate, balance_root, consensus, incentive
from ostrom.protocol import RoundState, TaskState
from ostrom.records import Balances, UpdateRow, encode_record
from ostrom.spec import Spec
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import add_saturating, chunk_root, encode_tensors
from ostrom.types import Address, Digest, IntVector, Result, Revealed
from ostrom.verification import Checked, check_round

Tensors: TypeAlias = Mapping[str, IntVector]

STRIKES_MAX = 3
"""The contract expels at the third strike; later faults cost nothing more."""


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
class Question:
    """What a round's aggregate depends on; the evidence rides along and is not compared."""

    spec: Spec
    parent: Digest
    reveals: tuple[Revealed, ...]
    available: frozenset[Address]
    exact: bool
    evidence: Evidence = field(compare=False)


@dataclass(frozen=True)
class Candidate:
    """A round's checked updates, in address order, with the model that they make."""

    checked: list[Checked]
    tensors: Tensors
    evidence: Evidence
    question: Question = field(repr=False)

    @property
    def accepted(self) -> list[Checked]:
        """The updates that passed every check."""
        return [one for one in self.checked if one.values is not None]

    def without_each(self) -> IntVector:
        """(n, d) int32: the model parameters that leave out one accepted update each."""
        with _ONE_AT_A_TIME:
            return _left_out(self.question)


@dataclass(frozen=True)
class Outcome:
    """A settled round: what goes to the chain and what goes to the store."""

    result: Result
    model: bytes
    record: bytes
    balances: Balances


def candidate(evidence: Evidence, *, exact: bool = True, fresh: bool = False) -> Candidate:
    """Check the round's updates and aggregate the accepted ones.

    Validators of one process ask the same question, so the last answers are kept; `fresh` computes
    anew whatever was computed before, as an audit must. `exact=False` allows a faster solver for
    scoring; a result always uses the exact one.
    """
    state = evidence.state
    reveals = state.round.reveals
    question = Question(
        spec=evidence.spec,
        parent=state.versions[state.round.parent].model,
        # Who committed first is the author; who reveals first is anybody's choice.
        reveals=tuple(reveals[trainer] for trainer in state.round.commits if trainer in reveals),
        available=frozenset(a for a, data in evidence.contents.items() if data is not None),
        exact=exact or not _rule(evidence.spec).approximates,
        evidence=evidence,
    )
    if fresh:
        return Candidate(*_answer.__wrapped__(question), evidence, question)
    with _ONE_AT_A_TIME:
        return Candidate(*_answer(question), evidence, question)


_ONE_AT_A_TIME = RLock()
"""So that the second thread to ask finds the first one's answer."""


@lru_cache(maxsize=2)
def _answer(question: Question) -> tuple[list[Checked], Tensors]:
    evidence = question.evidence
    checked = check_round(question.reveals, evidence.contents, question.spec)
    accepted = [one for one in checked if one.values is not None]
    rule = _rule(question.spec)
    return checked, _aggregate(rule, accepted, evidence.parent, exact=question.exact)


@lru_cache(maxsize=1)
def _left_out(question: Question) -> IntVector:
    checked, _ = _answer(question)
    stack, weights = _rows([one for one in checked if one.values is not None])
    parent = question.evidence.parent
    deltas = leave_one_out(_rule(question.spec), stack, weights, _server_state(parent))
    return add_saturating(parent["parameters"], deltas)


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
    record = encode_record(
        evidence.state,
        updates=_update_rows(made, points, payouts),
        voters=list(scores),
        faults=faults,
        balances=balances,
    )
    model = encode_tensors(dict(made.tensors))
    result = Result(
        model=digest_of(cid_of(model)),
        model_root=chunk_root(made.tensors["parameters"]),
        record=sha256(record),
        payouts=balance_root(evidence.state.task_id, balances.payouts),
        paid=sum(payouts.values()),
        sanctions=balance_root(evidence.state.task_id, balances.strikes),
    )
    return Outcome(result, model, record, balances)


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


def _update_rows(
    made: Candidate, points: Mapping[Address, int], payouts: Mapping[Address, int]
) -> list[UpdateRow]:
    reveals = made.evidence.state.round.reveals
    return [
        UpdateRow(
            trainer=one.verdict.trainer,
            update=reveals[one.verdict.trainer].update,
            samples=one.samples,
            check=one.verdict.check,
            score=points.get(one.verdict.trainer),
            payout=payouts.get(one.verdict.trainer, 0),
        )
        for one in made.checked
    ]
