"""A store with peers: hostile, absent and slow ones first, then honest ones over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound, StoreError
from ostrom.storage import DirectoryStore, MemoryStore, cid_of, digest_of
from ostrom.storage.gateway import gateway
from ostrom.storage.http import GatewayFetch
from ostrom.storage.peers import PeerStore
from ostrom.types import Cid

TINY = "tiny-256b-3"
CONTENT = bytes((31 * i + 7) % 251 for i in range(251)) * 10
LIMIT = 1 << 20

Answer = Callable[[Cid, int], bytes]


class Network:
    """Peers by name, in one process; it knows who was asked for what."""

    def __init__(self, **peers: Answer) -> None:
        self.peers = peers
        self.asked: list[tuple[str, Cid]] = []

    def fetch(self, url: str, cid: Cid, limit: int) -> bytes:
        self.asked.append((url, cid))
        return self.peers[url](cid, limit)

    def names(self) -> list[str]:
        return list(self.peers)

    def count(self, name: str) -> int:
        return sum(1 for url, _ in self.asked if url == name)


def alice_with(content: bytes) -> tuple[MemoryStore, Cid]:
    store = MemoryStore(TINY)
    return store, store.put(content)


def lying(cid: Cid, limit: int) -> bytes:
    return b"another block"


def longer(cid: Cid, limit: int) -> bytes:
    return bytes(limit + 1)


def empty(cid: Cid, limit: int) -> bytes:
    raise NotFound("not here")


def away(cid: Cid, limit: int) -> bytes:
    raise StoreError("nobody answers")


def refused(cid: Cid, limit: int) -> bytes:
    raise InputError("a private address")


def too_long(cid: Cid, limit: int) -> bytes:
    raise ContentTooLarge("endless")


def store_of(network: Network, clock: Any, local: MemoryStore | None = None) -> PeerStore:
    return PeerStore(
        local if local is not None else MemoryStore(TINY), network.names, network.fetch, clock=clock
    )


BAD = {
    "lying": lying,
    "longer": longer,
    "away": away,
    "refused": refused,
    "too_long": too_long,
    "empty": empty,
}


@pytest.mark.parametrize("bad", list(BAD))
def test_one_honest_peer_among_bad_ones_is_enough(bad: str, clock: Any) -> None:
    honest, root = alice_with(CONTENT)
    network = Network(**{f"bad{i}": BAD[bad] for i in range(9)}, alice=honest.read_block)
    store = store_of(network, clock)
    assert store.get(root, max_bytes=LIMIT) == CONTENT
    assert sorted(store.local.cids()) == sorted(honest.cids())


@pytest.mark.parametrize("bad", list(BAD))
def test_without_an_honest_peer_content_is_not_found_and_nothing_is_kept(
    bad: str, clock: Any
) -> None:
    store = store_of(Network(mallory=BAD[bad], eve=BAD[bad]), clock)
    with pytest.raises(NotFound, match="2 peers"):
        store.get(cid_of(CONTENT, TINY), max_bytes=LIMIT)
    assert list(store.cids()) == []


def test_a_program_error_of_the_transport_is_not_hidden(clock: Any) -> None:
    def broken(cid: Cid, limit: int) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store_of(Network(alice=broken), clock).get(cid_of(b"alice"), max_bytes=10)


def test_a_liar_is_left_alone_for_a_while_and_then_asked_again(clock: Any) -> None:
    honest, root = alice_with(CONTENT)
    network = Network(mallory=lying)
    store = store_of(network, clock)
    for _ in range(3):
        with pytest.raises(NotFound):
            store.get(root, max_bytes=LIMIT)
    assert network.count("mallory") == 1
    assert store.faulty() == {"mallory": 5}
    clock.now += 15.9
    with pytest.raises(NotFound, match="0 peers"):
        store.get(root, max_bytes=LIMIT)
    clock.now += 0.2
    network.peers["mallory"] = honest.read_block
    assert store.get(root, max_bytes=LIMIT) == CONTENT
    assert store.faulty() == {}


def test_the_pause_doubles_with_every_failure_up_to_five_minutes(clock: Any) -> None:
    network = Network(bob=away)
    store = store_of(network, clock)
    pauses = []
    for _ in range(14):
        with pytest.raises(NotFound):
            store.get(cid_of(b"absent"), max_bytes=10)
        start = clock.now
        while store.faulty():
            clock.now += 1
        pauses.append(clock.now - start)
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert pauses[9:] == [300] * 5


def test_to_lack_a_block_is_no_fault(clock: Any) -> None:
    network = Network(bob=empty)
    store = store_of(network, clock)
    for _ in range(5):
        with pytest.raises(NotFound, match="1 peers"):
            store.get(cid_of(b"absent"), max_bytes=10)
    assert network.count("bob") == 5


def test_names_of_peers_that_are_gone_are_forgotten(clock: Any) -> None:
    store = MemoryStore(TINY)
    number = iter(range(10_000))
    peers = PeerStore(
        store, lambda: [f"sybil{next(number)}"], lambda url, cid, limit: lying(cid, limit)
    )
    for _ in range(200):
        with pytest.raises(NotFound):
            peers.get(cid_of(b"absent"), max_bytes=10)
    assert len(peers._standings) < 40


def test_no_more_peers_are_asked_than_allowed(clock: Any) -> None:
    network = Network(**{f"p{i}": empty for i in range(100)})
    store = PeerStore(MemoryStore(TINY), network.names, network.fetch, clock=clock, asked_max=7)
    with pytest.raises(NotFound, match="7 peers"):
        store.get(cid_of(b"absent"), max_bytes=10)


def test_content_over_the_callers_limit_is_too_large_wherever_it_is(clock: Any) -> None:
    honest, root = alice_with(b"a" * 200)
    store = store_of(Network(alice=honest.read_block), clock)
    for _ in range(2):
        with pytest.raises(ContentTooLarge):
            store.get(root, max_bytes=199)
    assert store.faulty() == {}
    assert store.get(root, max_bytes=200) == b"a" * 200


def test_damage_of_the_local_store_is_repaired_from_a_peer(clock: Any) -> None:
    honest, root = alice_with(CONTENT)
    local = MemoryStore(TINY)
    store = store_of(Network(mallory=lying, alice=honest.read_block), clock, local)
    store.get(root, max_bytes=LIMIT)
    for cid, block in list(local._blocks.items()):
        for wrong in (b"", block[:-1], block + b"\0", bytes((block[0] ^ 1,)) + block[1:]):
            local._blocks[cid] = wrong
            if len(wrong) <= len(block):
                assert store.get(root, max_bytes=LIMIT) == CONTENT
                assert local._blocks[cid] == block
            local._blocks[cid] = block


def test_damage_that_nobody_can_repair_is_reported_as_damage(clock: Any) -> None:
    local, root = alice_with(b"alice")
    local._blocks[root] = b"malice"
    with pytest.raises(CorruptContent, match=root):
        store_of(Network(mallory=lying), clock, local).get(root, max_bytes=256)


def test_a_local_block_asks_nobody(clock: Any) -> None:
    local, root = alice_with(CONTENT)
    network = Network(mallory=lying)
    assert store_of(network, clock, local).get(root, max_bytes=LIMIT) == CONTENT
    assert network.asked == []


def test_who_gave_one_block_is_asked_first_for_the_next(clock: Any) -> None:
    honest, root = alice_with(CONTENT)
    network = Network(**{f"p{i}": empty for i in range(20)}, alice=honest.read_block)
    store_of(network, clock).get(root, max_bytes=LIMIT)
    first = [cid for _, cid in network.asked].count(root)
    assert len(network.asked) == first + len(list(honest.cids())) - 1


def test_contents_are_asked_of_different_peers_first(clock: Any) -> None:
    network = Network(**{f"p{i}": empty for i in range(5)})
    store = store_of(network, clock)
    for number in range(100):
        network.asked.append(("", cid_of(b"")))
        with pytest.raises(NotFound):
            store.get(cid_of(bytes((number,))), max_bytes=10)
    firsts = [network.asked[i + 1][0] for i, (url, _) in enumerate(network.asked) if url == ""]
    assert all(firsts.count(name) > 5 for name in network.names())


def test_puts_and_lists_are_local(clock: Any) -> None:
    network = Network(alice=empty)
    store = store_of(network, clock)
    cid = store.put(CONTENT)
    assert store.has(cid)
    assert not store.has(cid_of(b"absent"))
    assert list(store.cids()) == list(store.local.cids())
    assert network.asked == []


def test_threads_share_a_store_among_failing_peers(tmp_path: Any, clock: Any) -> None:
    honest = MemoryStore(TINY)
    contents = [bytes((number,)) * 700 + CONTENT for number in range(12)]
    roots = [honest.put(content) for content in contents]
    network = Network(mallory=lying, bob=away, carol=empty, alice=honest.read_block)
    local = DirectoryStore(tmp_path, profile=TINY, durable=False)
    store = PeerStore(local, network.names, network.fetch, clock=clock)
    failed: list[BaseException] = []

    def work(shift: int) -> None:
        try:
            for index in range(len(roots)):
                at = (index + shift) % len(roots)
                assert store.get(roots[at], max_bytes=LIMIT) == contents[at]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(sha256(local.read_block(cid, LIMIT)) == digest_of(cid) for cid in local.cids())


def test_three_nodes_share_content_over_http(
    serve: Callable[[Any], str], tmp_path: Any, clock: Any
) -> None:
    stores = [DirectoryStore(tmp_path / name, profile=TINY, durable=False) for name in "abc"]
    urls = [serve(gateway(store)) for store in stores]
    fetch = GatewayFetch(allow_private=True)
    nodes = [
        PeerStore(store, lambda own=url: [u for u in urls if u != own], fetch, clock=clock)
        for store, url in zip(stores, urls)
    ]
    root = nodes[0].put(CONTENT)
    assert nodes[1].get(root, max_bytes=LIMIT) == CONTENT
    for cid in list(stores[0].cids()):
        stores[0].delete_block(cid)
    assert nodes[2].get(root, max_bytes=LIMIT) == CONTENT
    assert nodes[0].get(root, max_bytes=LIMIT) == CONTENT
    fetch.close()


class Scratched(MemoryStore):
    """A store that cannot be read."""

    def read_block(self, cid: Cid, limit: int) -> bytes:
        raise StoreError("cannot read: input/output error")


def test_a_broken_disk_hides_no_block_that_peers_have(clock: Any) -> None:
    alice, cid = alice_with(CONTENT)
    store = store_of(Network(alice=alice.read_block), clock, Scratched(TINY))
    assert store.get(cid, max_bytes=LIMIT) == CONTENT
