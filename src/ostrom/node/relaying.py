"""Relays as a node meets them: the part that runs one, and the offers of a trainer to others."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ostrom.chain.client import ChainClient
from ostrom.chain.follower import View
from ostrom.chain.ledger import Call
from ostrom.chain.rpc_client import RpcClient
from ostrom.chain.wallet import Key
from ostrom.node.actions import Commit, Reveal
from ostrom.node.journal import Flight, Journal
from ostrom.node.parts import Wanted
from ostrom.node.relay import Carrier, Place, Relay, commit_message, reveal_message
from ostrom.types import Digest

log = logging.getLogger(__name__)

OFFER_SECONDS = 10.0
"""After so long a message is offered again: a relay may have been put back from an old copy."""


@dataclass
class RelayPart:
    """Sends what a relay has taken. It pays for others, so it decides on the newest block."""

    relay: Relay
    chain: ChainClient
    journal: Journal

    def wanted(self, view: View) -> Wanted:
        """The transactions that should be on their way.

        Raises:
            LedgerError: the chain cannot be asked what became of the last ones.
            StoreError: the relay's book cannot be written.
        """
        for flight in self.journal.flights():
            if flight.act.startswith("relay "):
                self._learn(flight, view)
        batches = self.relay.due(view.state, view.head.time)
        return {batch.key: batch.call for batch in batches}

    def _learn(self, flight: Flight, view: View) -> None:
        """Tell the relay what became of a transaction, once its block has been looked at."""
        key = flight.act.rpartition(" ")[0]
        mined = self.chain.mined(flight.hash)
        if mined is None or mined.block > view.head.number:
            return
        block = self.chain.block(mined.block)
        if block is None or block.hash != mined.block_hash:
            return
        if mined.ok:
            logs = self.chain.logs_of(block)
            self.relay.mined(key, [one for one in logs if one.transaction == flight.hash])
        else:
            self.relay.lost(key)


@dataclass
class Offers:
    """Hands a trainer's commits and openings to relays, and remembers who took what.

    `clock` gives seconds that never go back; they only space offers out.
    """

    carrier: Carrier
    place: Place
    task_id: Digest
    key: Key
    clock: Callable[[], float]
    counts: Counter[str] = field(default_factory=Counter)
    _taken: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, action: Commit | Reveal) -> bool:
        """True if a relay has the act, or had it a moment ago."""
        message = self._message(action)
        last = self._taken.get(message)
        if last is not None and self.clock() - last < OFFER_SECONDS:
            return True
        answer = self.carrier.offer(message)
        self.counts["taken" if answer.accepted else "refused"] += 1
        about = {"act": type(action).__name__.lower(), "round": action.round}
        if not answer.accepted:
            log.warning("no relay took it: %s", answer.line, extra=about)
            self._taken.pop(message, None)
            return False
        if last is None:
            log.info("a relay has it: %s", answer.line, extra=about)
        # Only what is offered now can be offered again.
        self._taken = {message: self.clock()}
        return True

    def _message(self, action: Commit | Reveal) -> bytes:
        if isinstance(action, Commit):
            return commit_message(self.place, self.task_id, action, self.key)
        return reveal_message(self.place, self.task_id, action)


class Asking:
    """A chain's views for threads that share one connection, which is made when first needed."""

    def __init__(self, connect: Callable[[], RpcClient]) -> None:
        self._connect = connect
        self._lock = Lock()
        self._chain: RpcClient | None = None

    def __call__(self, call: Call) -> Any:
        """What a view answers at the head.

        Raises:
            ContractError: the contract refuses the call.
            LedgerError: the chain cannot be asked.
        """
        with self._lock:
            if self._chain is None:
                self._chain = self._connect()
            return self._chain.call(call)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            if self._chain is not None:
                self._chain.close()
                self._chain = None
