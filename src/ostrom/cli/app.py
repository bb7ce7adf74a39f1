"""The commands by name."""

from __future__ import annotations

from typing import Annotated

import typer

from ostrom.cli.audit import audit
from ostrom.cli.cid import cid
from ostrom.cli.collab import collab_app
from ostrom.cli.demo import demo
from ostrom.cli.deploy import deploy
from ostrom.cli.key import keys
from ostrom.cli.membership import claim, fund, join, leave, register, withdraw
from ostrom.cli.models import models
from ostrom.cli.network import network_app
from ostrom.cli.node import node_app
from ostrom.cli.predict import predict
from ostrom.cli.task import tasks
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
    (deploy, "Bring the contracts onto a chain."),
    (register, "Take roles in a network."),
    (join, "Join a task with a stake."),
    (claim, "Have earnings paid out."),
    (leave, "Leave a task."),
    (withdraw, "Take free stake out."),
    (fund, "Send tokens to an account."),
):
    app.command(short_help=summary)(command)

for group, name, summary in (
    (keys, "key", "Make, import and show keys."),
    (tasks, "task", "Create tasks, list them, look at one."),
    (node_app, "node", "Run one node of a task, or ask one how it is."),
    (network_app, "network", "A whole network on this machine."),
    (collab_app, "collab", "Models that live and learn in a contract."),
):
    app.add_typer(group, name=name, short_help=summary)
