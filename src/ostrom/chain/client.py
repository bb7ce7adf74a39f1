"""The seam between a long-running node and a chain: blocks that can vanish, calls that can fail.

A `Ledger` sends and waits, which suits a command. A node must not wait: it signs, writes down,
submits, and looks again at the next block. Every answer names its block or is about the head, so
that a node can tell a reorganisation from a node that lags behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ostrom.chain.ledger import Call
from ostrom.types import Address, Digest, Logged


@dataclass(frozen=True)
class Block:
    """A block's header: `time` in Unix seconds, `gas_limit` in gas."""

    number: int
    hash: Digest
    parent: Digest
    time: int
    gas_limit: int


@dataclass(frozen=True)
class Fees:
    """What a unit of gas costs at most, and the part that goes to the miner, both in wei.

    With `legacy` the chain has no base fee and `most` is the gas price (EIP-155, not EIP-1559).
    `base` is the head's base fee: no block like it takes a transaction that gives less.
    """

    most: int
    tip: int
    legacy: bool = False
    base: int = 0


@dataclass(frozen=True)
class Mined:
    """Where a transaction is; `ok` is False if it failed there and only cost gas."""

    block: int
    block_hash: Digest
    gas_used: int
    ok: bool


class ChainClient(Protocol):
    """A chain as one node sees it.

    Every method raises LedgerError where the chain cannot be reached or answers nonsense. Nothing
    here waits for a block, and no answer is remembered.
    """

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""

    def head(self) -> Block:
        """The newest block that is known; a node that lags behind gives an older one."""

    def block(self, number: int) -> Block | None:
        """The block of that number on the chain that is known now; None beyond its head."""

    def logs(self, first: int, last: int) -> list[Logged]:
        """Events in blocks `first` to `last`, both included, in order."""

    def logs_of(self, block: Block) -> list[Logged]:
        """Events of exactly that block (EIP-234).

        Raises:
            LedgerError: the block is not known any more.
        """

    def call(self, call: Call, *, block: Block | None = None) -> Any:
        """What a view answers after that block (EIP-1898), or at the head.

        Raises:
            ContractError: the contract refuses the call.
        """

    def code(self, address: Address) -> bytes:
        """The code at `address` at the head, empty if it holds none."""

    def nonce(self, account: Address) -> int:
        """How many transactions of the account are in blocks: the next one's nonce."""

    def balance(self, account: Address) -> int:
        """The account's native coins at the head, in wei."""

    def fees(self) -> Fees:
        """What the next blocks ask for."""

    def estimate(self, call: Call, sender: Address) -> int:
        """The gas that the call would need at the head.

        Raises:
            ContractError: the contract refuses the call.
        """

    def submit(self, raw: bytes) -> None:
        """Hand a signed transaction in; one that is known already is no error.

        An error does not mean that it was not taken.
        """

    def mined(self, transaction: Digest) -> Mined | None:
        """Where the transaction of that hash is; None while no block holds it."""
