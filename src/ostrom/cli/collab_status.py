"""`ostrom collab status` and `leaderboard`: how a model of the coupled mode stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.collab_file import Incentive
from ostrom.cli.collab_session import COIN, FILE_DEFAULT, CollabPath, Connection, connect
from ostrom.cli.connection import RPC_DEFAULT, Rpc
from ostrom.cli.console import AsJson, clean_exit, show_json, show_table
from ostrom.report.words import whole

if TYPE_CHECKING:
    from ostrom.onchain.contracts import Standing
    from ostrom.onchain.market_contract import MarketState
    from ostrom.onchain.records import Contribution, Record
    from ostrom.types import Address

SHOWN = 20
"""Open contributions in a status, the oldest first."""

PAGE = 100

Whose = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="ACCOUNT", help="Also what this account has.", show_default=False
    ),
]


def status(
    account: Whose = None,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show the model, what a contribution costs now, what is open, and how far each step is."""
    with clean_exit():
        from ostrom.node.taskfile import account_of

        found = connect(rpc, collab)
        whose = None if account is None else account_of(account)
        document = _of_model(found)
        if found.collab.incentive == Incentive.MARKET:
            document |= _of_market(found)
        else:
            document |= _of_trainer(found)
        if whose is not None:
            document["account"] = _of_account(found, whose)
        if as_json:
            show_json(document)
            return
        rows = [(name, _shown(value)) for name, value in document.items() if name != "open"]
        show_table(("What", "Now"), rows)
        if document.get("open"):
            names = ("nonce", "contributor", "label", "deposit", "model", "state")
            lines = [[str(line.get(name, "")) for name in names] for line in document["open"]]
            show_table([name.capitalize() for name in names], lines, right="Nonce|Label")


def leaderboard(
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show who has most points, and their badges."""
    with clean_exit():
        found = connect(rpc, collab)
        lines = sorted(_standings(found), key=lambda line: -line.points)
        if as_json:
            show_json([_line(line) for line in lines])
            return
        rows = [[str(each) for each in _line(line).values()] for line in lines]
        head = ("Account", "Points", "Validated", "Quantity", "Diversity", "Regularity")
        show_table(head, rows, right="|".join(head[1:]))


def _of_model(found: Connection) -> dict[str, Any]:
    file, ledger = found.collab, found.ledger
    return {
        "chain": file.chain_id,
        "block": ledger.block_number,
        "model": f"{file.kind} at {file.model}",
        "encoder": file.encoder,
        "classes": found.model.classes(ledger),
        "features": found.model.features(ledger),
        "incentive": f"{file.incentive.value} at {file.trainer}",
    }


def _of_trainer(found: Connection) -> dict[str, Any]:
    ledger, trainer = found.ledger, found.trainer
    totals = trainer.totals(ledger)
    known: dict[str, Any] = {
        "contributions": totals.count,
        "validated": totals.validated,
        "versions": trainer.version_count(ledger),
        "rolled_back": trainer.epoch(ledger),
    }
    if found.collab.incentive == Incentive.DEPOSIT:
        known["deposit"] = COIN.text(found.deposits.deposit(ledger))
    return known | {"open": _open(found)}


def _open(found: Connection) -> list[dict[str, Any]]:
    """The oldest contributions that nobody has closed."""
    lines: list[dict[str, Any]] = []
    for one in found.contributions.values():
        record = found.trainer.record_of(found.ledger, one.key)
        if record is not None:
            lines.append(_open_line(found, one, record))
        if len(lines) == SHOWN:
            break
    return lines


def _open_line(found: Connection, one: Contribution, record: Record) -> dict[str, Any]:
    from ostrom.cli.collab_refusals import opens
    from ostrom.onchain.data import Sample

    ledger = found.ledger
    memo = record.memo if found.trainer.is_learnt(ledger, one.nonce) else 0
    agrees = found.model.agrees(ledger, Sample(one.features, one.label), memo=memo)
    is_deposit = found.collab.incentive == Incentive.DEPOSIT
    good = "refund" if is_deposit else "validation"
    line: dict[str, Any] = {"nonce": one.nonce, "contributor": one.contributor, "label": one.label}
    if is_deposit:
        line["deposit"] = COIN.text(record.claimable)
    line["model"] = "agrees" if agrees else "disagrees"
    line["state"] = opens(good if agrees else "report", one.time + _wait(found), found.pace)
    return line


def _wait(found: Connection) -> int:
    """Seconds until data are judged."""
    from ostrom.chain.ledger import Call

    name = type(found.trainer).__name__
    view = "refundWait" if found.collab.incentive == Incentive.DEPOSIT else "wait"
    return int(found.ledger.call(Call(name, found.trainer.address, view)))


def _of_market(found: Connection) -> dict[str, Any]:
    from ostrom.cli.collab_refusals import phase_name

    state = found.market.market(found.ledger)
    known: dict[str, Any] = {"market": state.number, "phase": phase_name(state.phase)}
    if state.number:
        known |= {
            "ends": _ends(found, state),
            "bounty": COIN.text(state.bounty),
            "stakes": COIN.text(state.stakes),
            "contributions": state.contributions,
            "parties": state.parties,
            "samples": state.samples,
            "claims": state.pending,
            "collected": f"{state.collected} of {state.parties}",
        }
    return known


def _ends(found: Connection, state: MarketState) -> str:
    from ostrom.cli.explain import span
    from ostrom.onchain.market_contract import MarketPhase

    if state.phase == MarketPhase.DRAW:
        return f"after block {state.deadline}"
    left = state.deadline - found.pace.time
    return "now" if left < 0 or not state.deadline else f"in {span(left, found.pace)}"


def _of_account(found: Connection, whose: Address) -> dict[str, Any]:
    ledger = found.ledger
    if found.collab.incentive == Incentive.MARKET:
        return {"address": whose, "credit": COIN.text(found.market.balance_of(ledger, whose))}
    if found.collab.incentive == Incentive.DEPOSIT:
        account = found.deposits.account_of(ledger, whose)
        return {
            "address": whose,
            "credit": COIN.text(account.balance),
            "validated": account.validated,
            "reports_from": account.next_report,
        }
    done = found.points.account_of(ledger, whose)
    return {
        "address": whose,
        "points": done.points,
        "validated": done.validated,
        "streak": done.streak,
    }


def _standings(found: Connection) -> list[Standing]:
    count = found.points.contributor_count(found.ledger)
    pages = range(0, count, PAGE)
    return [
        line
        for start in pages
        for line in found.points.leaderboard(found.ledger, start, count=min(PAGE, count - start))
    ]


def _line(line: Standing) -> dict[str, Any]:
    return {
        "account": line.account,
        "points": line.points,
        "validated": line.validated,
        "quantity": line.badges.quantity,
        "diversity": line.badges.diversity,
        "regularity": line.badges.regularity,
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return whole(value) if isinstance(value, int) else str(value)
