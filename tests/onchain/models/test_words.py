"""Lanes of bits in words, and models by their texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.onchain.models import dense_perceptron, model
from ostrom.onchain.models.words import pack, unpack

LANE = st.integers(1, 96).flatmap(
    lambda bits: st.tuples(st.integers(0, (1 << bits) - 1), st.just(bits))
)
LANES = st.lists(LANE, max_size=12)


@pytest.mark.parametrize("value", [-1, 256])
def test_a_value_outside_its_lane_is_refused(value: int) -> None:
    with pytest.raises(InputError, match="does not fit into 8 bits"):
        pack([(value, 8)])


def test_data_shorter_than_its_lanes_is_refused() -> None:
    with pytest.raises(InputError, match="too short"):
        unpack(bytes(2), [16, 8])


@given(LANES)
def test_lanes_come_back_from_whole_words(lanes: list[tuple[int, int]]) -> None:
    words = pack(lanes)
    assert len(words) % 32 == 0
    assert unpack(words, [bits for _, bits in lanes]) == [value for value, _ in lanes]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transformer", "choose among centroid, dense_perceptron"),
        ("sparse_perceptron(width=8)", "no argument 'width'"),
        ("sparse_perceptron(bits=9)", "8, 16 or 32 bits, not 9"),
        ("sparse_perceptron|centroid", "one mechanism is wanted"),
    ],
)
def test_a_text_that_names_no_model_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(text)


def test_a_text_names_a_model_with_its_numbers() -> None:
    assert model("dense_perceptron(averaged=1,one=9)") == dense_perceptron(one=9, averaged=1)
