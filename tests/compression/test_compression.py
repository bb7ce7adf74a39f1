"""Compressions: what they refuse, that packings are canonical, and what is left of an update."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.compression import COMPRESSIONS, compression
from ostrom.errors import InputError, TensorError
from ostrom.types import IntVector

LAYOUT = ((8, 1, 3, 3), (8,), (30, 40), (3,))
LENGTH = 72 + 8 + 1200 + 3
TABLE = [
    "none",
    "int16",
    "int8",
    "int4",
    "top_k",
    "top_k(share=1)",
    "top_k(share=0.3,bits=2)",
    "chunk_top_k",
    "chunk_top_k(bits=1,chunk=16,group=1,k=5)",
    "chunk_top_k(bits=8,chunk=4096,k=9)",
    "low_rank",
    "low_rank(rank=1)|int8",
    "error_feedback(decay=0.9)|low_rank(rank=2)|chunk_top_k(k=8)",
    "error_feedback|int8",
]
every = pytest.mark.parametrize("text", TABLE)


def normal(seed: int = 0, scale: float = 1e5, length: int = LENGTH) -> npt.NDArray[np.int32]:
    values = np.random.default_rng(seed).standard_normal(length) * scale
    return np.clip(np.rint(values), -(2**31), 2**31 - 1).astype(np.int32)


def error(text: str, values: npt.NDArray[np.int32]) -> float:
    """The relative error that one packing leaves."""
    packing = compression(text, layout=LAYOUT)
    left = values - packing.decode(packing.encode(values, {})[0]).astype(np.float64)
    return float(np.linalg.norm(left) / np.linalg.norm(values))


def test_the_table_holds_every_compression() -> None:
    assert {one.split("(")[0] for text in TABLE for one in text.split("|")} == set(COMPRESSIONS)


@pytest.mark.parametrize(
    "text",
    ["zip", "int8(bits=3)", "top_k(share=0)", "top_k(share=2)", "top_k(bits=1)", "top_k(bits=17)",
     "chunk_top_k(chunk=48)", "chunk_top_k(chunk=1)", "chunk_top_k(k=0)", "chunk_top_k(k=65)",
     "chunk_top_k(bits=9)", "chunk_top_k(group=0)", "low_rank(rank=0)", "low_rank(rank=1025)",
     "error_feedback", "error_feedback(decay=0)|int8", "error_feedback(decay=1.1)|int8",
     "int8|error_feedback", "error_feedback|error_feedback|int8", "int8|int8", "top_k|int8"],
)  # fmt: skip
def test_refuses_what_names_no_compression(text: str) -> None:
    with pytest.raises(InputError):
        compression(text, layout=LAYOUT)


@pytest.mark.parametrize("layout", [(), ((0,),), ((3,), (2, 0))])
def test_refuses_a_layout_without_integers(layout: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InputError, match="at least one shape"):
        compression("int8", layout=layout)


@every
def test_refuses_an_update_of_another_length(text: str) -> None:
    with pytest.raises(InputError, match="shape"):
        compression(text, layout=LAYOUT).encode(np.zeros(LENGTH + 1, np.int32), {})


packs = pytest.mark.parametrize("text", TABLE[1:])


@packs
def test_refuses_an_update_that_leaves_int32(text: str) -> None:
    with pytest.raises(InputError, match="int32"):
        compression(text, layout=LAYOUT).encode(np.full(LENGTH, 1 << 31), {})


def test_refuses_a_residual_of_another_update() -> None:
    with pytest.raises(InputError, match="residual"):
        compression("error_feedback|int8", layout=LAYOUT).encode(
            normal(), {"residual": np.zeros(3, np.int32)}
        )


@every
def test_refuses_words_of_another_shape_or_type(text: str) -> None:
    packing = compression(text, layout=LAYOUT)
    for words in (np.zeros(packing.words + 1, np.int32), np.zeros(packing.words, np.int16)):
        with pytest.raises(TensorError, match="int32 of shape"):
            packing.decode(words)


@packs
def test_refuses_words_of_64_bits(text: str) -> None:
    packing = compression(text, layout=LAYOUT)
    with pytest.raises(TensorError, match="int32 of shape"):
        packing.decode(np.zeros(packing.words, np.int64))


@every
@given(seed=st.integers(0, 1 << 32), dense=st.booleans())
def test_hostile_words_give_an_update_or_a_tensor_error(text: str, seed: int, dense: bool) -> None:
    packing, rng = compression(text, layout=LAYOUT), np.random.default_rng(seed)
    words, _ = packing.encode(normal(seed % 7), {})
    hit = rng.random(packing.words) < (1.0 if dense else 0.01)
    words = np.where(hit, rng.integers(-(1 << 31), 1 << 31, packing.words), words).astype(np.int32)
    try:
        values = packing.decode(words)
    except TensorError:
        return
    assert values.dtype == np.int32
    assert values.shape == (LENGTH,)


@pytest.mark.parametrize("text", ["int4", "top_k(share=0.05)", "chunk_top_k(chunk=32)"])
def test_one_flipped_bit_gives_another_update_or_none(text: str) -> None:
    packing = compression(text, layout=LAYOUT)
    words, _ = packing.encode(normal(3), {})
    before = packing.decode(words)
    for bit in range(32 * packing.words):
        flipped = words.view(np.uint32).copy()
        flipped[bit // 32] ^= np.uint32(1 << (bit % 32))
        try:
            after = packing.decode(flipped.view(np.int32))
        except TensorError:
            continue
        assert not np.array_equal(after, before)


@every
@pytest.mark.parametrize("scale", [0, 1, 1e5, 1e9, 1e12])
def test_what_it_makes_can_be_unpacked_whatever_the_size_of_the_values(
    text: str, scale: float
) -> None:
    packing, values = compression(text, layout=LAYOUT), normal(scale=scale)
    before = values.copy()
    words, state = packing.encode(values, {})
    assert words.dtype == np.int32
    assert words.shape == (packing.words,)
    assert np.array_equal(values, before)
    decoded = packing.decode(words)
    assert np.array_equal(decoded, packing.decode(words))
    if state:
        again, _ = packing.encode(values, state)
        assert packing.decode(again).shape == (LENGTH,)


@every
@pytest.mark.parametrize("length", [1, 2, 65, 129])
def test_a_short_update_fits_too(text: str, length: int) -> None:
    packing = compression(text, layout=((length,),))
    decoded = packing.decode(packing.encode(normal(length=length), {})[0])
    assert np.abs(decoded).max() > 0


@every
def test_nothing_packs_to_nothing(text: str) -> None:
    packing = compression(text, layout=LAYOUT)
    assert not packing.decode(packing.encode(np.zeros(LENGTH, np.int64), {})[0]).any()


@every
def test_its_text_builds_the_same_packing_again(text: str) -> None:
    first = compression(text, layout=LAYOUT)
    again = compression(first.text, layout=LAYOUT)
    assert again.text == first.text
    assert np.array_equal(first.encode(normal(), {})[0], again.encode(normal(), {})[0])


@pytest.mark.parametrize("values", [normal(), normal().astype(np.int64) << 20])
def test_without_compression_an_update_is_its_own_packing(values: IntVector) -> None:
    packing = compression("none", layout=LAYOUT)
    words, state = packing.encode(values, {})
    assert np.array_equal(words, values)
    assert np.array_equal(packing.decode(words), values)
    assert packing.decode(words).dtype == values.dtype
    assert state == {}


@pytest.mark.parametrize(
    ("text", "most"), [("int16", 1e-4), ("int8", 0.02), ("int4", 0.2), ("top_k(share=0.3)", 0.6)]
)
def test_more_bits_leave_less_of_an_error(text: str, most: float) -> None:
    assert error(text, normal()) < most


def test_a_second_bit_halves_the_error_of_the_chosen_values() -> None:
    one, two = (error(f"chunk_top_k(bits={bits},chunk=16,k=16)", normal()) for bits in (1, 2))
    assert two < 0.62 * one


@pytest.mark.parametrize(("text", "sent"), [("top_k(share=0.1)", 129), ("chunk_top_k(k=3)", 63)])
def test_it_sends_as_many_values_as_it_says_and_the_largest(text: str, sent: int) -> None:
    packing, values = compression(text, layout=LAYOUT), normal()
    decoded = packing.decode(packing.encode(values, {})[0])
    assert np.count_nonzero(decoded) == sent
    assert (np.sign(decoded) * np.sign(values) >= 0).all()
    assert decoded[np.argmax(np.abs(values))] != 0


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (6, 5, 4, 2)])
@pytest.mark.parametrize("size", [9, 900, 9_000])
def test_a_matrix_of_that_rank_comes_back_but_for_rounding(
    shape: tuple[int, ...], size: int
) -> None:
    out, inner = shape[0], int(np.prod(shape[1:]))
    rng = np.random.default_rng(0)
    matrix = rng.integers(-size, size, (out, 2)) @ rng.integers(-size, size, (2, inner))
    packing = compression("low_rank(rank=2)", layout=(shape,))
    values = matrix.astype(np.int32).ravel()
    assert packing.words == 2 * (out + inner)
    left = packing.decode(packing.encode(values, {})[0]) - values
    assert np.abs(left).max() <= 2 + np.abs(values).max() * 2.0**-12


def test_factors_are_multiplied_exactly_at_their_limits() -> None:
    packing = compression("low_rank(rank=1)", layout=((3, 4),))
    packed = np.array([1 << 15, -(1 << 15), 3, 2**31 - 1, -(2**31), 1, 16384], np.int32)
    rows = packing.decode(packed).reshape(3, 4).tolist()
    assert rows[0] == [2**31 - 1, -(2**31), 1, 16384]
    assert rows[1] == [-(2**31) + 1, 2**31 - 1, -1, -16384]
    assert rows[2] == [(3 * x + (1 << 14)) >> 15 for x in packed[3:].tolist()]


@pytest.mark.parametrize("text", ["int4", "top_k(share=0.05)", "chunk_top_k", "low_rank(rank=1)"])
def test_error_feedback_sends_in_the_end_all_that_it_was_given(text: str) -> None:
    packing, total = compression(f"error_feedback|{text}", layout=LAYOUT), np.zeros(LENGTH)
    state: dict[str, IntVector] = {}
    given = normal()
    for number in range(60):
        words, kept = packing.encode(given if number == 0 else np.zeros_like(given), state)
        state, total = dict(kept), total + packing.decode(words)
    assert np.array_equal(total + state["residual"], given)
    assert np.linalg.norm(total - given) < 0.05 * np.linalg.norm(given)


def test_a_residual_fades_by_its_decay() -> None:
    packing = compression("error_feedback(decay=0.5)|top_k(share=0.001)", layout=LAYOUT)
    given = np.zeros(LENGTH, np.int32)
    given[:3] = [100, 80, 10]
    _, state = packing.encode(given, {})
    assert state["residual"][:3].tolist() == [0, 0, 10]
    _, state = packing.encode(given * 0, state)
    assert state["residual"][:3].tolist() == [0, 0, 0]
