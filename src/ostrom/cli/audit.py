"""`ostrom audit`: replay a run and compare every byte."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ostrom.cli.console import (
    FAILED,
    AsJson,
    RunPath,
    clean_exit,
    need_run,
    say,
    show_json,
    show_table,
)
from ostrom.report.words import NOTHING, count

if TYPE_CHECKING:
    from ostrom.audit import AuditLine, AuditReport

FILE = "audit.json"


def audit(run: RunPath, as_json: AsJson = False) -> None:
    """Check a run from its chain and its store alone; exit 0 only if everything holds."""
    with clean_exit():
        from ostrom.audit import audit_run

        report = audit_run(need_run(run))
        _write(run / FILE, report.document())
        if as_json:
            show_json(report.document())
        else:
            head = ("Check", "Rounds", "Result", "What was seen")
            show_table(head, _rows(report.lines))
        _conclude(report, as_json)


def _conclude(report: AuditReport, as_json: bool) -> None:
    if report.divergence is None and report.passed:
        if not as_json:
            rounds = count(report.rounds_settled, "settled round")
            typer.echo(f"The run holds: {count(len(report.lines), 'check')}, {rounds}.")
        return
    say(f"ostrom: the audit fails at {first_divergence(report)}")
    raise typer.Exit(FAILED)


def first_divergence(report: AuditReport) -> str:
    """The first check that fails, in words."""
    line = report.divergence
    if line is None:
        return "the beginning: nothing was checked"
    where = "" if line.round is None else f" in round {line.round}"
    return f"{line.check}{where}: {line.detail}"


def _rows(lines: Sequence[AuditLine]) -> Iterator[tuple[str, str, str, str]]:
    """One row per check with all the rounds in which it holds, then one per failure."""
    for name in dict.fromkeys(line.check for line in lines):
        here = [line for line in lines if line.check == name]
        held = [line for line in here if line.passed]
        if held:
            seen = held[0].detail if len(held) == 1 else f"{len(held)} of {len(here)} hold"
            yield name, _span([line.round for line in held]), "✓ holds", seen
        for line in here:
            if not line.passed:
                yield name, _span([line.round]), "✗ fails", line.detail


def _span(rounds: Sequence[int | None]) -> str:
    numbers = sorted({number for number in rounds if number is not None})
    if not numbers:
        return NOTHING
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _write(path: Path, document: Any) -> None:
    """Keep the report in the run if that can be written; an audit needs to read only."""
    temporary = path.with_name(f"{path.name}.tmp")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        os.replace(temporary, path)
