"""The store: content in, CID out, and back only if every byte is right.

A kind of store supplies four operations on single blocks; what content is made of them lives here
once, so no kind of store can forget to verify.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

from ostrom.errors import CorruptContent
from ostrom.storage.cid import parse_cid
from ostrom.storage.dag import DEFAULT_PROFILE, build, open_content, profile_named
from ostrom.types import Cid

STREAM_BYTES_MAX = 1 << 40
"""What `stream` yields at most unless the caller says otherwise: 1 TiB."""


class Store(ABC):
    """Bytes by their CID. Nothing that it returns is unverified; nothing is ever changed.

    Threat answered: wrong, damaged, truncated or oversized content from a disk or a peer.
    Not answered: content that is withheld or lost; keep a copy of what matters.
    """

    def __init__(self, profile: str = DEFAULT_PROFILE) -> None:
        self.profile = profile
        self.layout = profile_named(profile)
        """What the profile named `profile` fixes."""

    def put(self, data: bytes | BinaryIO) -> Cid:
        """Store content and return its CID; a block that is damaged here is repaired.

        The root is stored last: a CID that the store has is content that the store has.

        >>> from ostrom.storage import MemoryStore
        >>> MemoryStore().put(b"")
        'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
        """
        for cid, block in build(data, self.layout):
            self.write_block(cid, block)
        return cid

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """The content of `cid`, at most `max_bytes`.

        Raises:
            InputError: `cid` is not a CID.
            NotFound: a block of it is not here.
            ContentTooLarge: it has more bytes; found out before they are read.
            CorruptContent: a block does not fit its hash or its place.

        >>> from ostrom.storage import MemoryStore
        >>> store = MemoryStore()
        >>> store.get(store.put(b"a model"), max_bytes=100)
        b'a model'
        """
        size, leaves = self._open(cid, max_bytes)
        content = b"".join(leaves)
        if len(content) != size:  # pragma: no cover (each leaf's length was checked)
            raise CorruptContent(f"content {cid} has {len(content)} bytes, it claims {size}")
        return content

    def stream(self, cid: str, *, max_bytes: int = STREAM_BYTES_MAX) -> Iterator[bytes]:
        """The content of `cid` in chunks, each verified before it is yielded; errors as `get`.

        The root is verified at the call. A later block can still be missing or damaged: use no
        part of a stream that did not end.

        >>> from ostrom.storage import MemoryStore
        >>> store = MemoryStore("tiny-256b-3")
        >>> [len(chunk) for chunk in store.stream(store.put(bytes(600)))]
        [256, 256, 88]
        """
        return self._open(cid, max_bytes)[1]

    def has(self, cid: str) -> bool:
        """True if the root block of `cid` is here; whether it is sound, `get` tells.

        >>> from ostrom.storage import MemoryStore, cid_of
        >>> MemoryStore().has(cid_of(b"absent"))
        False
        """
        return self.has_block(parse_cid(cid))

    def _open(self, cid: str, max_bytes: int) -> tuple[int, Iterator[bytes]]:
        return open_content(
            self.read_block, parse_cid(cid), profile=self.layout, max_bytes=max_bytes
        )

    @abstractmethod
    def cids(self) -> Iterator[Cid]:
        """The CID of each block here, inner ones included, each once."""

    @abstractmethod
    def has_block(self, cid: Cid) -> bool:
        """True if the block is here. `cid` is valid."""

    @abstractmethod
    def read_block(self, cid: Cid, limit: int) -> bytes:
        """The block, not verified, cut after `limit` + 1 bytes; NotFound. `cid` is valid."""

    @abstractmethod
    def write_block(self, cid: Cid, block: bytes) -> None:
        """Keep the block, all of it or nothing. `block` is what `cid` names."""
