"""Casting: who plays what, what is refused, and what honest parties keep."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism
from ostrom.sim import behaviours
from ostrom.sim.behaviours import lie, parse_attack
from ostrom.sim.validator_lies import LIES
from ostrom.types import Address

ALICE, BOB = Address("0xa"), Address("0xb")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "unknown attack 'nope'"),
        ("none|zeros", "unknown attack 'none'"),
        ("zeros(by=2)", "the arguments are trainers$"),
        ("alie(epsilon=2)", "the arguments are blur, trainers, z$"),
        ("scale(blur=1)", "the arguments are by, trainers$"),
        ("last_delta(previous=1)", "the arguments are blur, trainers$"),
        ("gaussian(fraction_bits=1)", "the arguments are sigma, trainers$"),
        ("sybil(trainers=2)", "the arguments are identities$"),
        ("inflate(trainers=1)", "the arguments are friend, validators$"),
        ("inflate(friend=-1)", "inflate needs friend"),
        ("inflate(friend=5)", "the trainers are 0 to 4"),
        ("inflate(friend=x)", "friend to be of type int"),
        ("ipm(blur=x)", "write blur as a number"),
        ("ipm(epsilon=x)", "epsilon to be of type float"),
        ("backdoor(share=2)", "backdoor needs"),
        ("min_max(direction=up)", "no direction 'up'"),
        ("ipm(trainers=6)", "only 5 trainers left"),
        ("sybil(identities=3)|zeros(trainers=3)", "only 2 trainers left"),
        ("sybil(identities=0)", "only 5 trainers left"),
        ("lazy_validator(validators=5)", "only 4 validators left"),
    ],
)
def test_a_casting_that_cannot_be_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        parse_attack(text, 5, 4)
    assert "\n" not in str(refused.value)


def test_accomplices_form_one_group_from_the_last_seat_downwards() -> None:
    casting = parse_attack("alie(trainers=2,z=1.5)|sybil(identities=2)|inflate(friend=1)", 5, 4)
    told = [(group.behaviour.text, group.seats) for group in casting.groups]
    assert told == [("alie(z=1.5)", (4, 3)), ("sybil", (2, 1)), ("inflate(friend=1)", (3,))]
    assert set(casting.trainers) == {1, 2, 3, 4}
    assert set(casting.validators) == {3}


def test_nobody_misbehaves_under_none() -> None:
    assert parse_attack("none", 5, 4).groups == ()


def test_every_behaviour_is_in_the_table_of_its_module() -> None:
    names = [*behaviours.TRAINER_BEHAVIOURS, *behaviours.VALIDATOR_BEHAVIOURS]
    assert all(f"| {name} |" in (behaviours.__doc__ or "") for name in names)
    assert len(set(names)) == len(names)


def test_an_honest_validator_says_what_it_has_computed() -> None:
    scores = {ALICE: 5, BOB: -7}
    assert lie(None).scores(scores, (ALICE, BOB)) == scores
    assert lie(None).actions([]) == []


@pytest.mark.parametrize("name", LIES)
def test_a_lying_validator_scores_everybody_whom_an_honest_one_scores(name: str) -> None:
    scores = lie(Mechanism(name)).scores({ALICE: 5, BOB: -7}, (ALICE, BOB))
    assert set(scores) == {ALICE, BOB}
    assert all(isinstance(score, int) for score in scores.values())


def test_a_friend_that_sent_nothing_is_not_scored() -> None:
    lied = lie(Mechanism("inflate", {"friend": 0})).scores({BOB: -7}, (ALICE, BOB))
    assert lied == {BOB: -7}


def test_garbage_is_no_tensor_and_the_same_for_one_seed() -> None:
    assert behaviours.garbage(b"a", 99) == behaviours.garbage(b"a", 99)
    assert len(behaviours.garbage(b"a", 99)) == 99
    assert np.frombuffer(behaviours.garbage(b"a", 99), dtype=np.uint8).std() > 40
