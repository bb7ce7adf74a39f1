"""What is shown of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostrom.network.live import HEAD, Lines, cells, table
from ostrom.network.local import NodeView, is_over
from ostrom.network.plan import Party

UP: dict[str, Any] = {
    "block": 7,
    "round": 1,
    "phase": "SCORE_REVEAL",
    "landed": 3,
    "gas": 123_456,
    "balance": "2500000000000000000",
    "healthy": True,
    "over": False,
}


def view(
    name: str = "trainer-1", *, alive: bool = True, words: str = "", **status: Any
) -> NodeView:
    return NodeView(Party(name, "trainer", Path(name)), "http://x", alive, status, words)


def test_a_row_says_where_a_node_is() -> None:
    row = dict(zip(HEAD, cells(view(**UP))))
    assert row["Phase"] == "score reveal"
    assert (row["Block"], row["Coins"], row["Acts"], row["Fault"]) == ("7", "2.5000", "3", "")


def test_a_stopped_node_says_its_last_words() -> None:
    row = dict(zip(HEAD, cells(view(alive=False, words="no space left"))))
    assert row["Phase"] == "stopped"
    assert row["Fault"] == "stopped: no space left"


def test_what_a_node_says_cannot_steer_a_terminal() -> None:
    row = cells(view(**UP, fault="a\x1b[2Jb\nc"))
    assert "\x1b" not in "".join(row)
    assert row[-1] == "a\\x1b[2Jb c"


def test_a_table_has_a_row_for_each_node() -> None:
    assert table([view(**UP), view("relay", alive=False)]).row_count == 2


def test_lines_tell_each_change_once() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for block, phase in ((7, "COMMIT"), (8, "COMMIT"), (9, "REVEAL")):
        lines.show([view(**UP | {"block": block, "phase": phase})])
    assert said == ["block 7: round 1, commit", "block 9: round 1, reveal"]


def test_lines_follow_the_node_that_is_ahead() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    ahead = view("relay", **UP | {"block": 9, "phase": "ATTEST"})
    lines.show([view(**UP), ahead])
    lines.show([view(**UP)])
    assert said == ["block 9: round 1, attest"]


def test_a_fault_is_told_once_and_again_when_it_comes_back() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for fault in ("no chain", "no chain", "", "no chain"):
        lines.show([view(fault=fault)])
    assert said == ["trainer-1: no chain"] * 2


def test_a_network_is_over_when_all_that_run_say_so() -> None:
    over, running = view(**UP | {"over": True}), view("b", **UP)
    assert is_over([over, view("c", alive=False)])
    assert not is_over([over, running])
    assert not is_over([view(alive=False)])
