"""Sending transactions from one account so that each act is done once, or is known not to be.

A transaction is signed and written down before it is sent, so its hash is known whatever happens
next. At most one waits for a block at a time: the next act takes the next nonce once that one is
mined, or replaces it where it is out of date. What no block takes is offered again, after some
blocks with higher fees; what a reorganisation drops is offered again with the same nonce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ostrom.chain.artifacts import encode_call
from ostrom.chain.client import Block, ChainClient, Fees, Mined
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import Key
from ostrom.codec import keccak
from ostrom.errors import ContractError
from ostrom.node.journal import Flight, Journal

PATIENCE = 4
"""Blocks after which a transaction that no block took is offered with higher fees."""

RAISE_PERCENT = 125
"""Nodes take a replacement only where both fees rise by a tenth; an eighth is the common step."""

FEE_MAX = 1_000 * 10**9
"""Wei for a unit of gas beyond which fees are not raised: 1,000 gwei."""


@dataclass
class Counts:
    """What the outbox did, for the metrics."""

    sent: int = 0
    again: int = 0
    raised: int = 0
    landed: int = 0
    failed: int = 0
    gas: int = 0


@dataclass
class Outbox:
    """The transactions of one account. `confirmations` decide when one counts as done."""

    chain: ChainClient
    key: Key
    journal: Journal
    confirmations: int = 0
    patience: int = PATIENCE
    counts: Counts = field(default_factory=Counts)

    def work(self, head: Block, wanted: Mapping[str, Call]) -> list[ContractError]:
        """Do the first of the `wanted` acts that can be done now; what the chain refused.

        Args:
            wanted: calls by the name of the act, the most urgent first; acts that the chain shows
                as done are not among them.

        Raises:
            LedgerError: the chain cannot be asked, or does not take a transaction now. Nothing is
                lost: it is written down, and another look goes on with it.
        """
        acts = {f"{name} {_mark(call)}": call for name, call in wanted.items()}
        flights = self.journal.flights()
        mined = self._mined(head, flights)
        waiting = [one for one in flights if one.nonce not in mined]
        if waiting:
            return self._again(head, waiting, acts)
        done = {one.act for one in flights}
        free = {act: call for act, call in acts.items() if act not in done}
        nonce = max(mined, default=-1) + 1
        return self._first(head, free, at_least=nonce)

    def _mined(self, head: Block, flights: Sequence[Flight]) -> set[int]:
        """The nonces of which a block holds a transaction; those that are deep are forgotten."""
        found: dict[int, Mined] = {}
        for one in flights:
            mined = self.chain.mined(one.hash)
            if mined is not None:
                found[one.nonce] = mined
        deep = [n for n, at in found.items() if head.number - at.block >= self.confirmations]
        if deep:
            self.journal.land(max(deep))
            self.counts.landed += len(deep)
            self.counts.failed += sum(not found[n].ok for n in deep)
            self.counts.gas += sum(found[n].gas_used for n in deep)
        return set(found)

    def _again(
        self, head: Block, waiting: Sequence[Flight], acts: Mapping[str, Call]
    ) -> list[ContractError]:
        """Offer what waits for a block again, dearer after a while, or put another in its place."""
        dearest = max(waiting, key=lambda one: (one.most, one.hash))
        if not acts:
            return []
        if dearest.act in acts and head.number - dearest.block < self.patience:
            self.counts.again += 1
            self.chain.submit(dearest.raw)
            return []
        self.counts.raised += 1
        first = {dearest.act: acts[dearest.act]} if dearest.act in acts else acts
        return self._first(head, first, at_least=waiting[0].nonce, above=dearest)

    def _first(
        self,
        head: Block,
        acts: Mapping[str, Call],
        *,
        at_least: int,
        above: Flight | None = None,
    ) -> list[ContractError]:
        """Send the first of the acts that the contract does not refuse."""
        refused = []
        for act, call in acts.items():
            try:
                gas = self.chain.estimate(call, self.key.address)
            except ContractError as refusal:
                refused.append(refusal)
                continue
            nonce = max(self.chain.nonce(self.key.address), at_least)
            fees = self.chain.fees()
            if above is not None and above.nonce == nonce:
                fees = _dearer(fees, above)
            self._launch(self._signed(act, call, nonce=nonce, gas=gas, fees=fees, head=head))
            break
        return refused

    def _signed(
        self, act: str, call: Call, *, nonce: int, gas: int, fees: Fees, head: Block
    ) -> Flight:
        fields: dict[str, object] = {
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "gas": min(gas + gas // 4, head.gas_limit),
            "to": call.address,
            "value": call.value,
            "data": encode_call(call),
        }
        if fees.legacy:
            fields["gasPrice"] = fees.most
        else:
            fields |= {"maxFeePerGas": fees.most, "maxPriorityFeePerGas": fees.tip}
        raw = self.key.sign_transaction(fields)
        return Flight(nonce, keccak(raw), act, raw, fees.most, fees.tip, head.number)

    def _launch(self, one: Flight) -> None:
        self.journal.keep_flight(one)
        self.counts.sent += 1
        self.chain.submit(one.raw)


def _mark(call: Call) -> str:
    """What tells a call from another of the same name, such as a result on another fork."""
    return keccak(encode_call(call))[:4].hex()


def _dearer(fees: Fees, last: Flight) -> Fees:
    """Fees at which nodes take a replacement of `last`, up to what is reasonable.

    >>> _dearer(Fees(10, 1), Flight(0, b"", "", b"", 100, 2, 0))
    Fees(most=125, tip=3, legacy=False)
    """
    most = max(fees.most, min(-(-last.most * RAISE_PERCENT // 100), FEE_MAX))
    tip = max(fees.tip, min(-(-last.tip * RAISE_PERCENT // 100), most))
    return Fees(most, most if fees.legacy else tip, fees.legacy)
