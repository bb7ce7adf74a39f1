"""A quorum of colluding validators: everything is signed and consistent, and still it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostrom.audit import AuditLine, audit_run, write_manifest
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.codec import decode_document, encode_document, sha256
from ostrom.errors import OstromError
from ostrom.incentives import balance_root
from ostrom.node import validator as validator_module
from ostrom.settlement import Candidate, Outcome, settle
from ostrom.sim import runner as runner_module
from ostrom.sim.config import RunConfig
from ostrom.sim.federation import Federation
from ostrom.sim.folder import contracts_of, read_run
from ostrom.sim.runner import Runner
from ostrom.sim.world import build_world
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import chunk_root, decode_tensors, encode_tensors
from ostrom.types import Digest

FIELDS = {
    "dataset": "digits",
    "model": "logistic",
    "clients": 2,
    "validators": 2,
    "rounds": 1,
    "workers": 1,
    "samples": 300,
}

Forge = Callable[[Outcome, Digest], Outcome]


def with_record(outcome: Outcome, change: Callable[[Any], Any], **result: Any) -> Outcome:
    record = encode_document(change(decode_document(outcome.record)))
    return replace(
        outcome, record=record, result=replace(outcome.result, record=sha256(record), **result)
    )


def other_model(outcome: Outcome, task: Digest) -> Outcome:
    tensors = dict(decode_tensors(outcome.model, expect=None))
    tensors["parameters"] = tensors["parameters"] + np.int32(1)
    model = encode_tensors(tensors)
    root = chunk_root(tensors["parameters"])
    result = replace(outcome.result, model=digest_of(cid_of(model)), model_root=root)
    return replace(outcome, model=model, result=result)


def other_chunk_root(outcome: Outcome, task: Digest) -> Outcome:
    return replace(outcome, result=replace(outcome.result, model_root=bytes(31) + b"x"))


def moved_payout(outcome: Outcome, task: Digest) -> Outcome:
    amounts = dict(outcome.balances.payouts)
    poor, rich = sorted(amounts, key=lambda account: amounts[account])[:: len(amounts) - 1]
    amounts[poor], amounts[rich] = amounts[poor] + 1, amounts[rich] - 1
    rows = [[account, str(amount)] for account, amount in amounts.items()]
    return with_record(
        outcome, lambda r: {**r, "payouts": rows}, payouts=balance_root(task, amounts)
    )


def less_paid(outcome: Outcome, task: Digest) -> Outcome:
    return replace(outcome, result=replace(outcome.result, paid=outcome.result.paid - 1))


def framed_trainer(outcome: Outcome, task: Digest) -> Outcome:
    victim = decode_document(outcome.record)["updates"][0]["trainer"]
    strikes: Mapping[Any, int] = {victim: 1}
    fields = {"strikes": [[victim, 1]], "faults": [[victim, "missed_reveal"]]}
    return with_record(outcome, lambda r: {**r, **fields}, sanctions=balance_root(task, strikes))


def other_score(outcome: Outcome, task: Digest) -> Outcome:
    def change(record: Any) -> Any:
        record["updates"][0]["score"] += 1
        return record

    return with_record(outcome, change)


def dropped_scores(outcome: Outcome, task: Digest) -> Outcome:
    """The record leaves out a score vector that the quorum did use."""
    return with_record(outcome, lambda r: {**r, "scores": r["scores"][:1]})


def invented_scores(outcome: Outcome, task: Digest) -> Outcome:
    def change(record: Any) -> Any:
        record["scores"][0][1] = "00" * 32
        return record

    return with_record(outcome, change)


def other_format(outcome: Outcome, task: Digest) -> Outcome:
    return with_record(outcome, lambda r: {**r, "format": "ostrom/record/2"})


def no_updates(outcome: Outcome, task: Digest) -> Outcome:
    return with_record(outcome, lambda r: {k: v for k, v in r.items() if k != "updates"})


def wrong_kinds(outcome: Outcome, task: Digest) -> Outcome:
    return with_record(outcome, lambda r: {**r, "updates": [7], "scores": {"a": 1}})


def no_document(outcome: Outcome, task: Digest) -> Outcome:
    record = b"\xffnothing"
    return replace(outcome, record=record, result=replace(outcome.result, record=sha256(record)))


def collude(monkeypatch: pytest.MonkeyPatch, out: Path, forge: Forge) -> AuditLine:
    """Run a federation whose validators all attest to the forged result; what the audit finds."""

    def forged(made: Candidate, scores: Any, metrics: Any) -> Outcome:
        return forge(settle(made, scores, metrics), made.evidence.state.task_id)

    monkeypatch.setattr(validator_module, "settle", forged)
    monkeypatch.setattr(runner_module, "write_outputs", lambda runner: None)
    runner = Runner.start(build_world(RunConfig.of(FIELDS)), out, None)
    try:
        runner.finish()
    except OstromError:
        # Without a sound record or model the honest parties cannot go on either.
        assert runner.state.rounds[1].settled
    write_manifest(out, finished=True)
    report = audit_run(out)
    assert not report.passed
    assert report.divergence is not None
    return report.divergence


@pytest.mark.parametrize(
    ("forge", "check"),
    [
        (other_model, "aggregation"),
        (other_chunk_root, "aggregation"),
        (moved_payout, "payouts"),
        (less_paid, "payouts"),
        (framed_trainer, "sanctions"),
        (other_score, "record"),
        (dropped_scores, "payouts"),
        (invented_scores, "settlement"),
        (other_format, "settlement"),
        (no_updates, "settlement"),
        (wrong_kinds, "settlement"),
        (no_document, "settlement"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_a_quorum_forges_the_audit_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forge: Forge, check: str
) -> None:
    found = collude(monkeypatch, tmp_path, forge)
    assert (found.check, found.round) == (check, 1)


def test_the_same_run_without_the_forgery_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="not True"):
        collude(monkeypatch, tmp_path, lambda outcome, task: outcome)
    assert audit_run(tmp_path).passed


def test_an_update_that_is_refused_unread_need_not_be_in_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Mallory claims no samples and serves nothing: her strike must not fail everybody's audit."""
    honest = Federation._seal

    def lying(self: Federation, index: int) -> Any:
        sealed = honest(self, index)
        return sealed if index else replace(sealed, opening=replace(sealed.opening, samples=0))

    monkeypatch.setattr(Federation, "_seal", lying)
    monkeypatch.setattr(runner_module, "write_outputs", lambda runner: None)
    runner = Runner.start(build_world(RunConfig.of({**FIELDS, "rounds": 2})), tmp_path, None)
    runner.finish()
    mallory = runner.world.keys.trainers[0].address
    assert runner.history[-1]["trainers"][mallory]["check"] == "samples"
    for here in runner.state.rounds.values():
        name = next(
            str(cid)
            for cid in runner.store.cids()
            if digest_of(cid) == here.reveals[mallory].update
        )
        next((tmp_path / "store").rglob(name)).unlink()
    assert audit_run(tmp_path).passed


def test_a_gift_to_the_contract_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runner_module, "write_outputs", lambda runner: None)
    runner = Runner.start(build_world(RunConfig.of(FIELDS)), tmp_path, None)
    runner.finish()
    contracts = contracts_of(read_run(tmp_path))
    ledger = EmbeddedLedger.load(tmp_path / "chain.jsonl", resume=True)
    ledger.send(contracts.token.transfer(contracts.training.address, 1), runner.world.keys.sponsor)
    ledger.close()
    write_manifest(tmp_path, finished=True)
    report = audit_run(tmp_path)
    assert report.passed, report.divergence
