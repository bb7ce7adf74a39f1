"""The bytes that a contribution carries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.onchain.features import (
    decode_counts,
    decode_row,
    decode_tokens,
    decode_update,
    encode_counts,
    encode_row,
    encode_tokens,
    encode_update,
)

TOKENS = st.integers(0, 65_534)
INT16 = st.integers(-32_768, 32_767)


@pytest.mark.parametrize("tokens", [[-1], [65_535]])
def test_a_token_outside_16_bits_is_not_encoded(tokens: list[int]) -> None:
    with pytest.raises(InputError, match="a token lies between 0 and 65534"):
        encode_tokens(tokens)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("00", "two bytes each"),
        ("00050005", "ascend"),
        ("00050004", "ascend"),
        ("000a", "token 10 is beyond the 10 features"),
    ],
)
def test_tokens_that_the_contract_refuses_are_refused(x: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_tokens(bytes.fromhex(x), 10)


@given(st.lists(TOKENS, max_size=40))
def test_tokens_come_back_ascending_and_once(tokens: list[int]) -> None:
    assert decode_tokens(encode_tokens(tokens), 65_535).tolist() == sorted(set(tokens))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("0001", "no multiple of 3"),
        ("000500", "not counted 0 times"),
        ("000501000501", "ascend"),
        ("000a01", "beyond the 10 features"),
    ],
)
def test_counted_tokens_that_the_contract_refuses_are_refused(x: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_counts(bytes.fromhex(x), 10)


def test_a_token_counted_zero_times_is_not_encoded() -> None:
    with pytest.raises(InputError, match="left out"):
        encode_counts({3: 0})


@given(st.dictionaries(TOKENS, st.integers(1, 400), max_size=40))
def test_counts_come_back_and_stop_at_255(counts: dict[int, int]) -> None:
    found = decode_counts(encode_counts(counts), 65_535)
    assert found.tokens.tolist() == sorted(counts)
    assert found.counts.tolist() == [min(counts[token], 255) for token in sorted(counts)]


@pytest.mark.parametrize("x", ["", "00", "000100020003"])
def test_a_row_that_the_contract_refuses_is_refused(x: str) -> None:
    with pytest.raises(InputError, match="1 to 2 values of two bytes"):
        decode_row(bytes.fromhex(x), 2)


def test_a_value_outside_16_bits_is_not_encoded() -> None:
    with pytest.raises(InputError, match="a value lies between -32768 and 32767: 32768 does not"):
        encode_row([32_768])


@given(st.lists(INT16, min_size=1, max_size=20), st.integers(0, 5))
def test_a_row_comes_back_and_goes_on_with_zeros(values: list[int], more: int) -> None:
    assert decode_row(encode_row(values), len(values) + more).tolist() == values + [0] * more


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("", "at least one"),
        ("01000000", "at least one"),
        ("01000100010100010001", "each place once"),
        ("02000100010100020001", "each place once"),
        ("0000010001", "label 0 has no weights"),
        ("0300010001", "labels are 1 to 2"),
        ("01000b0001", "feature 10 is beyond the 10 features"),
    ],
)
def test_an_update_that_the_contract_refuses_is_refused(x: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_update(bytes.fromhex(x), classes=3, features=10)


@pytest.mark.parametrize("changes", [{(0, 1): 1}, {(255, 1): 1}, {(1, -1): 1}, {(1, 1): 40_000}])
def test_an_update_that_does_not_fit_is_not_encoded(changes: dict[tuple[int, int], int]) -> None:
    with pytest.raises(InputError, match="lies between"):
        encode_update(changes)


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 254), st.integers(0, 65_535)), INT16, min_size=1, max_size=20
    )
)
def test_an_update_comes_back_in_order(changes: dict[tuple[int, int], int]) -> None:
    found = decode_update(encode_update(changes), classes=255, features=65_535)
    places = list(zip(found.labels.tolist(), found.indices.tolist()))
    assert places == sorted(changes)
    assert found.changes.tolist() == [changes[place] for place in places]
    assert found.changes.dtype == np.int64
