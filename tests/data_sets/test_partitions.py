"""Partitions and splits: one battery for every partition, then what is particular to each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.data import PARTITIONS, deal, load_dataset, mirror, partition, split
from ostrom.errors import InputError

LABELS = np.random.default_rng(5).integers(0, 10, 3_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "text",
    [
        "sorted",
        "emphasis(share=1.5)",
        "shards(k=0)",
        "classes(k=0)",
        "dirichlet(alpha=0)",
        "iid(k=2)",
        "iid|iid",
    ],
)
def test_refuses_what_names_no_partition(text: str) -> None:
    with pytest.raises(InputError):
        partition(text, LABELS, 3, rng())


def test_refuses_a_federation_of_nobody() -> None:
    with pytest.raises(InputError, match="at least 1 trainer"):
        partition("iid", LABELS, 0, rng())


def test_refuses_to_deal_a_trainer_an_empty_hand() -> None:
    parts = split(load_dataset("digits"), rng())
    with pytest.raises(InputError, match="too few"):
        deal("iid", parts, n=2_000, rng=rng())


@pytest.mark.parametrize("name", PARTITIONS)
@given(n=st.integers(1, 25), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_every_example_goes_to_exactly_one_trainer(name: str, n: int, seed: int) -> None:
    parts = partition(name, LABELS, n, rng(seed))
    assert len(parts) == n
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))


@pytest.mark.parametrize("name", PARTITIONS)
def test_the_same_seed_deals_the_same_hands_and_another_seed_others(name: str) -> None:
    first, again, other = (partition(name, LABELS, 4, rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


@pytest.mark.parametrize("n", [10, 20])
def test_emphasis_gives_every_trainer_mostly_one_digit(n: int) -> None:
    for i, part in enumerate(partition("emphasis(share=0.9)", LABELS, n, rng())):
        assert (LABELS[part] == i % 10).mean() == pytest.approx(0.9, abs=0.05)


def test_emphasis_of_fewer_trainers_than_classes_leaves_no_class_without_a_holder() -> None:
    first = LABELS[partition("emphasis(share=1)", LABELS, 4, rng())[0]]
    assert set(first) == {0, 4, 8}


def test_shards_give_a_trainer_few_classes() -> None:
    hands = partition("shards(k=2)", LABELS, 10, rng())
    assert max(len(set(LABELS[hand])) for hand in hands) <= 4


@pytest.mark.parametrize("k", [1, 2, 3])
def test_classes_give_trainer_i_class_i_and_others_evenly_among_holders(k: int) -> None:
    hands = [LABELS[hand] for hand in partition(f"classes(k={k})", LABELS, 10, rng())]
    assert all(i in hand and len(set(hand)) == k for i, hand in enumerate(hands))
    for label in range(10):
        held = [int((hand == label).sum()) for hand in hands if label in hand]
        assert max(held) - min(held) <= 1


def test_a_class_that_no_trainer_drew_is_divided_among_all() -> None:
    hands = partition("classes(k=1)", LABELS, 4, rng())
    assert all(set(LABELS[hand]) == {i, *range(4, 10)} for i, hand in enumerate(hands))


def test_a_small_alpha_skews_more_than_a_large_one() -> None:
    def spread(alpha: float) -> float:
        hands = partition(f"dirichlet(alpha={alpha})", LABELS, 5, rng())
        return float(np.std([np.bincount(LABELS[hand], minlength=10) for hand in hands]))

    assert spread(0.1) > 2 * spread(100)


def test_mirror_gives_the_skew_of_the_first_hands() -> None:
    hands = partition("shards(k=2)", LABELS, 10, rng())
    for hand, other in zip(hands, mirror(hands, LABELS, LABELS, rng=rng(1))):
        counts = (np.bincount(LABELS[part], minlength=10) for part in (hand, other))
        assert np.abs(np.subtract(*counts)).max() <= 1


def test_a_split_is_eighty_ten_ten_and_loses_nothing() -> None:
    source = load_dataset("digits")
    parts = split(source, rng())
    assert [len(p) for p in (parts.train, parts.dev, parts.local_test)] == [1437, 180, 180]
    assert parts.test is parts.local_test
    held = np.concatenate([parts.train.x, parts.dev.x, parts.local_test.x]).reshape(1797, -1)
    mine, theirs = (x[np.lexsort(x.T)] for x in (held, source.train.x.reshape(1797, -1)))
    assert np.array_equal(mine, theirs)


def test_a_share_is_tested_on_what_it_was_trained_for() -> None:
    parts = split(load_dataset("digits"), rng())
    for i, share in enumerate(deal("emphasis(share=1)", parts, n=10, rng=rng())):
        assert set(share.train.y) == set(share.test.y) == {i}
