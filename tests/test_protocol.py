from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom import types as t
from ostrom.chain.hashes import result_digest
from ostrom.codec import checksum_address, keccak
from ostrom.protocol import (
    Command,
    ProtocolError,
    TaskState,
    Tick,
    due,
    replay,
    step,
)
from ostrom.types import Phase, Result, Role

RESULT = Result(bytes(32), bytes(32), bytes(32), bytes(32), 7, bytes(32))


def settle_with(play: Any, paid: int, *voters: Any) -> Any:
    """Attest to an invented result and say that it settled."""
    result = replace(RESULT, paid=paid)
    return play.attest(result, *voters).settle(result)


def vote(play: Any, name: str = "vera") -> t.Attested:
    digest = result_digest(play.id, play.number, result=RESULT)
    return t.Attested(play.id, play.number, account(name), digest, RESULT)


def account(name: str) -> t.Address:
    return checksum_address(keccak(name.encode())[:20])


ALICE, BOB, MALLORY, CAROL = map(account, ("alice", "bob", "mallory", "carol"))
VERA, VIKTOR, VINH = map(account, ("vera", "viktor", "vinh"))


def scored(play: Any) -> t.ScoresCommitted:
    return t.ScoresCommitted(play.id, play.number, VERA, bytes(32))


def committed(play: Any, who: t.Address = ALICE, number: int = 1) -> t.Committed:
    return t.Committed(play.id, number, who, bytes(32))


def revealed(play: Any, who: t.Address = ALICE, number: int = 1) -> t.Revealed:
    return t.Revealed(play.id, number, who, bytes(32), bytes(32), 1)


def started(play: Any, phase: Phase, number: int) -> t.PhaseStarted:
    return t.PhaseStarted(play.id, number, phase, play.now + 100)


def refuse(play: Any, event: t.Event, fault: str) -> None:
    """The event is forbidden, by that name, and leaves no trace."""
    before = play.state
    with pytest.raises(ProtocolError, match=fault):
        play.tell(event)
    assert play.state == before


# What is forbidden, by phase

IN_COMMIT: dict[str, tuple[Callable[[Any], t.Event], str]] = {
    "a stranger's commitment": (lambda p: committed(p, CAROL), "no active trainer"),
    "a validator's commitment": (lambda p: committed(p, VERA), "no active trainer"),
    "a commitment to the last round": (lambda p: committed(p, number=0), "of round 0"),
    "a commitment to the next round": (lambda p: committed(p, number=2), "of round 2"),
    "an early reveal": (revealed, "a reveal of round 1 in the COMMIT"),
    "early scores": (scored, "a score commitment of round 1 in the COMMIT"),
    "an early attestation": (vote, "an attestation of round 1 in the COMMIT"),
    "an early settlement": (
        lambda p: t.RoundSettled(p.id, 1, bytes(32), 1, 0),
        "a settlement of round 1 in the COMMIT",
    ),
    "a skipped phase": (lambda p: started(p, Phase.SCORE, 1), "phase SCORE of round 1 follows"),
    "the same phase again": (lambda p: started(p, Phase.COMMIT, 1), "follows COMMIT"),
    "the phase before": (lambda p: started(p, Phase.JOINING, 0), "follows COMMIT"),
    "the next round before the end": (lambda p: started(p, Phase.COMMIT, 2), "follows COMMIT"),
    "another round's phase": (lambda p: started(p, Phase.REVEAL, 2), "phase REVEAL of round 2"),
    "FINISHED as a phase": (lambda p: started(p, Phase.FINISHED, 1), "phase FINISHED"),
    "NONE as a phase": (lambda p: started(p, Phase.NONE, 1), "phase NONE"),
    "a second task": (lambda p: t.TaskCreated(p.id, p.state.rules), "created twice"),
    "a second seat": (lambda p: t.Joined(p.id, ALICE, Role.TRAINER, 100), "joins twice"),
    "a late validator": (lambda p: t.Joined(p.id, CAROL, Role.VALIDATOR, 9), "wrong role"),
    "a validator who leaves": (lambda p: t.Left(p.id, VERA), "leaves while"),
    "a stranger who leaves": (lambda p: t.Left(p.id, CAROL), "without having joined"),
    "the end": (lambda p: t.TaskFinished(p.id), "finishes out of turn"),
    "a cancellation": (lambda p: t.TaskCancelled(p.id), "cancelled after it began"),
    "a refund": (lambda p: t.Refunded(p.id, 1), "refund before the end"),
    "another round's void": (lambda p: t.RoundVoided(p.id, 2), "voided out of turn"),
    "the last round's void": (lambda p: t.RoundVoided(p.id, 0), "voided out of turn"),
    "a model of another round": (
        lambda p: t.ModelPublished(p.id, 2, 1, 2, bytes(32), bytes(32), bytes(32)),
        "out of turn",
    ),
    "a version again": (
        lambda p: t.ModelPublished(p.id, 1, 1, 1, bytes(32), bytes(32), bytes(32)),
        "published twice",
    ),
    "a version without its parent": (
        lambda p: t.ModelPublished(p.id, 2, 0, 1, bytes(32), bytes(32), bytes(32)),
        "wrong parent",
    ),
    "a rollback to nothing": (lambda p: t.ModelRolledBack(p.id, 9, 1), "unknown version 9"),
    "a stranger's sanction": (
        lambda p: t.Sanctioned(p.id, CAROL, 1, 5, expelled=False),
        "no member",
    ),
    "a sanction without a strike": (
        lambda p: t.Sanctioned(p.id, ALICE, 0, 5, expelled=False),
        "sanctioned twice",
    ),
    "a claim of money that no round paid": (
        lambda p: t.Claimed(p.id, ALICE, 1, 1),
        "more than was allocated",
    ),
    "a claim of nothing": (lambda p: t.Claimed(p.id, ALICE, 0, 0), "wrong amount"),
    "a negative claim": (lambda p: t.Claimed(p.id, ALICE, -1, -1), "wrong amount"),
    "a claim that does not add up": (lambda p: t.Claimed(p.id, ALICE, 1, 2), "wrong amount"),
}


@pytest.mark.parametrize(("event", "fault"), IN_COMMIT.values(), ids=IN_COMMIT.keys())
def test_in_the_commit_phase_it_refuses(play: Any, event: Any, fault: str) -> None:
    refuse(play, event(play), fault)


def test_nobody_commits_twice_even_to_another_update(play: Any) -> None:
    play.commit(ALICE)
    refuse(play, committed(play), "commits twice")


def test_nobody_leaves_or_rolls_back_over_an_open_commitment(play: Any) -> None:
    play.commit(ALICE)
    refuse(play, t.Left(play.id, ALICE), "leaves while")
    refuse(play, t.ModelRolledBack(play.id, 1, 1), "in the middle of a round")
    play.tell(t.Left(play.id, BOB))
    refuse(play, t.Left(play.id, BOB), "leaves twice")
    refuse(play, committed(play, BOB), "no active trainer")
    refuse(play, t.Joined(play.id, BOB, Role.TRAINER, 100), "joins twice")


def test_a_reveal_needs_a_commitment_and_comes_once(play: Any) -> None:
    play.commit(ALICE, BOB).start(Phase.REVEAL).reveal(ALICE)
    refuse(play, revealed(play, MALLORY), "without a commitment")
    refuse(play, revealed(play, ALICE), "reveals twice")
    refuse(play, committed(play, MALLORY), "a commitment of round 1 in the REVEAL")
    refuse(play, t.ModelRolledBack(play.id, 1, 1), "in the middle of a round")
    refuse(play, t.Left(play.id, BOB), "leaves while")


def test_scores_are_committed_and_revealed_once_by_validators_only(play: Any) -> None:
    play.to_score()
    refuse(play, t.ScoresCommitted(play.id, 1, MALLORY, bytes(32)), "no validator")
    refuse(play, t.ScoresRevealed(play.id, 1, VERA, bytes(32)), "a score reveal of round 1 in the")
    play.score({VERA: {}, VIKTOR: {}})
    refuse(play, t.ScoresCommitted(play.id, 1, VINH, bytes(32)), "in the SCORE_REVEAL")
    refuse(play, t.ScoresRevealed(play.id, 1, VINH, bytes(32)), "uncommitted")
    refuse(play, t.ScoresRevealed(play.id, 1, VERA, bytes(32)), "twice")


def test_scores_are_not_committed_twice(play: Any) -> None:
    play.to_score().tell(scored(play))
    refuse(play, scored(play), "scores twice")


def test_an_attestation_comes_once_from_a_validator(play: Any) -> None:
    play.to_attest().attest(RESULT, VERA)
    refuse(play, vote(play, "vera"), "attests twice")
    refuse(play, vote(play, "mallory"), "no validator")
    refuse(play, replace(vote(play, "viktor"), round=2), "an attestation of round 2")


def test_two_of_three_stakes_are_no_quorum_of_two_thirds_and_a_bit(play: Any) -> None:
    play.to_attest().attest(RESULT, VERA, VIKTOR)
    digest = result_digest(play.id, 1, result=RESULT)
    refuse(play, t.RoundSettled(play.id, 1, digest, 2, 7), "without a quorum")
    play.attest(replace(RESULT, paid=6), VINH)
    refuse(play, t.RoundSettled(play.id, 1, digest, 2, 7), "without a quorum")
    refuse(play, t.RoundSettled(play.id, 1, bytes(32), 2, 7), "without a quorum")


def test_a_round_pays_what_was_attested_and_never_more_than_its_budget(play: Any) -> None:
    budget = play.to_attest().state.budget()
    assert budget == 9_001 // 3
    greedy = replace(RESULT, paid=budget + 1)
    play.attest(greedy)
    digest = result_digest(play.id, 1, result=greedy)
    refuse(play, t.RoundSettled(play.id, 1, digest, 2, budget + 1), "more than its budget")
    refuse(play, t.RoundSettled(play.id, 1, digest, 2, budget), "another sum")


def test_a_round_settles_once_its_model_is_published(play: Any) -> None:
    play.to_attest()
    for validator in (VERA, VIKTOR, VINH):
        play.tell(
            t.Attested(play.id, 1, validator, result_digest(play.id, 1, result=RESULT), RESULT)
        )
    digest = result_digest(play.id, 1, result=RESULT)
    early = t.RoundSettled(play.id, 1, digest, 2, RESULT.paid)
    refuse(play, early, "settles before its model is out")


def test_a_settled_round_takes_nothing_more(play: Any) -> None:
    settle_with(play.to_attest(), 7, VERA, VIKTOR, VINH)
    digest = result_digest(play.id, 1, result=RESULT)
    refuse(play, t.RoundSettled(play.id, 1, digest, 2, 7), "after its end")
    refuse(play, t.RoundVoided(play.id, 1), "voided out of turn")
    refuse(play, started(play, Phase.COMMIT, 3), "phase COMMIT of round 3")
    head = play.state.head
    late = t.ModelPublished(play.id, 9, head, 1, bytes(32), bytes(32), bytes(32))
    refuse(play, late, "out of turn")


def test_a_void_round_takes_nothing_more(play: Any) -> None:
    play.to_score().void()
    refuse(play, scored(play), "after its end")
    refuse(play, started(play, Phase.SCORE_REVEAL, 1), "phase SCORE_REVEAL")
    refuse(play, t.RoundVoided(play.id, 1), "voided out of turn")


def test_after_the_last_round_no_other_starts(new_play: Any) -> None:
    play = new_play(rounds=1).begin().void()
    refuse(play, started(play, Phase.COMMIT, 2), "phase COMMIT of round 2")
    play.finish()
    for event in (
        started(play, Phase.COMMIT, 2),
        started(play, Phase.REVEAL, 1),
        t.TaskFinished(play.id),
        t.TaskCancelled(play.id),
        t.RoundVoided(play.id, 1),
        t.Joined(play.id, CAROL, Role.TRAINER, 100),
        committed(play),
    ):
        refuse(play, event, ".")
    assert play.state.over


def test_a_cancelled_task_never_starts(new_play: Any) -> None:
    play = new_play().join()
    play.tell(t.TaskCancelled(play.id))
    refuse(play, started(play, Phase.COMMIT, 1), "follows CANCELLED")
    refuse(play, t.TaskFinished(play.id), "out of turn")
    play.tell(t.Refunded(play.id, 9_001))
    refuse(play, t.Refunded(play.id, 9_001), "a second one")
    assert play.state.refunded == 9_001


def test_the_committee_cannot_train_and_trainers_cannot_join_it(new_play: Any) -> None:
    play = new_play()
    refuse(play, t.Joined(play.id, VERA, Role.TRAINER, 100), "wrong role")
    refuse(play, t.Joined(play.id, MALLORY, Role.VALIDATOR, 1_000), "wrong role")


def test_a_validator_cannot_join_once_rounds_run(new_play: Any) -> None:
    play = new_play()
    play.tell(t.Joined(play.id, VERA, Role.VALIDATOR, 1_000))
    play.tell(t.Joined(play.id, ALICE, Role.TRAINER, 100)).start(Phase.COMMIT)
    refuse(play, t.Joined(play.id, VIKTOR, Role.VALIDATOR, 1_000), "too late")
    assert sum(play.state.committee().values()) == 1_000


def test_nothing_is_known_before_the_task_is_created() -> None:
    with pytest.raises(ProtocolError, match="not been created"):
        _ = TaskState().rules


ACTS = [Phase.COMMIT, Phase.REVEAL, Phase.SCORE, Phase.SCORE_REVEAL, Phase.ATTEST]


@pytest.mark.parametrize("phase", ACTS)
def test_no_act_is_accepted_after_its_deadline(play: Any, phase: Phase) -> None:
    late: t.Event = committed(play)
    if phase == Phase.REVEAL:
        late = revealed(play.to_reveal())
    elif phase == Phase.SCORE:
        late = scored(play.to_score())
    elif phase == Phase.SCORE_REVEAL:
        play.to_score().tell(scored(play)).start(Phase.SCORE_REVEAL)
        late = t.ScoresRevealed(play.id, 1, VERA, bytes(32))
    elif phase == Phase.ATTEST:
        late = vote(play.to_attest())
    assert play.state.phase == phase
    play.now = play.state.deadline + 1
    refuse(play, late, "after the deadline")
    play.now -= 1
    play.tell(late)


# What is kept


def test_other_tasks_and_contracts_change_nothing(play: Any) -> None:
    other = b"\x01" * 32
    foreign: list[t.Event] = [
        t.TaskCreated(other, play.state.rules),
        t.Committed(other, 1, ALICE, bytes(32)),
        t.RoundVoided(other, 1),
        t.TaskFinished(other),
        t.OtherEvent("Token", "Transfer", {"value": 1}),
    ]
    before = play.state
    for event in foreign:
        play.tell(event)
    assert play.state == before
    assert step(before, Tick(), play.now)[0] == before


def test_a_rollback_between_rounds_moves_head_and_parent_and_keeps_history(play: Any) -> None:
    settle_with(play.to_attest(), 7, VERA, VIKTOR, VINH).start(Phase.COMMIT)
    assert (play.state.head, play.state.round.parent) == (2, 2)
    play.tell(t.ModelRolledBack(play.id, 1, 2))
    assert (play.state.head, play.state.round.parent) == (1, 1)
    assert set(play.state.versions) == {1, 2}
    assert play.state.rounds[1].parent == 1


def test_a_finished_task_can_be_rolled_back(new_play: Any) -> None:
    play = new_play(rounds=1).begin().to_attest()
    settle_with(play, 7, VERA, VIKTOR, VINH).finish()
    play.tell(t.ModelRolledBack(play.id, 1, 2))
    assert play.state.head == 1


def test_a_late_trainer_acts_in_the_next_round(play: Any) -> None:
    play.tell(t.Joined(play.id, CAROL, Role.TRAINER, 100))
    assert CAROL not in play.state.active_trainers()
    refuse(play, committed(play, CAROL), "no active trainer")
    play.void().start(Phase.COMMIT)
    assert CAROL in play.state.active_trainers()
    play.tell(committed(play, CAROL, number=2))


def test_a_void_round_loses_no_reward(play: Any) -> None:
    assert play.state.budget() == 3_000
    play.void().start(Phase.COMMIT)
    assert play.state.budget() == 4_500
    play.void().start(Phase.COMMIT)
    assert play.state.budget() == 9_001
    assert play.state.allocated == 0


@given(st.integers(1, 10**30), st.integers(1, 12), st.data())
def test_budgets_that_are_paid_in_full_and_the_refund_make_the_pool(
    new_play: Any, pool: int, rounds: int, data: Any
) -> None:
    play = new_play(("alice",), ("vera",), pool=pool, rounds=rounds).join()
    budgets = []
    for number in range(1, rounds + 1):
        play.start(Phase.COMMIT)
        if data.draw(st.booleans()):
            budgets.append(play.state.budget())
            play.to_attest({VERA: {}})
            settle_with(play, budgets[-1], VERA)
        else:
            play.void()
        assert number < rounds or (play.state.allocated == pool or play.state.rounds[number].void)
    play.finish()
    rest = pool - sum(budgets)
    refuse(play, t.Refunded(play.id, rest + 1), "not the rest")
    play.tell(t.Refunded(play.id, rest))
    assert play.state.allocated + play.state.refunded == pool


def test_claims_are_cumulative_and_bounded_by_what_rounds_paid(play: Any) -> None:
    settle_with(play.to_attest(), 100, VERA, VIKTOR, VINH)
    play.tell(t.Claimed(play.id, ALICE, 60, 60))
    refuse(play, t.Claimed(play.id, ALICE, 60, 60), "wrong amount")
    refuse(play, t.Claimed(play.id, BOB, 41, 41), "more than was allocated")
    play.tell(t.Claimed(play.id, BOB, 30, 30))
    play.tell(t.Claimed(play.id, ALICE, 10, 70))
    assert sum(play.state.claimed.values()) == 100


def test_an_expelled_trainer_owes_and_may_do_nothing_more(play: Any) -> None:
    play.commit(ALICE, MALLORY)
    play.tell(t.Sanctioned(play.id, MALLORY, 1, 5, expelled=False))
    refuse(play, t.Sanctioned(play.id, MALLORY, 1, 5, expelled=False), "sanctioned twice")
    play.tell(t.Sanctioned(play.id, MALLORY, 3, 95, expelled=True))
    assert play.state.members[MALLORY].slashed == 100
    assert set(play.state.round.commits) == {ALICE}
    play.start(Phase.REVEAL)
    assert due(play.state, play.now) == (Command("reveal", ALICE),)
    refuse(play, revealed(play, MALLORY), "without a commitment")
    refuse(play, t.Left(play.id, MALLORY), "leaves twice")


def test_an_expelled_trainer_s_reveal_stays_said(play: Any) -> None:
    play.to_reveal().reveal(MALLORY)
    play.tell(t.Sanctioned(play.id, MALLORY, 3, 100, expelled=True))
    assert MALLORY in play.state.round.reveals
    assert MALLORY not in play.state.round.missed


def test_an_expelled_validator_counts_in_the_quorum_s_total_and_does_nothing(play: Any) -> None:
    play.to_score().tell(t.Sanctioned(play.id, VERA, 3, 1_000, expelled=True))
    refuse(play, scored(play), "no validator")
    assert {c.account for c in due(play.state, play.now)} == {VIKTOR, VINH}
    assert sum(play.state.committee().values()) == 3_000


def test_a_validator_who_left_before_the_start_is_no_part_of_the_quorum(new_play: Any) -> None:
    play = new_play().join()
    play.tell(t.Left(play.id, VINH)).start(Phase.COMMIT)
    assert set(play.state.committee()) == {VERA, VIKTOR}
    settle_with(play.to_attest({VERA: {}, VIKTOR: {}}), 7, VERA, VIKTOR)
    assert play.state.rounds[1].settled is not None


# Who owes what


def test_due_names_everyone_who_owes_the_phase_s_act_in_order_of_address(new_play: Any) -> None:
    def owed(play: Any, act: str) -> list[t.Address]:
        commands = due(play.state, play.now)
        assert {c.act for c in commands} <= {act}
        accounts = [c.account for c in commands]
        assert accounts == sorted(accounts, key=str.lower)
        return accounts

    play = new_play()
    assert due(TaskState(), 10**12) == ()
    assert due(play.join().state, play.now) == ()
    play.start(Phase.COMMIT)
    assert set(owed(play, "commit")) == {ALICE, BOB, MALLORY}
    play.commit(ALICE, BOB)
    assert owed(play, "commit") == [MALLORY]
    play.start(Phase.REVEAL).reveal(ALICE)
    assert owed(play, "reveal") == [BOB]
    assert play.state.round.missed == (BOB,)
    play.start(Phase.SCORE)
    assert set(owed(play, "commit_scores")) == {VERA, VIKTOR, VINH}
    play.tell(scored(play))
    assert VERA not in owed(play, "commit_scores")
    play.start(Phase.SCORE_REVEAL)
    assert owed(play, "reveal_scores") == [VERA]
    play.tell(t.ScoresRevealed(play.id, 1, VERA, bytes(32))).start(Phase.ATTEST)
    assert set(owed(play, "attest")) == {VERA, VIKTOR, VINH}
    play.attest(RESULT, VIKTOR)
    assert VIKTOR not in owed(play, "attest")
    play.void().start(Phase.COMMIT).void().start(Phase.COMMIT).void().finish()
    assert due(play.state, 10**12) == ()


def test_after_a_deadline_only_an_advance_is_due(play: Any) -> None:
    assert Command("advance") not in due(play.state, play.state.deadline)
    assert due(play.state, play.state.deadline + 1) == (Command("advance"),)


def test_a_replay_of_the_log_is_the_state_itself(play: Any) -> None:
    log: list[t.Event] = [
        t.TaskCreated(play.id, play.state.rules),
        t.PhaseStarted(play.id, 0, Phase.JOINING, 10),
        t.Joined(play.id, VERA, Role.VALIDATOR, 5),
        t.Joined(play.id, ALICE, Role.TRAINER, 5),
        t.PhaseStarted(play.id, 1, Phase.COMMIT, 20),
        t.Committed(play.id, 1, ALICE, bytes(32)),
    ]
    logged = [t.Logged(event, i, i, 0, bytes(32)) for i, event in enumerate(log)]
    state = TaskState(task_id=play.id)
    for entry in logged:
        state, _ = step(state, entry.event, entry.time)
    assert replay(TaskState(task_id=play.id), logged) == state
    assert set(state.round.commits) == {ALICE}


# Random histories


def any_event(play: Any, data: Any) -> t.Event:
    """An event of the task, legal or not."""
    number = play.number + data.draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    who = data.draw(st.sampled_from([ALICE, BOB, CAROL, VERA, VIKTOR]))
    phase = data.draw(st.sampled_from(list(Phase)))
    small = data.draw(st.integers(0, 40))
    result = replace(RESULT, paid=data.draw(st.sampled_from([0, 5, 30])))
    digest = result_digest(play.id, number % 9, result=result)
    head, version = play.state.head, len(play.state.versions) + 1
    role = data.draw(st.sampled_from([Role.TRAINER, Role.VALIDATOR]))
    events: list[t.Event] = [
        started(play, phase, number),
        committed(play, who, number),
        revealed(play, who, number),
        t.ScoresCommitted(play.id, number, who, bytes(32)),
        t.ScoresRevealed(play.id, number, who, bytes(32)),
        t.Attested(play.id, number, who, digest, result),
        t.RoundSettled(play.id, number, digest, head, result.paid),
        t.ModelPublished(play.id, version, head, number, bytes(32), bytes(32), bytes(32)),
        t.ModelRolledBack(play.id, small % 3, head),
        t.RoundVoided(play.id, number),
        t.Joined(play.id, who, role, 10),
        t.Left(play.id, who),
        t.Sanctioned(play.id, who, small % 5, 1, expelled=small % 5 > 2),
        t.Claimed(play.id, who, small, small + play.state.claimed.get(who, 0)),
        t.Refunded(play.id, 100 - play.state.allocated),
        t.TaskFinished(play.id),
        t.TaskCancelled(play.id),
    ]
    chosen: t.Event = data.draw(st.sampled_from(events))
    return chosen


def next_step(play: Any, data: Any) -> t.Event:
    """An event that moves the round on, so that histories get somewhere."""
    state, number = play.state, play.number
    if state.round.settled or state.round.void:
        last = number == state.rules.rounds
        return t.TaskFinished(play.id) if last else started(play, Phase.COMMIT, number + 1)
    owed = due(state, play.now)
    if not owed or data.draw(st.integers(0, 5)) == 0:
        return move_on(play)
    me = data.draw(st.sampled_from(owed)).account
    acts: dict[Phase, t.Event] = {
        Phase.COMMIT: committed(play, me, number),
        Phase.REVEAL: revealed(play, me, number),
        Phase.SCORE: t.ScoresCommitted(play.id, number, me, bytes(32)),
        Phase.SCORE_REVEAL: t.ScoresRevealed(play.id, number, me, bytes(32)),
        Phase.ATTEST: replace(vote(play), validator=me),
    }
    return acts[state.phase]


def move_on(play: Any) -> t.Event:
    """The phase closes; a round whose votes do not suffice is void."""
    state, number = play.state, play.number
    if state.over:
        return t.Refunded(play.id, 100 - state.allocated)
    if state.phase == Phase.JOINING:
        return started(play, Phase.COMMIT, 1)
    if state.phase != Phase.ATTEST:
        return started(play, Phase(state.phase + 1), number)
    if len(state.round.attestations) < 2:
        return t.RoundVoided(play.id, number)
    cast = next(iter(state.round.attestations.values()))
    return t.RoundSettled(play.id, number, cast.digest, state.head, cast.result.paid)


def assert_nothing_went_back(before: TaskState, after: TaskState) -> None:
    pool = after.rules.pool
    forward = (before.number, before.over, before.phase) <= (after.number, after.over, after.phase)
    assert forward or after.number > before.number
    assert not before.over or after.phase == before.phase
    assert after.number <= after.rules.rounds
    assert before.allocated <= after.allocated <= pool
    assert sum(after.claimed.values()) <= after.allocated
    assert after.refunded in (0, pool - after.allocated)
    assert all(after.versions[number] == one for number, one in before.versions.items())
    for name, member in before.members.items():
        now = after.members[name]
        assert now.strikes >= member.strikes
        assert now.left >= member.left
        assert now.expelled >= member.expelled
    for number, old in before.rounds.items():
        new = after.rounds[number]
        assert not (new.settled and new.void)
        assert old.settled in (None, new.settled)
        assert new.void or not old.void
        assert set(new.reveals) <= set(new.commits)
        assert set(new.score_reveals) <= set(new.score_commits)
        for trainer, hidden in old.commits.items():
            assert new.commits.get(trainer, hidden) == hidden
        assert number == before.number or new == old
    paid = [one.settled.paid for one in after.rounds.values() if one.settled]
    assert sum(paid) == after.allocated


@settings(max_examples=150)
@given(st.data())
def test_whatever_happens_phases_money_and_promises_never_go_back(new_play: Any, data: Any) -> None:
    play = new_play(("alice", "bob"), ("vera", "viktor"), pool=100, rounds=2).join()
    for _ in range(data.draw(st.integers(5, 60))):
        chosen = any_event if data.draw(st.integers(0, 7)) == 5 else next_step
        before, event = play.state, chosen(play, data)
        try:
            play.tell(event)
        except ProtocolError:
            assert play.state is before
            continue
        assert_nothing_went_back(before, play.state)
        for command in due(play.state, play.now):
            assert play.state.members[command.account].expelled is False
