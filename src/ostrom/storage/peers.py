"""A store that asks its peers for what it lacks, and keeps what they give.

The transport is a function, `fetch(url, cid, limit)`: `GatewayFetch` over HTTP, or a simulator's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound, StoreError
from ostrom.storage.cid import digest_of
from ostrom.storage.dag import block_bytes_max, verify_block
from ostrom.storage.replication import ranked
from ostrom.storage.store import Store
from ostrom.types import Cid

Fetch: TypeAlias = Callable[[str, Cid, int], bytes]
"""`fetch(url, cid, limit)`: the block from a peer; NotFound, another StoreError, InputError."""

ASKED_MAX = 64
"""How many peers one read asks at most unless the caller says otherwise."""

PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 300.0
COST_PAUSES = 4.0
"""A peer is left alone at least so many times as long as its last failure took: one that is silent
must not hold up a node that has deadlines."""

LIE_FAULTS = 5
"""A peer that gave wrong bytes is left alone as long as one that failed five times in a row."""


@dataclass
class _Standing:
    """What a peer did lately: faults in a row, and until when it is left alone."""

    faults: int = 0
    until: float = 0.0


class PeerStore(Store):
    """The store `local`, and for blocks that it lacks, or has damaged, the peers.

    `peers`: the URLs of the moment. A read asks first the peer that gave the last block, then all
    in the order in which they should hold the block (`replication.ranked`), until one gives the
    right bytes, which are then kept in `local`. A peer that fails is left alone for a second, then
    two, four, up to five minutes, and in any case four times as long as its failure took; `clock`
    counts them. To lack a block is no fault. Any number of threads may use it.

    Threat answered: peers that are away, slow, wrong or lying, as long as one is honest; a local
    disk that lost or damaged blocks.
    Not answered: a block that no honest peer has. Serve its local store to others, not the
    `PeerStore`: strangers would make it fetch.

    >>> from ostrom.storage import MemoryStore
    >>> alice, bob = MemoryStore(), MemoryStore()
    >>> cid = alice.put(b"a model")
    >>> def fetch(url, cid, limit):
    ...     return alice.read_block(cid, limit)
    >>> store = PeerStore(bob, lambda: ["alice"], fetch)
    >>> store.get(cid, max_bytes=100), bob.has(cid)
    (b'a model', True)
    """

    def __init__(
        self,
        local: Store,
        peers: Callable[[], Sequence[str]],
        fetch: Fetch,
        *,
        clock: Callable[[], float] = monotonic,
        asked_max: int = ASKED_MAX,
    ) -> None:
        super().__init__(local.profile)
        self.local = local
        self._peers = peers
        self._fetch = fetch
        self._clock = clock
        self._asked_max = asked_max
        self._standings: dict[str, _Standing] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()

    def cids(self) -> Iterator[Cid]:
        return self.local.cids()

    def has_block(self, cid: Cid) -> bool:
        """True if the block is in the local store."""
        return self.local.has_block(cid)

    def write_block(self, cid: Cid, block: bytes) -> None:
        self.local.write_block(cid, block)

    def read_block(self, cid: Cid, limit: int) -> bytes:
        """The block, sound unless nobody has a sound one; NotFound says who was asked."""
        try:
            held = self.local.read_block(cid, limit)
        except StoreError:
            held = None
        if held is not None and (len(held) > limit or sha256(held) == digest_of(cid)):
            return held
        try:
            # As many bytes as a block may have: to hash a part of it would prove nothing.
            block = self._ask(cid, block_bytes_max(self.layout))
        except NotFound:
            if held is None:
                raise
            return held
        self.local.write_block(cid, block)
        return block[: limit + 1]

    def faulty(self) -> dict[str, int]:
        """The peers that are left alone at the moment, each with its faults in a row."""
        now = self._clock()
        with self._lock:
            return {url: one.faults for url, one in self._standings.items() if one.until > now}

    def _ask(self, cid: Cid, limit: int) -> bytes:
        asked = 0
        for url in self._order(cid):
            asked, began = asked + 1, self._clock()
            try:
                block = verify_block(cid, self._fetch(url, cid, limit), limit)
            except NotFound:
                continue
            except (CorruptContent, ContentTooLarge, InputError):
                self._note(url, LIE_FAULTS, began)
            except StoreError:
                self._note(url, 1, began)
            else:
                self._note(url, 0, began)
                self._thread.giver = url
                return block
        raise NotFound(
            f"no block {cid} in this store, and none of {asked} peers gave it "
            f"({len(self.faulty())} are left alone for a while)"
        )

    def _order(self, cid: Cid) -> list[str]:
        """The peers to ask, the most promising first."""
        urls = list(dict.fromkeys(self._peers()))
        faulty = self.faulty()
        self._forget(urls)
        giver = getattr(self._thread, "giver", None)
        order = ranked(cid, [url for url in urls if url not in faulty])
        order.sort(key=lambda url: url != giver)
        return order[: self._asked_max]

    def _note(self, url: str, faults: int, began: float) -> None:
        """One answer: 0 faults clears a peer, more leave it alone for twice as long each."""
        now = self._clock()
        with self._lock:
            if faults == 0:
                self._standings.pop(url, None)
                return
            one = self._standings.setdefault(url, _Standing())
            one.faults += faults
            pause = PAUSE_SECONDS * 2.0 ** min(one.faults - 1, 30)
            one.until = now + min(max(pause, COST_PAUSES * (now - began)), PAUSE_SECONDS_MAX)

    def _forget(self, urls: Sequence[str]) -> None:
        """Drop what is known of peers that are gone: names are free, memory is not."""
        with self._lock:
            if len(self._standings) > 2 * len(urls) + 16:
                for url in set(self._standings) - set(urls):
                    del self._standings[url]
