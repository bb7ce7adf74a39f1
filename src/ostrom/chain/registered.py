"""What accounts registered: the digest that each declared last, read from the Registry's events.

Events are asked for by topic, so that a long history costs little; the node that answers is
believed, as `RpcLedger` believes it. What a digest names is checked by whoever fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from ostrom.chain.answers import logs
from ostrom.chain.artifacts import artifact, decode_log
from ostrom.chain.refusals import TooLong, Unreachable
from ostrom.errors import LedgerError
from ostrom.types import Address, Digest, OtherEvent

SPAN_BLOCKS_MAX = 50_000
"""Blocks that are searched in one request; few logs fit the topics that are asked for."""

OVERLAP_BLOCKS = 96
"""Blocks that are read again each time: deeper than any chain reorganises."""

NOTHING = bytes(32)
"""What an account registers that names no document."""


class Asks(Protocol):
    """What answers JSON-RPC methods: the nodes' client, and a command's ledger."""

    def request(self, method: str, *params: object) -> Any:
        """The answer to a method; LedgerError."""


@dataclass
class Registrations:
    """The last digest of each account, from the block `first` on.

    >>> Registrations(Address("0x" + "11" * 20), first=7).next_block
    7
    """

    registry: Address
    first: int
    digests: dict[Address, Digest] = field(default_factory=dict)
    next_block: int = field(init=False)

    def __post_init__(self) -> None:
        self.next_block = self.first

    def read(self, chain: Asks, last: int) -> Mapping[Address, Digest]:
        """The digests that name a document, by account, after the block `last`.

        Raises:
            LedgerError: the chain cannot be read; what was read stays, and another call goes on.
        """
        span = SPAN_BLOCKS_MAX
        first = max(self.first, self.next_block - OVERLAP_BLOCKS)
        while first <= last:
            until = min(first + span - 1, last)
            try:
                found = _registered(chain, self.registry, first=first, last=until)
            except LedgerError as error:
                too_much = isinstance(error, TooLong) or not isinstance(error, Unreachable)
                if not too_much or first == until:
                    raise
                span = max((until - first + 1) // 2, 1)
                continue
            self.digests.update(found)
            first = self.next_block = until + 1
        return {account: one for account, one in self.digests.items() if one != NOTHING}


def _registered(chain: Asks, registry: Address, *, first: int, last: int) -> dict[Address, Digest]:
    """Each account's last digest in a range of blocks."""
    where = {
        "fromBlock": hex(first),
        "toBlock": hex(last),
        "address": registry,
        "topics": [_topic()],
    }
    found: dict[Address, Digest] = {}
    answer = logs(chain.request("eth_getLogs", where))
    for log in sorted(answer, key=lambda log: (log.block, log.index)):
        event = decode_log("Registry", log.topics, log.data)
        if log.address == registry and isinstance(event, OtherEvent):
            account, metadata = event.arguments["account"], event.arguments["metadata"]
            assert isinstance(account, str)
            assert isinstance(metadata, bytes)
            found[Address(account)] = metadata
    return found


@cache
def _topic() -> str:
    """The first topic of the Registry's event."""
    events = artifact("Registry").events
    return next(f"0x{topic.hex()}" for topic, event in events.items() if event.name == "Registered")
