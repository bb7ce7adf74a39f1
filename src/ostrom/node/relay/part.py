"""The relay's part: it carries what it took, pays for claims, and keeps the task moving."""

from __future__ import annotations

from dataclasses import dataclass

from ostrom.chain.client import ChainClient
from ostrom.chain.contracts import Training
from ostrom.chain.follower import View
from ostrom.errors import StoreError
from ostrom.node.actions import Action
from ostrom.node.outbox import Outbox
from ostrom.node.parts import KeeperPart, Wanted, calls
from ostrom.node.relay.desk import Relay
from ostrom.node.trainer import claim_action
from ostrom.node.transactions import is_open
from ostrom.protocol import TaskState
from ostrom.storage import Store
from ostrom.types import Address, Role


@dataclass(frozen=True)
class RelayPart:
    """Carries messages first; then does what anyone may do for the task.

    Batches follow the head, not the confirmed block: what a reorganisation undoes is due again.
    """

    relay: Relay
    outbox: Outbox
    chain: ChainClient
    training: Training
    store: Store

    def wanted(self, view: View) -> Wanted:
        """Batches, overdue phases, sanctions, claims."""
        self._report()
        state, now = view.state, view.head.time
        batches = {one.key: one.call for one in self.relay.due(state, now)}
        try:
            services = self._services(view)
        except StoreError:
            # The record is not to be had yet; nobody loses by waiting for it.
            services = {}
        return {**batches, **services}

    def _report(self) -> None:
        """Tell the relay what became of its batches."""
        for name, landed in self.outbox.take_landed():
            if not landed.mined.ok:
                self.relay.lost(name)
                continue
            block = landed.mined.block
            logs = self.chain.logs(block, block)
            self.relay.mined(name, [one for one in logs if one.transaction == landed.transaction])

    def _services(self, view: View) -> Wanted:
        """What anyone may do: first what moves the task, then what pays."""
        moves = KeeperPart(self.store, self.training).wanted(view)
        claims: list[Action] = []
        if view.safe.over:
            for trainer in trainers_of(view.safe):
                claims += claim_action(trainer, self.store, view.safe)
        now = view.head.time
        due = (one for one in claims if is_open(one, view.state, now=now))
        return {**moves, **calls(due, view, self.training)}


def trainers_of(state: TaskState) -> list[Address]:
    """Everybody who ever trained for the task, by address."""
    found = [a for a, member in state.members.items() if member.role == Role.TRAINER]
    return sorted(found, key=str.lower)
