from __future__ import annotations

from dataclasses import replace

import pytest
from tests.onchain.setting import ALICE, BOB, CAT, DOG, MALLORY, MODEL, NOW, OWNER, trainer

from ostrom.onchain import versions
from ostrom.onchain.records import Message, Refused, agrees, is_learnt, open_record, take_in


def test_a_roll_back_gives_the_state_back_and_forgets_what_came_after() -> None:
    before = versions.checkpoint(trainer(), Message(ALICE, NOW))
    spoilt, lie = take_in(MODEL, before, Message(MALLORY, NOW), given=(CAT, 1, 5))
    with pytest.raises(Refused, match="VersionsNotDeployer"):
        versions.roll_back(MODEL, spoilt, Message(MALLORY, NOW), index=0)
    with pytest.raises(Refused, match="VersionsUnknown"):
        versions.roll_back(MODEL, spoilt, Message(OWNER, NOW), index=1)
    after = versions.roll_back(MODEL, spoilt, Message(OWNER, NOW), index=0)
    assert MODEL.dump(after.model_state) == MODEL.dump(before.model_state)
    assert is_learnt(spoilt, lie.nonce)
    assert not is_learnt(after, lie.nonce)
    assert not agrees(MODEL, after, lie, open_record(after, lie))


def test_a_version_of_a_smaller_model_is_widened() -> None:
    small = versions.checkpoint(trainer(), Message(ALICE, NOW))
    grown = replace(small, model_state=MODEL.widen(small.model_state, classes=1, features=4))
    after = versions.roll_back(MODEL, grown, Message(OWNER, NOW), index=0)
    assert (MODEL.classes(after.model_state), MODEL.features(after.model_state)) == (3, 14)


def test_more_than_half_of_what_was_validated_rolls_back() -> None:
    state = replace(versions.checkpoint(trainer(), Message(ALICE, NOW)), validated=4)
    with pytest.raises(Refused, match="VersionsNoVote"):
        versions.vote(MODEL, state, Message(MALLORY, NOW), index=0, weight=0)
    state = versions.vote(MODEL, state, Message(ALICE, NOW), index=0, weight=2)
    assert (state.epoch, versions.votes_for(state, 0)) == (0, 2)
    state = versions.vote(MODEL, state, Message(BOB, NOW), index=0, weight=1)
    assert (state.epoch, versions.votes_for(state, 0)) == (1, 0)


def test_a_vote_can_be_moved_and_taken_back() -> None:
    state = replace(trainer(), validated=10)
    for _ in range(2):
        state = versions.checkpoint(state, Message(ALICE, NOW))
    state = versions.vote(MODEL, state, Message(ALICE, NOW), index=0, weight=3)
    state = versions.vote(MODEL, state, Message(ALICE, NOW), index=1, weight=3)
    assert (versions.votes_for(state, 0), versions.votes_for(state, 1)) == (0, 3)
    state = versions.retract(state, Message(ALICE, NOW))
    assert versions.votes_for(state, 1) == 0
    with pytest.raises(Refused, match="VersionsNoVote"):
        versions.retract(state, Message(ALICE, NOW))


def test_a_roll_back_to_before_a_roll_back_knows_what_it_knew_then() -> None:
    state = versions.checkpoint(trainer(), Message(ALICE, NOW))
    state, first = take_in(MODEL, state, Message(ALICE, NOW), given=(DOG, 1, 5))
    state = versions.checkpoint(state, Message(ALICE, NOW))
    state = versions.roll_back(MODEL, state, Message(OWNER, NOW), index=0)
    assert not is_learnt(state, first.nonce)
    state = versions.roll_back(MODEL, state, Message(OWNER, NOW), index=1)
    assert is_learnt(state, first.nonce)
