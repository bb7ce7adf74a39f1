"""One account's node for one task: look at the chain, do what is due, look again.

Nothing here waits, sleeps or reads a clock: whoever drives the agent decides when it looks. All
that it must remember is in the journal, so an agent can be thrown away at any moment and made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ostrom.chain.follower import Follower, View
from ostrom.errors import ContractError, StoreError
from ostrom.node.outbox import Outbox
from ostrom.node.parts import Part
from ostrom.node.space import FULL_LINE, is_full


@dataclass
class Agent:
    """Drives one part.

    `view` is what it saw last, `fault` why its part could not decide at the last look, `refused`
    what the contract refused then.
    """

    follower: Follower
    outbox: Outbox
    part: Part
    view: View | None = None
    fault: str = ""
    refused: list[ContractError] = field(default_factory=list)
    reorganised: int = 0

    def poll(self) -> None:
        """Look once and do what is due.

        Raises:
            LedgerError: the chain cannot be reached or contradicts itself: look again later.
        """
        self.view = view = self.follower.look()
        self.reorganised += view.dropped
        self.fault = ""
        try:
            wanted = self.part.wanted(view)
        except StoreError as error:
            # What is on its way must be looked after even so.
            wanted, self.fault = {}, FULL_LINE if is_full(error) else str(error)
        self.refused = self.outbox.work(view.head, wanted)

    def status(self) -> Mapping[str, object]:
        """What a person wants to know, in words and numbers."""
        if self.view is None:
            return {"state": "has not seen the chain yet"}
        view, counts = self.view, self.outbox.counts
        return {
            "account": self.outbox.key.address,
            "block": view.head.number,
            "confirmed": view.confirmed.number,
            "round": view.state.number,
            "phase": view.state.phase.name,
            "deadline": view.state.deadline,
            "now": view.head.time,
            "over": view.state.over,
            "sent": counts.sent,
            "landed": counts.landed,
            "failed": counts.failed,
            "again": counts.again,
            "raised": counts.raised,
            "gas": counts.gas,
            "last_act": counts.last_act,
            "sent_by_kind": dict(counts.sent_by_kind),
            "landed_by_kind": dict(counts.landed_by_kind),
            "reorganised": self.reorganised,
            "fault": self.fault,
            "refused": [str(one) for one in self.refused],
        }
