from __future__ import annotations

from collections import Counter

import pytest
from tests.onchain.__main__ import main, sequence

SEQUENCES = 200
GROUPS = 4


@pytest.mark.parametrize("group", range(GROUPS))
def test_contracts_and_reference_never_differ(group: int) -> None:
    counts: Counter[str] = Counter()
    for number in range(group, SEQUENCES, GROUPS):
        counts += sequence(number)
    assert counts["add taken"] > 100


def test_the_command_says_how_many_sequences_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sequences", "2", "--first", "1000"]) == 0
    assert "2 sequences" in capsys.readouterr().out
