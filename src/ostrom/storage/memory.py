"""A store in a dictionary, for simulations and tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ostrom.errors import NotFound
from ostrom.storage.dag import DEFAULT_PROFILE
from ostrom.storage.store import Store
from ostrom.types import Cid


class MemoryStore(Store):
    """Content that lasts as long as the object. `clock`: what `written_at` shows.

    >>> store = MemoryStore()
    >>> cid = store.put(b"an update")
    >>> store.has(cid), list(store.cids()) == [cid]
    (True, True)
    """

    def __init__(
        self, profile: str = DEFAULT_PROFILE, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(profile)
        self._blocks: dict[Cid, bytes] = {}
        self._written: dict[Cid, float] = {}
        self._clock = clock

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
        self._written[cid] = self._clock()

    def written_at(self, cid: Cid) -> float:
        """When the block was last written, in seconds of the store's clock; NotFound."""
        if cid not in self._blocks:
            raise NotFound(f"no block {cid} in this store")
        return self._written.get(cid, 0.0)

    def delete_block(self, cid: Cid, *, written_before: float | None = None) -> bool:
        """Delete the block unless it was written at that time or later; True if it was deleted."""
        if cid not in self._blocks:
            return False
        if written_before is not None and self._written.get(cid, 0.0) >= written_before:
            return False
        self._written.pop(cid, None)
        return self._blocks.pop(cid, None) is not None
