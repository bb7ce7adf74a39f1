"""The line search: what it evaluates, in which order, and what it returns."""

from __future__ import annotations

import pytest

from ostrom.errors import InputError
from ostrom.sim.attacks import line_maximize


def test_a_search_that_cannot_be_is_refused() -> None:
    for bad in ({"evaluations": 0}, {"delta": 0.0}, {"ratio": 0.5}, {"ratio": 1.0}):
        with pytest.raises(InputError, match="a line search needs"):
            line_maximize(lambda x: x, **bad)  # type: ignore[arg-type]


def test_it_doubles_while_it_climbs_and_then_shrinks_after_every_try() -> None:
    tried: list[float] = []

    def peak(x: float) -> float:
        tried.append(x)
        return -abs(x - 9)

    best = line_maximize(peak, evaluations=8)
    assert tried == pytest.approx([0, 1, 3, 7, 15, 13.4, 12.12, 11.096])
    assert best == 7
    assert max(tried, key=lambda x: -abs(x - 9)) == best


def test_it_goes_down_where_the_first_step_does() -> None:
    assert line_maximize(lambda x: -abs(x + 3), delta=-1.0) == pytest.approx(-3)


def test_one_evaluation_is_the_start() -> None:
    assert line_maximize(lambda x: x, evaluations=1, start=2.5) == 2.5
