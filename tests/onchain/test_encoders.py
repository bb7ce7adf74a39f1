"""Feature encoders: the same bytes from everybody who reads the same canonical text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.codec import sha256
from ostrom.errors import InputError, NotFound
from ostrom.onchain.encoders import Hashing, Quantise, Vocabulary, encoder, words_of
from ostrom.onchain.features import decode_counts, decode_row, decode_tokens
from ostrom.storage import MemoryStore
from ostrom.storage.cid import cid_from_digest

CID = cid_from_digest(sha256(b"something else"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embedding(size=3)", "choose among hashing, quantise, vocabulary"),
        ("hashing", "needs the argument 'features'"),
        ("hashing(features=0)", "1 to 65,535 features"),
        ("hashing(features=70000)", "1 to 65,535 features"),
        ("hashing(features=10,counted=2)", "counted is 0 or 1"),
        ("hashing(features=10,limit=-1)", "or 0 for all"),
        ("hashing(features=10,store=1)", "no argument 'store'"),
        ("quantise(scale=0)", "between 1 and 32767"),
        ("quantise(limit=40000,scale=1)", "between 1 and 32767"),
        (f"quantise(ranges={CID},scale=1)", "give a store"),
        (f"vocabulary(cid={CID})", "give a store"),
    ],
)
def test_a_text_that_names_no_encoder_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        encoder(text)
    assert "\n" not in str(refused.value)


def test_a_list_that_the_store_does_not_have_is_not_found() -> None:
    with pytest.raises(NotFound):
        encoder(f"vocabulary(cid={CID})", MemoryStore())


def test_a_list_of_several_blocks_is_refused() -> None:
    store = MemoryStore()
    cid = store.put(b"word\n" * 300_000)
    with pytest.raises(InputError, match="is one block"):
        encoder(f"vocabulary(cid={cid})", store)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the\nof", "does not end with a line break"),
        (b"the\nThe\n", "'The' is none"),
        (b"the\n\n", "'' is none"),
        (b"the\nthe\n", "each word once"),
        (b"two words\n", "'two words' is none"),
        (b"\xff\n", "UTF-8"),
        (b"", "1 to 65,535 features"),
    ],
)
def test_content_that_is_no_list_of_words_is_refused(content: bytes, message: str) -> None:
    store = MemoryStore()
    with pytest.raises(InputError, match=message):
        encoder(f"vocabulary(cid={store.put(content)})", store)


@pytest.mark.parametrize(
    "content",
    [
        b"no document",
        b"[]",
        b'{"centre":["0.0"]}',
        b'{"centre":["x"],"spread":["1.0"]}',
        b'{"centre":["nan"],"spread":["1.0"]}',
        b'{"centre":["0.0"],"spread":["0.0"]}',
        b'{"centre":["0.0"],"spread":["1.0","1.0"]}',
    ],
)
def test_content_that_is_no_table_of_ranges_is_refused(content: bytes) -> None:
    store = MemoryStore()
    with pytest.raises(InputError):
        encoder(f"quantise(ranges={store.put(content)},scale=256)", store)


@pytest.mark.parametrize("row", [[[1.0]], [float("nan"), 0.0], [float("inf"), 0.0], [1.0], 1.0])
def test_what_is_no_row_of_two_finite_numbers_is_refused(row: object) -> None:
    rule = Quantise.of([[0.0, 1.0], [1.0, 2.0]])
    with pytest.raises(InputError, match="row"):
        rule.encode(row)  # type: ignore[arg-type]


def test_words_are_letters_and_digits_in_one_form() -> None:
    assert words_of("The \ufb01rst STRASSE, stra\u00dfe; e\u0301t\u00e9_2x") == [
        "the", "first", "strasse", "strasse", "\u00e9t\u00e9", "2x",
    ]  # fmt: skip


def test_a_vocabulary_keeps_the_tokens_that_come_first_and_counts_all() -> None:
    rule = Vocabulary(("a", "b", "c", "d"), limit=2)
    assert decode_tokens(rule.encode("d x b a c"), 4).tolist() == [1, 3]
    counted = Vocabulary(rule.words, counted=True, limit=2)
    found = decode_counts(counted.encode("d b a d b b"), 4)
    assert (found.tokens.tolist(), found.counts.tolist()) == ([1, 3], [3, 2])
    assert len(Vocabulary(rule.words, limit=0).encode("a b c d")) == 8


def test_a_text_without_known_words_has_no_features() -> None:
    assert Vocabulary(("a",)).encode("nothing known") == b""


@pytest.mark.parametrize("counted", [False, True])
def test_a_vocabulary_is_read_back_from_its_text_and_a_store(counted: bool) -> None:
    rule = Vocabulary.of(["to be or not", "to be"], size=3, counted=counted, limit=7)
    store = MemoryStore()
    assert f"cid={store.put(rule.content)}" in rule.text
    assert encoder(rule.text, store) == rule


def test_ranges_are_read_back_from_their_text_and_a_store() -> None:
    rule = Quantise.of(np.random.default_rng(0).normal(size=(20, 3)), scale=100, reach=4)
    store = MemoryStore()
    store.put(rule.content)
    again = encoder(rule.text, store)
    assert isinstance(again, Quantise)
    assert again == rule
    assert again.limit == 400
    assert again.encode([0.1, 9.9, -3.0]) == rule.encode([0.1, 9.9, -3.0])


def test_a_column_without_spread_only_loses_its_centre() -> None:
    assert decode_row(Quantise.of([[5.0], [5.0]], scale=10).encode([6.0]), 1).tolist() == [10]


@given(st.text(max_size=60), st.integers(1, 2_000))
def test_hashing_gives_features_of_whatever_text(text: str, features: int) -> None:
    tokens = decode_tokens(Hashing(features).encode(text), features)
    assert len(tokens) <= min(len(words_of(text)), 20)


def test_hashing_is_the_same_for_ever() -> None:
    assert Hashing(1_000).encode("a bird in the hand").hex() == "010e017b01fc0297035b"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_quantised_number_is_within_half_a_step_or_at_the_limit(value: float) -> None:
    (whole,) = decode_row(Quantise(256, limit=2_047).encode([value]), 1).tolist()
    assert whole == (max(-2_047, min(2_047, round(value * 256))) if abs(value) < 10 else whole)
    assert abs(whole) <= 2_047
