"""Auditing a task where it lives: the events from a chain's nodes, the bytes from any store."""

from __future__ import annotations

from ostrom.audit.replay import audit_task
from ostrom.audit.report import AuditReport, Findings
from ostrom.chain.contracts import TaskState as Told
from ostrom.chain.deployed import Deployed
from ostrom.chain.ledger import Ledger
from ostrom.errors import ProtocolError
from ostrom.protocol import TaskState, replay
from ostrom.storage import Store
from ostrom.types import Digest, Logged

HEADS_MAX = 20
"""How often the chain is read again because a block came in between."""


def audit_chain(ledger: Ledger, deployed: Deployed, task_id: Digest, store: Store) -> AuditReport:
    """Audit a task on a living chain, up to the head that the ledger knows.

    The chain is believed where a run's journal is executed again: ask a node of one's own, or
    several, and compare. What the contract says of the task must be what its events add up to, so a
    node that leaves events out is noticed.

    Args:
        ledger: answers for the chain.
        deployed: where the contracts are; their code is checked.
        task_id: which task.
        store: has, or fetches, the spec, the models, the updates, the scores and the records.

    Raises:
        LedgerError: the chain cannot be reached, or the addresses hold other contracts.
    """
    findings = Findings()
    contracts = deployed.contracts
    contracts.watch(ledger)
    findings.note("contracts", True, "the code on the chain is the code that this version ships")
    log, told, held, head = _read(ledger, deployed, task_id)
    report = audit_task(log, store, task_id)
    findings.note("head", True, f"{len(log)} events up to block {head}")
    if report.passed:
        state = replay(TaskState(task_id=task_id), log)
        _check_told(state, told, findings)
        owed = state.rules.pool - sum(state.claimed.values()) - state.refunded
        findings.note("balance", held >= owed, f"the contract holds {held} and owes {owed}")
    first, rest = findings.lines[:2], findings.lines[2:]
    return AuditReport(task_id.hex(), report.rounds_settled, (*first, *report.lines, *rest))


def _read(
    ledger: Ledger, deployed: Deployed, task_id: Digest
) -> tuple[list[Logged], Told, int, int]:
    """The task's events, what the contract says of it and what it holds, all of one state.

    Money leaves while an audit reads: what the contract holds later would not fit these events.
    """
    training, token = deployed.contracts.training, deployed.contracts.token
    for _ in range(HEADS_MAX):
        head = ledger.block_number
        log = ledger.events(deployed.block, head)
        told = training.task(ledger, task_id)
        held = token.balance_of(ledger, training.address)
        if ledger.block_number == head:
            break
        if training.task(ledger, task_id) == told and _agrees(log, told, task_id):
            break
    return log, told, held, head


def _agrees(log: list[Logged], told: Told, task_id: Digest) -> bool:
    try:
        state = replay(TaskState(task_id=task_id), log)
    except ProtocolError:
        return False
    return not _differences(state, told)


def _check_told(state: TaskState, told: Told, findings: Findings) -> None:
    wrong = _differences(state, told)
    detail = "the contract says what its events add up to"
    findings.note("state", not wrong, f"{wrong[0]}: events are missing" if wrong else detail)


def _differences(state: TaskState, told: Told) -> list[str]:
    """Where the events and the contract's own numbers differ."""
    compared = {
        "phase": (state.phase.name, told.phase.name),
        "round": (state.number, told.round),
        "allocated": (state.allocated, told.allocated),
        "claimed": (state.claimed_total, told.claimed),
    }
    return [
        f"{name} is {mine} by the events and {theirs} by the contract"
        for name, (mine, theirs) in compared.items()
        if mine != theirs
    ]
