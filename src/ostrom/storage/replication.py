"""Who keeps which content, and repair when somebody leaves.

Rendezvous hashing (Thaler and Ravishankar, 1998): for each content every peer has a weight,
sha256 of CID and name; the peers with the highest weights keep it. Everybody computes the same from
the same names, nobody assigns, and when a peer leaves only its own content moves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ostrom.codec import sha256
from ostrom.errors import StoreError
from ostrom.storage.store import Store
from ostrom.types import Cid

COPIES = 3
"""How many peers keep each content unless the caller says otherwise."""

CONTENT_BYTES_MAX = 1 << 32
"""What one content may have unless the caller says otherwise: 4 GiB."""


def ranked(cid: str, peers: Iterable[str]) -> list[str]:
    """The peers, those first that should keep the content: by sha256 of `cid|peer`, falling.

    >>> ranked("bafkqaaa", ["alice", "bob"]) == ranked("bafkqaaa", ["bob", "alice"])
    True
    """
    return sorted(set(peers), key=lambda peer: sha256(f"{cid}|{peer}".encode()), reverse=True)


def holders(cid: str, peers: Iterable[str], copies: int = COPIES) -> tuple[str, ...]:
    """The `copies` peers that keep the content of `cid`; all of them if they are fewer.

    >>> holders("bafkqaaa", ["alice"], copies=3)
    ('alice',)
    """
    return tuple(ranked(cid, peers)[:copies])


@dataclass(frozen=True)
class Replication:
    """What one step found. `held`: ours and sound; `fetched`: of these, what was not before.

    `failed`: ours, but no peer gave it, with the reason. `waiting`: ours, left for the next step.
    """

    held: tuple[Cid, ...] = ()
    fetched: tuple[Cid, ...] = ()
    failed: dict[Cid, str] = field(default_factory=dict)
    waiting: tuple[Cid, ...] = ()


class Replicator:
    """Keeps, on the node `me`, the content that falls to it.

    `store` reads from peers and keeps what it read (`PeerStore`). A content counts as held after
    one complete, verified read; `scrub` makes the next steps read all of it again, which also
    repairs damage. `wanted` may keep more than falls to a node, for example its own updates.

    Threat answered: peers that leave or lose content, as long as one copy lives and is reachable.
    Not answered: peers that only pretend to keep content; a `copies` smaller than their number.

    >>> from ostrom.storage import MemoryStore
    >>> store = MemoryStore()
    >>> cid = store.put(b"a model")
    >>> Replicator(store, "alice").step([cid], ["bob"]).held == (cid,)
    True
    """

    def __init__(
        self,
        store: Store,
        me: str,
        *,
        copies: int = COPIES,
        content_bytes_max: int = CONTENT_BYTES_MAX,
        wanted: Callable[[Cid], bool] = lambda cid: False,
    ) -> None:
        self._store = store
        self._me = me
        self._copies = copies
        self._content_bytes_max = content_bytes_max
        self._wanted = wanted
        self._sound: set[Cid] = set()

    def step(
        self, roots: Iterable[Cid], peers: Collection[str], *, reads_max: int = 16
    ) -> Replication:
        """Fetch or check up to `reads_max` contents that fall to this node among live `peers`."""
        everyone = {*peers, self._me}
        mine = [cid for cid in dict.fromkeys(roots) if self._is_mine(cid, everyone)]
        self._sound.intersection_update(cid for cid in mine if self._store.has(cid))
        unknown = [cid for cid in mine if cid not in self._sound]
        fetched, failed = [], {}
        for cid in unknown[:reads_max]:
            absent = not self._store.has(cid)
            try:
                self._read(cid)
            except StoreError as error:
                failed[cid] = str(error)
                continue
            self._sound.add(cid)
            if absent:
                fetched.append(cid)
        held = tuple(cid for cid in mine if cid in self._sound)
        return Replication(held, tuple(fetched), failed, tuple(unknown[reads_max:]))

    def scrub(self) -> None:
        """Forget what was found sound: all of it is read again, step by step."""
        self._sound.clear()

    def _is_mine(self, cid: Cid, everyone: set[str]) -> bool:
        return self._me in holders(cid, everyone, self._copies) or self._wanted(cid)

    def _read(self, cid: Cid) -> None:
        for _ in self._store.stream(cid, max_bytes=self._content_bytes_max):
            pass
