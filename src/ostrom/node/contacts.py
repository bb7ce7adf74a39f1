"""Finding the other nodes: from the digests on the chain to addresses that can be asked.

A member of the task registers the digest of its contact, and its node hands the document to the
peers of its settings. They take what the chain names and nothing else, keep it, and give it to
whoever asks for its CID. So a node that knows one peer finds all of them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ostrom.codec import sha256
from ostrom.errors import InputError, OstromError, StoreError
from ostrom.protocol import TaskState
from ostrom.storage import Store, cid_from_digest
from ostrom.storage.addresses import is_refused
from ostrom.storage.contacts import CONTACT_BYTES_MAX, Contact
from ostrom.storage.peers import Fetch
from ostrom.storage.replication import ranked
from ostrom.types import Address, Cid, Digest, Role

log = logging.getLogger(__name__)

PATH = "/contact"
CONTACTS_MAX = 1_024
"""Validators come first, so that no number of trainers crowds them out."""

ASKED_MAX = 8
FETCHES_MAX = 32
WAIT_SECONDS = 2.0
WAIT_SECONDS_MAX = 120.0
TOLD_SECONDS = 300.0
"""A peer that took a contact may have lost its store: it is told again after so long."""

BODY_SECONDS_MAX = 5.0
TELL_SECONDS_MAX = 5.0

Tell: TypeAlias = Callable[[str, bytes], bool]
"""`tell(url, document)`: True if the node there has the document now."""


@dataclass
class _Later:
    """What is tried again, later each time."""

    tries: int = 0
    at: float = 0.0

    def failed(self, now: float) -> None:
        self.at = now + min(WAIT_SECONDS * 2.0 ** min(self.tries, 16), WAIT_SECONDS_MAX)
        self.tries += 1


@dataclass
class Contacts:
    """Who can be asked for content: the peers of the settings, and the members that registered.

    Args:
        store: this node's own, which serves the documents to others.
        fetch: reads a block from a peer.
        settings: the peers that the operator named; they alone are told.
        own: this node's contact, if others can reach it.
        allow_private: whether peers may be on this machine or in its networks.

    Any number of threads may ask; one thread takes the steps.

    Threat answered: contacts of strangers (who has no seat is not asked for one), large and
    malformed ones, addresses inside one's own network. Not answered: members whose addresses lead
    nowhere; the store leaves such peers alone for a while.
    """

    store: Store
    fetch: Fetch
    settings: tuple[str, ...] = ()
    own: Contact | None = None
    allow_private: bool = False
    tell: Tell = field(default_factory=lambda: tell)
    clock: Callable[[], float] = monotonic
    _named: Mapping[Address, Digest] = field(default_factory=dict)
    _known: dict[Digest, Contact | None] = field(default_factory=dict)
    _later: dict[Digest, _Later] = field(default_factory=dict)
    _told: dict[str, _Later] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.own is not None:
            self.store.put(self.own.encode())
            self._known[self.own.digest] = self.own

    def peers(self) -> list[str]:
        """Every URL to ask, those of the settings first; never this node's own."""
        return self._without_own([*self.settings, *(u for one in self.found() for u in one.urls)])

    def names(self) -> list[str]:
        """One URL for each node, by which nodes agree on who holds what."""
        return self._without_own([*self.settings, *(one.urls[0] for one in self.found())])

    def found(self) -> list[Contact]:
        """The contacts of the task's members, as far as they are known."""
        with self._lock:
            found = [self._known.get(digest) for digest in self._named.values()]
        return [one for one in found if one is not None]

    def cids(self) -> list[Cid]:
        """The documents to keep, this node's own with them."""
        with self._lock:
            usable = [digest for digest, one in self._known.items() if one is not None]
        return [cid_from_digest(digest, "raw") for digest in usable]

    def step(self, named: Mapping[Address, Digest]) -> None:
        """Take up what the chain names now, fetch what is missing, and tell the settings' peers.

        Raises:
            StoreError: the own store cannot be used.
        """
        with self._lock:
            self._named = dict(list(named.items())[:CONTACTS_MAX])
            wanted = set(self._named.values())
            mine = set() if self.own is None else {self.own.digest}
            self._known = {d: one for d, one in self._known.items() if d in wanted | mine}
            self._later = {d: one for d, one in self._later.items() if d in wanted}
            missing = [d for d in wanted if d not in self._known and self._is_due(d)]
        for digest in sorted(missing)[:FETCHES_MAX]:
            self._fetch(digest)
        self._tell_all()

    def offer(self, data: bytes) -> bool:
        """Take a document that somebody hands in; False unless a member of the task registered it.

        Raises:
            StoreError: the own store cannot keep it.
        """
        digest = sha256(data)
        with self._lock:
            if len(data) > CONTACT_BYTES_MAX or digest not in self._named.values():
                return False
        return self._take(digest, data)

    def _without_own(self, urls: Iterable[str]) -> list[str]:
        mine = () if self.own is None else self.own.urls
        return [url for url in dict.fromkeys(urls) if url not in mine]

    def _is_due(self, digest: Digest) -> bool:
        return digest not in self._later or self._later[digest].at <= self.clock()

    def _fetch(self, digest: Digest) -> None:
        """Read a document from the own store, else from some peers."""
        cid = cid_from_digest(digest, "raw")
        try:
            self._take(digest, self.store.get(cid, max_bytes=CONTACT_BYTES_MAX))
            return
        except StoreError:
            # Not here, damaged here, or no contact at all: others may have the document.
            pass
        others = [url for url in self.peers() if url not in self.settings]
        for url in [*self.settings, *ranked(cid, others)][:ASKED_MAX]:
            try:
                self._take(digest, self.fetch(url, cid, CONTACT_BYTES_MAX))
                return
            except (StoreError, InputError) as error:
                log.debug("no contact %s: %s", cid, error, extra={"url": url})
        self._later.setdefault(digest, _Later()).failed(self.clock())

    def _take(self, digest: Digest, data: bytes) -> bool:
        """Keep a document of that digest; what is no usable contact is not asked for again."""
        try:
            found = self._checked(Contact.decode(data))
        except InputError as error:
            log.debug("a member registered %s, which is unusable: %s", digest.hex(), error)
            found = None
        if found is not None:
            self.store.put(data)
            log.info("found a peer: %s", ", ".join(found.urls))
        with self._lock:
            self._known[digest] = found
        return found is not None

    def _checked(self, contact: Contact) -> Contact:
        """The contact without addresses to which this node would not connect."""
        private = self.allow_private
        urls = tuple(url for url in contact.urls if not is_refused(url, allow_private=private))
        if not urls:
            raise InputError("none of its addresses can be a peer's")
        return Contact(urls)

    def _tell_all(self) -> None:
        """Hand the own contact to the peers of the settings, once the chain names it."""
        if self.own is None or self.own.digest not in self._named.values():
            return
        for url in self._without_own(self.settings):
            state = self._told.setdefault(url, _Later())
            if state.at > self.clock():
                continue
            if self.tell(url, self.own.encode()):
                self._told[url] = _Later(at=self.clock() + TOLD_SECONDS)
            else:
                state.failed(self.clock())


def members_of(state: TaskState) -> list[Address]:
    """Whose contacts a node of the task wants: the sponsor's, validators', then trainers'."""
    sponsor = [] if state.params is None else [state.params.sponsor]
    seats = [*state.accounts(Role.VALIDATOR), *state.accounts(Role.TRAINER)]
    return list(dict.fromkeys([*sponsor, *seats]))


def contact_routes(contacts: Contacts) -> list[Route]:
    """The page that takes contacts: `POST /contact` with the document as its body."""

    async def take(request: Request) -> Response:
        data = await _body(request)
        if data is None:
            return _line(413, f"a contact has at most {CONTACT_BYTES_MAX} bytes, sent at once")
        try:
            if await run_in_threadpool(contacts.offer, data):
                return _line(200, "kept")
        except OstromError:
            return _line(503, "it cannot be kept now: try again later")
        return _line(409, "no member of this task has registered it, as far as this node sees")

    return [Route(PATH, take, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """The body, None if it is large or late."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                data += chunk
                if len(data) > CONTACT_BYTES_MAX:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return bytes(data)


def _line(status: int, text: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return PlainTextResponse(f"{text}\n", status, headers)


def tell(url: str, data: bytes) -> bool:
    """Hand a contact to the node at a URL that the operator named; True if it has it now."""
    import httpx

    try:
        with (
            httpx.Client(timeout=TELL_SECONDS_MAX, trust_env=False) as client,
            client.stream("POST", f"{url}{PATH}", content=data) as answer,
        ):
            return answer.status_code == 200
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        log.debug("cannot tell a peer: %s", error, extra={"url": url})
        return False
