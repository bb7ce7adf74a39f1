"""Several URLs of one chain: one is used until it fails, then the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ostrom.chain.answers import Header, header, quantity
from ostrom.chain.refusals import Unreachable
from ostrom.chain.transport import REQUEST_SECONDS_MAX, Transport
from ostrom.errors import InputError, LedgerError
from ostrom.types import Digest

Read = TypeVar("Read")

STALE_BLOCKS = 8
"""A node this far behind the best head that was seen is not asked while another is further."""

STUCK_LOOKS = 10
"""Looks at an unmoved head after which the other nodes are asked for theirs."""


class Endpoints:
    """Questions to whichever node of a chain answers.

    A node is asked for its chain id and first block before it is used, and again after it failed;
    one of another chain is never used. Answers to nodes that fail, lag or change their chain, not
    to one that lies.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int | None = None,
        seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> None:
        """Asks the nodes until one answers.

        Raises:
            InputError: no URL is given.
            LedgerError: none can be reached, or none serves `chain_id`.
        """
        if not urls:
            raise InputError("give at least one URL of a node")
        self._nodes = [Transport(url, seconds_max=seconds_max) for url in urls]
        self._active = 0
        self._admitted: set[int] = set()
        self._chain_id, self._genesis = chain_id, b""
        self._best, self._unmoved, self._last = 0, 0, b""
        self.ask("eth_chainId")

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""
        assert self._chain_id is not None, "an admitted node has told it"
        return self._chain_id

    @property
    def name(self) -> str:
        """The URL in use, without what it may hold of passwords and keys."""
        return self._nodes[self._active].name

    def ask(
        self, method: str, *params: object, read: Callable[[Any], Read] = lambda value: value
    ) -> Read:
        """What `read` makes of the first usable answer.

        Raises:
            Unreachable: no node gives one.
            LedgerError: a node's own error.
        """
        faults: list[Unreachable] = []
        for step in range(len(self._nodes)):
            at = (self._active + step) % len(self._nodes)
            try:
                answer = self._ask(at, method, *params, read=read)
            except Unreachable as fault:
                faults.append(fault)
                continue
            self._active = at
            return answer
        if len(faults) == 1:
            raise faults[0]
        raise type(faults[0])("; ".join(str(fault) for fault in faults))

    def head(self) -> Header:
        """The newest block of the node in use, or of another where that one lags or stands still.

        Raises:
            Unreachable: no node answers.
        """
        found = self.ask("eth_getBlockByNumber", "latest", False, read=header)
        self._unmoved = self._unmoved + 1 if found.block.hash == self._last else 0
        behind = found.block.number + STALE_BLOCKS < self._best
        if len(self._nodes) > 1 and (behind or self._unmoved >= STUCK_LOOKS):
            self._unmoved = 0
            found = self._furthest(found)
        self._last = found.block.hash
        self._best = max(self._best, found.block.number)
        return found

    def leave(self) -> None:
        """Ask the next node from now on: what the one in use says does not fit together."""
        self._admitted.discard(self._active)
        self._active = (self._active + 1) % len(self._nodes)

    def close(self) -> None:
        """Close the connections that are kept open."""
        for node in self._nodes:
            node.close()

    def _ask(self, at: int, method: str, *params: object, read: Callable[[Any], Read]) -> Read:
        try:
            if at not in self._admitted:
                self._admit(at)
            answer = self._nodes[at].ask(method, *params)
        except Unreachable:
            self._admitted.discard(at)
            raise
        try:
            return read(answer)
        except Unreachable as fault:
            self._admitted.discard(at)
            raise Unreachable(f"{self._nodes[at].name}: {method}: {fault}") from None

    def _furthest(self, found: Header) -> Header:
        """The newest head of all nodes; the node that has it is used from now on."""
        mine = self._active
        for at in range(len(self._nodes)):
            if at == mine:
                continue
            try:
                other = self._ask(at, "eth_getBlockByNumber", "latest", False, read=header)
            except LedgerError:
                continue
            if other.block.number > found.block.number:
                self._active, found = at, other
        return found

    def _admit(self, at: int) -> None:
        """Check that a node serves the chain, and learn which chain that is from the first."""
        node = self._nodes[at]
        chain_id = quantity(node.ask("eth_chainId"), "a chain id")
        if self._chain_id not in (None, chain_id):
            raise Unreachable(f"{node.name} serves chain {chain_id}, not {self._chain_id}")
        genesis = self._first_block(node)
        if self._genesis not in (b"", genesis):
            raise Unreachable(
                f"{node.name} serves another chain of the number {chain_id}: its first block is "
                f"0x{genesis.hex()}, not 0x{self._genesis.hex()}"
            )
        self._chain_id, self._genesis = chain_id, genesis
        self._admitted.add(at)

    def _first_block(self, node: Transport) -> Digest:
        try:
            return header(node.ask("eth_getBlockByNumber", "0x0", False)).block.hash
        except Unreachable:
            raise
        except LedgerError as error:
            raise Unreachable(f"{node.name} does not give its first block: {error}") from None
