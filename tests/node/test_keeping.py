"""What a node keeps for its task, on the real directory store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import NotFound
from ostrom.node.keeping import Collector, Keeper, Roots
from ostrom.protocol import TaskState
from ostrom.storage import DirectoryStore, MemoryStore, Pins, Store, digest_of
from ostrom.storage.peers import PeerStore
from ostrom.storage.replication import Replicator
from ostrom.types import Cid, Phase

DAY = 86_400.0


def aged(store: DirectoryStore, *cids: str, days: float = 2.0) -> None:
    """Let files be as old as that."""
    then = time.time() - days * DAY
    for cid in cids:
        os.utime(store.path / cid[-2] / cid, (then, then))


def everything(store: Store) -> list[Cid]:
    return list(store.cids())


class Peers:
    """Peers that give what they hold, without a network."""

    def __init__(self, **stores: Store) -> None:
        self.stores = stores

    def __call__(self, url: str, cid: Cid, limit: int) -> bytes:
        return self.stores[url].read_block(cid, limit)


@pytest.fixture
def local(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def collector(local: DirectoryStore) -> Callable[..., Collector]:
    def make(roots: list[Cid], *, store: Store | None = None, **more: Any) -> Collector:
        pins = Pins(local.path / "pins.sqlite")
        return Collector(local, pins, "task", store=store or local, roots=lambda: roots, **more)

    return make


def test_what_nothing_refers_to_goes_after_a_day(local: DirectoryStore, collector: Any) -> None:
    model, proposal, young = local.put(b"a model"), local.put(b"a proposal"), local.put(b"young")
    aged(local, model, proposal)
    aged(local, young, days=0.5)
    one = collector([model])
    one.step()
    assert set(everything(local)) == {model, young}
    assert one.deleted == 1
    aged(local, young)
    one.step()
    assert everything(local) == [model]


def test_a_step_deletes_only_so_much(local: DirectoryStore, collector: Any) -> None:
    aged(local, *[local.put(bytes([i])) for i in range(10)])
    one = collector([], deletes_max=4)
    left = []
    for _ in range(3):
        one.step()
        left.append(len(everything(local)))
    assert left == [6, 2, 0]


def test_pins_outlive_a_chain_that_shows_less(local: DirectoryStore, collector: Any) -> None:
    model, later = local.put(b"a model"), local.put(b"a later model")
    aged(local, model, later)
    roots = [model, later]
    one = collector(roots)
    one.step()
    roots.remove(later)
    one.step()
    collector([]).step()
    assert set(everything(local)) == {model, later}, "in another process too"


def test_a_pinned_content_with_a_hole_is_fetched_whole_before_anything_is_deleted(
    local: DirectoryStore, collector: Any
) -> None:
    peer = MemoryStore()
    big, scrap = bytes(3 << 20) + b"x", local.put(b"scrap")
    cid = local.put(big)
    assert peer.put(big) == cid
    aged(local, *everything(local))
    damaged = local.path / cid[-2] / cid
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    store = PeerStore(local, lambda: ["peer"], Peers(peer=peer))
    one = collector([cid], store=store)
    one.step()
    assert local.has(scrap), "nobody knew what the damaged root reaches"
    assert local.get(cid, max_bytes=1 << 23) == big, "it is repaired"
    aged(local, *everything(local))
    one.step()
    assert not local.has(scrap)
    assert local.get(cid, max_bytes=1 << 23) == big


def test_a_content_that_nobody_has_whole_stops_no_collection(
    local: DirectoryStore, collector: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cid, scrap = local.put(bytes(3 << 20)), local.put(b"scrap")
    aged(local, *everything(local))
    damaged = local.path / cid[-2] / cid
    damaged.write_bytes(b"?" * damaged.stat().st_size)
    aged(local, cid)
    one = collector([cid])
    one.step()
    one.step()
    assert not local.has(scrap)
    assert [r.getMessage()[:16] for r in caplog.records if r.levelname == "WARNING"] == [
        f"content {cid}"[:16]
    ]


def test_a_block_that_is_deleted_under_a_running_node_is_fetched_again(
    local: DirectoryStore,
) -> None:
    peer = MemoryStore()
    cid = peer.put(bytes(3 << 20))
    store = PeerStore(local, lambda: ["peer"], Peers(peer=peer))
    keeper = Keeper(Replicator(store, "me"), lambda: [cid], lambda: ["peer"], scrub_steps=3)
    keeper.step()
    whole = set(everything(local))
    assert keeper.held == 1
    (local.path / cid[-2] / cid).unlink()
    keeper.step()
    assert set(everything(local)) == whole, "a root is missed at once"
    inner = next(one for one in whole if one != cid)
    (local.path / inner[-2] / inner).unlink()
    with pytest.raises(NotFound):
        local.get(cid, max_bytes=1 << 23)
    assert store.get(cid, max_bytes=1 << 23) == bytes(3 << 20), "whoever reads it has it"
    (local.path / inner[-2] / inner).unlink()
    keeper.step()
    assert set(everything(local)) == whole, "and the scrub finds it"


def test_what_a_task_needs_is_named(new_play: Any) -> None:
    play = new_play().begin()
    play.store.put(play.spec.encode())
    first = play.play_round()
    play.start(Phase.COMMIT).to_score()
    roots = Roots(play.store, play.spec)
    found = list(roots.needed(play.state))
    digests = [digest_of(cid) for cid in found]
    assert play.state.rules.spec in digests
    assert first.result.record in digests
    assert {one.model for one in play.state.versions.values()} <= set(digests)
    assert {one.update for one in play.state.round.reveals.values()} <= set(digests)
    for cid in found:
        assert play.store.has(cid)


def test_what_a_task_ever_named_stays(new_play: Any) -> None:
    play = new_play().begin()
    play.store.put(play.spec.encode())
    play.play_round()
    play.start(Phase.COMMIT).to_score()
    roots = Roots(play.store, play.spec)
    kept = {digest_of(cid) for cid in roots.referenced(play.state)}
    for one in play.state.rounds.values():
        assert {revealed.update for revealed in one.reveals.values()} <= kept
        assert set(one.score_reveals.values()) <= kept
    absent = Roots(MemoryStore(), play.spec)
    assert list(absent.referenced(play.state)) == [], "what is not here needs no pin"


def test_before_the_task_exists_nothing_is_needed(new_play: Any) -> None:
    play = new_play()
    assert list(Roots(play.store, play.spec).needed(TaskState())) == []
