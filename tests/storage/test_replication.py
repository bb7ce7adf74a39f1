"""Who keeps what: the same answer everywhere, evenly, and repair when peers leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import NotFound
from ostrom.storage import MemoryStore, cid_of
from ostrom.storage.gateway import gateway
from ostrom.storage.http import GatewayFetch
from ostrom.storage.peers import PeerStore
from ostrom.storage.replication import Replicator, holders, ranked
from ostrom.types import Cid

TINY = "tiny-256b-3"
NAMES = [f"http://peer{i}.example" for i in range(12)]
names = st.lists(st.sampled_from(NAMES), max_size=12)
numbers = st.integers(0, 1000)


def content_of(number: int) -> bytes:
    return number.to_bytes(4, "big") * 200


def cid_number(number: int) -> Cid:
    return cid_of(content_of(number), TINY)


@given(number=numbers, peers=names, copies=st.integers(0, 14), seed=st.randoms())
def test_everybody_names_the_same_holders(
    number: int, peers: list[str], copies: int, seed: object
) -> None:
    shuffled = list(peers)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    found = holders(cid_number(number), peers, copies)
    assert found == holders(cid_number(number), [*shuffled, *shuffled], copies)
    assert len(found) == min(copies, len(set(peers)))
    assert set(found) <= set(peers)


@given(number=numbers, leaver=st.sampled_from(NAMES), copies=st.integers(1, 6))
def test_when_a_peer_leaves_only_its_place_is_filled(number: int, leaver: str, copies: int) -> None:
    before = holders(cid_number(number), NAMES, copies)
    after = holders(cid_number(number), [name for name in NAMES if name != leaver], copies)
    assert [name for name in before if name != leaver] == list(after[: copies - (leaver in before)])
    assert len(set(after) - set(before)) == (leaver in before)


def test_contents_are_spread_evenly() -> None:
    counts = Counter(name for n in range(2000) for name in holders(cid_number(n), NAMES, 3))
    assert min(counts.values()) > 400
    assert max(counts.values()) < 600


def test_a_rank_needs_no_peer() -> None:
    assert ranked(cid_number(1), []) == []


class Federation:
    """Nodes that replicate to one another in one process."""

    def __init__(self, count: int, copies: int) -> None:
        self.live = NAMES[:count]
        self.locals = {name: MemoryStore(TINY) for name in self.live}
        self.nodes = {
            name: Replicator(self._store(name), name, copies=copies) for name in self.live
        }

    def _store(self, name: str) -> PeerStore:
        return PeerStore(
            self.locals[name],
            lambda: [peer for peer in self.live if peer != name],
            self.fetch,
            clock=lambda: 0.0,
        )

    def fetch(self, url: str, cid: Cid, limit: int) -> bytes:
        if url not in self.live:
            raise NotFound("gone")
        return self.locals[url].read_block(cid, limit)

    def step(self, roots: list[Cid]) -> int:
        return sum(
            len(self.nodes[name].step(roots, self.live, reads_max=1000).fetched)
            for name in self.live
        )

    def copies(self, root: Cid) -> int:
        return sum(1 for name in self.live if self.is_whole(name, root))

    def is_whole(self, name: str, root: Cid) -> bool:
        try:
            return bool(self.locals[name].get(root, max_bytes=1 << 20))
        except NotFound:
            return False


def test_after_one_step_every_content_has_its_copies() -> None:
    federation = Federation(8, copies=3)
    roots = [federation.locals[NAMES[n % 8]].put(content_of(n)) for n in range(40)]
    federation.step(roots)
    for root in roots:
        assert all(federation.is_whole(name, root) for name in holders(root, federation.live, 3))
        assert 3 <= federation.copies(root) <= 4
    assert federation.step(roots) == 0


def test_content_survives_that_all_peers_but_three_leave_one_by_one() -> None:
    federation = Federation(10, copies=3)
    roots = [federation.locals[NAMES[0]].put(content_of(n)) for n in range(30)]
    federation.step(roots)
    while len(federation.live) > 3:
        federation.live = federation.live[1:]
        federation.step(roots)
        for root in roots:
            assert federation.copies(root) >= 3


def test_two_of_three_holders_may_leave_at_once() -> None:
    federation = Federation(10, copies=3)
    roots = [federation.locals[NAMES[0]].put(content_of(n)) for n in range(30)]
    federation.step(roots)
    root = next(r for r in roots if NAMES[0] not in holders(r, NAMES[:10], 3))
    gone = {NAMES[0], *holders(root, federation.live, 3)[:2]}
    federation.live = [name for name in federation.live if name not in gone]
    federation.step(roots)
    assert federation.copies(root) >= 3


def test_over_http_the_copies_of_a_node_that_stops_are_made_again(
    running: Callable[[Any], AbstractContextManager[str]],
) -> None:
    stores = [MemoryStore(TINY) for _ in range(4)]
    fetch = GatewayFetch(allow_private=True, seconds_max=5)
    with ExitStack() as last, ExitStack() as first:
        urls = [first.enter_context(running(gateway(stores[0])))]
        urls += [last.enter_context(running(gateway(store))) for store in stores[1:]]
        live = list(urls)
        nodes = [
            Replicator(PeerStore(store, lambda: live, fetch), url, copies=2)
            for store, url in zip(stores, urls)
        ]
        roots = [stores[0].put(content_of(n)) for n in range(12)]
        for node in nodes:
            assert node.step(roots, live).failed == {}
        first.close()
        live.remove(urls[0])
        for node in nodes[1:]:
            assert node.step(roots, live).failed == {}
        for root in roots:
            keepers = [store for store, url in zip(stores, urls) if url in holders(root, live, 2)]
            assert len(keepers) == 2
            assert all(store.get(root, max_bytes=1 << 20) for store in keepers)
    fetch.close()


def test_content_that_nobody_has_is_reported_and_tried_again() -> None:
    federation = Federation(3, copies=3)
    lost = cid_number(7)
    node = federation.nodes[NAMES[0]]
    found = node.step([lost], federation.live)
    assert list(found.failed) == [lost]
    assert "peers" in found.failed[lost]
    federation.locals[NAMES[1]].put(content_of(7))
    assert node.step([lost], federation.live).fetched == (lost,)


def test_a_step_reads_a_bounded_number_of_contents() -> None:
    federation = Federation(3, copies=3)
    roots = [federation.locals[NAMES[1]].put(content_of(n)) for n in range(10)]
    node = federation.nodes[NAMES[0]]
    sizes = []
    for _ in range(4):
        found = node.step(roots, federation.live, reads_max=4)
        sizes.append((len(found.held), len(found.fetched), len(found.waiting)))
    assert sizes == [(4, 4, 6), (8, 4, 2), (10, 2, 0), (10, 0, 0)]


@pytest.mark.parametrize("damage", [b"", b"wrong"])
def test_a_scrub_finds_and_repairs_damage(damage: bytes) -> None:
    federation = Federation(3, copies=3)
    roots = [federation.locals[NAMES[1]].put(content_of(n)) for n in range(5)]
    federation.step(roots)
    local = federation.locals[NAMES[0]]
    for cid in local.cids():
        local._blocks[cid] = damage
    node = federation.nodes[NAMES[0]]
    assert node.step(roots, federation.live).failed == {}
    node.scrub()
    assert node.step(roots, federation.live).failed == {}
    assert all(federation.is_whole(NAMES[0], root) for root in roots)


def test_content_that_was_deleted_here_is_fetched_again() -> None:
    federation = Federation(3, copies=3)
    root = federation.locals[NAMES[1]].put(content_of(1))
    federation.step([root])
    for cid in list(federation.locals[NAMES[0]].cids()):
        federation.locals[NAMES[0]].delete_block(cid)
    assert federation.nodes[NAMES[0]].step([root], federation.live).fetched == (root,)


def test_a_node_may_want_more_than_falls_to_it() -> None:
    federation = Federation(6, copies=1)
    root = federation.locals[NAMES[1]].put(content_of(1))
    name = next(n for n in federation.live[2:] if n not in holders(root, federation.live, 1))
    greedy = Replicator(federation._store(name), name, copies=1, wanted=lambda cid: cid == root)
    assert greedy.step([root], federation.live).fetched == (root,)


def test_content_larger_than_allowed_is_not_kept() -> None:
    federation = Federation(3, copies=3)
    root = federation.locals[NAMES[1]].put(bytes(10_000))
    small = Replicator(federation._store(NAMES[0]), NAMES[0], content_bytes_max=5000)
    found = small.step([root], federation.live)
    assert "10000 bytes" in found.failed[root]
