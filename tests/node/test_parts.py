"""What the parts read, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostrom.chain.client import Block
from ostrom.chain.contracts import Training
from ostrom.chain.follower import View
from ostrom.errors import StoreError
from ostrom.node.journal import Journal
from ostrom.node.parts import TrainerPart, ValidatorPart
from ostrom.node.trainer import Sealed, Trainer
from ostrom.node.validator import Validator
from ostrom.protocol import TaskState
from ostrom.storage import MemoryStore, cid_from_digest
from ostrom.types import Address, Phase, Update


class Counted(Journal):
    """A journal that counts how often its contents are read, and can fail once they are kept."""

    reads = 0
    fails = False

    def updates(self) -> dict[int, Sealed]:
        self.reads += 1
        return super().updates()

    def keep_update(self, number: int, sealed: Sealed) -> None:
        super().keep_update(number, sealed)
        if self.fails:
            self.fails = False
            raise StoreError("the answer of the disk was lost")


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Counted(tmp_path / "journal.sqlite", {"account": "alice"})
    yield made
    made.close()


def view(state: TaskState) -> View:
    head = Block(5, bytes(32), bytes(32), state.deadline - 1, 30_000_000)
    return View(head, state, head, state)


class Training5:
    """Training that gives something new every time."""

    calls = 0

    def __call__(self, state: TaskState) -> Update:
        self.calls += 1
        return Update(np.full(5, self.calls, dtype=np.int32), samples=7)


def part(play: Any, journal: Journal, train: Training5) -> TrainerPart:
    me = Trainer(play.trainers[0], train, play.store, lambda n: bytes([n]) * 32, play.spec)
    return TrainerPart(me, Training(Address("0x" + "11" * 20)), journal)


def test_the_journal_is_read_once_not_at_every_look(play: Any, journal: Any) -> None:
    train = Training5()
    one = part(play, journal, train)
    first = one.wanted(view(play.state))
    assert list(first) == ["commit 1"]
    for _ in range(5):
        assert one.wanted(view(play.state)) == first
    assert (journal.reads, train.calls) == (1, 1)


def test_another_process_goes_on_with_what_the_journal_holds(play: Any, journal: Any) -> None:
    train = Training5()
    first = part(play, journal, train).wanted(view(play.state))
    assert part(play, journal, train).wanted(view(play.state)) == first
    assert (journal.reads, train.calls) == (2, 1)


def test_a_round_that_a_reorganisation_brings_back_is_read_again(play: Any, journal: Any) -> None:
    train = Training5()
    one = part(play, journal, train)
    before = play.state
    first = one.wanted(view(before))
    play.play_round()
    play.start(Phase.COMMIT)
    assert play.state.number == 2
    assert list(one.wanted(view(play.state))) == ["commit 2"]
    assert one.wanted(view(before)) == first, "the same bytes"
    assert train.calls == 2


def test_what_a_failing_disk_kept_even_so_is_what_counts(play: Any, journal: Any) -> None:
    train = Training5()
    one = part(play, journal, train)
    journal.fails = True
    with pytest.raises(StoreError):
        one.wanted(view(play.state))
    kept = journal.updates()[1]
    second = one.wanted(view(play.state))
    assert train.calls == 1, "not trained again"
    assert journal.updates() == {1: kept}
    assert part(play, journal, train).wanted(view(play.state)) == second


class Holdout:
    """A holdout that rates nothing: scores are on the chain already."""

    def gradients(self, parameters: Any) -> Any:
        return np.zeros((1, len(parameters)))


def judge(play: Any, journal: Journal, store: MemoryStore) -> ValidatorPart:
    """The last validator, with a store of its own."""
    me = Validator(play.validators[-1], Holdout(), store, lambda n: bytes([n]) * 32, play.spec)
    return ValidatorPart(me, Training(Address("0x" + "11" * 20)), journal)


def at(state: TaskState, seconds_left: int) -> View:
    head = Block(5, bytes(32), bytes(32), state.deadline - seconds_left, 30_000_000)
    return View(head, state, head, state)


def partial(play: Any) -> MemoryStore:
    """All that the round has revealed but the first trainer's update."""
    store = MemoryStore()
    missing = play.openings[play.trainers[0]].update
    for cid in play.store.cids():
        if cid_from_digest(missing, "raw") != cid:
            store.put(play.store.get(cid, max_bytes=1 << 20))
    return store


def test_who_lacks_content_contradicts_nobody_before_the_last_eighth(
    play: Any, journal: Any
) -> None:
    play.to_attest()
    length = play.state.rules.attest_time
    lone = judge(play, journal, partial(play))
    assert lone.wanted(at(play.state, length // 2)) == {}
    assert len(lone.wanted(at(play.state, length // 5))) == 1
    play.attest(play.outcome().result, *play.validators[:1])
    assert lone.wanted(at(play.state, length // 5)) == {}
    assert len(lone.wanted(at(play.state, length // 10))) == 1


def test_who_holds_everything_attests_at_once(play: Any, journal: Any) -> None:
    play.to_attest()
    whole = judge(play, journal, play.store)
    play.attest(play.outcome().result, *play.validators[:1])
    assert len(whole.wanted(at(play.state, play.state.rules.attest_time - 1))) == 1
