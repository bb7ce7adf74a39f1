"""How a run goes on, on standard error: a live line in a terminal, else one line per round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from ostrom.cli.console import console, printable
from ostrom.report.words import duration, percent, size, whole

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from ostrom.sim import Progress

Report = Callable[["Progress"], None]


@contextmanager
def progress() -> Iterator[Report]:
    """A place to report to, for as long as a run goes on."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        lines = RoundLines(partial(typer.echo, err=True))
        yield lines
        lines.close()
        return
    with _bar() as bar:
        lines = RoundLines(bar.console.print)
        task = bar.add_task("starting", total=1.0, numbers="")

        def report(now: Progress) -> None:
            lines(now)
            bar.update(
                task,
                completed=now.fraction,
                description=_where(now),
                numbers=_numbers(now),
            )

        yield report
        lines.close()


class RoundLines:
    """Writes one line when a round has ended, and one for each step of the preparation."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last: Progress | None = None

    def __call__(self, now: Progress) -> None:
        """Take note of where the run stands."""
        last, self._last = self._last, now
        if now.round == 0 and now.message and (last is None or last.message != now.message):
            self._write(printable(now.message))
        if last is not None and 0 < last.round < now.round:
            self._write(round_line(last.round, now))

    def close(self) -> None:
        """Write the line of the last round."""
        if self._last is not None and self._last.round > 0:
            self._write(round_line(self._last.round, self._last))


def round_line(number: int, now: Progress) -> str:
    """A round that has ended, in one line."""
    width = len(str(now.rounds))
    left = "" if now.eta_s is None or now.fraction >= 1 else f"  {duration(now.eta_s)} left"
    return (
        f"round {number:>{width}}/{now.rounds}  accuracy {percent(now.accuracy):>8}  "
        f"{whole(now.gas)} gas  {size(now.bytes)}{left}"
    )


def _where(now: Progress) -> str:
    phase = printable(now.message or now.phase)
    return f"round {now.round}/{now.rounds} · {phase}" if now.round else phase


def _numbers(now: Progress) -> str:
    left = "" if now.eta_s is None else f" · {duration(now.eta_s)} left"
    return f"{percent(now.accuracy)} · {whole(now.gas)} gas · {size(now.bytes)}{left}"


def _bar() -> Bar:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(min_width=28)),
        BarColumn(bar_width=24, complete_style="blue", finished_style="blue"),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[numbers]}", markup=False),
        console=console(stderr=True),
        transient=True,
    )
