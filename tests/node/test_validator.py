from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ostrom import types as t
from ostrom.codec import encode_document, sha256
from ostrom.errors import CorruptContent, OstromError, StoreError
from ostrom.evidence import last_change, read_update
from ostrom.node import (
    Attest,
    Claim,
    CommitScores,
    RevealScores,
    Validator,
    ValidatorMemory,
    gather,
    last_balances,
    read_scores,
    validator_step,
)
from ostrom.node.validator import is_my_turn, recompute
from ostrom.records import decode_record, decode_scores
from ostrom.storage import DirectoryStore, MemoryStore, cid_from_digest, cid_of, digest_of
from ostrom.tensors import encode_tensors
from ostrom.types import Address, Phase
from ostrom.updates import update_file_size


def value(models: Any) -> Any:
    """The holdout likes large parameters."""
    return models.sum(axis=1) / 1e3


class Liking:
    """A holdout that rates models by a function."""

    def __init__(self, value: Any = value) -> None:
        self.value = value

    def gradients(self, parameters: Any) -> Any:
        return np.zeros((1, len(parameters)))


def validator(play: Any, who: Address | int = 0, **changes: Any) -> Validator:
    one = play.validators[who] if isinstance(who, int) else who
    me = Validator(one, Liking(), play.store, lambda n: bytes([n]) * 32, play.spec)
    return replace(me, **changes)


def act(me: Validator, play: Any, memory: ValidatorMemory | None = None) -> list[Any]:
    return validator_step(me, memory or ValidatorMemory(), play.state, now=play.now)[1]


def last_slot(play: Any) -> Any:
    """A moment at which every validator has had its turn."""
    play.now = play.state.deadline
    return play


# Scores


def test_scores_are_committed_hidden_and_revealed_later(play: Any) -> None:
    me = validator(play.to_score())
    held = list(play.store.cids())
    memory, (commit,) = validator_step(me, ValidatorMemory(), play.state, now=play.now)
    assert isinstance(commit, CommitScores)
    assert list(play.store.cids()) == held
    assert validator_step(me, memory, play.state, now=play.now) == (memory, [commit])
    play.tell(t.ScoresCommitted(play.id, 1, me.address, commit.commitment))
    assert act(me, play, memory) == []
    play.start(Phase.SCORE_REVEAL)
    (reveal,) = act(me, play, memory)
    assert reveal == RevealScores(1, me.address, sha256(memory.scores), bytes([1]) * 32)
    scores = decode_scores(memory.scores, play.state, me.address)
    assert set(scores) == set(play.trainers)
    assert play.store.get(cid_from_digest(reveal.scores), max_bytes=10_000) == memory.scores


def test_the_last_change_is_what_the_last_settled_round_did(play: Any) -> None:
    assert last_change(play.store, play.state, play.spec) is None
    play.play_round()
    play.start(Phase.COMMIT)
    change = last_change(play.store, play.state, play.spec)
    assert change is not None
    assert change.tolist() == [2] * 5


def test_a_scorer_may_ask_for_what_everybody_knew(new_play: Any, small_spec: Any) -> None:
    """In the second round all three send updates along the first change: nothing is new."""
    play = new_play(spec=small_spec(scorer="leave_one_out(absent=public)")).begin()
    for size, one in enumerate(play.trainers, start=1):
        play.update(one, [3_000 * size] * 5)
    scores = []
    for _ in range(2):
        play.to_score()
        memory, _ = validator_step(validator(play), ValidatorMemory(), play.state, now=play.now)
        scores.append(decode_scores(memory.scores, play.state, play.validators[0]))
        play.score(play.flat(1)).start(Phase.ATTEST)
        done = play.outcome()
        play.store.put(done.model)
        play.store.put(done.record)
        play.attest(done.result).settle(done.result).start(Phase.COMMIT)
    assert all(score > 0 for score in scores[0].values())
    assert set(scores[1].values()) == {0}


def test_a_validator_that_lost_its_scores_reveals_none(play: Any) -> None:
    me = validator(play.to_score())
    (commit,) = act(me, play)
    play.tell(t.ScoresCommitted(play.id, 1, me.address, commit.commitment))
    play.start(Phase.SCORE_REVEAL)
    assert act(me, play) == []


def test_strangers_and_expelled_validators_do_nothing(play: Any, address: Any) -> None:
    play.to_score()
    assert act(validator(play, address("mallory")), play) == []
    assert act(validator(play, address("carol")), play) == []
    vera = play.validators[0]
    play.tell(t.Sanctioned(play.id, vera, 3, 1_000, expelled=True))
    assert act(validator(play), play) == []


@pytest.mark.parametrize("phase", [Phase.COMMIT, Phase.REVEAL])
def test_in_the_trainers_phases_it_waits(play: Any, phase: Phase) -> None:
    if phase == Phase.REVEAL:
        play.to_reveal()
    assert act(validator(play), play) == []


def test_a_model_that_explodes_on_the_holdout_still_gives_scores(play: Any) -> None:
    def exploding(models: Any) -> Any:
        return np.array([np.inf, np.nan, -np.inf, np.inf])[: len(models)]

    me = validator(play.to_score(), holdout=Liking(exploding))
    memory, actions = validator_step(me, ValidatorMemory(), play.state, now=play.now)
    assert len(actions) == 1
    assert len(decode_scores(memory.scores, play.state, me.address)) == 3


def test_with_nothing_to_score_it_commits_to_an_empty_vector(play: Any) -> None:
    for one in play.trainers:
        play.content(one, b"noise " + one.encode(), root=bytes(32))
    me = validator(play.to_score())
    memory, actions = validator_step(me, ValidatorMemory(), play.state, now=play.now)
    assert len(actions) == 1
    assert decode_scores(memory.scores, play.state, me.address) == {}


# Attestations


def test_validators_propose_in_rotation_and_all_have_a_turn_by_half_time(play: Any) -> None:
    first: list[Address] = []
    for _ in range(3):
        play.to_attest()
        opened, half = play.now, play.now + 50
        turns = [v for v in play.validators if is_my_turn(v, play.state, opened)]
        assert len(turns) == 1
        first += turns
        slots = [
            sum(is_my_turn(v, play.state, now) for v in play.validators)
            for now in range(opened, half + 1)
        ]
        assert slots == sorted(slots)
        assert set(slots) == {1, 2, 3}
        play.void()
        if play.number < 3:
            play.start(Phase.COMMIT)
    assert sorted(first) == sorted(play.validators)


def test_who_is_not_next_waits_for_a_proposal(play: Any) -> None:
    play.to_attest()
    mine = [v for v in play.validators if act(validator(play, v), play)]
    assert len(mine) == 1
    assert is_my_turn(mine[0], play.state, play.now)


def test_an_equal_proposal_is_attested_to_at_once(play: Any) -> None:
    play.to_attest()
    (first,) = [v for v in play.validators if is_my_turn(v, play.state, play.now)]
    (proposal,) = act(validator(play, first), play)
    assert isinstance(proposal, Attest)
    play.attest(proposal.result, first)
    assert act(validator(play, first), play) == []
    for other in set(play.validators) - {first}:
        (agreement,) = act(validator(play, other), play)
        assert agreement == replace(proposal, validator=other)
        play.attest(agreement.result, other)
    play.settle(proposal.result)
    record = decode_record(
        play.store.get(cid_from_digest(proposal.result.record), max_bytes=1 << 20)
    )
    assert len(record["updates"]) == 3


WRONG: dict[str, Any] = {
    "model": bytes(32),
    "model_root": bytes(32),
    "record": bytes(32),
    "payouts": bytes(32),
    "paid": 1,
    "sanctions": b"\x01" * 32,
}


@pytest.mark.parametrize("field", WRONG)
def test_a_proposal_that_differs_anywhere_is_not_attested_to(play: Any, field: str) -> None:
    play.to_attest()
    first = next(v for v in play.validators if is_my_turn(v, play.state, play.now))
    right = recompute(validator(play, first), play.state).result
    play.attest(replace(right, **{field: WRONG[field]}), first)
    others = [v for v in play.validators if v != first]
    assert all(act(validator(play, v), play) == [] for v in others)
    last_slot(play)
    for other in others:
        assert act(validator(play, other), play) == [Attest(1, other, right)]


def test_a_proposal_that_leaves_out_what_one_holds_is_not_attested_to(play: Any) -> None:
    play.to_attest()
    alice = play.trainers[0]
    blind = copy_without(play, alice)
    first = next(v for v in play.validators if is_my_turn(v, play.state, play.now))
    (poorer,) = act(validator(play, first, store=blind), play)
    play.attest(poorer.result, first)
    other = next(v for v in play.validators if v != first)
    assert act(validator(play, other), play) == []
    assert act(validator(play, other, store=copy_without(play, alice)), play) == [
        replace(poorer, validator=other)
    ]


def copy_without(play: Any, trainer: Address) -> Any:
    """A store that never got the trainer's update."""
    copy = type(play.store)()
    withheld = cid_from_digest(play.openings[trainer].update)
    for cid in play.store.cids():
        if cid != withheld:
            copy.write_block(cid, play.store.read_block(cid, 1 << 20))
    return copy


def test_at_the_end_a_validator_claims_its_share(play: Any) -> None:
    outcome = play.play_round()
    play.start(Phase.COMMIT).void().start(Phase.COMMIT).void().finish()
    (claim,) = act(validator(play), play)
    assert isinstance(claim, Claim)
    assert claim.cumulative == outcome.balances.payouts[play.validators[0]]


# Whatever mallory stores


def test_missing_content_is_unavailable_and_nobody_s_fault(play: Any) -> None:
    last_slot(play.to_attest())
    blind = copy_without(play, play.trainers[2])
    outcome = recompute(validator(play, store=blind), play.state)
    checks = {r["trainer"]: r["check"] for r in decode_record(outcome.record)["updates"]}
    assert checks == dict(zip(play.trainers, ["", "", "available"]))
    assert outcome.balances.strikes == {}


@pytest.mark.parametrize("damage", [b"", b"x", b"other bytes" * 50])
def test_a_corrupted_block_is_unavailable_and_no_crash(play: Any, damage: bytes) -> None:
    play.to_attest()
    digest = play.openings[play.trainers[2]].update
    play.store.write_block(cid_from_digest(digest), damage)
    assert read_update(play.store, digest, play.spec) is None
    made = gather(play.store, play.state, play.spec)
    assert made.contents[play.trainers[2]] is None
    assert act(validator(last_slot(play)), play)


def test_a_file_cut_on_the_disk_is_unavailable(play: Any, tmp_path: Any) -> None:
    store = DirectoryStore(tmp_path)
    content = encode_tensors({"update": np.ones(5, dtype=np.int32)})
    cid = store.put(content)
    digest = sha256(content)
    assert read_update(store, digest, play.spec) == content
    (file,) = [f for f in tmp_path.rglob("*") if f.is_file() and f.stat().st_size == len(content)]
    file.chmod(0o600)
    file.write_bytes(content[:-1])
    assert cid == cid_of(content)
    assert read_update(store, digest, play.spec) is None


def test_content_far_beyond_the_spec_s_size_is_not_read(play: Any) -> None:
    huge = bytes(3 << 20)
    for digest in (sha256(huge), digest_of(play.store.put(huge))):
        assert read_update(play.store, digest, play.spec) is None


def test_an_update_file_s_size_follows_from_its_length(small_spec: Any) -> None:
    for dtype in ("int32", "int64"):
        for length in (1, 10, 999, 1_000, 100_000):
            file = encode_tensors({"update": np.ones(length, dtype=dtype)})
            assert update_file_size(small_spec(layout=((length,),), dtype=dtype)) == len(file)


DOCUMENTS: list[Any] = [
    None, [], {}, 7, "x", {"scores": 1}, {"scores": [[[], 1]]}, {"scores": [[{}, {}]]},
    {"format": "ostrom/scores/1", "scores": [["x", 2**53 - 1]]},
]  # fmt: skip
HOSTILE = [
    b"", b"\x80\x04.", b"\xff\xfe", b"[" * 100_000, b'{"scores":[[1e999,NaN]]}', b"9" * 100_000,
    *map(encode_document, DOCUMENTS),
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_scores_are_left_out_and_the_round_settles(play: Any, data: bytes) -> None:
    play.to_score()
    vera, viktor, mallory = play.validators
    good = {v: score_of(validator(play, v), play) for v in (vera, viktor)}
    for v in play.validators:
        play.tell(t.ScoresCommitted(play.id, 1, v, bytes(32)))
    play.start(Phase.SCORE_REVEAL)
    for v, document in {**good, mallory: data}.items():
        play.store.put(document)
        play.tell(t.ScoresRevealed(play.id, 1, v, sha256(document)))
    play.start(Phase.ATTEST)
    assert set(read_scores(play.store, play.state)) == {vera, viktor}
    (attest,) = act(validator(last_slot(play)), play)
    play.attest(attest.result).settle(attest.result)
    assert mallory not in last_balances(play.store, play.state).payouts


def score_of(me: Validator, play: Any) -> bytes:
    return validator_step(me, ValidatorMemory(), play.state, now=play.now)[0].scores


def test_no_random_bytes_of_an_update_stop_a_validator(play: Any) -> None:
    rng = np.random.default_rng(7)
    good = encode_tensors({"update": np.arange(1, 6, dtype=np.int32)})
    for case in range(150):
        one = type(play)().begin()
        content = rng.bytes(int(rng.integers(150))) if case % 2 else flip(good, rng)
        one.content(one.trainers[2], content, root=rng.bytes(32), samples=1)
        me = validator(one.to_score())
        scores = score_of(me, one)
        assert one.trainers[2] not in decode_scores(scores, one.state, me.address)


def flip(good: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(good)
    changed[int(rng.integers(len(good)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


# What a dishonest quorum may have settled


def settled_with_record(play: Any, record: bytes, **changes: Any) -> Any:
    play.to_attest()
    outcome = play.outcome()
    play.store.put(outcome.model)
    play.store.put(record)
    result = replace(outcome.result, record=sha256(record), **changes)
    return play.attest(result).settle(result)


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_record_is_an_error_of_ostrom_and_no_other(play: Any, data: bytes) -> None:
    settled_with_record(play, data)
    with pytest.raises(OstromError):
        last_balances(play.store, play.state)


def test_a_hostile_model_is_a_store_s_error(play: Any) -> None:
    noise = b"no model"
    play.store.put(noise)
    settled_with_record(play, b"{}", model=sha256(noise)).start(Phase.COMMIT)
    with pytest.raises(CorruptContent):
        gather(play.store, play.state, play.spec)


def test_a_missing_parent_model_is_a_store_s_error(play: Any) -> None:
    play.to_score()
    empty = type(play.store)()
    with pytest.raises(StoreError):
        act(validator(play, store=empty), play)


class Broken(MemoryStore):
    """A store whose disk fails."""

    def read_block(self, cid: Any, limit: int) -> bytes:
        raise StoreError("cannot read: input/output error")


def test_a_store_that_fails_is_no_verdict_on_what_it_holds(play: Any) -> None:
    play.to_attest()
    with pytest.raises(StoreError, match="input/output"):
        act(validator(last_slot(play), store=Broken()), play)
