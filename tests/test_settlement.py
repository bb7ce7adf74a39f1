from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom import types as t
from ostrom.codec import decode_document, encode_document, merkle_verify, sha256, words
from ostrom.codec import merkle_leaf as leaf
from ostrom.errors import CodecError
from ostrom.faults import chain_faults
from ostrom.incentives import balance_proof
from ostrom.protocol import TaskState
from ostrom.records import Balances, decode_record, decode_scores, encode_scores, record_balances
from ostrom.settlement import (
    STRIKES_MAX,
    Evidence,
    Outcome,
    candidate,
    consensus_scores,
    settle,
)
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import chunk_root, decode_tensors
from ostrom.types import Address, Phase
from ostrom.verification import scoring_seed

Scores = dict[Address, dict[Address, int]]


def settled(evidence: Evidence, scores: Scores) -> Outcome:
    return settle(candidate(evidence, fresh=True), scores)


def parameters(outcome: Outcome) -> list[int]:
    found: list[int] = decode_tensors(outcome.model)["parameters"].tolist()
    return found


def with_reveals(state: TaskState, reveals: Any) -> TaskState:
    here = replace(state.round, reveals=dict(reveals))
    return replace(state, rounds={**state.rounds, state.number: here})


def faults_of(outcome: Outcome) -> dict[Address, str]:
    return dict(decode_record(outcome.record)["faults"])


@pytest.fixture(scope="module")
def played(new_play: Any) -> Any:
    """A task in the attest phase; one is enough for many examples."""
    return new_play().begin().to_attest()


# Score vectors: what is refused


def vector(play: Any, **changes: Any) -> dict[str, Any]:
    data = encode_scores(play.state, play.validators[0], {play.trainers[0]: 5})
    document: dict[str, Any] = decode_document(data)
    return document | changes


WRONG_VECTORS: dict[str, Callable[[Any], Any]] = {
    "no object": lambda p: [1],
    "null": lambda p: None,
    "no scores": lambda p: vector(p, scores=None),
    "scores that are a number": lambda p: vector(p, scores=7),
    "scores that are a text": lambda p: vector(p, scores="ab"),
    "scores that are an object": lambda p: vector(p, scores={p.trainers[0]: 5}),
    "a row that is a number": lambda p: vector(p, scores=[1]),
    "a row of one": lambda p: vector(p, scores=[[p.trainers[0]]]),
    "a row of three": lambda p: vector(p, scores=[[p.trainers[0], 1, 2]]),
    "a row that is a text of two": lambda p: vector(p, scores=["ab"]),
    "a trainer that is a list": lambda p: vector(p, scores=[[[], 1]]),
    "a trainer that is an object": lambda p: vector(p, scores=[[{}, 1]]),
    "a score that is a text": lambda p: vector(p, scores=[[p.trainers[0], "5"]]),
    "a score that is true": lambda p: vector(p, scores=[[p.trainers[0], True]]),
    "a score that is null": lambda p: vector(p, scores=[[p.trainers[0], None]]),
    "a trainer twice": lambda p: vector(p, scores=[[p.trainers[0], 5]] * 2),
    "rows out of order": lambda p: vector(
        p, scores=[[a, 5] for a in sorted(p.trainers, key=str.lower, reverse=True)]
    ),
    "a field too many": lambda p: vector(p, more=1),
    "another format": lambda p: vector(p, format="ostrom/scores/2"),
    "another task": lambda p: vector(p, task="00" * 32),
    "another round": lambda p: vector(p, round=2),
    "another validator": lambda p: vector(p, validator=p.validators[1]),
}


@pytest.mark.parametrize("make", WRONG_VECTORS.values(), ids=WRONG_VECTORS.keys())
def test_a_wrong_score_vector_is_refused(play: Any, make: Callable[[Any], Any]) -> None:
    data = encode_document(make(play))
    with pytest.raises(CodecError):
        decode_scores(data, play.state, play.validators[0])


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 50_000, b'{"scores":1e999}'])
def test_bytes_that_are_no_score_vector_are_refused(play: Any, data: bytes) -> None:
    with pytest.raises(CodecError):
        decode_scores(data, play.state, play.validators[0])


def test_a_copied_score_vector_is_refused_for_its_copier(play: Any) -> None:
    vera, viktor, _ = play.validators
    data = encode_scores(play.state, vera, dict.fromkeys(play.trainers, 9))
    assert decode_scores(data, play.state, vera) == dict.fromkeys(play.trainers, 9)
    with pytest.raises(CodecError, match=viktor):
        decode_scores(data, play.state, viktor)
    with pytest.raises(CodecError, match="round 2"):
        decode_scores(data, replace(play.state, number=2), vera)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("ab0x", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["scores", "round", "task", "validator", "format", ""]))
def test_no_score_document_raises_anything_but_a_codec_error(
    played: Any, value: Any, field: str
) -> None:
    data = encode_document(vector(played, **{field: value}) if field else value)
    try:
        scores = decode_scores(data, played.state, played.validators[0])
    except CodecError:
        return
    assert encode_scores(played.state, played.validators[0], scores) == data


# Records: what is refused

WRONG_RECORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no object": lambda r: [r],
    "another format": lambda r: r | {"format": "ostrom/record/2"},
    "nothing but a format": lambda r: {"format": r["format"]},
    "payouts that are an object": lambda r: r | {"payouts": {}},
    "payouts that are null": lambda r: r | {"payouts": None},
    "a payout that is a number": lambda r: r | {"payouts": [[r["payouts"][0][0], 5]]},
    "a negative payout": lambda r: r | {"payouts": [[r["payouts"][0][0], "-5"]]},
    "a payout of zero": lambda r: r | {"payouts": [[r["payouts"][0][0], "0"]]},
    "a payout with an underscore": lambda r: r | {"payouts": [[r["payouts"][0][0], "1_0"]]},
    "a payout with a space": lambda r: r | {"payouts": [[r["payouts"][0][0], " 5"]]},
    "a payout in words": lambda r: r | {"payouts": [[r["payouts"][0][0], "five"]]},
    "a payout of 5,000 digits": lambda r: r | {"payouts": [[r["payouts"][0][0], "9" * 5_000]]},
    "a payout to nobody": lambda r: r | {"payouts": [["", "5"]]},
    "a payout to a name": lambda r: r | {"payouts": [["mallory", "5"]]},
    "a payout to a list": lambda r: r | {"payouts": [[[], "5"]]},
    "a payout of three": lambda r: r | {"payouts": [[r["payouts"][0][0], "5", "5"]]},
    "strikes that are texts": lambda r: r | {"strikes": [[r["payouts"][0][0], "1"]]},
    "strikes that are true": lambda r: r | {"strikes": [[r["payouts"][0][0], True]]},
    "negative strikes": lambda r: r | {"strikes": [[r["payouts"][0][0], -1]]},
    "no strikes": lambda r: {k: v for k, v in r.items() if k != "strikes"},
    "scores that are numbers": lambda r: r | {"scores": [[r["payouts"][0][0], 1]]},
    "faults that are a text": lambda r: r | {"faults": "none"},
    "updates that are an object": lambda r: r | {"updates": {}},
    "an update that is a list": lambda r: r | {"updates": [[]]},
    "an update without a trainer": lambda r: r | {"updates": [{"check": ""}]},
    "an update of a list of trainers": lambda r: (
        r | {"updates": [r["updates"][0] | {"trainer": []}]}
    ),
    "an update with a score in words": lambda r: (
        r | {"updates": [r["updates"][0] | {"score": "1"}]}
    ),
    "a round that is a text": lambda r: r | {"round": "1"},
}


@pytest.mark.parametrize("spoil", WRONG_RECORDS.values(), ids=WRONG_RECORDS.keys())
def test_a_wrong_record_is_refused(play: Any, spoil: Callable[[dict[str, Any]], Any]) -> None:
    record = decode_document(play.to_attest().outcome().record)
    decode_record(encode_document(record))
    with pytest.raises(CodecError):
        decode_record(encode_document(spoil(record)))


@settings(max_examples=200)
@given(JSON, st.data())
def test_no_record_raises_anything_but_a_codec_error(played: Any, value: Any, data: Any) -> None:
    record = decode_document(played.outcome().record)
    name = data.draw(st.sampled_from(sorted(record)))
    try:
        read = decode_record(encode_document(record | {name: value}))
    except CodecError:
        return
    balances = record_balances(read)
    assert all(amount > 0 for amount in balances.payouts.values())


# What a settlement is


def test_the_model_moves_by_the_mean_and_the_record_says_why(play: Any) -> None:
    alice, bob, mallory = play.trainers
    play.update(alice, [3, 0, 0, 0, 0], samples=1)
    play.update(bob, [0, 6, 0, 0, 0], samples=2)
    play.update(mallory, [0, 0, 0, 0, 0], samples=3)
    outcome = play.to_attest().outcome()
    assert parameters(outcome) == [1, 5, 2, 3, 4]
    record = decode_record(outcome.record)
    checks = {row["trainer"]: row["check"] for row in record["updates"]}
    assert checks == {alice: "", bob: "", mallory: "zero"}
    assert [row["trainer"] for row in record["updates"]] == sorted(play.trainers, key=str.lower)
    assert record_balances(record) == outcome.balances
    assert outcome.result.record == sha256(outcome.record)
    assert outcome.result.model == digest_of(cid_of(outcome.model))
    assert mallory not in outcome.balances.payouts


def test_balances_are_proved_against_the_attested_roots(play: Any) -> None:
    play.content(play.trainers[2], b"noise", root=bytes(32))
    outcome = play.to_attest().outcome()
    for balances, root in (
        (outcome.balances.payouts, outcome.result.payouts),
        (outcome.balances.strikes, outcome.result.sanctions),
    ):
        assert balances
        for account, amount in balances.items():
            proof = balance_proof(play.id, balances, account)
            assert merkle_verify(leaf(words(play.id, account, amount)), proof, root)
            assert not merkle_verify(leaf(words(play.id, account, amount + 1)), proof, root)


def test_the_order_of_arrival_does_not_show(play: Any) -> None:
    play.to_attest(play.flat(3))
    evidence, scores = play.evidence(), play.flat(3)
    first = settled(evidence, scores)
    for order in permutations(play.trainers):
        state = with_reveals(play.state, [(a, play.state.round.reveals[a]) for a in order])
        contents = {a: evidence.contents[a] for a in reversed(order)}
        votes = {v: {a: scores[v][a] for a in order} for v in reversed(play.validators)}
        again = settled(replace(evidence, state=state, contents=contents), votes)
        assert again.result == first.result
        assert (again.model, again.record) == (first.model, first.record)


def test_a_shared_answer_is_the_one_that_is_computed_anew(play: Any) -> None:
    evidence = play.to_attest().evidence()
    shared = [settle(candidate(evidence), play.flat(1)) for _ in range(2)]
    missing = replace(evidence, contents={**evidence.contents, play.trainers[0]: None})
    other = settle(candidate(missing), play.flat(1))
    fresh = settled(evidence, play.flat(1))
    assert [one.result for one in shared] == [fresh.result] * 2
    assert other.result != fresh.result
    assert other.result == settled(missing, play.flat(1)).result


def test_without_an_accepted_update_the_model_stays_and_the_round_settles(play: Any) -> None:
    for one in play.trainers:
        play.content(one, b"noise " + one.encode(), root=bytes(32))
    before = play.state.versions[1]
    outcome = play.to_attest().outcome()
    assert outcome.result.model == before.model
    assert outcome.result.model_root == before.model_root
    assert set(outcome.balances.payouts) == set(play.validators)
    assert outcome.balances.strikes == dict.fromkeys(play.trainers, 1)
    play.attest(outcome.result).settle(outcome.result)


def test_parameters_stop_at_the_ends_of_int32(new_play: Any, small_spec: Any) -> None:
    play = new_play(spec=small_spec(checks="", aggregation="sum", dtype="int64"))
    low, high = -(2**31), 2**31 - 1
    play.initial = np.array([high, low, high, low, 0], dtype=np.int32)
    model = play._put_model()
    play.publish(0, digest_of(model), chunk_root(play.initial), bytes(32)).begin()
    for one in play.trainers:
        play.update(one, [2**63 - 1, -(2**63), 1, -1, 7])
    play.update(play.trainers[0], [2**63 - 1, -(2**63), -1, 1, -7])
    outcome = play.to_attest().outcome()
    assert parameters(outcome) == [high, low, high, low, 7]
    assert decode_tensors(outcome.model)["parameters"].dtype == np.int32


def test_arguments_in_the_model_s_units_follow_the_spec_s_fixed_point(
    new_play: Any, small_spec: Any
) -> None:
    spec = small_spec(aggregation="norm_clip(c=1)|mean", fraction_bits=4, checks="")
    play = new_play(("alice",), spec=spec).begin()
    play.update(play.trainers[0], [160, 0, 0, 0, 0])
    assert parameters(play.to_attest().outcome()) == [16, 1, 2, 3, 4]


def test_what_each_update_adds_is_the_aggregate_of_the_others(play: Any) -> None:
    made = candidate(play.to_attest().evidence())
    others = made.without_each()
    assert others.dtype == np.int32
    rows = [
        [1, 2, 3][: len(play.trainers)][play.trainers.index(c.verdict.trainer)]
        for c in made.accepted
    ]
    for row, mine in zip(others, rows):
        rest = [value for value in rows if value != mine]
        mean = (sum(rest) * 2 + len(rest)) // (2 * len(rest))
        assert row.tolist() == [mean + i for i in range(5)]


# Money

SCORE = st.integers(-(2**53) + 1, 2**53 - 1) | st.integers(-2, 2)


@settings(max_examples=60)
@given(st.data(), st.integers(0, 10_000), st.integers(0, 10**24))
def test_no_scores_make_a_round_pay_more_than_its_budget(
    new_play: Any, small_spec: Any, data: Any, share: int, pool: int
) -> None:
    incentive = data.draw(st.sampled_from(["proportional", "equal_split", "stake_weighted"]))
    spec = small_spec(validators_bps=share, incentive=incentive)
    play = new_play(spec=spec, pool=pool + 1).begin().to_attest()
    voters = data.draw(st.sets(st.sampled_from(play.validators)))
    scored = st.dictionaries(st.sampled_from([*play.trainers, play.validators[0]]), SCORE)
    votes = {v: data.draw(scored) for v in voters}
    outcome = settled(play.evidence(), votes)
    assert outcome.result.paid == sum(outcome.balances.payouts.values())
    assert outcome.result.paid <= play.state.budget()
    assert all(amount > 0 for amount in outcome.balances.payouts.values())
    assert set(outcome.balances.payouts) <= {*play.trainers, *voters}
    play.attest(outcome.result).settle(outcome.result)


def test_only_validators_who_reveal_are_paid_their_share(play: Any) -> None:
    vera, viktor, vinh = play.validators
    play.to_attest({vera: dict.fromkeys(play.trainers, 1), viktor: {}})
    outcome = settled(play.evidence(), {vera: dict.fromkeys(play.trainers, 1), viktor: {}})
    share = play.state.budget() * play.spec.validators_bps // 10_000
    assert outcome.balances.payouts[vera] == outcome.balances.payouts[viktor] == share // 2
    assert vinh not in outcome.balances.payouts
    assert faults_of(outcome) == {vinh: "missed_scores"}


def test_a_trainer_whom_the_median_calls_harmful_earns_nothing(play: Any) -> None:
    alice, bob, mallory = play.trainers
    vera, viktor, vinh = play.validators
    votes = {
        vera: {alice: 5, bob: 5, mallory: 2**53 - 1},
        viktor: {alice: 5, bob: 5, mallory: -1},
        vinh: {alice: 5, bob: 5, mallory: -2},
    }
    outcome = settled(play.to_attest(votes).evidence(), votes)
    assert mallory not in outcome.balances.payouts
    assert outcome.balances.payouts[alice] == outcome.balances.payouts[bob] > 0


def test_scores_of_strangers_and_refused_trainers_change_nothing(
    play: Any, address: Callable[[str], Address]
) -> None:
    play.content(play.trainers[2], b"noise", root=bytes(32))
    play.to_attest()
    plain = {v: dict.fromkeys(play.trainers[:2], 5) for v in play.validators}
    odd = {v: line | {play.trainers[2]: 9, address("carol"): 7} for v, line in plain.items()}
    made = candidate(play.evidence())
    assert consensus_scores(made, odd) == consensus_scores(made, plain)
    assert settle(made, odd).result == settle(made, plain).result


def test_a_trainer_whom_nobody_scores_gets_zero_and_no_pay(play: Any) -> None:
    play.to_attest()
    alice = play.trainers[0]
    votes = {v: dict.fromkeys(play.trainers[1:], 5) for v in play.validators}
    outcome = settled(play.evidence(), votes)
    assert alice not in outcome.balances.payouts
    assert settled(play.evidence(), {}).result.paid == 0


def test_identical_updates_share_one_reward_whoever_committed_first(new_play: Any) -> None:
    paid = {}
    for order in (("alice", "bob", "mallory"), ("mallory", "bob", "alice")):
        play = new_play(order).begin()
        alice, bob, mallory = (play.trainers[order.index(n)] for n in ("alice", "bob", "mallory"))
        for one in (alice, mallory):
            play.update(one, [3, 0, 0, 0, 0])
        play.update(bob, [0, 3, 0, 0, 0])
        outcome = play.to_attest().outcome()
        balances = outcome.balances.payouts
        assert parameters(outcome) == [2, 3, 2, 3, 4]
        assert outcome.balances.strikes == {}
        assert balances[alice] == balances[mallory] == balances[bob] // 2
        paid[order] = (balances[alice], balances[bob], outcome.result.paid)
    assert len(set(paid.values())) == 1


def test_a_shared_reward_is_divided_downwards(new_play: Any) -> None:
    names = ("alice", "bob", "carol", "mallory")
    play = new_play(names, pool=3 * 1_000 + 1).begin()
    alice, bob, *copiers = play.trainers
    for one in (alice, *copiers):
        play.update(one, [3, 0, 0, 0, 0])
    play.update(bob, [0, 3, 0, 0, 0])
    balances = play.to_attest().outcome().balances.payouts
    assert balances[bob] == 450
    assert [balances[one] for one in (alice, *copiers)] == [150] * 3
    assert play.outcome().result.paid <= play.state.budget()


def test_a_weight_by_stake_is_that_of_the_largest_holder(new_play: Any, small_spec: Any) -> None:
    spec = small_spec(incentive="stake_weighted", validators_bps=0)
    play = new_play(("alice", "bob", "mallory"), spec=spec, pool=1_800).join()
    alice, bob, mallory = play.trainers
    play.tell(t.Sanctioned(play.id, mallory, 1, 90, False)).start(Phase.COMMIT)
    for one in (alice, mallory):
        play.update(one, [3, 0, 0, 0, 0])
    play.update(bob, [0, 3, 0, 0, 0])
    balances = play.to_attest().outcome().balances.payouts
    assert balances == {alice: 150, mallory: 150, bob: 300}


def test_a_cumulative_incentive_pays_by_the_scores_of_all_rounds(
    new_play: Any, small_spec: Any
) -> None:
    """Mallory's measured luck in the second round does not outweigh the first."""
    spec = small_spec(incentive="cumulative", validators_bps=0)
    play = new_play(spec=spec, pool=3 * 900).begin()
    alice, bob, mallory = play.trainers
    votes = [{alice: 40, bob: 20, mallory: -30}, {alice: 5, bob: -5, mallory: 20}]
    earned = []
    for vote in votes:
        play.to_attest(dict.fromkeys(play.validators, vote))
        done = play.outcome()
        play.store.put(done.model)
        play.store.put(done.record)
        play.attest(done.result).settle(done.result).start(Phase.COMMIT)
        earned.append(done.balances)
    assert earned[0].payouts == {alice: 600, bob: 300}
    assert earned[1].history == {alice: 45, bob: 15, mallory: -10}
    assert earned[1].payouts == {alice: 600 + 675, bob: 300 + 225}


def test_a_cumulative_incentive_pays_only_who_contributes_now(
    new_play: Any, small_spec: Any
) -> None:
    play = new_play(spec=small_spec(incentive="cumulative")).begin()
    alice = play.trainers[0]
    play.content(alice, b"noise", root=bytes(32))
    evidence = play.to_attest().evidence()
    rich = replace(evidence, before=Balances({}, {}, {alice: 10**9}))
    outcome = settled(rich, play.flat(1))
    assert alice not in outcome.balances.payouts
    assert outcome.balances.history[alice] == 10**9


def test_a_copy_takes_half_of_a_score_and_nothing_of_its_victim_s_history(
    new_play: Any, small_spec: Any
) -> None:
    spec = small_spec(incentive="cumulative", validators_bps=0)
    play = new_play(spec=spec, pool=3 * 1_000).begin()
    alice, bob, mallory = play.trainers
    for one in (alice, mallory):
        play.update(one, [3, 0, 0, 0, 0])
    play.update(bob, [0, 3, 0, 0, 0])
    evidence = play.to_attest().evidence()
    known = replace(evidence, before=Balances({}, {}, {alice: 60, bob: 20}))
    outcome = settled(known, play.flat(20))
    assert outcome.balances.history == {alice: 70, bob: 40, mallory: 10}
    pay = outcome.balances.payouts
    assert pay == {alice: 583, bob: 333, mallory: 83}


def test_what_everybody_knew_is_the_part_along_the_last_change(play: Any) -> None:
    alice, bob, mallory = play.trainers
    play.update(alice, [4, 2, 0, 0, 0])
    play.update(bob, [-4, 2, 0, 0, 0])
    play.update(mallory, [8, 0, 0, 0, 0])
    made = candidate(play.to_attest().evidence())
    asked = []

    def trend() -> Any:
        asked.append(1)
        return np.array([2, 0, 0, 0, 0], dtype=np.int64)

    given = made.contributions(trend)
    everyone = range(3)
    rows = {one.verdict.trainer: i for i, one in enumerate(made.accepted)}
    assert not asked
    assert given.model_with(everyone).tolist() == given.candidate.tolist()
    assert given.model_with([]).tolist() == [4, 1, 2, 3, 4]
    replayed = [i for i in everyone if i != rows[mallory]]
    assert given.model_with(replayed).tolist() == given.candidate.tolist()
    assert given.model_with([rows[bob]]).tolist() == [3, 2, 2, 3, 4]
    assert asked == [1]


def test_the_scoring_seed_changes_with_every_commitment_and_round(play: Any) -> None:
    state = play.to_attest().state
    alice = play.trainers[0]
    other = replace(state.round, commits={**state.round.commits, alice: bytes(32)})
    backwards = replace(state.round, commits=dict(reversed(list(state.round.commits.items()))))
    seeds = {
        scoring_seed(one)
        for one in (
            state,
            replace(state, rounds={**state.rounds, state.number: other}),
            replace(state, task_id=bytes(32)),
        )
    }
    assert len(seeds) == 3
    reordered = replace(state, rounds={**state.rounds, state.number: backwards})
    assert scoring_seed(reordered) == scoring_seed(state)


def test_contributions_are_the_models_of_any_coalition(play: Any) -> None:
    made = candidate(play.to_attest().evidence())
    given = made.contributions()
    n = len(made.accepted)
    assert given.model_of([]).tolist() == given.parent.tolist() == [0, 1, 2, 3, 4]
    assert given.model_of(range(n)).tolist() == given.candidate.tolist()
    for i, row in enumerate(given.without_each()):
        assert given.model_of([j for j in range(n) if j != i]).tolist() == row.tolist()
        assert given.model_of([i]).tolist() == (given.parent + given.updates[i]).tolist()


def test_a_void_round_s_budget_is_paid_by_those_that_follow(play: Any) -> None:
    assert play.state.budget() == 3_000
    play.void().start(Phase.COMMIT).void().start(Phase.COMMIT)
    outcome = play.play_round()
    assert 9_000 <= outcome.result.paid <= 9_001
    play.finish().tell(t.Refunded(play.id, 9_001 - outcome.result.paid))


def test_earnings_add_up_over_rounds(play: Any) -> None:
    first = play.play_round()
    play.start(Phase.COMMIT)
    second = play.play_round()
    assert second.balances.payouts == {a: 2 * n for a, n in first.balances.payouts.items()}
    assert play.state.allocated == first.result.paid + second.result.paid


# Strikes


def test_honest_parties_get_no_strike(play: Any) -> None:
    assert play.to_attest().outcome().balances.strikes == {}
    assert chain_faults(play.state) == {}


def test_a_missed_reveal_costs_a_strike(play: Any) -> None:
    alice, bob, mallory = play.trainers
    play.commit().start(Phase.REVEAL).reveal(alice, bob).start(Phase.SCORE)
    play.score(play.flat(1)).start(Phase.ATTEST)
    outcome = play.outcome()
    assert faults_of(outcome) == {mallory: "missed_reveal"}
    assert outcome.balances.strikes == {mallory: 1}


def test_only_provable_faults_of_an_update_cost_a_strike(new_play: Any) -> None:
    play = new_play(("alice", "bob", "carol", "dave", "mallory")).begin()
    alice, bob, carol, dave, mallory = play.trainers
    play.update(alice, [1, 0, 0, 0, 0])
    play.update(bob, [0] * 5)
    play.update(carol, [1, 0, 0, 0, 0])
    play.update(dave, [100 << 20, 0, 0, 0, 0])
    play.content(mallory, b"noise", root=bytes(32))
    outcome = play.to_attest().outcome()
    assert faults_of(outcome) == {dave: "range", mallory: "decodes"}


def test_withheld_content_costs_nobody_a_strike(play: Any) -> None:
    evidence = play.to_attest().evidence()
    missing = replace(evidence, contents={**evidence.contents, play.trainers[0]: None})
    outcome = settled(missing, play.flat(1))
    row = decode_record(outcome.record)["updates"]
    assert [r["trainer"] for r in row if r["check"] == "available"] == [play.trainers[0]]
    assert outcome.balances.strikes == {}


def test_a_wrong_attestation_costs_a_strike_in_the_next_round(new_play: Any) -> None:
    play = new_play(quorum_bps=6_600).begin()
    vera, viktor, vinh = play.validators
    play.to_attest()
    right = play.outcome()
    play.store.put(right.model)
    play.store.put(right.record)
    play.attest(replace(right.result, paid=0), vinh)
    play.attest(right.result, vera, viktor).settle(right.result).start(Phase.COMMIT)
    outcome = play.to_attest().outcome()
    assert faults_of(outcome) == {vinh: "wrong_attestation"}
    assert outcome.balances.strikes == {vinh: 1}


def test_silence_in_a_void_round_costs_a_strike_in_the_next_settled_one(play: Any) -> None:
    vera, viktor, vinh = play.validators
    play.to_attest({vera: {}, viktor: {}})
    play.attest(replace(play.outcome().result, paid=1), viktor)
    play.void().start(Phase.COMMIT)
    outcome = play.to_attest().outcome()
    assert faults_of(outcome) == {vera: "missed_attestation", vinh: "missed_attestation"}


def test_several_faults_since_the_last_settled_round_are_one_strike(play: Any) -> None:
    vinh, mallory = play.validators[2], play.trainers[2]
    votes: Scores = {v: {} for v in play.validators[:2]}
    for _ in range(2):
        play.commit().start(Phase.REVEAL).reveal(*play.trainers[:2]).start(Phase.SCORE)
        play.score(votes).start(Phase.ATTEST)
        play.attest(replace(play.outcome().result, paid=1), *play.validators[:2])
        play.void().start(Phase.COMMIT)
    play.content(mallory, b"noise", root=bytes(32))
    outcome = play.to_attest(votes).outcome()
    assert outcome.balances.strikes == {vinh: 1, mallory: 1}


def test_a_round_without_reveals_is_no_validator_s_fault(play: Any) -> None:
    play.commit().start(Phase.REVEAL).void().start(Phase.COMMIT)
    outcome = play.to_attest().outcome()
    assert faults_of(outcome) == dict.fromkeys(play.trainers, "missed_reveal")


def test_a_validator_who_left_before_the_start_owes_nothing(new_play: Any) -> None:
    play = new_play().join()
    vinh = play.validators.pop()
    play.tell(t.Left(play.id, vinh)).start(Phase.COMMIT)
    assert faults_of(play.to_attest().outcome()) == {}


def test_strikes_stop_at_the_third(play: Any) -> None:
    mallory = play.trainers[2]
    play.content(mallory, b"noise", root=bytes(32))
    evidence = play.to_attest().evidence()
    for before in range(5):
        strikes = {mallory: before} if before else {}
        outcome = settled(replace(evidence, before=Balances({}, strikes)), play.flat(1))
        expected = before + 1 if before < STRIKES_MAX else before
        assert outcome.balances.strikes[mallory] == expected
        assert (mallory in faults_of(outcome)) == (before < STRIKES_MAX)
