from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom import types as t
from ostrom.codec import merkle_leaf, merkle_verify, words
from ostrom.errors import StoreError
from ostrom.node import Claim, Commit, Reveal, Trainer, trainer_step
from ostrom.node.trainer import seal
from ostrom.protocol import TaskState
from ostrom.storage import cid_from_digest
from ostrom.types import Address, Phase, Role, Update


class Training:
    """Training that counts how often it was asked and gives something new every time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, state: TaskState) -> Update:
        self.calls += 1
        return Update(np.full(5, self.calls, dtype=np.int32), samples=7)


def trainer(play: Any, who: Address, training: Training | None = None) -> Trainer:
    return Trainer(who, training or Training(), play.store, lambda n: bytes([n]) * 32, play.spec)


def commits(play: Any, actions: list[Any]) -> None:
    for one in actions:
        assert isinstance(one, Commit)
        play.tell(t.Committed(play.id, one.round, one.trainer, one.commitment))


def test_nothing_reaches_the_store_before_commitments_are_closed(play: Any) -> None:
    alice = trainer(play, play.trainers[0])
    held = list(play.store.cids())
    memory, actions = trainer_step(alice, {}, play.state)
    sealed = memory[1]
    commits(play, actions)
    memory, actions = trainer_step(alice, memory, play.state)
    assert actions == []
    play.start(Phase.REVEAL)
    assert list(play.store.cids()) == held
    memory, actions = trainer_step(alice, memory, play.state)
    assert actions == [Reveal(1, play.trainers[0], sealed.opening)]
    cid = cid_from_digest(sealed.opening.update)
    assert play.store.get(cid, max_bytes=1_000) == sealed.content


def test_a_commitment_that_is_not_yet_mined_is_repeated_and_never_changed(play: Any) -> None:
    training = Training()
    alice = trainer(play, play.trainers[0], training)
    memory, first = trainer_step(alice, {}, play.state)
    for _ in range(3):
        memory, again = trainer_step(alice, memory, play.state)
        assert again == first
    assert training.calls == 1


def test_a_new_round_is_trained_anew_and_the_old_update_forgotten(play: Any) -> None:
    alice = trainer(play, play.trainers[0])
    memory, first = trainer_step(alice, {}, play.state)
    play.void().start(Phase.COMMIT)
    memory, second = trainer_step(alice, memory, play.state)
    assert set(memory) == {2}
    assert first != second


def test_who_is_not_active_does_nothing(play: Any, address: Any) -> None:
    carol, training = address("carol"), Training()
    assert trainer_step(trainer(play, carol, training), {}, play.state) == ({}, [])
    play.tell(t.Joined(play.id, carol, Role.TRAINER, 100))
    assert trainer_step(trainer(play, carol, training), {}, play.state) == ({}, [])
    bob = play.trainers[1]
    play.tell(t.Sanctioned(play.id, bob, 3, 100, expelled=True))
    assert trainer_step(trainer(play, bob, training), {}, play.state) == ({}, [])
    assert training.calls == 0


def test_who_was_expelled_after_committing_does_not_publish(play: Any) -> None:
    mallory = trainer(play, play.trainers[2])
    memory, actions = trainer_step(mallory, {}, play.state)
    commits(play, actions)
    play.tell(t.Sanctioned(play.id, mallory.address, 3, 100, expelled=True))
    play.commit(play.trainers[0]).start(Phase.REVEAL)
    held = list(play.store.cids())
    assert trainer_step(mallory, memory, play.state) == (memory, [])
    assert list(play.store.cids()) == held


def test_a_trainer_that_lost_its_memory_reveals_nothing(play: Any) -> None:
    alice = trainer(play, play.trainers[0])
    _, actions = trainer_step(alice, {}, play.state)
    commits(play, actions)
    play.start(Phase.REVEAL)
    assert trainer_step(alice, {}, play.state) == ({}, [])


@pytest.mark.parametrize("phase", [Phase.SCORE, Phase.SCORE_REVEAL, Phase.ATTEST])
def test_in_the_validators_phases_it_waits(play: Any, phase: Phase) -> None:
    play.to_score()
    if phase > Phase.SCORE:
        play.score(play.flat(1))
    if phase > Phase.SCORE_REVEAL:
        play.start(Phase.ATTEST)
    memory = {1: seal(trainer(play, play.trainers[0]), play.state)}
    assert trainer_step(trainer(play, play.trainers[0]), memory, play.state) == (memory, [])


def test_at_the_end_it_claims_all_with_a_proof_that_verifies_and_only_once(play: Any) -> None:
    outcome = play.play_round()
    play.start(Phase.COMMIT).void().start(Phase.COMMIT).void().finish()
    alice = trainer(play, play.trainers[0])
    _, (claim,) = trainer_step(alice, {}, play.state)
    assert isinstance(claim, Claim)
    assert claim.cumulative == outcome.balances.payouts[alice.address]
    leaf = merkle_leaf(words(play.id, claim.account, claim.cumulative))
    assert merkle_verify(leaf, claim.proof, outcome.result.payouts)
    play.tell(t.Claimed(play.id, alice.address, claim.cumulative, claim.cumulative))
    assert trainer_step(alice, {}, play.state) == ({}, [])


def test_who_earned_nothing_claims_nothing(play: Any, address: Any) -> None:
    play.play_round()
    play.start(Phase.COMMIT).void().start(Phase.COMMIT).void().finish()
    assert trainer_step(trainer(play, address("carol")), {}, play.state)[1] == []


def test_a_task_without_a_settled_round_pays_nothing(new_play: Any) -> None:
    play = new_play(rounds=1).begin().void().finish()
    assert trainer_step(trainer(play, play.trainers[0]), {}, play.state)[1] == []


def test_a_missing_record_is_a_store_s_error_and_not_a_lost_claim(play: Any) -> None:
    outcome = play.play_round()
    play.start(Phase.COMMIT).void().start(Phase.COMMIT).void().finish()
    del play.store._blocks[cid_from_digest(outcome.result.record)]
    with pytest.raises(StoreError):
        trainer_step(trainer(play, play.trainers[0]), {}, play.state)
