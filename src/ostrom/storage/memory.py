"""A store in a dictionary, for simulations and tests."""

from __future__ import annotations

from collections.abc import Iterator

from ostrom.errors import NotFound
from ostrom.storage.dag import DEFAULT_PROFILE
from ostrom.storage.store import Store
from ostrom.types import Cid


class MemoryStore(Store):
    """Content that lasts as long as the object.

    >>> store = MemoryStore()
    >>> cid = store.put(b"an update")
    >>> store.has(cid), list(store.cids()) == [cid]
    (True, True)
    """

    def __init__(self, profile: str = DEFAULT_PROFILE) -> None:
        super().__init__(profile)
        self._blocks: dict[Cid, bytes] = {}

    def cids(self) -> Iterator[Cid]:
        return iter(sorted(self._blocks))

    def has_block(self, cid: Cid) -> bool:
        return cid in self._blocks

    def read_block(self, cid: Cid, limit: int) -> bytes:
        if cid not in self._blocks:
            raise NotFound(f"no block {cid} in this store; put its content first")
        return self._blocks[cid][: limit + 1]

    def write_block(self, cid: Cid, block: bytes) -> None:
        self._blocks[cid] = block
