"""Logarithms in fixed point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.onchain.logarithm import log2_fixed, log2_small, table

ONE = 1 << 32


@pytest.mark.parametrize("n", [0, -1, 1 << 64])
def test_a_number_without_a_logarithm_here_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="there is a logarithm of 1 to"):
        log2_fixed(n)


def test_the_table_is_the_logarithm_rounded_to_the_nearest() -> None:
    # Doubles have 53 bits, of which 33 are needed: none of these is near a half.
    assert list(table()) == [round(ONE * math.log2(1 + j / 256)) for j in range(257)]


@pytest.mark.parametrize("e", range(64))
def test_powers_of_two_are_exact(e: int) -> None:
    assert log2_fixed(1 << e) == e << 32


@given(st.integers(1, (1 << 53) - 1))
def test_the_error_is_below_3e_6_and_on_one_side(n: int) -> None:
    error = log2_fixed(n) / ONE - math.log2(n)
    assert -2.8e-6 <= error <= 2e-10


@given(st.integers(1, (1 << 64) - 2))
def test_a_larger_number_never_has_a_smaller_logarithm(n: int) -> None:
    assert log2_fixed(n) <= log2_fixed(n + 1)


def test_small_numbers_are_looked_up_as_they_are_computed() -> None:
    numbers = np.concatenate((np.arange(1, 3_000), np.arange(65_000, 1 << 17, 97)))
    assert log2_small(numbers).tolist() == [log2_fixed(n) for n in numbers.tolist()]
