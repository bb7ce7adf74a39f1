"""The way of a message from a trainer to a relay: it may be lost, late, doubled or unanswered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.faults import Faults
from tests.simulation.machine import Machine
from tests.simulation.peers import SimNet

from ostrom.node.relay.receipts import NOT_NOW, Receipt, receipt

LATE_SECONDS = (5, 120)
NO_ANSWER = receipt(NOT_NOW, "no answer")


@dataclass
class SimCarrier:
    """One trainer's way to one relay. `later` delivers after some seconds, in any order."""

    sender: str
    relay: Machine
    net: SimNet
    faults: Faults
    later: Callable[[int, Callable[[], None]], None]
    on_offer: Callable[[bytes], None]

    def offer(self, data: bytes) -> Receipt:
        """Hand a message in."""
        self.on_offer(data)
        faults, sender = self.faults, self.sender
        if not self.net.reaches(sender, self.relay.name) or faults.strikes("message lost", sender):
            return NO_ANSWER
        if faults.strikes("message late", sender):
            self._deliver_later(data)
            return NO_ANSWER
        if faults.strikes("message twice", sender):
            self._deliver_later(data)
        answer = self.relay.accept(data)
        return NO_ANSWER if faults.strikes("answer lost", sender) else answer

    def _deliver_later(self, data: bytes) -> None:
        def deliver() -> None:
            self.relay.accept(data)

        self.later(self.faults.dice.randint(*LATE_SECONDS), deliver)
