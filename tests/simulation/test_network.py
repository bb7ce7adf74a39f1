from __future__ import annotations

from collections import Counter

import pytest
from tests.simulation.__main__ import main
from tests.simulation.faults import RATES
from tests.simulation.network import simulate

SEEDS = 24
GROUPS = 4
KINDS_MIN = 10
"""Kinds of fault that six seeds have at least; all of them together have 25."""


@pytest.mark.parametrize("group", range(GROUPS))
def test_everything_holds_whatever_goes_wrong(group: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(group, SEEDS, GROUPS):
        outcome = simulate(seed)
        assert not outcome.fault, f"python -m tests.simulation --replay {seed}: {outcome.fault}"
        assert outcome.settled
        counts.update(outcome.counts)
    assert len(counts) >= KINDS_MIN
    assert set(counts) <= set(RATES)


def test_one_seed_is_one_log() -> None:
    first = simulate(1, keep_log=True)
    simulate(2)
    again = simulate(1, keep_log=True)
    assert first.lines == again.lines
    assert first.digest == again.digest
    assert first.digest != simulate(3).digest


def test_a_network_without_faults_settles_every_round() -> None:
    outcome = simulate(1, only={})
    assert not outcome.fault
    assert not outcome.counts
    assert (outcome.settled, outcome.void) == (2, 0)


def test_a_replay_prints_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "4"]) == 0
    printed = capsys.readouterr().out
    assert "RoundSettled" in printed
    assert "seed 4: everything holds" in printed
