"""A node's content: its own store, the peers behind it, and what runs beside the looks for both.

Three threads: one finds peers through the Registry, one fetches what this node holds for others,
one pins and collects. None of them is needed for the node's own acts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ostrom.chain.deployed import Deployed
from ostrom.chain.registered import NOTHING, Registrations
from ostrom.chain.rpc_client import RpcClient
from ostrom.errors import InputError
from ostrom.node.config import NodeConfig
from ostrom.node.contacts import Contacts, members_of
from ostrom.node.keeping import Collector, Keeper, Roots
from ostrom.node.wiring import CountedFetch, Repeated
from ostrom.protocol import TaskState
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore, Pins
from ostrom.storage.addresses import is_refused
from ostrom.storage.contacts import Contact
from ostrom.storage.peers import LIE_FAULTS, PeerStore
from ostrom.storage.replication import Replicator
from ostrom.types import Address, Cid, Digest

STORE = "store"
PINS = "pins.sqlite"
"""In the store's folder, not beside it: nodes that share a store share its pins."""

FIND_SECONDS = 3.0
REPLICATION_SECONDS = 10.0
COLLECTION_SECONDS = 600.0


@dataclass
class Contents:
    """The store of a node and all around it.

    Args:
        state: the task at the head; None until the chain was seen.
        spec: the task's spec; None until it was read.
        connect: a connection to the chain for the thread that finds peers.
        fetch: reads from peers.

    Raises:
        InputError: the folder cannot be used, or `announce` is no address of a peer.
    """

    config: NodeConfig
    deployed: Deployed
    account: Address
    state: Callable[[], TaskState | None]
    spec: Callable[[], Spec | None]
    connect: Callable[[], RpcClient]
    fetch: CountedFetch
    _open: list[Callable[[], None]] = field(default_factory=list)
    _steps: Sequence[Repeated] = ()
    _mine: Digest | None = None
    _roots: Roots | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.local = DirectoryStore(self.config.folder / STORE)
        self.pins = Pins(self.local.path / PINS)
        self._open.append(self.pins.close)
        own = None if self.config.announce is None else Contact.of([self.config.announce])
        # One list may name all nodes, this one too; relays are nodes with stores.
        relays = (url for url in self.config.relays if self._can_ask(url))
        named = dict.fromkeys((*self.config.peers, *relays))
        self.contacts = Contacts(
            self.local,
            self.fetch,
            tuple(url for url in named if url != self.config.announce),
            own,
            self.config.allow_private_peers,
        )
        self.store = PeerStore(self.local, self.contacts.peers, self.fetch)
        first = self.deployed.block
        self._registrations = Registrations(self.deployed.contracts.registry.address, first)

    def start(self) -> None:
        """Begin what runs beside the looks; more than once is once."""
        if self._steps:
            return
        steps = [
            Repeated("finding peers", self.find_peers, seconds=FIND_SECONDS),
            Repeated("collecting", self.collect, seconds=COLLECTION_SECONDS),
        ]
        if self.keeper is not None:
            steps.append(
                Repeated("keeping for others", self.keeper.step, seconds=REPLICATION_SECONDS)
            )
        self._steps = steps
        for one in steps:
            self._open.append(one.close)
            one.start()

    def close(self) -> None:
        """End the threads and let files and connections go, the last first."""
        for one in self._steps:
            one.stop()
        while self._open:
            self._open.pop()()

    def status(self) -> dict[str, object]:
        """Counts of peers and contents, and what the Registry says of this node."""
        found: dict[str, object] = {
            "peers": len(self.contacts.peers()),
            "peers_registered": sum(one != self.contacts.own for one in self.contacts.found()),
            "peer_failures": self.fetch.faults,
            "peers_faulty": self.store.faulty(),
            "blocks_collected": self.collector.deleted,
            "contact": self._contact(),
        }
        if self.keeper is not None:
            found["contents_held"] = self.keeper.held
        return found

    def find_peers(self) -> None:
        """One look at the Registry, and one round of fetching contacts.

        Raises:
            LedgerError: the chain cannot be read.
            StoreError: the own store cannot be used.
        """
        state = self.state()
        if state is None:
            return
        last = max(self._chain.head().number - self.config.confirmations, 0)
        digests = self._registrations.read(self._chain, last)
        self._mine = digests.get(self.account, NOTHING)
        self.contacts.step({one: digests[one] for one in members_of(state) if one in digests})

    def collect(self) -> None:
        """One round of pinning and deleting; errors as `Collector.step`."""
        if self.state() is not None and self.spec() is not None:
            self.collector.step()

    @cached_property
    def keeper(self) -> Keeper | None:
        """Holds content for others, where they know this node by name."""
        own = self.contacts.own
        if own is None:
            return None
        replicator = Replicator(self.store, own.urls[0], copies=self.config.replicas)
        return Keeper(replicator, self._needed, self._live)

    @cached_property
    def collector(self) -> Collector:
        """Pins, and deletes what nothing refers to."""
        task = self.config.task_id.hex()
        return Collector(self.local, self.pins, task, store=self.store, roots=self._referenced)

    @cached_property
    def _chain(self) -> RpcClient:
        chain = self.connect()
        # Closed after the thread that uses it has ended.
        self._open.insert(0, chain.close)
        return chain

    def _roots_of(self, spec: Spec) -> Roots:
        with self._lock:
            if self._roots is None:
                self._roots = Roots(self.local, spec)
            return self._roots

    def _needed(self) -> Sequence[Cid]:
        spec, state = self.spec(), self.state()
        if spec is None or state is None:
            return []
        return list(self._roots_of(spec).needed(state))

    def _referenced(self) -> Sequence[Cid]:
        spec, state = self.spec(), self.state()
        if spec is None or state is None:
            return self.contacts.cids()
        return [*self._roots_of(spec).referenced(state), *self.contacts.cids()]

    def _contact(self) -> str:
        """Whether others find this node through the Registry."""
        own, roles = self.contacts.own, [one for one in self.config.role if one != "relay"]
        if own is None or self._mine is None or not roles:
            return ""
        if self._mine == own.digest:
            return "registered"
        return f"not registered: run ostrom register --role {roles[0]} --url {own.urls[0]}"

    def _can_ask(self, url: str) -> bool:
        """False for a relay to which acts are handed, and of which nothing can be read."""
        try:
            return not is_refused(url, allow_private=self.config.allow_private_peers)
        except InputError:
            return False

    def _live(self) -> Collection[str]:
        """Who can be counted on to hold content: all but those that are away for a while."""
        away = {url for url, faults in self.store.faulty().items() if faults >= LIE_FAULTS}
        return [url for url in self.contacts.names() if url not in away]
