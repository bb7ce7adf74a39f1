"""`ostrom register`, `join`, `leave`, `claim`, `withdraw` and `fund`: an account and its stakes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.connection import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    DeploymentPath,
    KeyPath,
    Rpc,
    Session,
    TaskId,
    open_session,
    task_digest,
)
from ostrom.cli.console import AsJson, clean_exit, printable, show_json
from ostrom.cli.passphrase import PassphraseFile
from ostrom.cli.registering import ContactStore, Urls, contact_of, declare
from ostrom.cli.stores import StorePlace, open_store
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.chain.ledger import Call
    from ostrom.cli.explain import Moment
    from ostrom.types import Address, Digest, Role


class RoleName(StrEnum):
    """What an account may do."""

    TRAINER = "trainer"
    VALIDATOR = "validator"
    SPONSOR = "sponsor"


class SeatName(StrEnum):
    """What an account may do in a task."""

    TRAINER = "trainer"
    VALIDATOR = "validator"


Roles = Annotated[
    list[RoleName], typer.Option("--role", help="A role to take; give it again for another.")
]
Seat = Annotated[SeatName, typer.Option("--role", help="What to be in the task.")]
Stake = Annotated[
    str | None,
    typer.Option(
        "--stake",
        metavar="AMOUNT",
        help="What to bond; a validator may give more than the task asks for.",
        show_default="what the task asks for",
    ),
]
Relays = Annotated[
    list[str] | None,
    typer.Option(
        "--relay",
        metavar="URL",
        help="Only sign, and let the relay there pay; give it again for another.",
        show_default=False,
    ),
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="ACCOUNT",
        help="Whose earnings; they go to that account, whoever pays for gas.",
        show_default="the key's",
    ),
]
OneTask = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="ID", help="First free the stake in that task.", show_default=False
    ),
]
Amount = Annotated[
    str | None,
    typer.Option("--amount", metavar="AMOUNT", help="How much.", show_default="all that is free"),
]
Account = Annotated[str, typer.Option("--account", metavar="ACCOUNT", help="Who gets tokens.")]
Level = Annotated[
    str,
    typer.Option("--amount", metavar="AMOUNT", help="What the account shall have afterwards."),
]


def register(
    role: Roles,
    key: KeyPath,
    url: Urls = None,
    store: ContactStore = None,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take roles, and with --url say where the node is; what the account has already stays."""
    with clean_exit():
        contact = contact_of(url or (), store)
        session = open_session(rpc, deployment, key, passphrase_file)
        declare(session, [_role(name) for name in role], contact)
        names = [name.value for name in role]
        said = f"{_has(session)} registered as {', '.join(names)}"
        fields: dict[str, Any] = {"roles": names}
        if contact is not None:
            said += f", reached at {', '.join(contact.urls)}"
            fields |= {"urls": list(contact.urls), "contact": contact.cid}
        _tell(session, as_json, said, **fields)


def join(
    task: TaskId,
    role: Seat,
    key: KeyPath,
    stake: Stake = None,
    relay: Relays = None,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Join a task: register, bring the stake in and take the seat, as far as that is missing.

    With --relay, a trainer only signs, and the relay pays for gas.
    """
    with clean_exit():
        task_id = task_digest(task)
        if relay and role != SeatName.TRAINER:
            raise InputError("a relay lets trainers join, and nobody else: leave --relay out")
        session = open_session(rpc, deployment, key, passphrase_file, pays=not relay)
        moment = session.connection.moment(task_id)
        required = _required(moment, role)
        amount = required if stake is None else session.coin.units(stake)
        missing = _join(session, task_id, _role(role), amount, relays=relay or ())
        said = f"{'has' if missing else 'has already'} joined task {task_id.hex()} as {role.value}"
        fields = {"task": task_id.hex(), "role": role.value, "stake": str(amount)}
        _tell(session, as_json, said, **fields, already=not missing)


def leave(
    task: TaskId,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give the seat up; the stake is free once the network's delay is over."""
    with clean_exit():
        task_id = task_digest(task)
        session = open_session(rpc, deployment, key, passphrase_file)
        session.connection.moment(task_id)
        member = session.at.training.member(session.ledger, task_id, account=session.account)
        if not member.role:
            raise InputError(f"{session.account} never joined that task")
        if member.seated:
            session.send(session.at.training.leave(task_id), task_id)
        amount, release_at = _bond(session, task_id)
        free = _when_free(session, amount, release_at)
        fields = {"task": task_id.hex(), "bond": str(amount), "release_at": release_at}
        said = f"{_has(session)} left task {task_id.hex()}; {free}"
        _tell(session, as_json, said, **fields)


def claim(
    task: TaskId,
    store: StorePlace,
    key: KeyPath,
    account: Whose = None,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Have paid out all that the account earned in a task; the store holds the proof."""
    with clean_exit():
        from ostrom.node.taskfile import account_of

        task_id = task_digest(task)
        session = open_session(rpc, deployment, key, passphrase_file)
        session.connection.moment(task_id)
        whose = session.account if account is None else account_of(account)
        before = session.at.training.member(session.ledger, task_id, account=whose)
        earned, call = _proved(session, task_id, store, whose)
        if call is not None and earned > before.claimed:
            session.send(call, task_id)
        fields = {"task": task_id.hex(), "to": whose, "cumulative": str(earned)}
        paid = f"{session.coin.text(earned)} of task {task_id.hex()}"
        _tell(session, as_json, f"{_has(session)} claimed {paid} for {whose} in all", **fields)


def withdraw(
    key: KeyPath,
    task: OneTask = None,
    amount: Amount = None,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take free stake out of the registry; with --task, free the stake in that task before."""
    with clean_exit():
        task_id = None if task is None else task_digest(task)
        session = open_session(rpc, deployment, key, passphrase_file)
        if task_id is not None:
            _release(session, task_id)
        free = session.at.registry.free_of(session.ledger, session.account)
        wanted = free if amount is None else session.coin.units(amount)
        if wanted > free:
            raise InputError(
                f"{session.account} has {session.coin.text(free)} free: give at most that"
            )
        if wanted:
            session.send(session.at.registry.withdraw(wanted))
        said = f"took out {session.coin.text(wanted)}" if wanted else "has nothing to take out"
        _tell(session, as_json, said, amount=str(wanted))


def fund(
    account: Account,
    amount: Level,
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    deployment: DeploymentPath = DEPLOYMENT_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Send an account as many tokens as it lacks to have that amount; twice is once."""
    with clean_exit():
        from ostrom.node.taskfile import account_of

        to = account_of(account)
        session = open_session(rpc, deployment, key, passphrase_file)
        token, level = session.at.token, session.coin.units(amount)
        missing = level - token.balance_of(session.ledger, to)
        if missing > 0:
            _need_tokens(session, missing)
            session.send(token.transfer(to, missing))
        fields = {"to": to, "sent": str(max(missing, 0))}
        sent = f"sent {session.coin.text(missing)}" if missing > 0 else "sent nothing"
        said = f"{sent}: {to} has {session.coin.text(level - min(missing, 0))}"
        _tell(session, as_json, said, **fields)


def _has(session: Session) -> str:
    return "has" if session.ledger.acts else "has already"


def _role(name: RoleName | SeatName) -> Role:
    from ostrom.types import Role

    return Role[name.name]


def _required(moment: Moment, role: SeatName) -> int:
    params = moment.params
    return params.trainer_stake if role == SeatName.TRAINER else params.validator_stake


def _join(
    session: Session, task_id: Digest, role: Role, stake: int, *, relays: Sequence[str] = ()
) -> bool:
    """Do what is missing of: the role, the allowance, the deposit, the seat. False if nothing."""
    at, ledger = session.at, session.ledger
    member = at.training.member(ledger, task_id, account=session.account)
    if member.seated and member.role == role:
        return False
    seat = at.training.join(task_id, role=role, stake=stake)
    missing = max(stake - at.registry.free_of(ledger, session.account), 0)
    session.rehearse(seat, task_id, later=("TrainingRoleMissing", "RegistryInsufficientFree"))
    _need_tokens(session, missing)
    if relays:
        from ostrom.cli.relayed import join_by_relay

        join_by_relay(session, task_id, stake, relays)
        return True
    declare(session, [role])
    session.rehearse(seat, task_id, later=("RegistryInsufficientFree",))
    if missing:
        session.allow(at.registry.address, missing)
        session.send(at.registry.deposit(missing))
    session.send(seat, task_id)
    return True


def _need_tokens(session: Session, amount: int) -> None:
    has = session.at.token.balance_of(session.ledger, session.account)
    if has < amount:
        coin = session.coin
        raise InputError(
            f"{session.account} holds {coin.text(has)} and needs {coin.text(amount)}: "
            f"{coin.text(amount - has)} are missing"
        )


def _bond(session: Session, task_id: Digest) -> tuple[int, int]:
    """The stake that is bound in a task, and when it is free."""
    at = session.at
    return at.registry.bond_of(
        session.ledger, at.training.address, bond_id=task_id, account=session.account
    )


def _when_free(session: Session, amount: int, release_at: int) -> str:
    from ostrom.chain.tasks import read_pace
    from ostrom.cli.explain import span

    if not amount:
        return "no stake is left in it"
    pace = read_pace(session.ledger)
    wait = max(release_at - pace.time, 0)
    when = f"is free in {span(wait, pace)}" if wait else "is free: ostrom withdraw takes it out"
    return f"{session.coin.text(amount)} {when}"


def _release(session: Session, task_id: Digest) -> None:
    amount, release_at = _bond(session, task_id)
    if amount and not release_at:
        raise InputError(f"{session.account} is still in that task: leave it first")
    if amount:
        registry, training = session.at.registry, session.at.training.address
        session.send(registry.release(training, task_id, account=session.account), task_id)


def _proved(
    session: Session, task_id: Digest, place: str, account: Address
) -> tuple[int, Call | None]:
    """What the account earned by the last settled round, and the call that proves it.

    Raises:
        InputError: no round is settled.
        StoreError: the store lacks the round's record.
    """
    from ostrom.chain.tasks import last_settled_version
    from ostrom.evidence import balances_of
    from ostrom.node.balances import Proved

    last = last_settled_version(session.ledger, session.connection.deployed, task_id)
    if last is None:
        raise InputError("no round of that task is settled yet: there is nothing to claim")
    with open_store(place) as store:
        proved = Proved.of(task_id, balances_of(store, last.record).payouts)
    if account not in proved.amounts:
        return 0, None
    earned, proof = proved.amounts[account], proved.proof(account)
    training = session.at.training
    return earned, training.claim(task_id, account, cumulative=earned, proof=proof)


def _tell(session: Session, as_json: bool, done: str, **fields: Any) -> None:
    """What has been done by now, and what of it only now."""
    if as_json:
        show_json(session.document(**fields))
        return
    nothing = "a relay paid" if fields.get("already") is False else "nothing was sent"
    bill = session.bill if session.ledger.acts else nothing
    typer.echo(printable(f"{session.account} {done} ({bill})"))
