"""The sponsor: keeps the task moving. Every act here is open to anyone."""

from __future__ import annotations

from ostrom.node.actions import Action, Advance, Refund, Sanction
from ostrom.node.balances import last_settled_balances
from ostrom.protocol import Command, TaskState, due
from ostrom.storage import Store


def sponsor_step(store: Store, state: TaskState, *, now: int) -> list[Action]:
    """Apply settled sanctions, push overdue phases on, fetch the rest of the pool at the end."""
    actions: list[Action] = [*sanctions(store, state)]
    if Command("advance") in due(state, now):
        actions.append(Advance())
    if state.over and not state.refunded and state.rules.pool > state.allocated:
        actions.append(Refund())
    return actions


def sanctions(store: Store, state: TaskState) -> list[Sanction]:
    """The strikes that are settled and not yet applied."""
    settled = last_settled_balances(store, state)
    if settled is None:
        return []
    return [
        Sanction(account, count, settled.strikes.proof(account))
        for account, count in sorted(settled.strikes.amounts.items())
        if account in state.members
        and count > state.members[account].strikes
        and not state.members[account].expelled
    ]
