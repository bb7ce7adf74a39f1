"""Auditing a run's folder: the chain's journal, the store, and the files made from them."""

from __future__ import annotations

import os
from pathlib import Path

from ostrom.audit.replay import audit_task
from ostrom.audit.report import AuditReport, Findings
from ostrom.chain.deployment import Deployment
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.codec import Document, decode_document, encode_document
from ostrom.errors import AuditError, CodecError, OstromError
from ostrom.protocol import TaskState, replay
from ostrom.storage import DirectoryStore, Store, cid_of
from ostrom.types import Cid

MANIFEST = "files.json"
CHAIN = "chain.jsonl"
UNLISTED = {MANIFEST, "audit.json"}
BLOCK_BYTES_MAX = 1 << 31


def audit_run(path: Path) -> AuditReport:
    """Audit a run that `ostrom demo` or `ostrom.simulate` left in `path`.

    Raises:
        AuditError: `path` holds no run.
    """
    if not (path / "run.json").is_file():
        raise AuditError(f"{path} holds no run: there is no run.json in it")
    findings = Findings()
    task, report = b"", None
    with findings.guard("files"):
        _check_manifest(path, findings)
    with findings.guard("store"):
        store = DirectoryStore(path / "store", read_only=True)
        _check_store(store, findings)
    if findings.clean:
        with findings.guard("chain"):
            run = decode_document((path / "run.json").read_bytes())
            task = bytes.fromhex(run["task"])
            report = _audit_chain(path, run, store, findings)
    lines = (*findings.lines, *(report.lines if report else ()))
    return AuditReport(task.hex(), report.rounds_settled if report else 0, lines)


def _audit_chain(path: Path, run: Document, store: Store, findings: Findings) -> AuditReport:
    ledger = EmbeddedLedger.load(path / CHAIN, resume=False)
    head = f"{ledger.block_number} blocks executed again, head {ledger.head.hash.hex()[:16]}"
    findings.note("chain", True, head)
    deployment = Deployment.at(run["contracts"])
    deployment.watch(ledger)
    findings.note("contracts", True, "the code on the chain is the code that this version ships")
    log = ledger.events(0, ledger.block_number)
    report = audit_task(log, store, bytes.fromhex(run["task"]))
    if report.passed:
        state = replay(TaskState(task_id=bytes.fromhex(run["task"])), log)
        _check_balance(ledger, deployment, state, findings)
    return report


def _check_balance(
    ledger: EmbeddedLedger, deployment: Deployment, state: TaskState, findings: Findings
) -> None:
    held = deployment.token.balance_of(ledger, deployment.training.address)
    owed = state.rules.pool - sum(state.claimed.values()) - state.refunded
    findings.note("balance", held == owed, f"the contract holds {held} and owes {owed}")


def _check_store(store: Store, findings: Findings) -> None:
    """Every block, whether a round names it or not."""
    count = 0
    for cid in store.cids():
        for _ in store.stream(cid, max_bytes=BLOCK_BYTES_MAX):
            pass
        count += 1
    findings.note("store", count > 0, f"{count} blocks hash to their CIDs")


def write_manifest(path: Path, *, finished: bool) -> None:
    """Write the CIDs of a run's files down, so that the audit can tell a damaged one.

    The chain's journal is listed once the run is finished: until then it may grow at any moment.
    """
    files = {f.name: _cid(f) for f in _listed(path) if finished or f.name != CHAIN}
    temporary = path / f"{MANIFEST}.tmp"
    temporary.write_bytes(encode_document(files))
    os.replace(temporary, path / MANIFEST)


def _listed(path: Path) -> list[Path]:
    return sorted(
        f for f in path.iterdir() if f.is_file() and f.name not in UNLISTED and f.suffix != ".tmp"
    )


def _cid(file: Path) -> Cid:
    with file.open("rb") as stream:
        return cid_of(stream)


def _check_manifest(path: Path, findings: Findings) -> None:
    """The files beside chain and store; they prove nothing, but a damaged one is named."""
    if not (path / MANIFEST).is_file():
        raise OstromError(f"{MANIFEST} is missing: the run was killed; finish it with --resume")
    try:
        files = decode_document((path / MANIFEST).read_bytes())
    except CodecError as error:
        raise CodecError(f"{MANIFEST}: {error}") from None
    for name, cid in sorted(files.items()):
        if not (path / name).is_file():
            raise OstromError(f"{name} is missing")
        if _cid(path / name) != cid:
            raise OstromError(f"{name} does not have the CID that {MANIFEST} lists")
    findings.note("files", True, f"{len(files)} files have the CIDs that {MANIFEST} lists")
