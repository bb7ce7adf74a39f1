"""A task as `ostrom task` shows it: one document, and the same as a page of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostrom.chain.tasks import Seat, created_task, read_pace, seats, versions
from ostrom.cli.console import console, printable, show_table
from ostrom.cli.explain import Moment, phase_name, span
from ostrom.errors import InputError
from ostrom.storage import cid_from_digest
from ostrom.types import Phase, Role, TaskCreated

if TYPE_CHECKING:
    from ostrom.chain.contracts import TaskState
    from ostrom.cli.connection import Connection
    from ostrom.types import Digest

Document = dict[str, Any]


def summary(here: Connection, created: TaskCreated) -> Document:
    """A task in a few fields."""
    training, task_id, params = here.at.training, created.task_id, created.params
    state = training.task(here.ledger, task_id)
    phase, round = training.phase_of(here.ledger, task_id)
    return {
        "task": task_id.hex(),
        "phase": phase_name(phase),
        "round": round,
        "rounds": params.rounds,
        "trainers": state.trainers,
        "max_trainers": params.max_trainers,
        "validators": state.validators,
        "committee": len(params.validators),
        "pool": str(params.pool),
    }


def list_row(here: Connection, one: Mapping[str, Any]) -> Sequence[str]:
    """A task's row in the list."""
    return (
        one["task"],
        one["phase"],
        f"{one['round']}/{one['rounds']}",
        f"{one['trainers']}/{one['max_trainers']}",
        here.coin.text(int(one["pool"])),
    )


def details(here: Connection, task_id: Digest) -> Document:
    """All that the chain says of a task.

    Raises:
        InputError: there is none of that name.
    """
    created = created_task(here.ledger, here.deployed, task_id)
    if created is None:
        raise InputError(f"there is no task {task_id.hex()} here: see ostrom task list")
    state, pace = here.at.training.task(here.ledger, task_id), read_pace(here.ledger)
    phase, round = here.at.training.phase_of(here.ledger, task_id)
    now = Moment(phase, round, state.deadline, created.params, pace)
    params = created.params
    return summary(here, created) | {
        "sponsor": params.sponsor,
        "spec": cid_from_digest(params.spec, "raw"),
        "trainer_stake": str(params.trainer_stake),
        "validator_stake": str(params.validator_stake),
        "quorum_bps": params.quorum_bps,
        "allocated": str(state.allocated),
        "claimed": str(state.claimed),
        "refunded": state.refunded,
        "deadline": None if now.over else _deadline(now, state),
        "done": _done(state),
        "members": [_member(seat) for seat in seats(here.ledger, here.deployed, task_id)],
        "versions": [
            {
                "version": number,
                "parent": version.parent,
                "round": version.round,
                "block": version.block_number,
                "model": version.model.hex(),
                "record": version.record.hex(),
            }
            for number, version in enumerate(versions(here.ledger, here.deployed, task_id), 1)
        ],
    }


def show_details(here: Connection, found: Mapping[str, Any]) -> None:
    """The document as a page."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 3))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _lines(here, found):
        grid.add_row(Text(name, style="dim"), Text(printable(value)))
    console().print(grid)
    if found["members"]:
        rows = [_member_row(here, one) for one in found["members"]]
        show_table(("Member", "Role", "Stake", "Strikes", "Seat"), rows, right="Stake|Strikes")
    numbers = [
        (str(one["version"]), str(one["parent"]), str(one["round"]), one["model"])
        for one in found["versions"]
    ]
    show_table(("Version", "Parent", "Round", "Model"), numbers, right="Version|Parent|Round")


def _lines(here: Connection, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    money, left = here.coin.text, found["deadline"]
    yield "Task", found["task"]
    yield "Sponsor", found["sponsor"]
    yield "Spec", found["spec"]
    yield "Phase", f"{found['phase']}, round {found['round']} of {found['rounds']}"
    if left is not None:
        yield "Closes", f"in {left['words']} at the latest" if left["seconds"] else "now"
    yield "Done", found["done"]
    pool, allocated = int(found["pool"]), int(found["allocated"])
    yield "Pool", f"{money(pool)}, {money(allocated)} earned, {money(int(found['claimed']))} paid"
    stakes = (money(int(found[name])) for name in ("trainer_stake", "validator_stake"))
    yield "Stakes", "trainers {}, validators {}".format(*stakes)
    yield "Trainers", f"{found['trainers']} of {found['max_trainers']}"
    yield "Validators", f"{found['validators']} of {found['committee']}"


def _deadline(now: Moment, state: TaskState) -> Document:
    """When the phase that the contract has stored closes; 0 seconds if it is overdue."""
    left = max(state.deadline - now.pace.time, 0)
    blocks = now.pace.blocks(left)
    words = span(left, now.pace)
    return {"time": state.deadline, "seconds": left, "blocks": blocks, "words": words}


def _done(state: TaskState) -> str:
    """What the members did in this phase."""
    counts = {
        Phase.JOINING: f"{state.trainers + state.validators} joined",
        Phase.COMMIT: f"{state.commits} of {state.active} committed",
        Phase.REVEAL: f"{state.reveals} of {state.commits} revealed",
        Phase.SCORE: f"{state.score_commits} of {state.validators} committed scores",
        Phase.SCORE_REVEAL: f"{state.score_reveals} of {state.score_commits} revealed scores",
        Phase.ATTEST: f"{state.attestations} of {state.validators} attested",
    }
    return counts.get(state.phase, "over")


def _member(seat: Seat) -> Document:
    return {
        "account": seat.account,
        "role": str(Role(seat.role).name).lower(),
        "stake": str(seat.stake),
        "strikes": seat.strikes,
        "seat": "expelled" if seat.expelled else "left" if seat.left else "taken",
    }


def _member_row(here: Connection, one: Mapping[str, Any]) -> Sequence[str]:
    stake = here.coin.text(int(one["stake"]))
    return one["account"], one["role"], stake, str(one["strikes"]), one["seat"]
