"""One node's view of the simulated chain, with everything that an RPC node can do wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.blocks import SimBlock
from tests.simulation.chain import CHAIN_ID, WEI, SimChain
from tests.simulation.faults import ChainUnreachable, Crash, Faults
from tests.simulation.transactions import Transaction, read_transaction

from ostrom.chain.client import Block, Fees, Mined
from ostrom.chain.ledger import Call
from ostrom.errors import LedgerError
from ostrom.types import Address, Digest, Logged

CALLS_FEW, CALLS_MANY = 20, 1 << 30

LAG_MAX = 3
"""Blocks that a node behind may lag."""


class SimNodeClient:
    """A `ChainClient` on a `SimChain`: it may lag, stay on a dead branch, fail, or lie by omission.

    `reachable` is set by partitions, `branch` by reorganisations that this node has not heard of.
    A crash is drawn at every call, before or after it takes effect.
    """

    def __init__(self, name: str, chain: SimChain, faults: Faults) -> None:
        self.name, self._chain, self._faults = name, chain, faults
        self._contracts: dict[Address, str] = {}
        self.reachable = True
        self.on_submit: Callable[[Transaction], None] = lambda made: None
        """Told of everything that is handed in, before it is taken."""
        self.branch: SimBlock | None = None
        self._lag = 0
        self._lag_ends = 0
        self._calls_left = CALLS_MANY

    @property
    def chain_id(self) -> int:
        """The chain's number."""
        return CHAIN_ID

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Hear the events of these contracts."""
        self._contracts.update(contracts)

    def begin(self) -> None:
        """A poll begins: from some call on the RPC node may not answer until the next one."""
        self._calls_left = CALLS_MANY
        if self._faults.strikes("chain unreachable", self.name):
            self._calls_left = self._faults.dice.randrange(CALLS_FEW)

    def head(self) -> Block:
        """The newest block of this view."""
        self._seam()
        if self._faults.strikes("stale head", self.name):
            self._lag = self._faults.dice.randint(1, LAG_MAX)
            self._lag_ends = self._chain.head.header.number + self._faults.dice.randint(1, 4)
        if self._chain.head.header.number >= self._lag_ends or not self._faults.on:
            self._lag = 0
        return self._tip().header

    def block(self, number: int) -> Block | None:
        """A block of this view."""
        self._seam()
        found = self._chain.at(number, self._tip())
        return found.header if found else None

    def logs(self, first: int, last: int) -> list[Logged]:
        """Events of a range of this view."""
        self._seam()
        found: list[Logged] = []
        for number in range(first, last + 1):
            block = self._chain.at(number, self._tip())
            if block is not None:
                found += self._heard(block)
        return found

    def logs_of(self, block: Block) -> list[Logged]:
        """Events of one block, on whatever branch, once this view has seen it."""
        self._seam()
        return self._heard(self._known(block))

    def call(self, call: Call, *, block: Block | None = None) -> Any:
        """A view's answer after `block`, or at the head of this view."""
        self._seam()
        if block is None:
            return self._chain.read(call, self._tip())
        return self._chain.read(call, self._known(block), remember=True)

    def code(self, address: Address) -> bytes:
        """The code at an address."""
        self._seam()
        return self._chain.code(address)

    def nonce(self, account: Address) -> int:
        """The next nonce at the head of this view."""
        self._seam()
        return self._tip().nonces.get(account, 0)

    def balance(self, account: Address) -> int:
        """Coins at the head of this view."""
        self._seam()
        return self._tip().coins.get(account, 0)

    def fees(self) -> Fees:
        """Twice the base fee and a tip, as wallets propose."""
        self._seam()
        base = self._tip().base_fee
        return Fees(most=2 * base + WEI, tip=WEI, base=base)

    def estimate(self, call: Call, sender: Address) -> int:
        """Half as much again as the call takes now."""
        self._seam()
        return self._chain.try_out(call, sender, self._tip()) * 3 // 2

    def submit(self, raw: bytes) -> None:
        """Hand a transaction to the pool."""
        self._seam()
        self.on_submit(read_transaction(raw, CHAIN_ID))
        self._chain.submit(raw)
        if self._faults.strikes("crash after", self.name):
            raise Crash(self.name)
        if self._faults.strikes("chain fails after taking", self.name):
            raise ChainUnreachable("the RPC node closed the connection")

    def mined(self, transaction: Digest) -> Mined | None:
        """Where a transaction is in this view."""
        self._seam()
        return self._chain.mined(transaction, self._tip())

    def _tip(self) -> SimBlock:
        tip = self.branch or self._chain.head
        if not self._lag:
            return tip
        return self._chain.at(max(0, tip.header.number - self._lag), tip) or tip

    def _known(self, block: Block) -> SimBlock:
        found = self._chain.blocks.get(block.hash)
        if found is None or found.header.number > self._tip().header.number:
            raise LedgerError(f"the node knows no block {block.number} of that hash")
        return found

    def _heard(self, block: SimBlock) -> list[Logged]:
        found = self._chain.logs_of(block, self._contracts)
        if found and self._faults.strikes("logs missing", self.name):
            gone = self._faults.dice.randrange(len(found))
            return found[:gone] + found[gone + 1 :]
        return found

    def _seam(self) -> None:
        """Where a call may fail, and where a process may end."""
        if not self.reachable:
            raise ChainUnreachable("no route to the RPC node")
        if self._faults.strikes("crash before", self.name):
            raise Crash(self.name)
        self._calls_left -= 1
        if self._calls_left < 0:
            raise ChainUnreachable("the RPC node does not answer")
