"""The numbers of a node, as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ostrom.node.metrics import LABELS_MAX, NUMBERS, exposition

FULL: dict[str, object] = {
    "block": 120,
    "confirmed": 118,
    "now": 1_700_000_000,
    "round": 3,
    "phase": "REVEAL",
    "deadline": 1_700_000_600,
    "over": False,
    "sent": {"commit": 3, "reveal": 2},
    "landed": 4,
    "failed": 0,
    "refused_total": 1,
    "again": 2,
    "raised": 1,
    "gas": 123_456,
    "balance": 10**24,
    "reorganised": 2,
    "deepest": 2,
    "polls": 50,
    "poll_errors": {"chain": 3, "store": 0},
    "poll_age": 1.5,
    "poll_took": 0.25,
    "store_blocks": 10,
    "store_bytes": 20_000,
    "peer_failures": 0,
    "contents_held": 7,
    "relay_waiting": {"commit": 5, "reveal": 0},
    "offered": {"taken": 2, "refused": 0},
    "healthy": True,
}


def read(status: dict[str, object]) -> dict[tuple[str, str], float]:
    """The samples by name and label, as Prometheus' own reader sees them."""
    families = text_string_to_metric_families(exposition(lambda: status)().decode())
    samples = (one for family in families for one in family.samples)
    return {(one.name, ",".join(one.labels.values())): one.value for one in samples}


def test_every_number_of_a_status_is_shown() -> None:
    found = read(FULL)
    for number in NUMBERS:
        name = f"ostrom_{number.name}" + ("_total" if number.kind == "counter" else "")
        assert any(key[0] == name for key in found), name
    assert found["ostrom_acts_sent_total", "reveal"] == 2
    assert found["ostrom_task_phase", ""] == 3
    assert found["ostrom_balance_wei", ""] == pytest.approx(10**24)
    assert found["ostrom_poll_errors_total", "chain"] == 3


def test_what_a_status_lacks_is_left_out() -> None:
    assert [name for name, _ in read({})] == ["ostrom_node"]
    odd: dict[str, object] = {"block": "soon", "round": None, "phase": "LATER"}
    assert [name for name, _ in read(odd)] == ["ostrom_node"]


def test_the_page_shows_the_status_of_the_moment_it_is_asked_for() -> None:
    status: dict[str, Any] = {"round": 1}
    page = exposition(lambda: status)
    assert b"ostrom_task_round 1.0" in page()
    status["round"] = 2
    assert b"ostrom_task_round 2.0" in page()


def test_strangers_cannot_fill_the_monitoring_with_labels() -> None:
    found = read({"sent": {f"act {i}": i for i in range(10_000)}})
    assert len(found) == LABELS_MAX + 1


def test_a_label_cannot_break_out_of_its_line() -> None:
    found = read({"sent": {'a"} 1\nostrom_task_round 9': 1}})
    assert ("ostrom_task_round", "") not in found


def test_names_are_unique_and_end_as_prometheus_wants() -> None:
    names = [number.name for number in NUMBERS]
    assert len(set(names)) == len(names)
    assert not any(name.endswith("_total") for name in names)
    assert len({number.entry for number in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_every_metric_is_documented(number: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "node.md").read_text("utf-8")
    assert f"`ostrom_{number.name}" in page
