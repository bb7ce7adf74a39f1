"""What is said of a refusal, by phase, round and deadline. Nothing here needs a chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostrom.chain.tasks import Pace
from ostrom.cli.amounts import Coin
from ostrom.cli.explain import Moment, explain, phase_seconds, span
from ostrom.errors import CONTRACT_ERRORS, ContractError
from ostrom.node.taskfile import EXAMPLE, NOBODY, TaskFile
from ostrom.types import Address, Phase

TASK = bytes(31) + b"t"
ALICE = Address("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
PARAMS = replace(
    TaskFile.parse(EXAMPLE).prepare(sponsor=NOBODY, token=NOBODY).params,
    rounds=3,
    commit_time=60,
    reveal_time=120,
    score_time=180,
    score_reveal_time=240,
    attest_time=300,
)
NOW = 1_000
PACE = Pace(block=50, time=NOW, block_seconds=12.0)


def moment(phase: Phase, *, round: int = 1, left: int = 36, pace: Pace = PACE) -> Moment:
    return Moment(phase, round, NOW + left, PARAMS, pace)


def wrong_phase(expected: Phase, now: Moment) -> str:
    given = {"task_id": TASK, "expected": int(expected), "actual": int(now.phase)}
    return explain(CONTRACT_ERRORS["TrainingWrongPhase"](arguments=given), Coin(), now)


def said(error: str, now: Moment | None = None, /, **given: Any) -> str:
    return explain(CONTRACT_ERRORS[error](arguments=given), Coin(), now)


def test_a_phase_that_follows_opens_when_this_one_closes() -> None:
    assert wrong_phase(Phase.REVEAL, moment(Phase.COMMIT)) == (
        "reveal opens in 3 blocks (36 s) at the latest; the task is in the commit phase of round 1"
    )


def test_a_phase_further_on_waits_for_those_between() -> None:
    assert "attest opens in 48 blocks (9 min 36 s)" in wrong_phase(
        Phase.ATTEST, moment(Phase.COMMIT)
    )


def test_a_phase_that_has_passed_opens_in_the_next_round() -> None:
    assert wrong_phase(Phase.COMMIT, moment(Phase.SCORE, round=2)) == (
        "commit of round 2 is closed; that of round 3 opens in 48 blocks (9 min 36 s) at the "
        "latest; the task is in the score phase of round 2"
    )
    # What is left, then commit and reveal: 36 + 60 + 120 seconds.
    assert "that of round 3 opens in 18 blocks (3 min 36 s)" in wrong_phase(
        Phase.SCORE, moment(Phase.ATTEST, round=2)
    )


def test_in_the_last_round_a_phase_that_has_passed_never_opens_again() -> None:
    assert wrong_phase(Phase.COMMIT, moment(Phase.SCORE, round=3)) == (
        "commit is closed, and no round follows; the task is in the score phase of round 3"
    )


def test_before_the_first_round_every_phase_waits_for_joining_to_close() -> None:
    assert wrong_phase(Phase.COMMIT, moment(Phase.JOINING, round=0)) == (
        "commit opens in 3 blocks (36 s) at the latest; the task still waits for members"
    )


def test_joining_does_not_open_again() -> None:
    assert wrong_phase(Phase.JOINING, moment(Phase.COMMIT)) == (
        "joining closed when round 1 began; the task is in the commit phase of round 1"
    )


def test_a_phase_that_has_just_opened_is_worth_another_try() -> None:
    assert wrong_phase(Phase.REVEAL, moment(Phase.REVEAL)) == (
        "reveal opened this moment: run the command again"
    )


@pytest.mark.parametrize("phase", [Phase.FINISHED, Phase.CANCELLED])
def test_nothing_opens_in_a_task_that_is_over(phase: Phase) -> None:
    assert wrong_phase(Phase.COMMIT, moment(phase)) == (
        f"the task is {phase.name.lower()}: there is no commit any more"
    )


def test_a_phase_that_is_overdue_gives_the_next_one_its_whole_time() -> None:
    assert moment(Phase.REVEAL, left=-5).left == 120
    assert wrong_phase(Phase.SCORE, moment(Phase.REVEAL, left=-5)).startswith(
        "score opens in 10 blocks (2 min 0 s)"
    )


@pytest.mark.parametrize(
    ("seconds", "block_seconds", "words"),
    [
        (36, 12.0, "3 blocks (36 s)"),
        (37, 12.0, "4 blocks (37 s)"),
        (12, 12.0, "1 block (12 s)"),
        (0, 12.0, "0 blocks (0 s)"),
        (36, 0.25, "144 blocks (36 s)"),
        (7_200, 2.0, "3,600 blocks (2 h 0 min)"),
        (36, None, "36 s"),
    ],
)
def test_a_span_is_in_blocks_and_in_time(
    seconds: int, block_seconds: float | None, words: str
) -> None:
    assert span(seconds, Pace(1, 0, block_seconds)) == words


def test_the_rounds_that_are_left_count_towards_the_end() -> None:
    a_round = 60 + 120 + 180 + 240 + 300
    assert moment(Phase.ATTEST, round=3).until_end() == 36
    assert moment(Phase.ATTEST, round=1).until_end() == 36 + 2 * a_round
    assert moment(Phase.JOINING, round=0).until_end() == 36 + 3 * a_round


def test_phases_without_a_deadline_last_no_time() -> None:
    assert phase_seconds(PARAMS, Phase.FINISHED) == 0
    assert phase_seconds(PARAMS, Phase.JOINING) == 86_400


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("TrainingActsNextRound", {"account": ALICE}, "acts from round 2 on, in 73 blocks"),
        ("TrainingValidatorMustStay", {"account": ALICE}, "stays until the task ends, in 223 "),
        ("TrainingOpenCommitment", {"account": ALICE}, "when the round ends, in 73 blocks"),
        ("TrainingTaskNotEnded", {"phase": 2}, "the task has not ended: it does in 223 blocks"),
        ("TrainingTaskNotIdle", {"phase": 2}, "the task is in the commit phase"),
        ("TrainingWrongRound", {"given": 7, "actual": 1}, "the task is in round 1"),
        ("RegistryNotReleasable", {"release_at": NOW + 24}, "the stake is free in 2 blocks (24 s)"),
    ],
)
def test_what_waits_for_time_says_how_long(name: str, given: Any, words: str) -> None:
    assert words in said(name, moment(Phase.COMMIT), task_id=TASK, **given)


ARGUMENTS = {
    "task_id": TASK,
    "account": ALICE,
    "sender": ALICE,
    "spender": ALICE,
    "token": ALICE,
    "name": b"joinTime".ljust(32, b"\0"),
    "required": 10**18,
    "given": 10**17,
    "max_trainers": 5,
    "free": 0,
    "amount": 10**18,
    "balance": 0,
    "allowance": 0,
    "needed": 10**18,
    "role": 1,
    "cumulative": 0,
    "release_at": 0,
    "expected": 2,
    "actual": 3,
    "phase": 2,
}


@pytest.mark.parametrize("name", sorted(CONTRACT_ERRORS))
def test_every_refusal_is_one_line_with_and_without_a_clock(name: str) -> None:
    error = CONTRACT_ERRORS[name](arguments=ARGUMENTS)
    for now in (None, moment(Phase.COMMIT)):
        text = explain(error, Coin(), now)
        assert text
        assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TrainingWrongStake", "the stake must be 1 OSTR, not 0.1 OSTR"),
        ("TrainingBadParameter", "joinTime is out of the contract's range"),
        ("ERC20InsufficientBalance", f"{ALICE} holds 0 OSTR, less than 1 OSTR"),
        ("TrainingFull", "all of the task's 5 seats for trainers are taken"),
        ("TrainingUnknownTask", f"there is no task {TASK.hex()} on this network"),
    ],
)
def test_amounts_names_and_accounts_are_shown_as_people_read_them(name: str, words: str) -> None:
    assert words in said(name, **ARGUMENTS)


def test_a_refusal_that_nobody_foresaw_is_told_as_it_is() -> None:
    assert explain(ContractError("the contract panicked with code 0x11"), Coin()) == (
        "the contract panicked with code 0x11"
    )
