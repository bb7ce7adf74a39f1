"""`ostrom task`: create tasks, list them, look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.connection import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    Connection,
    DeploymentPath,
    KeyPath,
    Rpc,
    Session,
    connect,
    open_session,
    task_digest,
)
from ostrom.cli.console import AsJson, clean_exit, say, show_json, show_table
from ostrom.cli.passphrase import PassphraseFile
from ostrom.cli.stores import is_url, open_sink
from ostrom.errors import InputError
from ostrom.report.words import whole

if TYPE_CHECKING:
    from ostrom.node.taskfile import PreparedTask, TaskFile

APPROVE_GAS, CREATE_GAS, VALIDATOR_GAS = 60_000, 800_000, 30_000
"""What creating a task costs at most: the allowance, the task, and each named validator."""

File = Annotated[
    Path, typer.Option("--file", "-f", metavar="TASK.TOML", help="The task as you wrote it down.")
]
StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="What gets spec and first model: a store's folder, or the RPC of a Kubo node.",
        show_default="the file's store",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what it costs, and send nothing.")
]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="64 hexadecimal digits.")]

tasks = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@tasks.callback()
def task() -> None:
    """Create a task from a file, list the network's tasks, or look at one."""


@tasks.command(short_help="Create a task.")
def create(
    file: File,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    store: StorePlace = None,
    dry_run: DryRun = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish a task's spec and first model, pay its pool in and open it for members.

    All is checked before anything is published or sent. The same file makes the same task, so that
    doing it twice pays once.
    """
    with clean_exit():
        from ostrom.node.taskfile import TaskFile

        written = TaskFile.read(file)
        place = _store_of(written, file, store)
        session = open_session(rpc, deployment, key, passphrase_file)
        token = session.at.token.address
        prepared = written.prepare(
            sponsor=session.account, token=token, decimals=session.coin.decimals
        )
        exists = _exists(session.connection, prepared)
        if not exists:
            _check(session, prepared)
            _say_costs(session, prepared)
        if not dry_run:
            _create(session, prepared, place, exists=exists)
        _tell(session, prepared, place, as_json, dry_run=dry_run)


@tasks.command("list", short_help="List the network's tasks.")
def list_(
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List all tasks of the network, the oldest first."""
    with clean_exit():
        from ostrom.chain.tasks import created_tasks
        from ostrom.cli.task_view import list_row, summary

        here = connect(rpc, deployment)
        found = [summary(here, one) for one in created_tasks(here.ledger, here.deployed)]
        if as_json:
            show_json(found)
            return
        head = ("Task", "Phase", "Round", "Trainers", "Pool")
        show_table(head, [list_row(here, one) for one in found], right="Pool")


@tasks.command(short_help="Look at a task.")
def show(
    task: TaskId,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Say where a task is, when its phase closes, who is in it, and which models it has made."""
    with clean_exit():
        from ostrom.cli.task_view import details, show_details

        here = connect(rpc, deployment)
        found = details(here, task_digest(task))
        if as_json:
            show_json(found)
        else:
            show_details(here, found)


def _store_of(written: TaskFile, file: Path, store: str | None) -> str:
    """Where spec and first model go; a folder in the file is seen from the file's folder."""
    if store is not None:
        return store
    if written.store is None:
        raise InputError(f"{file} names no store: add one, or give --store PLACE")
    return written.store if is_url(written.store) else str(file.parent / written.store)


def _exists(here: Connection, prepared: PreparedTask) -> bool:
    from ostrom.types import Phase

    return here.at.training.task(here.ledger, prepared.task_id).phase != Phase.NONE


def _check(session: Session, prepared: PreparedTask) -> None:
    """Refuse what the contract would refuse once the pool is approved."""
    from ostrom.chain.ledger import Call
    from ostrom.node.taskfile import NOBODY

    params, at, coin = prepared.params, session.at, session.coin
    enabled = Call("Training", at.training.address, "isTokenEnabled", (params.token,))
    if not session.ledger.call(enabled):
        raise InputError(f"tasks may not pay in {params.token}: Training's owner enables tokens")
    if params.membership != NOBODY and not session.ledger.code(params.membership):
        raise InputError(f"there is no contract at {params.membership}: check membership")
    has = at.token.balance_of(session.ledger, session.account)
    if has < params.pool:
        raise InputError(
            f"{session.account} holds {coin.text(has)}, less than the pool of "
            f"{coin.text(params.pool)}"
        )


def _say_costs(session: Session, prepared: PreparedTask) -> None:
    params, coin = prepared.params, session.coin
    gas = APPROVE_GAS + CREATE_GAS + VALIDATOR_GAS * len(params.validators)
    price = session.ledger.gas_price()
    from ostrom.cli.amounts import Coin

    fee = Coin("coins", 18).text(gas * price)
    say(f"pool: {coin.text(params.pool)} over {whole(params.rounds)} rounds at most")
    say(f"gas: at most {whole(gas)}, {fee} at the price of now")


def _create(session: Session, prepared: PreparedTask, place: str, *, exists: bool) -> None:
    """Publish first: what the chain names must be there to be read."""
    with open_sink(place) as store:
        prepared.publish(store)
    if exists:
        return
    training = session.at.training
    session.allow(training.address, prepared.params.pool)
    session.send(training.create_task(prepared.params))


def _tell(
    session: Session, prepared: PreparedTask, place: str, as_json: bool, *, dry_run: bool
) -> None:
    from ostrom.storage import cid_of

    spec, model = (cid_of(file) for file in prepared.files)
    fields: dict[str, Any] = {
        "task": prepared.task_id.hex(),
        "spec": spec,
        "model": model,
        "parameters": prepared.spec.parameters,
        "store": place,
        "pool": str(prepared.params.pool),
        "dry_run": dry_run,
    }
    if as_json:
        show_json(session.document(**fields))
        return
    if dry_run:
        say("nothing was sent")
    else:
        say(session.bill if session.ledger.acts else "the task exists already; nothing was sent")
    typer.echo(prepared.task_id.hex())
