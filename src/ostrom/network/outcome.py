"""How a local network's task ended: its model's accuracy, the money, and the audit.

The audit takes nothing from this machine's folders: events come from the chain's nodes, content
from the nodes of the parties.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ostrom.audit import AuditReport
from ostrom.audit.remote import audit_chain
from ostrom.chain.deployed import Deployed
from ostrom.chain.rpc import RpcLedger
from ostrom.errors import LedgerError, OstromError
from ostrom.evidence import read_document
from ostrom.network.launch import Launched
from ostrom.network.plan import Plan
from ostrom.protocol import TaskState, replay
from ostrom.registry import load_model
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore, Store
from ostrom.storage.http import GatewayFetch
from ostrom.storage.peers import PeerStore
from ostrom.types import Digest

AUDIT = "audit"
FETCH_SECONDS_MAX = 20.0


@dataclass(frozen=True)
class Outcome:
    """How a task stands. `accuracy` is of the newest model, on examples that nobody trained on;
    None if the model cannot be had. Amounts are in the token's smallest unit."""

    rounds_settled: int
    rounds: int
    accuracy: float | None
    paid: int
    claimed: int
    refunded: int
    audit: AuditReport

    def document(self) -> dict[str, object]:
        """The outcome as plain values, for JSON; amounts as text."""
        return {
            "rounds_settled": self.rounds_settled,
            "rounds": self.rounds,
            "accuracy": self.accuracy,
            "paid": str(self.paid),
            "claimed": str(self.claimed),
            "refunded": str(self.refunded),
            "audit": self.audit.document(),
        }


def conclude(
    plan: Plan, launched: Launched, *, rpc: Sequence[str], nodes: Sequence[str]
) -> Outcome:
    """Audit the task from the chain at `rpc` and the gateways at `nodes`, and measure its model.

    Raises:
        LedgerError: the chain cannot be reached.
    """
    with ExitStack() as stack:
        ledger = RpcLedger(rpc, chain_id=launched.deployed.chain_id)
        stack.callback(ledger.close)
        fetch = GatewayFetch(allow_private=True, seconds_max=FETCH_SECONDS_MAX)
        stack.callback(fetch.close)
        local = DirectoryStore(plan.folder / AUDIT, durable=False)
        store = PeerStore(local, lambda: list(nodes), fetch)
        report = audit_chain(ledger, launched.deployed, launched.task_id, store)
        log = ledger.events(launched.deployed.block, ledger.block_number)
        state = replay(TaskState(task_id=launched.task_id), log)
        return Outcome(
            rounds_settled=report.rounds_settled,
            rounds=state.rules.rounds,
            accuracy=accuracy_of(plan, store, state),
            paid=state.allocated,
            claimed=state.claimed_total,
            refunded=state.refunded,
            audit=report,
        )


def accuracy_of(plan: Plan, store: Store, state: TaskState) -> float | None:
    """The head's share of right answers on the test examples; None if it cannot be had."""
    from ostrom.training import build_model, evaluate

    try:
        spec = Spec.decode(read_document(store, state.rules.spec))
        tensors = load_model(store, state.versions[state.head], spec)
        model = build_model(spec.model, shape=spec.shape, classes=spec.classes)
        test = plan.test()
        return float(evaluate(model, tensors["parameters"], test).accuracy)
    except OstromError:
        return None


def all_paid(rpc: Sequence[str], deployed: Deployed, task_id: Digest) -> bool:
    """True once all that was earned is claimed and the rest of the pool is back; False while the
    chain does not say so."""
    try:
        ledger = RpcLedger(rpc, chain_id=deployed.chain_id)
        try:
            told = deployed.contracts.training.task(ledger, task_id)
        finally:
            ledger.close()
    except LedgerError:
        return False
    return told.claimed == told.allocated and (told.refunded or told.pool == told.allocated)
