"""What must hold once a network of processes has ended, whatever was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostrom.chain.contracts import MemberState
from ostrom.chain.ledger import Call
from ostrom.chain.rpc import RpcLedger
from ostrom.network.local import LocalNetwork
from ostrom.network.outcome import Outcome, conclude


@dataclass(frozen=True)
class Judgement:
    """How a network ended: what does not hold, and the members' strikes by name."""

    outcome: Outcome
    faults: list[str]
    strikes: Mapping[str, int]


def judge(network: LocalNetwork) -> Judgement:
    """Ask chain and nodes for the audit, the money and the strikes."""
    assert network.launched is not None
    urls = [f"http://127.0.0.1:{port}" for port in network.ports.values()]
    outcome = conclude(network.plan, network.launched, rpc=network.rpc, nodes=urls)
    faults = [] if outcome.audit.passed else [f"the audit fails: {outcome.audit.document()}"]
    ledger = RpcLedger(network.rpc)
    try:
        return Judgement(outcome, faults + _money(ledger, network), strikes(ledger, network))
    finally:
        ledger.close()


def _money(ledger: RpcLedger, network: LocalNetwork) -> list[str]:
    """Every unit of the supply is with somebody."""
    assert network.launched is not None
    plan, task_id = network.plan, network.launched.task_id
    deployed = network.launched.deployed.contracts
    faults = []
    told = deployed.training.task(ledger, task_id)
    held = deployed.token.balance_of(ledger, deployed.training.address)
    owed = told.pool - told.claimed if not told.refunded else told.allocated - told.claimed
    if held != owed:
        faults.append(f"the contract holds {held} and owes {owed}")
    supply = ledger.call(Call("Token", deployed.token.address, "totalSupply"))
    accounts = {one.address for one in (*plan.nodes, plan.sponsor)}
    accounts |= {deployed.training.address, deployed.registry.address}
    total = sum(deployed.token.balance_of(ledger, one) for one in accounts)
    if total != supply:
        faults.append(f"{supply - total} units of the token are with nobody that is known")
    return faults


def strikes(ledger: RpcLedger, network: LocalNetwork) -> dict[str, int]:
    """The strikes that the chain has carried out, by the name of whom they hit."""
    assert network.launched is not None
    training, task_id = network.launched.deployed.contracts.training, network.launched.task_id
    found: dict[str, int] = {}
    for party in network.plan.parties("trainer", "validator"):
        member: MemberState = training.member(ledger, task_id, account=party.address)
        if member.strikes:
            found[party.name] = member.strikes
    return found
