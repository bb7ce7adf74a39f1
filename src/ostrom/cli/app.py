"""The commands by name."""

from __future__ import annotations

from typing import Annotated

import typer

from ostrom.cli.audit import audit
from ostrom.cli.cid import cid
from ostrom.cli.demo import demo
from ostrom.cli.models import models
from ostrom.cli.predict import predict
from ostrom.version import VERSION

app = typer.Typer(
    help="Train one model together, each with private data, under rules that a chain enforces.",
    epilog="First time here? Run: ostrom demo --dataset digits",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ostrom {VERSION}")
        raise typer.Exit


@app.callback()
def ostrom(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train one model together, each with private data, under rules that a chain enforces."""


for command, summary in (
    (demo, "Run a whole federation on this machine."),
    (audit, "Replay a run and compare every byte."),
    (predict, "Ask a run's model what images show."),
    (models, "List a run's models, or go back to one."),
    (cid, "Print the CID of a file."),
):
    app.command(short_help=summary)(command)
