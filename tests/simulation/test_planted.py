from __future__ import annotations

import pytest
from tests.simulation.planted import PLANTED, Planted, search

QUICK = (
    "sends before writing down",
    "acts on unconfirmed blocks",
    "publishes an update early",
    "uses a nonce twice",
)


@pytest.mark.parametrize("bug", [one for one in PLANTED if one.name in QUICK], ids=QUICK)
def test_a_planted_bug_is_found(bug: Planted) -> None:
    found = search(bug, seeds=range(4))
    assert found.seed is not None
    assert "Violation" in found.fault


def test_there_are_enough_planted_bugs() -> None:
    assert len({one.name for one in PLANTED}) == len(PLANTED) >= 25
