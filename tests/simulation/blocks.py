"""Blocks of the simulated chain: what they hold, and what was asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.transactions import Transaction

from ostrom.chain.client import Block
from ostrom.types import Address, Digest, Logged


@dataclass(frozen=True)
class RawLog:
    """A log as the EVM wrote it."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Included:
    """A transaction in a block and what it did there."""

    transaction: Transaction
    ok: bool
    gas_used: int
    logs: tuple[RawLog, ...]
    created: Address | None = None


@dataclass
class SimBlock:
    """A block with everything after it: nonces and coins by account, answers that were asked."""

    header: Block
    base_fee: int
    included: tuple[Included, ...]
    nonces: dict[Address, int]
    coins: dict[Address, int]
    answers: dict[tuple[Address, bytes], bytes | Exception] = field(default_factory=dict)
    decoded: dict[int, Logged] = field(default_factory=dict)
    values: dict[tuple[Address, bytes], Any] = field(default_factory=dict)

    def logs(self) -> Iterator[tuple[int, RawLog, Digest]]:
        """Each log with its index in the block and its transaction's hash."""
        index = 0
        for one in self.included:
            for log in one.logs:
                yield index, log, one.transaction.hash
                index += 1
