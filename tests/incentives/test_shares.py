from __future__ import annotations

import pytest

from ostrom.errors import InputError
from ostrom.incentives import incentive


@pytest.mark.parametrize(
    "text", ["", "lottery", "proportional(x=1)", "proportional|equal_split", "proportional()x"]
)
def test_a_text_that_is_no_incentive_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        incentive(text)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(InputError, match="cumulative, equal_split, proportional, stake_weighted"):
        incentive("lottery")


def test_equal_split_counts_only_who_helped() -> None:
    assert incentive("equal_split")([1, 10**9, 0], [1, 1, 1], 100) == [50, 50, 0]


def test_splitting_a_stake_over_two_identities_gains_nothing_when_weighted_by_stake() -> None:
    whole = incentive("stake_weighted")([5, 5], [100, 50], 10**18)
    split = incentive("stake_weighted")([5, 5, 5], [60, 40, 50], 10**18)
    assert split[0] + split[1] <= whole[0]


def test_copies_of_one_score_dilute_a_proportional_pool() -> None:
    assert incentive("proportional")([5, 5], [1, 1], 100) == [50, 50]
    assert incentive("proportional")([5, 5, 5], [1, 1, 1], 100) == [33, 33, 33]
