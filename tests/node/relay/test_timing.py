from __future__ import annotations

from typing import Any

from ostrom import types as t
from ostrom.node.relay import must_send_directly
from ostrom.node.relay.timing import BATCH_MAX, has_passed, ripe
from ostrom.types import Phase

SECONDS = 120
"""Twelve steps of ten seconds."""


def commit_phase(new_play: Any) -> Any:
    play = new_play(commit_time=SECONDS, reveal_time=SECONDS).join()
    return play.tell(t.PhaseStarted(play.id, 1, Phase.COMMIT, play.now + SECONDS))


def test_a_batch_goes_when_nobody_is_missing_when_it_is_full_or_after_a_quarter(
    new_play: Any,
) -> None:
    play = commit_phase(new_play)
    begin, state = play.now, play.state

    def going(at: int, *, waiting: int = 1, missing: int = 1, last: int | None = None) -> int:
        when = None if last is None else begin + last
        return ripe(state, begin + at, waiting=waiting, missing=missing, last=when)

    assert going(0, waiting=0, missing=0) == 0
    assert going(0, waiting=7, missing=0) == 7
    assert going(0, waiting=BATCH_MAX) == BATCH_MAX
    assert going(0, waiting=2 * BATCH_MAX + 1) == 2 * BATCH_MAX
    assert going(0, waiting=BATCH_MAX - 1) == 0
    assert going(29) == 0
    assert going(30, waiting=BATCH_MAX + 1) == BATCH_MAX + 1
    assert going(39, last=30) == 0
    assert going(40, last=30) == 1
    assert going(15, last=0) == 0
    assert going(119) == 1
    assert going(120, missing=0) == 0


def test_a_trainer_waits_for_the_relay_until_half_of_the_phase_has_passed(new_play: Any) -> None:
    play = commit_phase(new_play)
    begin, state, alice = play.now, play.state, play.trainers[0]

    def alone(at: int, offered: int | None, *, let_down: bool = False) -> bool:
        when = None if offered is None else begin + offered
        return must_send_directly(state, begin + at, alice, offered_at=when, let_down=let_down)

    assert not alone(59, 5)
    assert alone(60, 5)
    assert not alone(59, None)
    assert alone(60, None)
    # A relay that has just failed gets a third.
    assert not alone(39, 5, let_down=True)
    assert alone(40, 5, let_down=True)
    # It was late itself: two twelfths for the relay, but nothing in the last twelfth.
    assert not alone(99, 80)
    assert alone(100, 80)
    assert not alone(109, 100)
    assert alone(110, 100)
    assert not alone(120, None)


def test_nobody_sends_what_the_chain_has_or_does_not_want(new_play: Any) -> None:
    play = commit_phase(new_play)
    alice, bob = play.trainers[:2]
    late = play.now + 100
    assert must_send_directly(play.state, late, alice, offered_at=None)
    play.commit(alice)
    assert not must_send_directly(play.state, late, alice, offered_at=None)
    assert not must_send_directly(play.state, late, play.validators[0], offered_at=None)
    play.tell(t.PhaseStarted(play.id, 1, Phase.REVEAL, play.now + SECONDS))
    assert must_send_directly(play.state, late, alice, offered_at=None)
    assert not must_send_directly(play.state, late, bob, offered_at=None)
    play.reveal(alice)
    assert not must_send_directly(play.state, late, alice, offered_at=None)


def test_a_relay_has_sent_before_anybody_loses_patience(new_play: Any) -> None:
    """Whenever a message is taken before the direct step, its batch is due before that step."""
    play = commit_phase(new_play)
    begin, state, alice = play.now, play.state, play.trainers[0]
    for last in (None, *range(70)):
        for offered in range(70):
            taken = range(offered, 81)
            when = None if last is None else begin + min(last, offered)
            sent = [n for n in taken if ripe(state, begin + n, waiting=1, missing=1, last=when)]
            assert sent
            assert not must_send_directly(
                state, begin + sent[0] - 1, alice, offered_at=begin + offered
            )


def test_steps_are_counted_in_integers(new_play: Any) -> None:
    state = commit_phase(new_play).state
    start = state.deadline - SECONDS
    assert [has_passed(1, state, start + n) for n in (9, 10)] == [False, True]
    assert has_passed(1, state, start + 15, since=start + 5)
    assert not has_passed(1, state, start + 14, since=start + 5)
