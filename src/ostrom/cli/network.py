"""`ostrom network`: a whole network on this machine, every party a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.console import (
    FAILED,
    INTERRUPTED,
    AsJson,
    clean_exit,
    console,
    say,
    show_json,
    show_table,
)
from ostrom.cli.node import need_extra
from ostrom.errors import InputError
from ostrom.report.words import money, percent

if TYPE_CHECKING:
    from ostrom.network.local import LocalNetwork, NodeView
    from ostrom.network.outcome import Outcome
    from ostrom.network.plan import Plan

FOLDER = Path("network")
LOOK_SECONDS = 1.0
PAID_SECONDS_MAX = 60.0

network_app = typer.Typer(
    help="A whole network on this machine: a chain, and each party's node as a process.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Dir = Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="The network's folder.")]


def _option(text: str, default: str, metavar: str | None = None) -> Any:
    return typer.Option(help=f"{text} [default: {default}]", show_default=False, metavar=metavar)


# Defaults are `Choices`'; they are repeated for --help, and a test holds the two together.
@network_app.command(short_help="Start a network, or go on with one.")
def up(
    trainers: Annotated[int | None, _option("How many trainers.", "5")] = None,
    validators: Annotated[int | None, _option("How many validators.", "4")] = None,
    rounds: Annotated[int | None, _option("How many rounds.", "5")] = None,
    dataset: Annotated[
        str | None, _option("digits, mnist, an .npz or .csv file, a folder of images.", "digits")
    ] = None,
    skew: Annotated[
        str | None, _option("How unlike the trainers' data are.", "emphasis(share=0.9)")
    ] = None,
    model: Annotated[str | None, _option("The model.", "by data set")] = None,
    algorithm: Annotated[str | None, _option("What trainers do.", "by data set")] = None,
    aggregation: Annotated[str | None, _option("How updates are joined.", "mean")] = None,
    phase_seconds: Annotated[
        int | None, _option("How long a phase may last on the chain's clock.", "120")
    ] = None,
    confirmations: Annotated[
        int | None, _option("Blocks that must stand on what nodes act on.", "1")
    ] = None,
    rpc: Annotated[
        str | None,
        _option(
            "An existing chain, whose coins you send to the sponsor; several with commas.",
            "a chain of its own",
            "URL",
        ),
    ] = None,
    folder: Dir = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Start a chain and a node for every party, show them, and end with the task.

    Ctrl-C stops all of it; the same command goes on where it was.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    choices = {name: given[name] for name in given if name not in ("folder", "as_json")}
    with clean_exit():
        need_extra()
        outcome = _run(folder, choices)
        if as_json:
            show_json(outcome.document())
        else:
            _tell(outcome)
        if not outcome.audit.passed:
            raise typer.Exit(FAILED)


@network_app.command(short_help="Stop a network that runs.")
def down(folder: Dir = FOLDER) -> None:
    """Stop every process of a network; what it did stays, and `up` goes on with it."""
    from ostrom.network.local import bring_down
    from ostrom.network.plan import read_plan

    with clean_exit():
        read_plan(folder)
        count = bring_down(folder)
        typer.echo(f"{count} processes stopped" if count else "nothing runs there")


@network_app.command(short_help="Show what a network's nodes say.")
def status(folder: Dir = FOLDER, as_json: AsJson = False) -> None:
    """Show every node of a network that runs; exit 1 if it does not run."""
    from ostrom.network.live import HEAD, RIGHT, cells
    from ostrom.network.local import noted_views, read_running
    from ostrom.network.plan import read_plan

    with clean_exit():
        plan, noted = read_plan(folder), read_running(folder)
        need_extra()
        views = [] if noted is None else noted_views(plan, noted)
        if as_json:
            show_json({view.party.name: {"url": view.url, **view.status} for view in views})
        elif views:
            show_table(HEAD, map(cells, views), right="|".join(RIGHT))
        if noted is None or not noted.alive:
            say(f"ostrom: the network in {folder} does not run: ostrom network up --dir {folder}")
            raise typer.Exit(FAILED)


def _run(folder: Path, choices: Mapping[str, Any]) -> Outcome:
    """Bring a network up, see its task through, and judge it."""
    from ostrom.network.local import LocalNetwork, looked_after
    from ostrom.network.processes import stoppable

    with looked_after(folder), _kept(folder), stoppable():
        plan = _plan(folder, choices)
        with LocalNetwork(plan, say) as network:
            network.start()
            _watch(network)
            return _conclude(network)


def _plan(folder: Path, choices: Mapping[str, Any]) -> Plan:
    from ostrom.network.plan import NETWORK, Choices, make_plan, read_plan

    if not (folder / NETWORK).exists():
        return make_plan(folder, Choices.of(choices))
    plan = read_plan(folder)
    kept = plan.choices.model_dump()
    other = [name for name, value in choices.items() if kept[name] != value]
    if other:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in other)
        raise InputError(f"{folder} holds a network with other settings: leave out {names}")
    say(f"going on with the network in {folder}")
    return plan


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """On Ctrl-C, say that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"ostrom: stopped; go on with 'ostrom network up --dir {folder}'")
        raise typer.Exit(INTERRUPTED) from None


def _watch(network: LocalNetwork) -> None:
    """Show the nodes until the task is over.

    Raises:
        InputError: no node is left.
    """
    from ostrom.network.local import is_over

    known: set[str] = set()
    with _screen(network) as show:
        while True:
            views = network.views()
            show(views)
            if is_over(views):
                return
            for line in network.broken():
                if line not in known:
                    known.add(line)
                    say(f"ostrom: {line}")
            if not any(view.alive for view in views):
                raise InputError("no node is left: see node.log in each party's folder")
            time.sleep(LOOK_SECONDS)


@contextmanager
def _screen(network: LocalNetwork) -> Iterator[Callable[[Sequence[NodeView]], None]]:
    """Where the nodes are shown: a live table in a terminal, else a line for each change."""
    from ostrom.network.live import Lines, table

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Lines(say).show
        return
    from rich.live import Live

    with Live(console=screen, auto_refresh=False) as live:

        def show(views: Sequence[NodeView]) -> None:
            live.update(table(views, _title(network)), refresh=True)

        yield show


def _title(network: LocalNetwork) -> str:
    assert network.launched is not None
    return f"task {network.launched.task_id.hex()[:16]}  {network.rpc[0]}  (Ctrl-C stops)"


def _conclude(network: LocalNetwork) -> Outcome:
    from ostrom.network.outcome import all_paid, conclude
    from ostrom.network.processes import wait_until

    launched = network.launched
    assert launched is not None
    say("the task is over; waiting until all is claimed")
    paid = partial(all_paid, network.rpc, launched.deployed, launched.task_id)
    wait_until(paid, PAID_SECONDS_MAX)
    nodes = [view.url for view in network.views() if view.status]
    say("auditing from the chain and the nodes")
    return conclude(network.plan, launched, rpc=network.rpc, nodes=nodes)


def _tell(outcome: Outcome) -> None:
    settled = f"{outcome.rounds_settled} of {outcome.rounds} rounds settled"
    typer.echo(f"{settled}; the model's accuracy is {percent(outcome.accuracy)}")
    paid, claimed, back = map(money, (outcome.paid, outcome.claimed, outcome.refunded))
    typer.echo(f"paid {paid}, claimed {claimed}, back to the sponsor {back}")
    divergence = outcome.audit.divergence
    if outcome.audit.passed:
        typer.echo(f"the audit passes: {len(outcome.audit.lines)} checks hold")
    else:
        where = "nothing was checked" if divergence is None else divergence.check
        said = "" if divergence is None else f": {divergence.detail}"
        typer.echo(f"the audit fails at {where}{said}")
