"""Multinomial naive Bayes against exact products of fractions, and against scikit-learn."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.onchain.data import learn_all, load_stream
from ostrom.onchain.features import decode_counts, encode_counts
from ostrom.onchain.models import naive_bayes
from ostrom.onchain.models.naive_bayes import NaiveBayesState

TEXTS = st.dictionaries(st.integers(0, 5), st.integers(1, 9), max_size=4)
LABELLED = st.lists(st.tuples(TEXTS, st.integers(0, 2)), max_size=12)


def likelihoods(data: list[tuple[dict[int, int], int]], text: dict[int, int]) -> list[Fraction]:
    """Share times likelihood of three classes, six tokens; 0 without documents."""
    found = []
    for label in range(3):
        own = [counts for counts, other in data if other == label]
        tokens = sum(sum(counts.values()) for counts in own)
        value = Fraction(len(own))
        for token, times in text.items():
            count = sum(counts.get(token, 0) for counts in own)
            value *= Fraction(count + 1, tokens + 6) ** times
        found.append(value)
    return found


@given(LABELLED, TEXTS)
def test_the_label_is_the_likeliest_or_within_the_table_s_error(
    data: list[tuple[dict[int, int], int]], text: dict[int, int]
) -> None:
    rule = naive_bayes()
    state = rule.start(3, 6)
    for counts, label in data:
        state, memo = rule.learn(state, encode_counts(counts), label)
        assert memo == 1
    exact = likelihoods(data, text)
    found = exact[rule.predict(state, encode_counts(text))]
    # Each of up to 36 tokens and the share is 2.8e-6 bits low at most, twice.
    assert found >= max(exact) * (1 - Fraction(37 * 4, 10**6))


@given(LABELLED.filter(bool), st.integers(0, 99))
def test_agreement_is_that_of_a_model_that_never_saw_the_contribution(
    data: list[tuple[dict[int, int], int]], which: int
) -> None:
    rule, at = naive_bayes(), which % len(data)
    state = without = rule.start(3, 6)
    for place, (counts, label) in enumerate(data):
        state, memo = rule.learn(state, encode_counts(counts), label)
        if place != at:
            without, _ = rule.learn(without, encode_counts(counts), label)
    x, label = encode_counts(data[at][0]), data[at][1]
    assert rule.agrees(state, x, label, memo) == (rule.predict(without, x) == label)


def test_a_class_without_documents_is_never_predicted() -> None:
    rule = naive_bayes()
    state, memo = rule.learn(rule.start(3, 6), encode_counts({1: 1}), 2)
    assert rule.predict(state, encode_counts({})) == 2
    assert rule.scores(state, encode_counts({}))[:2] == [None, None]
    assert not rule.agrees(state, encode_counts({1: 1}), 2, memo)


def test_a_text_of_a_thousand_tokens_does_not_underflow() -> None:
    # The published contract multiplied likelihoods and was wrong from six tokens on.
    rng, rule = random.Random(0), naive_bayes()
    state = rule.start(2, 1_000)
    for label in (0, 1):
        for _ in range(50):
            text = dict.fromkeys(rng.sample(range(500 * label, 500 * label + 500), 40), 1)
            state, _ = rule.learn(state, encode_counts(text), label)
    for label in (0, 1):
        for length in (1, 6, 20, 400):
            text = dict.fromkeys(range(500 * label, 500 * label + length), 3)
            assert rule.predict(state, encode_counts(text)) == label


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_scikit_learn_s(seed: int) -> None:
    bayes = pytest.importorskip("sklearn.naive_bayes")
    stream, rule = load_stream("passages(counted=1,limit=0)", seed=seed), naive_bayes()
    samples = stream.warm + stream.arrivals
    state = learn_all(rule, rule.start(2, stream.features), samples)
    table = np.zeros((len(samples), stream.features))
    for row, sample in zip(table, samples):
        tokens, counts = decode_counts(sample.x, stream.features)
        row[tokens] = counts
    fitted = bayes.MultinomialNB().fit(table, [sample.label for sample in samples])
    same = [rule.predict(state, one.x) == y for one, y in zip(samples, fitted.predict(table))]
    assert np.mean(same) >= 0.999


def test_full_counts_stay_full_and_totals_go_on() -> None:
    rule = naive_bayes()
    state = rule.start(2, 3)
    full = np.array([[0, 0, 0], [65_500, 0, 0]])
    state = replace(state, counts=full, tokens=np.array([0, 65_500]), documents=np.array([0, 9]))
    x = encode_counts({0: 255})
    state, memo = rule.learn(state, x, 1)
    assert (state.counts[1, 0], state.tokens[1], state.documents[1]) == (65_535, 65_755, 10)
    state = replace(state, documents=np.array([0, (1 << 24) - 1]))
    assert rule.learn(state, x, 1)[0].documents[1] == (1 << 24) - 1
    state = replace(state, tokens=np.array([0, (1 << 40) - 1]))
    assert rule.learn(state, x, 1)[0].tokens[1] == (1 << 40) - 1
    assert rule.agrees(state, x, 1, memo)


def test_words_hold_both_counts_of_eight_tokens() -> None:
    rule = naive_bayes()
    state, _ = rule.learn(rule.start(2, 9), encode_counts({0: 5, 8: 1}), 1)
    state, _ = rule.learn(state, encode_counts({0: 2}), 0)
    words = rule.dump(state)
    assert words[:4].hex() == "00090208"
    assert words[8:24].hex() == "0000010000000002" + "0000010000000006"
    assert words[32:36].hex() == "00020005"
    assert words[64:68].hex() == "00000001"
    assert len(words) == 96


@pytest.mark.parametrize("classes", [2, 3, 10, 17])
def test_tokens_share_words_as_at_the_start_when_classes_are_added(classes: int) -> None:
    rule, rng = naive_bayes(), random.Random(classes)
    state = rule.widen(rule.start(classes, 20), classes=9)
    for _ in range(30):
        text = {rng.randrange(20): rng.randrange(1, 9) for _ in range(5)}
        state, _ = rule.learn(state, encode_counts(text), rng.randrange(classes + 9))
    again = rule.load(rule.dump(state))
    assert isinstance(again, NaiveBayesState)
    assert again.packed == max(1, 16 // classes)
    for name in ("documents", "tokens", "counts"):
        assert (getattr(again, name) == getattr(state, name)).all()
