"""What `ostrom demo` says at the end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ostrom.cli.console import console, printable
from ostrom.report import paper
from ostrom.report.sections import first_failure, gas_per_update
from ostrom.report.words import count, duration, money, per_update, percent, size, whole


def show_outcome(path: Path, summary: Mapping[str, Any], audit: Mapping[str, Any]) -> None:
    """The headline numbers, where the files are, and what to do next."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value, style in _lines(path, summary, audit):
        table.add_row(Text(name, style="dim"), Text(printable(value), style=style))
    screen = console()
    screen.print()
    screen.print(table)


def _lines(
    path: Path, summary: Mapping[str, Any], audit: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    totals = summary["totals"]
    yield "Accuracy", _accuracy(summary), "bold"
    yield "Rounds", _rounds(summary), ""
    gas = gas_per_update(summary["rounds"])
    note = "" if gas is None else f", {whole(gas)} per update"
    yield "Chain", f"{whole(totals['gas'])} gas{note}", ""
    each = per_update(summary["model"])
    yield "Data", f"{size(totals['bytes'])}, {each}" if each else size(totals["bytes"]), ""
    other = percent(totals.get("other_share"), 0)
    yield "Time", f"{duration(totals['seconds'])}, {other} of it not training", ""
    yield "Paid", f"{money(totals['paid'])} of {money(totals['pool'])}", ""
    passed = audit["passed"]
    verdict = f"passed, {count(len(audit['checks']), 'check')}" if passed else (
        f"FAILED at {first_failure(audit)}"
    )  # fmt: skip
    yield "Audit", verdict, "bold green" if passed else "bold red"
    yield "Report", str(path / "report.html"), ""
    where = shlex.quote(str(path))
    yield "Next", f"ostrom audit {where}", ""
    yield "", f"ostrom models {where}", ""
    yield "", f"ostrom predict {where} IMAGE...", ""


def _accuracy(summary: Mapping[str, Any]) -> str:
    same = summary["config"]["dataset"] == paper.DATASET
    theirs = percent(paper.TEST_ACCURACY)
    note = f"the paper: {theirs}" if same else f"the paper, on MNIST: {theirs}"
    return f"{percent(summary['final']['accuracy'])} on the test set ({note})"


def _rounds(summary: Mapping[str, Any]) -> str:
    rows, reached = summary["rounds"], summary.get("reached")
    if reached is not None:
        goal = summary["config"]["target"]
        return f"{goal} reached in round {reached} of {len(rows)}; the rest were not played"
    voided = sum(1 for row in rows if row["void"])
    return f"{len(rows) - voided} settled" + (f", {voided} void" if voided else "")
