from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.onchain.setting import ALICE, BOB, CAT, DOG, MALLORY, MODEL, trainer

from ostrom.errors import InputError
from ostrom.onchain.claims import Piece, Stage, find_fault, make_claim, read_samples, replay_claim
from ostrom.onchain.data import Sample, learn_all
from ostrom.onchain.market import Market, Position, Staked, forfeited, learn, play, settle
from ostrom.onchain.models import sparse_perceptron

TESTS = (Sample(CAT, 0), Sample(DOG, 1), Sample(CAT, 0))
BLANK = MODEL.start(2, 10)


def market(
    *people: tuple[str, bytes, int, int], bounty: int = 300, grouped: bool = False
) -> Market:
    staked = tuple(Staked(who, Sample(x, label), stake) for who, x, label, stake in people)
    return Market(staked, TESTS, bounty, grouped)


def test_a_market_needs_samples_and_a_wei_for_each() -> None:
    with pytest.raises(InputError, match="test samples"):
        Market((), (), 5)
    with pytest.raises(InputError, match="test samples"):
        Market((), TESTS, 2)


def test_who_improves_the_model_is_paid_and_who_spoils_it_leaves() -> None:
    perceptron = sparse_perceptron()
    start = learn_all(perceptron, perceptron.start(2, 10), (Sample(DOG, 1), Sample(CAT, 0)))
    staked = market((MALLORY, CAT, 1, 50), (ALICE, CAT, 0, 50))
    settlement = settle(perceptron, start, staked)
    assert settlement.scores == ((-2, 2), (0, 0))
    assert settlement.end == Position(frozenset({1}), 0, (0, 100), 300)


def test_money_is_neither_made_nor_lost_and_nobody_owes() -> None:
    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(st.tuples(st.integers(0, 50), st.integers(-9, 9)), min_size=1, max_size=6),
        st.integers(1, 99),
    )
    def check(people: list[tuple[int, int]], rounds: int) -> None:
        balances, scores = tuple(stake for stake, _ in people), [score for _, score in people]
        start = Position(frozenset(range(len(people))), rounds, balances, 10_000)
        end = play(start, scores)
        assert sum(end.balances) + end.rest == sum(balances) + 10_000
        assert min(end.balances) >= 0
        assert end.is_over or end.rounds < rounds or end.alive < start.alive
        for party in end.alive:
            assert end.balances[party] + min(scores[party], 0) >= 0

    check()


def test_contributions_of_a_group_are_one_party_in_the_order_of_its_first() -> None:
    people = ((BOB, DOG, 1, 5), (ALICE, CAT, 0, 7), (BOB, CAT, 0, 2))
    grouped = market(*people, grouped=True)
    assert grouped.parties == (0, 1, 0)
    assert grouped.opening().balances == (7, 7)
    assert grouped.order(frozenset({0, 1})) == [(0, 0), (0, 2), (1, 1)]


def test_a_contribution_that_the_model_refuses_changes_nothing() -> None:
    assert learn(MODEL, BLANK, Sample(b"\0", 1)) is BLANK


def test_a_hidden_test_set_gives_the_bounty_to_the_participants() -> None:
    staked = market((ALICE, DOG, 1, 1), (BOB, CAT, 0, 2), bounty=10)
    assert forfeited(staked) == (4, 9)


def test_a_true_claim_has_no_fault_and_gives_the_same_balances() -> None:
    staked = market((ALICE, DOG, 1, 50), (MALLORY, CAT, 1, 50), (BOB, CAT, 0, 50))
    stages, settlement = make_claim(MODEL, BLANK, staked)
    assert list(replay_claim(staked, stages)) == list(settlement.positions[1:])
    assert [find_fault(MODEL, BLANK, staked, stage) for stage in stages] == [None] * len(stages)


@pytest.mark.parametrize(
    ("at", "kind", "point"),
    [(0, "start", 0), (63, "sample", 0), (64, "step", 0), (191, "sample", 2)],
)
def test_a_false_claim_has_the_fault_where_it_is(at: int, kind: str, point: int) -> None:
    staked = market((ALICE, DOG, 1, 50), (BOB, CAT, 0, 50))
    stages, _ = make_claim(MODEL, BLANK, staked)
    points = bytearray(stages[0].points)
    points[at] ^= 1
    fault = find_fault(MODEL, BLANK, staked, Stage(stages[0].alive, bytes(points)))
    assert fault is not None
    assert (fault.kind, fault.point) == (kind, point)


def test_stages_that_do_not_follow_each_other_are_refused() -> None:
    staked = market((ALICE, DOG, 1, 50), (MALLORY, CAT, 1, 50))
    stages, _ = make_claim(MODEL, BLANK, staked)
    with pytest.raises(InputError, match="follow each other"):
        list(replay_claim(staked, (Stage(frozenset({1}), stages[0].points),)))
    with pytest.raises(InputError, match="a point before"):
        list(replay_claim(staked, (Stage(stages[0].alive, b""),)))


def test_a_piece_reads_back_and_one_cut_short_is_refused() -> None:
    piece = Piece(bytes(31) + b"\1", TESTS)
    assert read_samples(piece.content) == TESTS
    with pytest.raises(InputError, match="too early"):
        read_samples(piece.content[:-1])


def test_a_warm_model_leaves_little_to_earn() -> None:
    settlement = settle(MODEL, trainer().model_state, market((ALICE, CAT, 0, 9)))
    assert settlement.end.balances == (9,)
    assert settlement.end.rest == 300
