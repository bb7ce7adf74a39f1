"""Stores of several machines, and the network between them that loses, delays and lies."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ostrom.codec import sha256
from ostrom.errors import NotFound, StoreError
from ostrom.storage import Store, digest_of
from ostrom.types import Cid
from tests.simulation.faults import Crash, Faults


class SimNet:
    """Which machine reaches which. A pair in `cut` is (from, to)."""

    def __init__(self) -> None:
        self.stores: dict[str, SimStore] = {}
        self.cut: set[tuple[str, str]] = set()
        self.down: set[str] = set()

    def reaches(self, source: str, target: str) -> bool:
        """True if a question gets from one to the other and the answer back."""
        if target in self.down:
            return False
        return not self.cut & {(source, target), (target, source)}


class SimStore(Store):
    """A machine's own blocks, which last, and behind them those of its peers.

    What a trainer has not published is in no store. A block is written whole or not at all, as
    `DirectoryStore` does it.
    """

    def __init__(self, name: str, net: SimNet, faults: Faults, dice: Random) -> None:
        super().__init__()
        self.name, self._net, self._faults, self._dice = name, net, faults, dice
        self.blocks: dict[Cid, bytes] = {}
        self.fetched = 0
        net.stores[name] = self

    def cids(self) -> Iterator[Cid]:
        """The blocks here."""
        return iter(sorted(self.blocks))

    def has_block(self, cid: Cid) -> bool:
        """True if it is here."""
        return cid in self.blocks

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """A block from here, or else from a peer."""
        if cid not in self.blocks:
            self.blocks[cid] = self._from_peers(cid)
        return self.blocks[cid][: limit + 1]

    def write_block(self, cid: Cid, block: bytes) -> None:
        """Keep a block."""
        if self._faults.strikes("crash before", self.name):
            raise Crash(self.name)
        if cid not in self.blocks and self._faults.strikes("store full", self.name):
            raise StoreError("no space left on the simulated device")
        self.blocks[cid] = block
        if self._faults.strikes("crash after", self.name):
            raise Crash(self.name)

    def lose(self, cid: Cid) -> None:
        """A block rots away."""
        self.blocks.pop(cid, None)

    def holders(self, cid: Cid) -> list[str]:
        """Everybody who has a block."""
        return [name for name, store in self._net.stores.items() if cid in store.blocks]

    def _from_peers(self, cid: Cid) -> bytes:
        others = [name for name in self._net.stores if name != self.name]
        self._dice.shuffle(others)
        for other in others:
            block = self._ask(other, cid)
            if block is not None and sha256(block) == digest_of(cid):
                self.fetched += 1
                return block
        raise NotFound(f"no peer that can be reached has the block {cid}")

    def _ask(self, other: str, cid: Cid) -> bytes | None:
        """What a peer answers; None where nothing comes back."""
        block = self._net.stores[other].blocks.get(cid)
        if not self._net.reaches(self.name, other) or block is None:
            return None
        if self._faults.strikes("fetch lost", self.name):
            return None
        if self._faults.strikes("fetch gives wrong bytes", self.name):
            return block[: len(block) // 2] + b"?" + block[len(block) // 2 + 1 :]
        return block
