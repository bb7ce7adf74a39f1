"""Content as a tree of blocks, built and read as Kubo builds it (balanced layout, raw leaves).

A profile fixes chunk and width, so content has exactly one tree and one CID. A read accepts only
that tree: the shape follows from the size that the root claims, and each block must fit both its
hash and its place. Links to oneself, deep chains, empty branches and lying sizes cannot fit.

Profiles: https://specs.ipfs.tech/ipips/ipip-0499/ (unixfs-v1-2025); Kubo's earlier CIDv1 layout;
a tiny one, for tests, that gives deep trees from little content.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, InputError
from ostrom.storage.cid import Codec, cid_from_digest, codec_of, digest_of, parse_cid
from ostrom.storage.unixfs import LINK_BYTES_MAX, Link, decode_node, encode_node
from ostrom.types import Cid


@dataclass(frozen=True)
class Profile:
    """How content is cut: leaves of `chunk_bytes`, at most `links_max` children a node."""

    chunk_bytes: int
    links_max: int


PROFILES: dict[str, Profile] = {
    "unixfs-v1-2025": Profile(chunk_bytes=1 << 20, links_max=1024),
    "kubo-cidv1-256k": Profile(chunk_bytes=1 << 18, links_max=174),
    "tiny-256b-3": Profile(chunk_bytes=256, links_max=3),
}
DEFAULT_PROFILE = "unixfs-v1-2025"

Block: TypeAlias = tuple[Cid, bytes]
LoadBlock: TypeAlias = Callable[[Cid, int], bytes]
"""`load(cid, limit)`: the bytes held under `cid`, unverified, cut after `limit` + 1 of them."""


def profile_named(name: str) -> Profile:
    """The profile of that name; InputError lists the names.

    >>> profile_named("tiny-256b-3").links_max
    3
    """
    if name not in PROFILES:
        raise InputError(f"unknown profile {name[:64]!r}; choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def codec_for(size: int, profile: str = DEFAULT_PROFILE) -> Codec:
    """The codec of the CID of content of `size` bytes.

    A digest alone is ambiguous: a node's bytes are also content of their own. Who knows the size
    of what a digest names turns the digest into the one right CID with this.

    >>> codec_for(1 << 20), codec_for((1 << 20) + 1)
    ('raw', 'dag-pb')
    """
    return "raw" if size <= profile_named(profile).chunk_bytes else "dag-pb"


def cid_of(data: bytes | BinaryIO, profile: str = DEFAULT_PROFILE) -> Cid:
    """The CID of content, without storing it; a stream takes the memory of a few chunks.

    >>> cid_of(b"")
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
    >>> cid_of(bytes(257), profile="tiny-256b-3")[:8]
    'bafybeie'
    """
    for cid, _ in build(data, profile_named(profile)):
        root = cid
    return root


def build(data: bytes | BinaryIO, profile: Profile) -> Iterator[Block]:
    """The blocks of content, each child before its parent and the root last.

    >>> [len(block) for _, block in build(bytes(700), PROFILES["tiny-256b-3"])]
    [256, 256, 188, 151]
    """
    return _Builder(profile.links_max).blocks(_chunks(data, profile.chunk_bytes))


def open_content(
    load: LoadBlock, cid: Cid, *, profile: Profile, max_bytes: int
) -> tuple[int, Iterator[bytes]]:
    """The size of content and its verified bytes, leaf by leaf; the root is verified at once.

    Raises:
        InputError: `cid` is not a CID, or `max_bytes` is negative.
        ContentTooLarge: the content has more than `max_bytes`.
        CorruptContent: a block does not fit its hash or its place.

    >>> blocks = dict(build(bytes(700), PROFILES["tiny-256b-3"]))
    >>> root = list(blocks)[-1]
    >>> size, leaves = open_content(
    ...     lambda cid, limit: blocks[cid], root, profile=PROFILES["tiny-256b-3"], max_bytes=1000
    ... )
    >>> size, b"".join(leaves) == bytes(700)
    (700, True)
    """
    if max_bytes < 0:
        raise InputError(f"max_bytes is {max_bytes}; give 0 or more")
    parse_cid(cid)
    if codec_of(cid) == "raw":
        block = _load_single(load, cid, profile=profile, max_bytes=max_bytes)
        return len(block), iter((block,))
    reader = Reader(load, profile)
    links = decode_node(reader.verified(cid, reader.node_bytes_max), cid)
    size = sum(link.size for link in links)
    if size > max_bytes:
        raise ContentTooLarge(f"content {cid} claims {size} bytes; at most {max_bytes} are allowed")
    height = height_of(size, profile)
    reader.check_shape(cid, links, height)
    return size, reader.leaves(links, height - 1)


def _load_single(load: LoadBlock, cid: Cid, *, profile: Profile, max_bytes: int) -> bytes:
    limit = min(profile.chunk_bytes, max_bytes)
    block = load(cid, limit)
    if len(block) > limit == max_bytes:
        raise ContentTooLarge(f"content {cid} has more than the allowed {max_bytes} bytes")
    return verify_block(cid, block, limit)


def verify_block(cid: Cid, block: bytes, limit: int) -> bytes:
    """`block` itself if it has at most `limit` bytes and the hash that `cid` names.

    Raises:
        CorruptContent: it has more bytes, or another hash.

    >>> verify_block(cid_of(b"alice"), b"alice", 256)
    b'alice'
    """
    if len(block) > limit:
        raise CorruptContent(f"block {cid} is corrupt: it has more than {limit} bytes")
    if sha256(block) != digest_of(cid):
        raise CorruptContent(
            f"block {cid} is corrupt: its bytes have another hash; put the content again"
        )
    return block


def height_of(size: int, profile: Profile) -> int:
    """How many levels of nodes stand above the leaves of `size` bytes of content."""
    height, capacity = 0, profile.chunk_bytes
    while capacity < size:
        height, capacity = height + 1, capacity * profile.links_max
    return height


def block_bytes_max(profile: Profile) -> int:
    """More bytes than this no block of the profile has, be it a leaf or a node.

    >>> block_bytes_max(PROFILES["unixfs-v1-2025"])
    1048576
    """
    return max(profile.chunk_bytes, _node_bytes_max(profile))


def _node_bytes_max(profile: Profile) -> int:
    return LINK_BYTES_MAX * (profile.links_max + 1)


@dataclass(frozen=True)
class Reader:
    """Reads the blocks of a tree, each verified by its hash and against its place."""

    load: LoadBlock
    profile: Profile

    @property
    def node_bytes_max(self) -> int:
        return _node_bytes_max(self.profile)

    def verified(self, cid: Cid, limit: int) -> bytes:
        return verify_block(cid, self.load(cid, limit), limit)

    def check_shape(self, cid: Cid, links: tuple[Link, ...], height: int) -> None:
        """The children of a node `height` levels above the leaves are as `build` makes them."""
        size = sum(link.size for link in links)
        full = self.profile.chunk_bytes * self.profile.links_max ** max(height - 1, 0)
        count = -(-size // full)
        last = size - (count - 1) * full
        sizes = tuple(link.size for link in links)
        fits = height > 0 and 1 <= count <= self.profile.links_max
        if not fits or sizes != (full,) * (count - 1) + (last,):
            raise CorruptContent(f"block {cid} is corrupt: its links are not the profile's layout")
        codec: Codec = "raw" if height == 1 else "dag-pb"
        if any(codec_of(link.cid) != codec for link in links):
            raise CorruptContent(f"block {cid} is corrupt: it links a block of the wrong type")

    def leaves(self, links: tuple[Link, ...], height: int) -> Iterator[bytes]:
        for link in links:
            if height == 0:
                yield self.leaf(link)
            else:
                yield from self.leaves(self.node(link, height)[1], height - 1)

    def leaf(self, link: Link) -> bytes:
        """The block of a leaf."""
        block = self.verified(link.cid, self.profile.chunk_bytes)
        if not len(block) == link.size == link.total:
            raise CorruptContent(
                f"block {link.cid} is corrupt: it has {len(block)} bytes, its parent claims "
                f"{link.size} ({link.total} stored)"
            )
        return block

    def node(self, link: Link, height: int) -> tuple[bytes, tuple[Link, ...]]:
        """The block of a node `height` levels above the leaves, and its children."""
        block = self.verified(link.cid, self.node_bytes_max)
        links = decode_node(block, link.cid)
        found = sum(child.size for child in links), total_of(links, block)
        if found != (link.size, link.total):
            raise CorruptContent(
                f"block {link.cid} is corrupt: below it are {found[0]} bytes ({found[1]} stored), "
                f"its parent claims {link.size} ({link.total})"
            )
        self.check_shape(link.cid, links, height)
        return block, links


def total_of(links: tuple[Link, ...], block: bytes) -> int:
    """The bytes of a node's block and of all blocks below it, repeated ones counted again."""
    return len(block) + sum(link.total for link in links)


@dataclass
class _Builder:
    """One open node per level: memory grows with the height of the tree, not with the content."""

    links_max: int
    levels: list[list[Link]] = field(default_factory=list)

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        for chunk in chunks:
            cid = cid_from_digest(sha256(chunk), "raw")
            yield cid, chunk
            yield from self._add(Link(cid, len(chunk), len(chunk)), 0)
        level = 0
        while level + 1 < len(self.levels) or len(self.levels[level]) > 1:
            yield from self._close(level)
            level += 1

    def _add(self, link: Link, level: int) -> Iterator[Block]:
        if level == len(self.levels):
            self.levels.append([])
        if len(self.levels[level]) == self.links_max:
            yield from self._close(level)
        self.levels[level].append(link)

    def _close(self, level: int) -> Iterator[Block]:
        links = tuple(self.levels[level])
        self.levels[level].clear()
        block = encode_node(links)
        cid = cid_from_digest(sha256(block), "dag-pb")
        yield cid, block
        parent = Link(cid, sum(link.size for link in links), total_of(links, block))
        yield from self._add(parent, level + 1)


def _chunks(data: bytes | BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    """Full chunks and a last one that may be short; one empty chunk if there is no content."""
    stream = io.BytesIO(data) if isinstance(data, (bytes, bytearray, memoryview)) else data
    chunk = _read_fully(stream, chunk_bytes)
    yield chunk
    while len(chunk) == chunk_bytes:
        chunk = _read_fully(stream, chunk_bytes)
        if chunk:
            yield chunk


def _read_fully(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only at the end: pipes and sockets may give less per read."""
    parts: list[bytes] = []
    while count > 0:
        part = stream.read(count)
        if not isinstance(part, bytes) or len(part) > count:
            raise InputError("the stream does not give bytes; open it in blocking binary mode")
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
