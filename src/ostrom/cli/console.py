"""What every command shares: clean endings, safe text, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.errors import InputError, OstromError

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 120

USAGE, FAILED, INTERRUPTED = 2, 1, 130

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@contextmanager
def clean_exit() -> Iterator[None]:
    """Say in one line what the user can mend; let every other error keep its traceback."""
    try:
        yield
    except OstromError as error:
        say(f"ostrom: {error}")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        say("ostrom: interrupted")
        raise typer.Exit(INTERRUPTED) from None


def say(line: str) -> None:
    """One line on standard error."""
    typer.echo(printable(" ".join(line.split())), err=True)


def show_json(value: Any) -> None:
    """JSON on standard output; a number that is none becomes null."""
    typer.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def printable(text: str) -> str:
    """Text that cannot steer a terminal: file names and records may hold anything.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def console(*, stderr: bool = False) -> Console:
    """A Rich console; without a terminal its width does not depend on the environment."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = WIDTH_WITHOUT_TERMINAL
    return made


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> None:
    """A table on standard output; the columns named in `right` are flush right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in head:
        numeric = name in right.split("|")
        table.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=name in ("Model", "Check", "Task"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console().print(table)


def need_run(path: Path) -> Path:
    """The folder of a run.

    Raises:
        InputError: there is no such folder.
    """
    if not path.is_dir():
        raise InputError(f"there is no folder {path}: give the folder that ostrom demo named")
    return path
