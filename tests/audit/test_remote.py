"""Auditing from a chain that lives elsewhere: what a node leaves out or a store lacks is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit.remote import audit_chain
from ostrom.chain.deployed import Deployed
from ostrom.chain.deployment import Deployment
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.storage import DirectoryStore, MemoryStore, Store
from ostrom.types import Address, Cid, Claimed, Logged, Revealed

Kept = Callable[[Logged], bool]


class Forgetful:
    """A ledger whose node answers everything, but leaves out some events."""

    def __init__(self, inner: EmbeddedLedger, kept: Kept) -> None:
        self._inner, self._kept = inner, kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Those that are not left out."""
        return [one for one in self._inner.events(from_block, to_block) if self._kept(one)]


class Moving:
    """A chain that goes on once the store is read: the last blocks, with the claims, come then."""

    def __init__(self, path: Path, early: Path, contracts: Deployment) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        whole = EmbeddedLedger.load(path, resume=False)
        contracts.watch(whole)
        claims = [
            one for one in whole.events(0, whole.block_number) if isinstance(one.event, Claimed)
        ]
        early.write_bytes(
            b"".join(lines[: len(lines) - (whole.block_number - claims[0].block + 1)])
        )
        self.ledgers = [whole, EmbeddedLedger.load(early, resume=False)]

    def watch(self, contracts: dict[Address, str]) -> None:
        """Both hear the same contracts."""
        for one in self.ledgers:
            one.watch(contracts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledgers[-1], name)

    def go_on(self) -> None:
        """Let the last blocks come."""
        if len(self.ledgers) > 1:
            self.ledgers.pop().close()


class Prompting(DirectoryStore):
    """A store whose first reader is told that the chain has gone on."""

    prompt: Callable[[], None]

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """As the directory's."""
        self.prompt()
        return super().read_block(cid, limit)


@pytest.fixture
def ledger(finished: Path) -> Iterator[EmbeddedLedger]:
    made = EmbeddedLedger.load(finished / "chain.jsonl", resume=False)
    yield made
    made.close()


@pytest.fixture
def audited(finished: Path, ledger: EmbeddedLedger) -> Callable[..., Any]:
    run = json.loads((finished / "run.json").read_text())
    deployed = Deployed(ledger.chain_id, 0, Deployment.at(run["contracts"]))
    whole = DirectoryStore(finished / "store", read_only=True)

    def audit(*, kept: Kept = lambda _: True, store: Store = whole) -> Any:
        task_id = bytes.fromhex(run["task"])
        return audit_chain(Forgetful(ledger, kept), deployed, task_id, store)

    return audit


def test_a_living_chain_is_audited_like_a_run(audited: Callable[..., Any]) -> None:
    report = audited()
    assert report.passed, report.divergence
    assert report.rounds_settled == 2
    names = {line.check for line in report.lines}
    assert names >= {"contracts", "aggregation", "payouts", "lineage", "state", "balance"}


def test_a_store_without_the_content_fails_by_name(audited: Callable[..., Any]) -> None:
    report = audited(store=MemoryStore())
    assert not report.passed
    assert report.divergence.check == "spec"


def test_a_reveal_that_a_node_leaves_out_is_noticed(audited: Callable[..., Any]) -> None:
    assert not audited(kept=lambda one: not isinstance(one.event, Revealed)).passed


def test_claims_that_a_node_leaves_out_are_noticed(audited: Callable[..., Any]) -> None:
    report = audited(kept=lambda one: not isinstance(one.event, Claimed))
    assert report.divergence.check == "state"
    assert "claimed" in report.divergence.detail


def test_a_chain_without_the_task_fails(audited: Callable[..., Any]) -> None:
    report = audited(kept=lambda _: False)
    assert report.divergence.detail == "the chain knows no such task"


def test_money_that_leaves_during_the_audit_is_no_fault(finished: Path, tmp_path: Path) -> None:
    run = json.loads((finished / "run.json").read_text())
    contracts = Deployment.at(run["contracts"])
    chain = Moving(finished / "chain.jsonl", tmp_path / "chain.jsonl", contracts)
    early = chain.block_number
    store = Prompting(finished / "store", read_only=True)
    store.prompt = chain.go_on
    deployed = Deployed(chain.chain_id, 0, contracts)
    report = audit_chain(chain, deployed, bytes.fromhex(run["task"]), store)
    assert chain.block_number > early
    assert report.passed, report.divergence
    chain.close()
