from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from ostrom import types as t
from ostrom.chain.hashes import update_commitment
from ostrom.chain.wallet import simulation_key
from ostrom.errors import InputError
from ostrom.node import Reveal
from ostrom.node.relay import (
    IN_MEMORY,
    Book,
    Place,
    Relay,
    lanes,
    lanes_of,
    reveal_message,
    timing,
)
from ostrom.node.relay.messages import CommitMessage, decode_message, encode_message
from ostrom.protocol import TaskState, apply
from ostrom.types import Opening, Phase, Role

MALLORY = simulation_key(0, "mallory")


def test_a_message_for_another_chain_contract_or_task_is_refused(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    for place in (Place(1, town.place.training), Place(town.place.chain, MALLORY.address)):
        found = town.offer(relay, town.commit(alice, place=place))
        assert found.status == 404
        assert str(town.place.chain) in found.line or town.place.training in found.line
    assert town.offer(relay, town.commit(alice, task_id=bytes(32))).status == 404
    assert relay.waiting(town.state) == {"commit": 0, "reveal": 0}


def test_a_message_that_is_none_is_refused_with_one_line(town: Any) -> None:
    relay = town.relay()
    for data in (b"", b"{}", b"[]", b"\xff", b'{"kind":"vote"}', b" " * 3_000, b"[" * 2_000):
        found = town.offer(relay, data)
        assert found.status in (400, 413)
        assert found.line
        assert "\n" not in found.line


def test_what_this_relay_does_not_carry_is_refused(town: Any) -> None:
    assert town.offer(town.relay(), town.join(MALLORY)).status == 404


def test_a_commitment_is_refused_outside_of_its_round_and_phase(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    early = town.commit(alice, 2)
    assert town.offer(relay, early).status == 409
    late = town.commit(alice, 1)
    town.sleep_until(1.01)
    assert town.offer(relay, late).status == 410
    town.next_round()
    assert town.state.number == 2
    assert town.offer(relay, late).status == 410
    assert town.offer(relay, early).status == 202


def test_a_commitment_is_refused_once_the_phase_is_over(town: Any) -> None:
    relay = town.relay()
    town.commit_all(relay)
    assert town.state.phase == Phase.REVEAL
    other = town.commit(town.trainers[0], commitment=b"\x07" * 32)
    assert town.offer(relay, other).status == 409
    assert town.offer(relay, town.commit(town.trainers[0])).status == 200


def test_nobody_commits_for_another_and_no_stranger_commits(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    for data in (
        town.commit(alice, signer=MALLORY),
        town.commit(alice, signer=town.trainers[1]),
        town.commit(MALLORY),
        town.commit(town.validator),
    ):
        assert town.offer(relay, data).status == 403
    nonsense = replace(decode_message(town.commit(alice)), r=bytes(32))
    assert town.offer(relay, encode_message(nonsense)).status == 403
    assert relay.waiting(town.state)["commit"] == 0


def test_a_signature_of_which_any_bit_is_flipped_is_refused(town: Any) -> None:
    relay, message = town.relay(), decode_message(town.commit(town.trainers[0]))
    assert isinstance(message, CommitMessage)
    for bit in range(256):
        mask = (1 << bit).to_bytes(32, "big")
        flipped = bytes(a ^ b for a, b in zip(message.vs, mask))
        data = encode_message(replace(message, vs=flipped))
        assert town.offer(relay, data).status == 403


def test_a_commitment_that_is_a_mark_is_refused(town: Any) -> None:
    for mark in range(3):
        data = town.commit(town.trainers[0], commitment=b"\x01" * 4 + mark.to_bytes(28, "big"))
        assert town.offer(town.relay(), data).status == 400


def test_who_joined_in_this_round_commits_from_the_next_on(new_town: Any) -> None:
    town = new_town(3, max_trainers=5)
    town.ledger.advance_time(town.state.deadline - town.now + 1)
    town.send(town.at.training.advance(town.task_id), town.carrier)
    town.send(town.at.token.transfer(MALLORY.address, 100), town.owner)
    town._seat(MALLORY, Role.TRAINER)
    assert town.state.number == 1
    found = town.offer(town.relay(), town.commit(MALLORY))
    assert (found.status, "from round 2 on" in found.line) == (403, True)


def test_the_first_commitment_wins_and_a_second_look_changes_nothing(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    first, second = town.commit(alice), town.commit(alice, commitment=b"\x09" * 32)
    assert town.offer(relay, first).status == 202
    assert town.offer(relay, first).status == 200
    assert town.offer(relay, second).status == 409
    assert relay.waiting(town.state)["commit"] == 1


def test_an_opening_is_refused_too_early_too_late_wrong_or_of_nobody(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    assert town.offer(relay, town.reveal(alice)).status == 409
    town.commit_all(relay)
    wrong = replace(town.opening(alice), samples=8)
    assert town.offer(relay, town.reveal(alice, opening=wrong)).status == 403
    assert town.offer(relay, town.reveal(MALLORY)).status == 403
    assert (
        town.offer(relay, town.reveal(town.trainers[1], opening=town.opening(alice))).status == 403
    )
    late = town.reveal(alice)
    town.sleep_until(1.01)
    assert town.offer(relay, late).status == 410
    town.next_round()
    assert town.offer(relay, late).status == 410
    assert relay.waiting(town.state) == {"commit": 0, "reveal": 0}


def test_all_in_one_transaction_as_soon_as_all_have_handed_in(town: Any) -> None:
    relay = town.relay()
    for key in town.trainers[:-1]:
        assert town.offer(relay, town.commit(key)).status == 202
        assert relay.due(town.state, town.now) == []
    town.offer(relay, town.commit(town.trainers[-1]))
    assert town.carry(relay) == [4]
    assert town.state.phase == Phase.REVEAL
    for key in town.trainers:
        assert town.offer(relay, town.reveal(key)).status == 202
    assert town.carry(relay) == [4]
    assert town.state.phase == Phase.SCORE
    assert set(town.state.round.reveals) == {key.address for key in town.trainers}
    assert relay.due(town.state, town.now) == []


def test_what_waits_goes_after_a_quarter_and_stragglers_later(town: Any) -> None:
    relay = town.relay()
    alice, bob, carol, _ = town.trainers
    town.offer(relay, town.commit(alice))
    town.sleep_until(0.22)
    assert town.carry(relay) == []
    town.sleep_until(0.26)
    assert town.carry(relay) == [1]
    town.offer(relay, town.commit(bob))
    assert town.carry(relay) == []
    town.offer(relay, town.commit(carol))
    town.sleep_until(0.36)
    assert town.carry(relay) == [2]
    assert len(town.state.round.commits) == 3


def test_a_batch_stays_due_under_one_key_until_the_chain_has_it(town: Any) -> None:
    relay = town.relay()
    for key in town.trainers:
        town.offer(relay, town.commit(key))
    (batch,) = relay.due(town.state, town.now)
    assert relay.due(town.state, town.now) == [batch]
    before = town.state
    town.send(batch.call, town.carrier)
    assert relay.due(town.state, town.now) == []
    # A reorganisation takes the block away, and brings it back.
    assert relay.due(before, town.now) == [batch]
    assert relay.due(town.state, town.now) == []


def test_a_lost_batch_is_due_again_and_not_for_ever(town: Any) -> None:
    relay = town.relay()
    for key in town.trainers:
        town.offer(relay, town.commit(key))
    for _ in range(3):
        (batch,) = relay.due(town.state, town.now)
        relay.lost(batch.key)
        relay.lost(batch.key)
    assert relay.due(town.state, town.now) == []


def test_what_became_of_other_transactions_of_its_account_changes_no_batch(town: Any) -> None:
    relay = town.relay()
    for key in town.trainers:
        town.offer(relay, town.commit(key))
    (batch,) = relay.due(town.state, town.now)
    alice, number = town.trainers[0].address, batch.key.rpartition(" ")[2]
    for other in (f"sanction {alice} {number}", f"claim {alice} {10**22}", "refund"):
        relay.lost(other)
    relay.lost(batch.key.replace("commit", "reveal"))
    assert relay.due(town.state, town.now) == [batch]


def test_what_the_contract_skipped_is_not_carried_again(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    for key in town.trainers:
        town.offer(relay, town.commit(key))
    before = town.state
    (batch,) = relay.due(before, town.now)
    town.send(town.at.training.commit(town.task_id, 1, commitment=b"\x08" * 32), alice)
    receipt = town.send(batch.call, town.carrier)
    relay.mined(batch.key, receipt.events)
    relay.mined(batch.key, receipt.events)
    assert relay.due(town.state, town.now) == []
    relay.lost(batch.key)
    (again,) = relay.due(before, before.deadline - 60)
    assert {slot.account for slot in again.slots} == {key.address for key in town.trainers[1:]}
    found = relay.accept(town.commit(alice), before, town.now)
    assert (found.status, "TrainingAlreadyCommitted" in found.line) == (409, True)


def test_who_sent_directly_is_not_waited_for(town: Any) -> None:
    relay, alice = town.relay(), town.trainers[0]
    for key in town.trainers[1:]:
        town.offer(relay, town.commit(key))
    assert town.carry(relay) == []
    town.send(town.at.training.commit(town.task_id, 1, commitment=b"\x08" * 32), alice)
    assert town.carry(relay) == [3]


def test_nothing_is_due_at_the_deadline_or_of_a_phase_that_is_over(town: Any) -> None:
    relay = town.relay()
    for key in town.trainers:
        town.offer(relay, town.commit(key))
    (batch,) = relay.due(town.state, town.now)
    town.sleep_until(1.0)
    relay.lost(batch.key)
    assert relay.due(town.state, town.now) == []
    town.next_round()
    assert relay.due(town.state, town.now) == []
    town.next_round()
    relay.due(town.state, town.now)
    assert relay._book.count("commit") == 0


def test_only_those_who_are_drawn_are_waited_for(town: Any) -> None:
    drawn = frozenset(key.address for key in town.trainers[:2])
    carried = lanes_of(town.place, expects=lambda state: drawn)
    relay = Relay(town.place, town.task_id, book=town.book(), lanes=carried)
    for key in town.trainers[:2]:
        town.offer(relay, town.commit(key))
    assert town.carry(relay) == [2]


def test_a_full_batch_does_not_wait(new_town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BATCH_MAX", 3)
    monkeypatch.setattr(lanes.Commits, "batch_max", 3)
    town = new_town(9)
    relay = town.relay()
    for key in town.trainers[:7]:
        town.offer(relay, town.commit(key))
    assert town.carry(relay) == [3, 3]
    town.sleep_until(0.34)
    assert town.carry(relay) == [1]


def test_an_opening_makes_room_where_a_reorganisation_brings_another_commitment(
    new_play: Any,
) -> None:
    play = new_play(["alice", "bob"]).begin()
    place = Place(1, MALLORY.address)
    relay = Relay(place, play.id, book=Book(IN_MEMORY, {}), lanes=lanes_of(place))
    alice = play.trainers[0]
    start = play.state

    def revealed(samples: int) -> tuple[bytes, TaskState]:
        """What opens a commitment of alice, and a chain that holds this commitment."""
        opening = Opening(bytes(32), bytes(32), samples, bytes(32))
        hidden = update_commitment(play.id, 1, trainer=alice, opening=opening)
        fork = apply(start, t.Committed(play.id, 1, alice, hidden), play.now)
        fork = apply(fork, t.PhaseStarted(play.id, 1, Phase.REVEAL, play.now + 100), play.now)
        return reveal_message(place, play.id, Reveal(1, alice, opening)), fork

    first, one = revealed(7)
    second, other = revealed(8)
    assert relay.accept(first, one, play.now).status == 202
    assert relay.accept(second, one, play.now).status == 403
    assert relay.accept(second, other, play.now).status == 202
    (batch,) = relay.due(other, play.now)
    assert relay.accept(first, one, play.now).status == 409
    relay.lost(batch.key)
    assert relay.accept(first, one, play.now).status == 202
    assert len(relay.due(one, play.now)) == 1


def test_a_relay_that_is_killed_forgets_nothing(town: Any, tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    relay = town.relay(path)
    for key in town.trainers:
        assert town.offer(relay, town.commit(key)).status == 202
    (batch,) = relay.due(town.state, town.now)
    with pytest.raises(InputError, match="another relay uses"):
        town.book(path, connect=lambda path: sqlite3.connect(path, timeout=0, isolation_level=None))
    relay._book.close()
    reborn = town.relay(path)
    assert reborn.due(town.state, town.now) == [batch]
    assert town.offer(reborn, town.commit(town.trainers[0])).status == 200
    assert town.carry(reborn) == [4]
    assert town.state.phase == Phase.REVEAL


def test_one_message_on_a_hundred_threads_is_accepted_exactly_once(
    town: Any, tmp_path: Path
) -> None:
    relay, data = town.relay(tmp_path / "book.sqlite"), town.commit(town.trainers[0])
    state, now, together = town.state, town.now, Barrier(100)
    found: list[int] = []

    def offer() -> None:
        together.wait()
        found.append(relay.accept(data, state, now).status)

    threads = [Thread(target=offer) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 99 + [202]


def test_of_a_hundred_commitments_of_one_trainer_at_once_one_wins(
    town: Any, tmp_path: Path
) -> None:
    relay, alice = town.relay(tmp_path / "book.sqlite"), town.trainers[0]
    offers = [town.commit(alice, commitment=bytes([i + 1]) * 32) for i in range(100)]
    state, now, together = town.state, town.now, Barrier(100)
    found: list[int] = []

    def offer(data: bytes) -> None:
        together.wait()
        found.append(relay.accept(data, state, now).status)

    threads = [Thread(target=offer, args=(data,)) for data in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [202] + [409] * 99


def test_the_same_offers_in_any_order_give_the_same_transaction(town: Any) -> None:
    calls = []
    for keys in (town.trainers, town.trainers[::-1]):
        relay = town.relay()
        for key in keys:
            town.offer(relay, town.commit(key))
        calls.append([batch.call for batch in relay.due(town.state, town.now)])
    assert calls[0] == calls[1]
