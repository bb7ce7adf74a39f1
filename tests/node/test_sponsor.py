from __future__ import annotations

from typing import Any

from ostrom import types as t
from ostrom.codec import decode_document, encode_document, merkle_leaf, merkle_verify, sha256, words
from ostrom.node import Advance, Refund, Sanction, sponsor_step
from ostrom.types import Phase


def act(play: Any) -> list[Any]:
    return sponsor_step(play.store, play.state, now=play.now)


def test_before_a_deadline_there_is_nothing_to_do(play: Any) -> None:
    play.now = play.state.deadline
    assert act(play) == []


def test_an_overdue_phase_is_pushed_on(play: Any) -> None:
    play.now = play.state.deadline + 1
    assert act(play) == [Advance()]


def test_settled_strikes_are_applied_once_with_a_proof_that_verifies(play: Any) -> None:
    mallory = play.trainers[2]
    play.content(mallory, b"noise", root=bytes(32))
    outcome = play.play_round()
    (sanction,) = act(play)
    assert isinstance(sanction, Sanction)
    assert (sanction.account, sanction.strikes) == (mallory, 1)
    leaf = merkle_leaf(words(play.id, mallory, 1))
    assert merkle_verify(leaf, sanction.proof, outcome.result.sanctions)
    play.tell(t.Sanctioned(play.id, mallory, 1, 5, expelled=False))
    assert act(play) == []


def test_an_expelled_member_is_not_sanctioned_again(play: Any) -> None:
    mallory = play.trainers[2]
    play.content(mallory, b"noise", root=bytes(32))
    play.play_round()
    play.tell(t.Sanctioned(play.id, mallory, 3, 100, expelled=True))
    assert act(play) == []


def test_strikes_of_a_stranger_in_a_record_stop_nobody(play: Any, address: Any) -> None:
    play.to_attest()
    outcome = play.outcome()
    record = decode_document(outcome.record) | {"strikes": [[address("carol"), 1]]}
    forged = encode_document(record)
    play.store.put(outcome.model)
    play.store.put(forged)
    result = t.Result(**(vars(outcome.result) | {"record": sha256(forged)}))
    play.attest(result).settle(result)
    assert act(play) == []


def test_the_rest_of_the_pool_is_fetched_at_the_end_and_once(play: Any) -> None:
    outcome = play.play_round()
    play.start(Phase.COMMIT).void().start(Phase.COMMIT).void()
    assert Refund() not in act(play)
    play.finish()
    assert act(play) == [Refund()]
    play.tell(t.Refunded(play.id, 9_001 - outcome.result.paid))
    assert act(play) == []


def test_a_cancelled_task_gives_the_whole_pool_back(new_play: Any) -> None:
    play = new_play().join()
    play.tell(t.TaskCancelled(play.id))
    assert act(play) == [Refund()]
