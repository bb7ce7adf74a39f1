"""`ostrom collab`: models that live and learn in a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.collab_deploy import deploy
from ostrom.cli.collab_file import Incentive
from ostrom.cli.collab_market import market_app
from ostrom.cli.collab_session import (
    COIN,
    FILE_DEFAULT,
    CollabPath,
    Data,
    Label,
    Nonce,
    Place,
    Session,
    connect,
    encode,
    encoder_of,
    label_of,
    open_session,
)
from ostrom.cli.collab_status import leaderboard, status
from ostrom.cli.connection import RPC_DEFAULT, KeyPath, Rpc
from ostrom.cli.console import AsJson, clean_exit, say, show_json
from ostrom.cli.passphrase import PassphraseFile
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.chain.ledger import Receipt
    from ostrom.onchain.data import Sample
    from ostrom.onchain.records import Contribution
    from ostrom.types import Logged, OtherEvent

Most = Annotated[
    str | None,
    typer.Option(
        "--most",
        metavar="AMOUNT",
        help="Add only if the deposit is not higher.",
        show_default=False,
    ),
]
AtBlock = Annotated[
    int | None,
    typer.Option(
        "--at-block",
        metavar="N",
        min=0,
        help="The model as it was after that block, from the chain's events.",
        show_default="now",
    ),
]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=0, help="Which checkpoint.")]

collab_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@collab_app.callback()
def collab() -> None:
    """Models that live and learn in a contract, and what pays for good data."""


def add(
    data: Data,
    key: KeyPath,
    label: Label = None,
    most: Most = None,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    store: Place = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give data to the model, which learns them at once. They are public for ever.

    Adding twice is two contributions, with a deposit each.
    """
    with clean_exit():
        from ostrom.onchain.data import Sample

        session = open_session(rpc, collab, key, passphrase_file)
        session.need(Incentive.DEPOSIT, Incentive.POINTS)
        sample = Sample(
            encode(encoder_of(session.collab.encoder, store, collab), data),
            label_of(label, session),
        )
        before = session.model.predict(session.ledger, sample.x)
        receipt = _add(session, sample, None if most is None else COIN.units(most))
        event = _event(receipt.events, "Added")
        nonce: Any = event.arguments["nonce"]
        deposit: Any = event.arguments["deposit"]
        said = f"contribution {nonce}, label {sample.label}; the model said {before} before"
        fields: dict[str, Any] = {"nonce": nonce, "label": sample.label, "predicted": before}
        if session.collab.incentive == Incentive.DEPOSIT:
            said += f"; deposit {COIN.text(deposit)}"
            fields["deposit"] = str(deposit)
        session.tell(as_json, said, **fields)


def predict(
    data: Data,
    at_block: AtBlock = None,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    store: Place = None,
    as_json: AsJson = False,
) -> None:
    """Ask the model what data are. It costs nothing."""
    with clean_exit():
        found = connect(rpc, collab)
        x = encode(encoder_of(found.collab.encoder, store, collab), data)
        if at_block is None:
            label = found.model.predict(found.ledger, x)
        else:
            from ostrom.onchain.replay import replay

            known, file = found.reference, found.collab
            if not file.block <= at_block <= found.ledger.block_number:
                raise InputError(
                    f"the model has blocks {file.block} to {found.ledger.block_number}, "
                    f"not {at_block}"
                )
            events = found.ledger.events(file.block, at_block)
            label = known.predict(
                replay(known, known.start(file.classes, file.features), events), x
            )
        if as_json:
            show_json({"label": label, "features": x.hex(), "block": at_block})
        else:
            typer.echo(label)


def refund(
    nonce: Nonce,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Get a deposit back, once the model agrees with the data. It is credited: see withdraw."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer, one = session.deposits, session.contribution(nonce)
        if one.contributor != session.account:
            raise InputError(
                f"contribution {nonce} is of {one.contributor}, who alone gets it back"
            )
        if not _did(session, nonce, "Refunded"):
            session.send(trainer.refund(one), "refund")
        _tell_paid(session, one, "refunded", as_json)


def report(
    nonce: Nonce,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a share of a deposit, or points, for data that the model disagrees with.

    Who reports has data validated. With deposits an account reports in the order of nonces.
    """
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        session.need(Incentive.DEPOSIT, Incentive.POINTS)
        one = session.contribution(nonce)
        if not _did(session, nonce, "Reported"):
            if session.collab.incentive == Incentive.DEPOSIT:
                session.send(session.deposits.report(one), "report")
            else:
                session.send(session.points.report(one), "report")
        _tell_paid(session, one, "reported", as_json)


def validate(
    nonce: Nonce,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Confirm data that the model agrees with; the points go to who gave them."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer, one = session.points, session.contribution(nonce)
        if not _closed(session, nonce, "Validated"):
            session.send(trainer.validate(one), "validation")
        _tell_paid(session, one, "validated", as_json)


def clear(
    nonce: Nonce,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take what is left of an old deposit: the deployer first, in the end anybody."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer, one = session.deposits, session.contribution(nonce)
        if not _did(session, nonce, "Cleared"):
            session.send(trainer.clear(one), "clearing")
        _tell_paid(session, one, "cleared", as_json)


def withdraw(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Have all sent that the contract owes the account: refunds, takes, stakes, bounties."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        session.need(Incentive.DEPOSIT, Incentive.MARKET)
        is_market = session.collab.incentive == Incentive.MARKET
        owes = session.market if is_market else session.deposits
        amount = owes.balance_of(session.ledger, session.account)
        if amount:
            session.send(owes.withdraw(), "withdrawal")
        said = f"{session.account} took out {COIN.text(amount)}"
        session.tell(as_json, said, amount=str(amount))


def checkpoint(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Store the model as the next version, unless the last one is the model as it is."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer, last = session.trainer, _last_change(session)
        if last is None or last.name != "Version":
            last = _event(session.send(trainer.checkpoint(), "a checkpoint").events, "Version")
        index = last.arguments["index"]
        session.tell(as_json, f"version {index} is the model as it is", version=index)


def rollback(
    version: Version,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give the model the state of a version. Only the deployer; contributors vote."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer, last = session.trainer, _last_change(session)
        if last is None or (last.name, last.arguments.get("index")) != ("RolledBack", version):
            session.send(trainer.roll_back(version), "a roll-back")
        session.tell(as_json, f"the model is that of version {version}", version=version)


def vote(
    version: Version,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Vote for a version with the account's validated contributions; more than half decide."""
    with clean_exit():
        session = open_session(rpc, collab, key, passphrase_file)
        trainer = session.trainer
        receipt = session.send(trainer.vote(version), "a vote")
        is_back = any(_name(logged) == "RolledBack" for logged in receipt.events)
        votes = _event(receipt.events, "Voted").arguments["votes"]
        everybody = trainer.totals(session.ledger).validated
        said = f"version {version} has {votes:,} of {everybody:,} votes"
        if is_back:
            said += " and is the model now"
        session.tell(as_json, said, version=version, votes=votes, rolled_back=is_back)


def _add(session: Session, sample: Sample, most: int | None) -> Receipt:
    """Send the data, with what the deposit is at most by the time that they arrive."""
    if session.collab.incentive == Incentive.POINTS:
        return session.send(session.points.add(sample), "adding")
    price = _price(session)
    if most is not None and price > most:
        raise InputError(
            f"the deposit is {COIN.text(price)} now, more than {COIN.text(most)}: it falls with "
            "the square root of the time since the last contribution"
        )
    trainer = session.deposits
    balance = trainer.balance_of(session.ledger, session.account)
    say(f"deposit: {COIN.text(price)} at most, what is too much is credited")
    return session.send(trainer.add(sample, max(price - balance, 0)), "adding")


def _price(session: Session) -> int:
    """The deposit in a block a second after the head: it only falls from then on."""
    from ostrom.chain.ledger import Call
    from ostrom.onchain.deposit_refund_take import Rules, deposit

    trainer, ledger = session.deposits, session.ledger
    base = ledger.call(Call("DepositRefundTake", trainer.address, "base"))
    last = trainer.totals(ledger).last_time
    return deposit(Rules(base), last, max(ledger.now(), last + 1))


def _did(session: Session, nonce: int, what: str) -> bool:
    """Whether the account did that with a contribution before."""
    mine = (
        event
        for event in _named(session.log, (what,))
        if event.arguments["nonce"] == nonce and session.account in event.arguments.values()
    )
    return any(mine)


def _closed(session: Session, nonce: int, what: str) -> bool:
    """Whether anybody did that with a contribution."""
    return any(one.arguments["nonce"] == nonce for one in _named(session.log, (what,)))


def _tell_paid(session: Session, one: Contribution, done: str, as_json: bool) -> None:
    """What a contribution brought, now or before."""
    name = done.capitalize()
    log = session.ledger.events(session.collab.block, session.ledger.block_number)
    found = [event for event in _named(log, (name,)) if event.arguments["nonce"] == one.nonce]
    given: Mapping[str, Any] = found[-1].arguments
    if "amount" in given:
        fields: dict[str, Any] = {"amount": str(given["amount"])}
        brought = COIN.text(given["amount"])
    else:
        fields = {"points": given["points"]}
        brought = f"{given['points']} points"
    said = f"{done} contribution {one.nonce}: {brought}"
    session.tell(as_json, said, nonce=one.nonce, **fields)


_CHANGES = ("Added", "Version", "RolledBack", "Recovered", "Relearnt", "Grown")


def _last_change(session: Session) -> OtherEvent | None:
    """The last thing that happened to the model or was kept of it.

    After deployment only a roll-back or a recovery loads the model, and either is logged.
    """
    return next(iter(reversed(list(_named(session.log, _CHANGES)))), None)


def _named(log: Iterable[Logged], names: tuple[str, ...]) -> Iterable[OtherEvent]:
    from ostrom.types import OtherEvent

    for logged in log:
        if isinstance(logged.event, OtherEvent) and logged.event.name in names:
            yield logged.event


def _name(logged: Logged) -> str:
    from ostrom.types import OtherEvent

    return logged.event.name if isinstance(logged.event, OtherEvent) else ""


def _event(log: Iterable[Logged], name: str) -> OtherEvent:
    return next(iter(_named(log, (name,))))


for command, summary in (
    (deploy, "Put a model and its trainer on a chain."),
    (status, "How the model stands, and what is open."),
    (predict, "Ask the model; free."),
    (add, "Give data."),
    (refund, "Get a deposit back."),
    (report, "Take from bad data."),
    (clear, "Take what is left of an old deposit."),
    (validate, "Confirm data, for points."),
    (leaderboard, "Who has most points."),
    (withdraw, "Have credits sent."),
    (checkpoint, "Keep the model as a version."),
    (rollback, "Go back to a version."),
    (vote, "Vote for a version."),
):
    collab_app.command(short_help=summary)(command)

collab_app.add_typer(market_app, name="market", short_help="A prediction market for data.")
