from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ostrom.aggregation.rules import mean, multi_krum, total, trimmed_mean
from ostrom.errors import InputError

ONES = np.ones(4, dtype=np.int64)


@pytest.mark.parametrize(
    ("factory", "arguments"),
    [
        (mean, {"weights": "stake"}),
        (trimmed_mean, {"f": -1}),
        (multi_krum, {"f": -1}),
        (multi_krum, {"f": 1, "m": 0}),
    ],
)
def test_a_rule_refuses_arguments_out_of_range(factory: Any, arguments: Any) -> None:
    with pytest.raises(InputError, match="needs"):
        factory(**arguments)


def test_krum_gives_the_update_in_the_densest_place() -> None:
    rows = np.array([[0, 0], [1, 1], [0, 1], [500, 500]], dtype=np.int32)
    assert multi_krum(f=0)(rows, ONES, {})[0].tolist() == [0, 1]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_small_round_is_settled_with_a_reduced_f_and_m(n: int) -> None:
    rows = np.array([[1], [2], [3], [4]], dtype=np.int32)[:n]
    middle = (n + 2) // 2
    assert trimmed_mean(f=50)(rows, ONES[:n], {})[0].tolist() == [middle]
    assert multi_krum(f=50, m=50)(rows, ONES[:n], {})[0].tolist() == [middle]


def test_values_beyond_int32_are_held_there_by_all_rules_but_the_sum() -> None:
    rows = np.array([[2**40], [2**40]])
    assert mean()(rows, ONES[:2], {})[0].tolist() == [2**31 - 1]
    assert total()(rows, ONES[:2], {})[0].tolist() == [2**41]


def test_state_passes_through_a_rule_untouched() -> None:
    state = {"momentum": np.zeros(1, dtype=np.int64)}
    assert mean()(np.array([[1]], dtype=np.int32), ONES[:1], state)[1] is state
