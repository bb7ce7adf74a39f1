"""Replaying one task from a ledger's events and a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ostrom.audit.report import AuditReport, Findings
from ostrom.chain.hashes import result_digest
from ostrom.codec import Document
from ostrom.errors import CodecError, OstromError, StoreError
from ostrom.evidence import fetch_update, last_balances, read_document, read_metrics, read_record
from ostrom.protocol import TaskState, apply
from ostrom.records import decode_record, decode_scores
from ostrom.registry import load_model, parent_of_round
from ostrom.settlement import Evidence, Outcome, candidate, settle
from ostrom.spec import Spec, installed_code
from ostrom.storage import Store
from ostrom.types import Address, Attested, Digest, Logged, Result, RoundSettled, TaskCreated


def audit_task(log: Sequence[Logged], store: Store, task_id: Digest) -> AuditReport:
    """Replay a task's events, and recompute every settled round from the store.

    Args:
        log: the events of the task's contracts, in the chain's order.
        store: where the spec, the models, the updates, the scores and the records are.
        task_id: which task.
    """
    findings = Findings()
    state = _replay(log, store, TaskState(task_id=task_id), findings)
    if findings.clean:
        _check_money(state, store, findings)
        _check_lineage(state, store, findings)
    settled = sum(1 for r in state.rounds.values() if r.settled)
    return AuditReport(task_id.hex(), settled, tuple(findings.lines))


def _replay(log: Sequence[Logged], store: Store, state: TaskState, findings: Findings) -> TaskState:
    """Feed every event to the state machine; recompute each round as it settles."""
    spec: Spec | None = None
    for logged in log:
        event = logged.event
        if getattr(event, "task_id", state.task_id) != state.task_id:
            continue
        if isinstance(event, RoundSettled) and spec is not None:
            _check_round(state, event, store, spec, findings)
        with findings.guard("protocol", number=state.number or None):
            state = apply(state, event, logged.time)
        if isinstance(event, TaskCreated):
            spec = _read_spec(event, store, findings)
        if not findings.clean:
            return state
    found = state.params is not None
    detail = f"{len(log)} events obey the protocol" if found else "the chain knows no such task"
    findings.note("protocol", found, detail)
    return state


def _read_spec(event: TaskCreated, store: Store, findings: Findings) -> Spec | None:
    spec: Spec | None = None
    with findings.guard("spec"):
        spec = Spec.decode(read_document(store, event.params.spec))
        detail = "the code is the one that the task pins"
        if spec.code != installed_code():
            detail = f"the task pins code {spec.code[:12]}, here is {installed_code()[:12]}"
        findings.note("spec", True, f"{detail}; what counts is that the bytes are equal")
    return spec


def _check_round(
    state: TaskState, event: RoundSettled, store: Store, spec: Spec, findings: Findings
) -> None:
    number = event.round
    votes = [a for a in state.round.attestations.values() if a.digest == event.digest]
    if not findings.note("attestations", bool(votes), f"{len(votes)} agree", number=number):
        return
    _check_digests(votes, findings)
    with findings.guard("settlement", number=number):
        record = decode_record(read_record(store, votes[0].result.record))
        outcome = _recompute(state, record, store, spec)
        _compare(state, votes[0].result, outcome, record, findings)


def _check_digests(votes: Sequence[Attested], findings: Findings) -> None:
    wrong = [
        v.validator for v in votes if v.digest != result_digest(v.task_id, v.round, result=v.result)
    ]
    if wrong:
        findings.note("attestations", False, f"{wrong[0]} attested to another digest")


def _recompute(state: TaskState, record: Document, store: Store, spec: Spec) -> Outcome:
    """Settle the round from exactly what its record names."""
    evidence = Evidence(
        state=state,
        spec=spec,
        parent=load_model(store, parent_of_round(state), spec),
        contents=_named_updates(state, record, store, spec),
        before=last_balances(store, state),
    )
    scores = _named_scores(state, record, store)
    metrics = {a: m for a, m in read_metrics(store, state, spec).items() if a in scores}
    return settle(candidate(evidence, fresh=True), scores, metrics)


def _named_updates(
    state: TaskState, record: Document, store: Store, spec: Spec
) -> dict[Address, bytes | None]:
    """The update files of the round; one that the record calls unavailable stays out.

    Raises:
        StoreError: a file that the record names is missing or damaged.
    """
    unread = ("available", "samples")  # checks that are decided before any content is read
    withheld = {row["trainer"] for row in record["updates"] if row["check"] in unread}
    contents: dict[Address, bytes | None] = {}
    for trainer, revealed in state.round.reveals.items():
        contents[trainer] = None
        if trainer not in withheld:
            try:
                contents[trainer] = fetch_update(store, revealed.update, spec)
            except StoreError as error:
                raise type(error)(f"the update of {trainer}: {error}") from None
    return contents


def _named_scores(
    state: TaskState, record: Document, store: Store
) -> dict[Address, dict[Address, int]]:
    vectors: dict[Address, dict[Address, int]] = {}
    for validator, digest in record["scores"]:
        revealed = state.round.score_reveals.get(validator, b"")
        if revealed.hex() != digest:
            raise CodecError(f"the record names scores that {validator} did not reveal")
        vectors[validator] = decode_scores(read_record(store, revealed), state, validator)
    return vectors


_COMPARED: Mapping[str, str] = {
    "model": "aggregation",
    "model_root": "aggregation",
    "payouts": "payouts",
    "paid": "payouts",
    "sanctions": "sanctions",
    "record": "record",
}


def _compare(
    state: TaskState, attested: Result, own: Outcome, record: Document, findings: Findings
) -> None:
    """Hold the attested result against the recomputed one, field by field."""
    wrong: dict[str, str] = {}
    for field, check in _COMPARED.items():
        if getattr(attested, field) != getattr(own.result, field):
            wrong.setdefault(check, f"{field} differs from the recomputed one")
    accepted = sum(1 for row in record["updates"] if not row["check"])
    details = {
        "aggregation": f"{accepted} of {len(record['updates'])} updates give the same bytes",
        "payouts": f"{own.result.paid} paid, to the unit",
        "sanctions": f"{len(record['faults'])} strikes",
        "record": f"{len(record['scores'])} score vectors, one consensus",
    }
    for check, detail in details.items():
        findings.note(check, check not in wrong, wrong.get(check, detail), number=state.number)


def _check_money(state: TaskState, store: Store, findings: Findings) -> None:
    """Claims against the last payout tree, and the pool against all that left it."""
    with findings.guard("claims"):
        earned = last_balances(store, state).payouts
        wrong = [a for a, paid in state.claimed.items() if paid > earned.get(a, 0)]
        detail = (
            f"{wrong[0]} claimed more than it earned"
            if wrong
            else (f"{len(state.claimed)} accounts claimed {sum(state.claimed.values())}")
        )
        findings.note("claims", not wrong, detail)
        total = sum(earned.values())
        sums = total == state.allocated and total + state.refunded <= state.rules.pool
        rest = state.rules.pool - total - state.refunded
        detail = f"paid {total} + refunded {state.refunded} + open {rest} = pool"
        findings.note("pool", sums and rest >= 0, detail)


def _check_lineage(state: TaskState, store: Store, findings: Findings) -> None:
    """Every published version must be its round's result, readable and with its chunk root."""
    with findings.guard("lineage"):
        spec = Spec.decode(read_document(store, state.rules.spec))
        for version in state.versions.values():
            named = state.rounds[version.round].settled if version.round else None
            first = (state.rules.model, state.rules.model_root)
            expected = (named.model, named.model_root) if named else first
            if (version.model, version.model_root) != expected:
                raise OstromError(f"version {version.version} is not its round's result")
            load_model(store, version, spec)
        findings.note("lineage", True, f"{len(state.versions)} versions, head {state.head}")
