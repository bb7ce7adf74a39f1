"""The flat table of rounds."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.report.conftest import OSTR, round_row

from ostrom.report import history_csv
from ostrom.report.tables import COLUMNS
from ostrom.report.words import money


def rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(history_csv(summary))))


def test_a_round_is_one_line_of_numbers(summary: dict[str, Any]) -> None:
    first = rows(summary)[0]
    assert first["round"] == "1"
    assert first["void"] == "0"
    assert float(first["accuracy"]) == summary["rounds"][0]["accuracy"]
    assert first["gas_reveal"] == "26001"
    assert first["bytes_calldata"] == "300"
    assert first["seconds_training"] == "1.5"
    assert (first["trainers"], first["rejected"]) == ("2", "1")
    assert first["paid"] == str(7 * OSTR)


def test_what_was_not_measured_is_empty(summary: dict[str, Any]) -> None:
    summary["rounds"] = [round_row(1, void=True, client_loss=None, loss=float("nan"), trainers={})]
    (row,) = rows(summary)
    assert row["client_loss"] == row["loss"] == row["bytes_store"] == ""
    assert row["void"] == "1"


def test_no_rounds_leave_the_header_alone() -> None:
    assert history_csv({"rounds": []}) == ",".join(COLUMNS) + "\n"


def test_money_is_rounded_down_and_never_to_nothing() -> None:
    assert money(OSTR * 3 // 2) == "1.50 OSTR"
    assert money(2 * OSTR - 1) == "1.99 OSTR"
    assert money(1) == "< 0.01 OSTR"
    assert money("0") == "0 OSTR"
