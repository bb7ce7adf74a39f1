"""Auditing a run's folder: the chain's journal, the store, and the files made from them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ostrom.audit.replay import audit_task
from ostrom.audit.report import AuditReport, Findings
from ostrom.chain.deployment import Deployment
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.codec import Document, decode_document, encode_document, is_address
from ostrom.errors import AuditError, CodecError, OstromError
from ostrom.protocol import TaskState, replay
from ostrom.storage import DirectoryStore, Store, cid_of
from ostrom.types import Cid, Digest

MANIFEST = "files.json"
CHAIN = "chain.jsonl"
GROWING = {CHAIN, "history.jsonl", "timings.jsonl"}
UNLISTED = {MANIFEST, "audit.json"}
BLOCK_BYTES_MAX = 1 << 31

_TASK = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
            task, deployment = _read_run(path / "run.json")
            report = _audit_chain(path, task, deployment=deployment, store=store, findings=findings)
    lines = (*findings.lines, *(report.lines if report else ()))
    return AuditReport(task.hex(), report.rounds_settled if report else 0, lines)


def _read_run(file: Path) -> tuple[Digest, Deployment]:
    """Which task, and where its contracts are."""
    run = _read_object(file)
    task, contracts = run.get("task"), run.get("contracts")
    if not (isinstance(task, str) and _TASK.fullmatch(task)):
        raise CodecError(f"{file.name}: it does not name a task")
    if not isinstance(contracts, dict) or not all(map(is_address, map(str, contracts.values()))):
        raise CodecError(f"{file.name}: it does not say where the contracts are")
    return bytes.fromhex(task), Deployment.at(contracts)


def _read_object(file: Path) -> dict[str, Document]:
    try:
        document = decode_document(file.read_bytes())
    except (OSError, CodecError) as error:
        raise CodecError(f"{file.name}: {error}") from None
    if not isinstance(document, dict):
        raise CodecError(f"{file.name}: it is not an object")
    return document


def _audit_chain(
    path: Path, task: Digest, *, deployment: Deployment, store: Store, findings: Findings
) -> AuditReport:
    ledger = EmbeddedLedger.load(path / CHAIN, resume=False)
    head = f"{ledger.block_number} blocks executed again, head {ledger.head.hash.hex()[:16]}"
    findings.note("chain", True, head)
    deployment.watch(ledger)
    findings.note("contracts", True, "the code on the chain is the code that this version ships")
    log = ledger.events(0, ledger.block_number)
    report = audit_task(log, store, task)
    if report.passed:
        state = replay(TaskState(task_id=task), log)
        _check_balance(ledger, deployment, state, findings)
    return report


def _check_balance(
    ledger: EmbeddedLedger, deployment: Deployment, state: TaskState, findings: Findings
) -> None:
    held = deployment.token.balance_of(ledger, deployment.training.address)
    owed = state.rules.pool - sum(state.claimed.values()) - state.refunded
    # Anyone can send tokens to a contract: more than it owes is no fault.
    findings.note("balance", held >= owed, f"the contract holds {held} and owes {owed}")


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

    What grows with the run is listed once it is finished: until then a killed process may leave it
    one line longer than the list says.
    """
    files = {f.name: _cid(f) for f in _listed(path) if finished or f.name not in GROWING}
    temporary = path / f"{MANIFEST}.tmp"
    temporary.write_bytes(encode_document(files))
    os.replace(temporary, path / MANIFEST)


def _listed(path: Path) -> list[Path]:
    return sorted(
        f for f in path.iterdir() if f.is_file() and f.name not in UNLISTED and f.suffix != ".tmp"
    )


def _cid(file: Path) -> Cid:
    try:
        with file.open("rb") as stream:
            return cid_of(stream)
    except OSError as error:
        raise OstromError(f"{file.name} cannot be read: {error.strerror}") from None


def _check_manifest(path: Path, findings: Findings) -> None:
    """The files beside chain and store; they prove nothing, but a damaged one is named."""
    if not (path / MANIFEST).is_file():
        raise OstromError(
            f"{MANIFEST} is missing: the run was killed; finish it with `ostrom demo --resume`"
        )
    files = _read_object(path / MANIFEST)
    if "run.json" not in files:
        raise CodecError(f"{MANIFEST} does not list run.json")
    for name, cid in sorted(files.items()):
        if Path(name).name != name or not (path / name).is_file():
            raise OstromError(f"{name} is missing")
        if _cid(path / name) != cid:
            raise OstromError(f"{name} does not have the CID that {MANIFEST} lists")
    findings.note("files", True, f"{len(files)} files have the CIDs that {MANIFEST} lists")
