"""Stores of several machines, and the network between them that loses, delays and lies."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.faults import Crash, Faults, PeerSilent

from ostrom.errors import NotFound, StoreError
from ostrom.storage import Store
from ostrom.types import Cid


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
    """A machine's own blocks, which last; what it serves to its peers.

    What a trainer has not published is in no store. A block is written whole or not at all, as
    `DirectoryStore` does it.
    """

    def __init__(self, name: str, net: SimNet, faults: Faults) -> None:
        super().__init__()
        self.name, self._net, self._faults = name, net, faults
        self.blocks: dict[Cid, bytes] = {}
        net.stores[name] = self

    def cids(self) -> Iterator[Cid]:
        """The blocks here."""
        return iter(sorted(self.blocks))

    def has_block(self, cid: Cid) -> bool:
        """True if it is here."""
        return cid in self.blocks

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """A block."""
        if cid not in self.blocks:
            raise NotFound(f"no block {cid} here")
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

    def delete_block(self, cid: Cid) -> None:
        """A block rots away."""
        self.blocks.pop(cid, None)

    def holders(self, cid: Cid) -> list[str]:
        """Everybody who has a block."""
        return [name for name, store in self._net.stores.items() if cid in store.blocks]

    def fetch(self, url: str, cid: Cid, limit: int) -> bytes:
        """What the peer at `url` answers; as `ostrom.storage.peers` asks."""
        other = url.removeprefix("http://")
        if not self._net.reaches(self.name, other):
            raise PeerSilent(f"{url} does not answer")
        if self._faults.strikes("fetch lost", self.name):
            raise PeerSilent(f"{url} answers too late")
        block = self._net.stores[other].read_block(cid, limit)
        if self._faults.strikes("fetch gives wrong bytes", self.name):
            half = len(block) // 2
            return self._faults.dice.choice([block[:half], block[:half] + b"?" + block[half + 1 :]])
        return block

    def urls(self) -> list[str]:
        """The peers."""
        return [f"http://{name}" for name in self._net.stores if name != self.name]
