"""Sending transactions from one account so that each act is done once, or is known not to be.

A transaction is signed and written down before it is sent, so its hash is known whatever happens
next. At most one waits for a block at a time: the next act takes the next nonce once that one is
mined, or replaces it where it is out of date. What no block takes is offered again, after some
blocks with higher fees; what a reorganisation drops is offered again with the same nonce.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from ostrom.chain.artifacts import encode_call
from ostrom.chain.client import Block, ChainClient, Fees, Mined
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import Key
from ostrom.codec import keccak
from ostrom.errors import ContractError
from ostrom.node.journal import Flight, Journal
from ostrom.types import Digest

PATIENCE = 4
"""Blocks after which a transaction that no block took is offered with higher fees."""

ROOM = 80_000
"""Gas beyond the estimate: an act may turn out to be the one that closes its phase."""

LOST = 16
"""Blocks after which a transaction whose nonce another one took is forgotten."""

RAISE_PERCENT = 125
"""Nodes take a replacement only where both fees rise by a tenth; an eighth is the common step."""

FEE_MAX = 1_000 * 10**9
"""Wei for a unit of gas beyond which fees are not raised: 1,000 gwei."""


@dataclass
class Counts:
    """What the outbox did, for the metrics. `last_act` is the name of what was sent last."""

    sent: int = 0
    again: int = 0
    raised: int = 0
    landed: int = 0
    failed: int = 0
    gas: int = 0
    last_act: str = ""
    sent_by_kind: Counter[str] = field(default_factory=Counter)
    landed_by_kind: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Landed:
    """A transaction that is as deep in the chain as the confirmations ask."""

    transaction: Digest
    mined: Mined


@dataclass
class Outbox:
    """The transactions of one account. `confirmations` decide when one counts as done."""

    chain: ChainClient
    key: Key
    journal: Journal
    confirmations: int = 0
    patience: int = PATIENCE
    counts: Counts = field(default_factory=Counts)
    _landed: list[tuple[str, Landed]] = field(default_factory=list)

    def take_landed(self) -> list[tuple[str, Landed]]:
        """The names of the acts that landed since the last look, and where."""
        landed, self._landed = self._landed, []
        return landed

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
        if not flights and not acts:
            return []
        mined = self._mined(head, flights)
        next_nonce = max(self.chain.nonce(self.key.address), max(mined, default=-1) + 1)
        rest = [one for one in flights if one.nonce not in mined]
        self._give_up(head, [one for one in rest if one.nonce < next_nonce])
        waiting = [one for one in rest if one.nonce >= next_nonce]
        if waiting:
            return self._again(head, waiting, acts)
        done = {one.act for one in flights if one.nonce in mined}
        free = {act: call for act, call in acts.items() if act not in done}
        return self._first(head, free, nonce=next_nonce)

    def _give_up(self, head: Block, lost: Sequence[Flight]) -> None:
        """Forget what can no longer be mined: the key was used elsewhere with that nonce."""
        old = [one.nonce for one in lost if head.number - one.block > self.confirmations + LOST]
        if old:
            self.journal.land(max(old))

    def _mined(self, head: Block, flights: Sequence[Flight]) -> set[int]:
        """The nonces of which a block holds a transaction; those that are deep are forgotten."""
        found: dict[int, tuple[Flight, Mined]] = {}
        for one in flights:
            mined = self.chain.mined(one.hash)
            if mined is not None:
                found[one.nonce] = (one, mined)
        deep = [n for n, (_, at) in found.items() if head.number - at.block >= self.confirmations]
        if deep:
            self.journal.land(max(deep))
        for one, mined in (found[nonce] for nonce in sorted(deep)):
            name = _name(one)
            self._landed.append((name, Landed(one.hash, mined)))
            self.counts.landed += 1
            self.counts.landed_by_kind[_kind(name)] += 1
            self.counts.failed += not mined.ok
            self.counts.gas += mined.gas_used
        return set(found)

    def _again(
        self, head: Block, waiting: Sequence[Flight], acts: Mapping[str, Call]
    ) -> list[ContractError]:
        """Offer what waits for a block again, dearer after a while, or put another in its place."""
        lowest = [one for one in waiting if one.nonce == waiting[0].nonce]
        last = lowest[-1]
        if not acts:
            return []
        dear = last.most * RAISE_PERCENT // 100 > FEE_MAX
        fresh = dear or head.number - last.block < self.patience
        # Blocks may be far apart, and deadlines are times: what no block takes is not left waiting.
        if fresh and not dear and head.number > last.block:
            fresh = self.chain.fees().base <= last.most
        if last.act in acts and fresh:
            self.counts.again += 1
            for one in (last, *(one for one in waiting if one.nonce > last.nonce)):
                self.chain.submit(one.raw)
            return []
        first = {last.act: acts[last.act]} if last.act in acts else acts
        return self._first(head, first, nonce=last.nonce, above=last)

    def _first(
        self,
        head: Block,
        acts: Mapping[str, Call],
        *,
        nonce: int,
        above: Flight | None = None,
    ) -> list[ContractError]:
        """Send the first of the acts that the contract does not refuse."""
        refused = []
        for act, call in acts.items():
            try:
                gas = max(self.chain.estimate(call, self.key.address), call.gas)
            except ContractError as refusal:
                refused.append(refusal)
                continue
            fees = self.chain.fees()
            if above is not None:
                fees = _dearer(fees, above)
                self.counts.raised += 1
            self._launch(self._signed(act, call, nonce=nonce, gas=gas, fees=fees, head=head))
            break
        return refused

    def _signed(
        self, act: str, call: Call, *, nonce: int, gas: int, fees: Fees, head: Block
    ) -> Flight:
        fields: dict[str, object] = {
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "gas": min(gas + gas // 4 + ROOM, head.gas_limit),
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
        self.counts.last_act = name = _name(one)
        self.counts.sent_by_kind[_kind(name)] += 1
        self.chain.submit(one.raw)


def _mark(call: Call) -> str:
    """What tells a call from another of the same name, such as a result on another fork."""
    return keccak(encode_call(call))[:4].hex()


def _name(one: Flight) -> str:
    """The act's name without its call's mark."""
    return one.act.rpartition(" ")[0]


def _kind(name: str) -> str:
    """What an act does, without for which round or account.

    >>> _kind("commit scores 3"), _kind("advance 2 COMMIT")
    ('commit scores', 'advance')
    """
    return " ".join(takewhile(_is_verb, name.split()))


def _is_verb(word: str) -> bool:
    return word.isalpha() and word.islower()


def _dearer(fees: Fees, last: Flight) -> Fees:
    """Fees at which nodes take a replacement of `last`.

    >>> _dearer(Fees(10, 1), Flight(0, b"", "", b"", 100, 2, 0))
    Fees(most=125, tip=3, legacy=False, base=0)
    """
    most = max(fees.most, -(-last.most * RAISE_PERCENT // 100))
    tip = max(fees.tip, -(-last.tip * RAISE_PERCENT // 100))
    return replace(fees, most=most, tip=most if fees.legacy else min(tip, most))
