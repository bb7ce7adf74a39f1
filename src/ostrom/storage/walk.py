"""The blocks of one piece of content, from its root downwards, each verified before it is given.

What serves, copies or keeps whole content walks it: a gateway, a peer that repairs, the collection
of what no task needs. As with every read, only the one tree that `Store.put` makes is walked, so a
walk ends after as many blocks as the size that the root claims allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ostrom.storage.cid import codec_of, parse_cid
from ostrom.storage.dag import (
    Block,
    LoadBlock,
    Profile,
    Reader,
    height_of,
    total_of,
)
from ostrom.storage.unixfs import Link, decode_node
from ostrom.types import Cid

Span: TypeAlias = tuple[int, int]
"""Bytes of content from the first number up to, without, the second."""


@dataclass(frozen=True)
class Tree:
    """Content whose root was read and verified.

    `size`: bytes of the content. `total`: bytes of all its blocks, a repeated one counted again.
    """

    cid: Cid
    block: bytes = field(repr=False)
    size: int
    total: int
    links: tuple[Link, ...] = field(repr=False)
    reader: Reader = field(repr=False)

    def blocks(self, *, span: Span | None = None, once: bool = True) -> Iterator[Block]:
        """The root and the blocks below it that hold bytes of `span` (all of them if None).

        Depth first, each block before its children. `once`: a block that occurs again is left out.

        Raises:
            NotFound: a block is missing.
            CorruptContent: a block does not fit its hash or its place.

        >>> from ostrom.storage import MemoryStore
        >>> store = MemoryStore("tiny-256b-3")
        >>> tree = open_tree(store.read_block, store.put(bytes(600)), profile=store.layout)
        >>> [len(block) for _, block in tree.blocks()], tree.size
        ([149, 256, 88], 600)
        >>> [len(block) for _, block in tree.blocks(span=(599, 600))]
        [149, 88]
        """
        yield self.cid, self.block
        seen = _Seen({self.cid}) if once else None
        walk = _Walk(self.reader, span or (0, self.size), seen)
        yield from walk.below(self.links, height_of(self.size, self.reader.profile) - 1, 0)

    def cids(self) -> Iterator[Cid]:
        """The CIDs of all blocks, each once; only nodes are read, leaves are named by them.

        >>> from ostrom.storage import MemoryStore
        >>> store = MemoryStore("tiny-256b-3")
        >>> tree = open_tree(store.read_block, store.put(bytes(700)), profile=store.layout)
        >>> sorted(tree.cids()) == list(store.cids())
        True
        """
        named = {self.cid}
        levels = [(self.links, height_of(self.size, self.reader.profile) - 1)]
        yield self.cid
        while levels:
            links, height = levels.pop()
            for link in links:
                if link.cid not in named:
                    named.add(link.cid)
                    yield link.cid
                    if height > 0:
                        levels.append((self.reader.node(link, height)[1], height - 1))


def open_tree(load: LoadBlock, cid: str, *, profile: Profile) -> Tree:
    """The tree of `cid`, its root verified.

    Raises:
        InputError: `cid` is not a CID.
        NotFound: the root is not there.
        CorruptContent: the root does not fit its hash or the profile.
    """
    name = parse_cid(cid)
    reader = Reader(load, profile)
    if codec_of(name) == "raw":
        block = reader.verified(name, profile.chunk_bytes)
        return Tree(name, block, len(block), len(block), (), reader)
    block = reader.verified(name, reader.node_bytes_max)
    links = decode_node(block, name)
    size = sum(link.size for link in links)
    reader.check_shape(name, links, height_of(size, profile))
    return Tree(name, block, size, total_of(links, block), links, reader)


@dataclass
class _Seen:
    """What was given already, and which nodes were walked to their last leaf."""

    given: set[Cid]
    walked: set[Cid] = field(default_factory=set)


@dataclass(frozen=True)
class _Walk:
    reader: Reader
    span: Span
    seen: _Seen | None

    def below(self, links: tuple[Link, ...], height: int, start: int) -> Iterator[Block]:
        """The blocks under `links`, which stand `height` levels above the leaves."""
        for link in links:
            end = start + link.size
            if max(start, self.span[0]) < min(end, self.span[1]):
                yield from self._child(link, height, start)
            start = end

    def _child(self, link: Link, height: int, start: int) -> Iterator[Block]:
        if height == 0:
            if self._is_new(link.cid):
                yield link.cid, self.reader.leaf(link)
            return
        if self.seen is not None and link.cid in self.seen.walked:
            return
        block, links = self.reader.node(link, height)
        if self._is_new(link.cid):
            yield link.cid, block
        yield from self.below(links, height - 1, start)
        if self.seen is not None and self.span[0] <= start and start + link.size <= self.span[1]:
            self.seen.walked.add(link.cid)

    def _is_new(self, cid: Cid) -> bool:
        """True if the block is to be given; it is from then on given."""
        if self.seen is None:
            return True
        new = cid not in self.seen.given
        self.seen.given.add(cid)
        return new
