"""From a round's evidence to its result: the computation that every validator repeats.

Validators settle rounds with `settle`; the audit repeats the very same call later. It is a pure
function of what the chain says, what the store holds and what the spec names, in integers, so that
honest validators attest to one digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import RLock
from typing import TypeAlias

import numpy as np

from ostrom.aggregation import Pipeline, Standing, deltas_without_each, pipeline
from ostrom.faults import chain_faults
from ostrom.incentives import accumulate, balance_root, consensus, incentive, remembers
from ostrom.participation import participation
from ostrom.protocol import TaskState
from ostrom.records import Balances, UpdateRow, encode_record
from ostrom.spec import Spec
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import add_saturating, chunk_root, encode_tensors
from ostrom.types import Address, Digest, IntVector, Result, Revealed
from ostrom.verification import Checked, Contributions, check_round, coalitions, scoring_seed

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
    drawn: frozenset[Address]
    exact: bool
    evidence: Evidence = field(compare=False)


@dataclass(frozen=True)
class Candidate:
    """A round's checked updates, in address order, with the model that they make."""

    checked: list[Checked]
    tensors: Tensors
    evidence: Evidence
    question: Question = field(repr=False)
    fresh: bool = False

    @property
    def accepted(self) -> list[Checked]:
        """The updates that passed every check."""
        return [one for one in self.checked if one.values is not None]

    def without_each(self) -> IntVector:
        """(n, d) int32: the model parameters that leave out one accepted update each."""
        with _ONE_AT_A_TIME:
            return _left_out(self.question)

    def contributions(self, trend: Callable[[], IntVector | None] = lambda: None) -> Contributions:
        """What a scorer is given: the accepted updates, and what any of them make together.

        `trend` is asked for the model's last change once a scorer needs it.
        """
        spec, parent = self.question.spec, self.evidence.parent
        updates, weights = _rows(self.accepted)
        rule, kept = _rule(spec), _server_state(parent)

        def moved(rows: IntVector, counts: IntVector) -> IntVector:
            delta, _ = rule.aggregate(rows, counts, kept, exact=False)
            return add_saturating(parent["parameters"], delta)

        games = coalitions(updates, weights, moved=moved, trend=trend)
        return Contributions(
            parent=parent["parameters"],
            updates=updates,
            seed=scoring_seed(self.evidence.state),
            candidate=self.tensors["parameters"],
            model_of=lambda rows: games[0](rows) if len(rows) else parent["parameters"],
            without_each=self.without_each,
            model_with=games[1],
        )


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
        reveals=tuple(reveals[trainer] for trainer in sorted(reveals, key=str.lower)),
        available=frozenset(a for a, data in evidence.contents.items() if data is not None),
        drawn=participation(evidence.spec.participation)(state),
        exact=exact or not _rule(evidence.spec).approximates,
        evidence=evidence,
    )
    if fresh:
        return Candidate(*_answer.__wrapped__(question), evidence, question, fresh=True)
    with _ONE_AT_A_TIME:
        return Candidate(*_answer(question), evidence, question)


_ONE_AT_A_TIME = RLock()
"""So that the second thread to ask finds the first one's answer."""


@lru_cache(maxsize=2)
def _answer(question: Question) -> tuple[list[Checked], Tensors]:
    evidence = question.evidence
    checked = check_round(question.reveals, evidence.contents, question.spec, drawn=question.drawn)
    accepted = [one for one in checked if one.values is not None]
    rule = _rule(question.spec)
    return checked, _aggregate(rule, accepted, evidence.parent, exact=question.exact)


@lru_cache(maxsize=1)
def _left_out(question: Question) -> IntVector:
    checked, _ = _answer(question)
    stack, weights = _rows([one for one in checked if one.values is not None])
    parent = question.evidence.parent
    # Row by row: in a round of ten thousand, all deltas together would not fit into memory.
    models = np.empty((len(stack), len(parent["parameters"])), dtype=np.int32)
    deltas = deltas_without_each(_rule(question.spec), stack, weights, _server_state(parent))
    for model, delta in zip(models, deltas):
        model[:] = add_saturating(parent["parameters"], delta)
    return models


def settle(
    made: Candidate,
    scores: Mapping[Address, Mapping[Address, int]],
    metrics: Mapping[Address, int] | None = None,
) -> Outcome:
    """The round's result.

    Args:
        made: the checked updates and their exact aggregate.
        scores: each validator's revealed score vector, trainer -> score, with the chain's digest
            already verified.
        metrics: what validators measured of the round's model, where the task has a target.
    """
    evidence = made.evidence
    points = consensus_scores(made, scores)
    payouts = _payouts(made, points, sorted(scores, key=str.lower))
    faults = _faults(made)
    tensors = _final_tensors(made, points)
    balances = Balances(
        accumulate(evidence.before.payouts, payouts),
        accumulate(evidence.before.strikes, dict.fromkeys(faults, 1)),
        _history(evidence, _shared(made, points)),
    )
    record = encode_record(
        evidence.state,
        updates=_update_rows(made, points, payouts),
        voters=list(scores),
        faults=faults,
        balances=balances,
        metric=consensus_metric(evidence.state, metrics or {}),
    )
    model = encode_tensors(tensors)
    result = Result(
        model=digest_of(cid_of(model)),
        model_root=chunk_root(tensors["parameters"]),
        record=digest_of(cid_of(record)),
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


def consensus_metric(state: TaskState, metrics: Mapping[Address, int]) -> int | None:
    """The stake-weighted lower median of the validators' metrics; None where nobody measured."""
    stakes = state.committee()
    voters = [v for v in sorted(metrics, key=str.lower) if v in stakes]
    if not voters:
        return None
    return consensus([[metrics[v]] for v in voters], [stakes[v] for v in voters])[0]


def _final_tensors(made: Candidate, points: Mapping[Address, int]) -> dict[str, IntVector]:
    """The model of the round: where the pipeline looks at scores, they are known only now."""
    evidence = made.evidence
    if not _rule(evidence.spec).informed or not made.accepted:
        return dict(made.tensors)
    trainers = [one.verdict.trainer for one in made.accepted]
    known = tuple((points[a], evidence.before.history.get(a, 0)) for a in trainers)
    if made.fresh:
        return _with_standing(made.accepted, evidence, known)
    with _ONE_AT_A_TIME:
        return _informed(made.question, known)


Known: TypeAlias = tuple[tuple[int, int], ...]
"""This round's score and the sum of the earlier ones, for each accepted update."""


@lru_cache(maxsize=1)
def _informed(question: Question, known: Known) -> dict[str, IntVector]:
    checked, _ = _answer(question)
    accepted = [one for one in checked if one.values is not None]
    return _with_standing(accepted, question.evidence, known)


def _with_standing(
    accepted: list[Checked], evidence: Evidence, known: Known
) -> dict[str, IntVector]:
    members = evidence.state.members
    standing = Standing(
        scores=np.array([score for score, _ in known], dtype=np.int64),
        history=np.array([past for _, past in known], dtype=np.int64),
        stakes=tuple(members[one.verdict.trainer].stake for one in accepted),
    )
    rule = _rule(evidence.spec)
    return _aggregate(rule, accepted, evidence.parent, exact=True, standing=standing)


def _history(evidence: Evidence, points: Mapping[Address, int]) -> dict[Address, int]:
    """Everybody's summed scores after this round, where pipeline or incentive look at them."""
    if not _rule(evidence.spec).informed and not remembers(evidence.spec.incentive):
        return {}
    past = evidence.before.history
    return {a: past.get(a, 0) + points.get(a, 0) for a in {*past, *points}}


def _rule(spec: Spec) -> Pipeline:
    return pipeline(spec.aggregation, fraction_bits=spec.fraction_bits)


def _rows(accepted: list[Checked]) -> tuple[IntVector, IntVector]:
    values = [one.values for one in accepted if one.values is not None]
    return np.stack(values), np.array([one.samples for one in accepted], dtype=np.int64)


def _server_state(parent: Tensors) -> dict[str, IntVector]:
    return {name[6:]: value for name, value in parent.items() if name.startswith("state.")}


def _aggregate(
    rule: Pipeline,
    accepted: list[Checked],
    parent: Tensors,
    *,
    exact: bool,
    standing: Standing | None = None,
) -> dict[str, IntVector]:
    if not accepted:
        return dict(parent)
    stack, weights = _rows(accepted)
    before = _server_state(parent)
    delta, state = rule.aggregate(stack, weights, before, standing=standing, exact=exact)
    tensors: dict[str, IntVector] = {"parameters": add_saturating(parent["parameters"], delta)}
    return tensors | {f"state.{name}": value for name, value in state.items()}


def _payouts(
    made: Candidate, points: Mapping[Address, int], voters: list[Address]
) -> dict[Address, int]:
    """This round's payouts; zero payouts are left out. Everything rounds down."""
    state, spec = made.evidence.state, made.evidence.spec
    budget = state.budget()
    share = budget * spec.validators_bps // 10_000
    rate = incentive(spec.incentive)
    if remembers(spec.incentive):
        past = made.evidence.before.history
        due = {a: past.get(a, 0) + part for a, part in _shared(made, points).items()}
        stakes = [state.members[a].stake for a in due]
        paid = dict(zip(due, rate(list(due.values()), stakes, budget - share)))
    else:
        stakes = [max(state.members[a].stake for a in one.holders) for one in made.accepted]
        pay = rate(list(points.values()), stakes, budget - share)
        paid = _shared(made, dict(zip(points, pay)))
    paid |= {v: share // len(voters) for v in voters}
    return {account: amount for account, amount in paid.items() if amount}


def _shared(made: Candidate, amounts: Mapping[Address, int]) -> dict[Address, int]:
    """Equal parts, rounded down, for all who sent one and the same update."""
    return {
        holder: amounts[one.verdict.trainer] // len(one.holders)
        for one in made.accepted
        for holder in one.holders
    }


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


def _update_rows(
    made: Candidate, points: Mapping[Address, int], payouts: Mapping[Address, int]
) -> list[UpdateRow]:
    reveals = made.evidence.state.round.reveals
    return [
        UpdateRow(
            trainer=one.verdict.trainer,
            update=reveals[one.verdict.trainer].update,
            samples=reveals[one.verdict.trainer].samples,
            check=one.verdict.check,
            score=points.get(one.verdict.trainer),
            payout=payouts.get(one.verdict.trainer, 0),
        )
        for one in made.checked
    ]
