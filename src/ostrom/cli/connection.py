"""What the commands share that speak to a chain: where it is, who signs, and what is refused.

Every command looks at the chain first and sends only what is missing, so that one which was
interrupted, or lost its answer, is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.amounts import Coin, read_coin
from ostrom.cli.console import say
from ostrom.cli.passphrase import passphrase
from ostrom.errors import ContractError, InputError

if TYPE_CHECKING:
    from ostrom.chain.deployed import Deployed
    from ostrom.chain.deployment import Deployment
    from ostrom.chain.ledger import Call, Receipt
    from ostrom.chain.wallet import Key
    from ostrom.cli.explain import Moment
    from ostrom.cli.metered import MeteredLedger
    from ostrom.types import Address, Digest

RPC_DEFAULT = "http://127.0.0.1:8545"
DEPLOYMENT_DEFAULT = Path("deployment.json")

Rpc = Annotated[
    str,
    typer.Option(
        "--rpc",
        envvar="OSTROM_RPC",
        metavar="URL",
        help="A node of the chain; several with commas.",
    ),
]
KeyPath = Annotated[
    Path,
    typer.Option(
        "--key", envvar="OSTROM_KEYSTORE", metavar="KEYSTORE", help="Whose key signs and pays."
    ),
]
DeploymentPath = Annotated[
    Path,
    typer.Option(
        "--deployment",
        envvar="OSTROM_DEPLOYMENT",
        metavar="FILE",
        help="Where the contracts are: the file that ostrom deploy wrote.",
    ),
]
TaskId = Annotated[
    str, typer.Option("--task", metavar="ID", help="The task: 64 hexadecimal digits.")
]


@dataclass(frozen=True)
class Connection:
    """A network that was found and checked."""

    ledger: MeteredLedger
    deployed: Deployed
    coin: Coin

    @property
    def at(self) -> Deployment:
        """The contracts."""
        return self.deployed.contracts

    def moment(self, task_id: Digest) -> Moment:
        """Where a task is.

        Raises:
            InputError: there is no such task.
        """
        from ostrom.chain.tasks import created_task, read_pace
        from ostrom.cli.explain import Moment

        created = created_task(self.ledger, self.deployed, task_id)
        if created is None:
            raise InputError(f"there is no task {task_id.hex()} here: see ostrom task list")
        state = self.at.training.task(self.ledger, task_id)
        phase, round = self.at.training.phase_of(self.ledger, task_id)
        return Moment(phase, round, state.deadline, created.params, read_pace(self.ledger))


@dataclass(frozen=True)
class Session:
    """A connection, and the key that signs."""

    connection: Connection
    key: Key

    @property
    def account(self) -> Address:
        """Whose key signs."""
        return self.key.address

    @property
    def ledger(self) -> MeteredLedger:
        """The chain."""
        return self.connection.ledger

    @property
    def at(self) -> Deployment:
        """The contracts."""
        return self.connection.at

    @property
    def coin(self) -> Coin:
        """The token's unit."""
        return self.connection.coin

    def send(self, call: Call, task_id: Digest | None = None) -> Receipt:
        """Send a call and wait for its block.

        Raises:
            InputError: the contract refuses, in one line that says how far the way out is; or the
                account cannot pay for gas.
            LedgerError: the chain cannot be reached, or no block held it in time.
        """
        try:
            return self.ledger.send(call, self.key)
        except ContractError as error:
            raise self._explained(error, task_id) from None

    def rehearse(self, call: Call, task_id: Digest, *, later: tuple[str, ...] = ()) -> None:
        """Refuse what the contract would refuse, before anything is sent.

        `later` names the errors whose causes the command is about to remove.

        Raises:
            InputError: the contract would refuse.
        """
        try:
            self.ledger.rehearse(call, self.account)
        except ContractError as error:
            if type(error).__name__ not in later:
                raise self._explained(error, task_id) from None

    def _explained(self, error: ContractError, task_id: Digest | None) -> InputError:
        from ostrom.cli.explain import explain

        moment = None if task_id is None else self.connection.moment(task_id)
        return InputError(explain(error, self.coin, moment))

    def allow(self, spender: Address, amount: int) -> None:
        """Let a contract take tokens; nothing is sent where it may take enough already."""
        from ostrom.chain.ledger import Call

        token = self.at.token
        view = Call("Token", token.address, "allowance", (self.account, spender))
        if self.ledger.call(view) < amount:
            self.send(token.approve(spender, amount))

    def document(self, **fields: Any) -> Mapping[str, Any]:
        """What was done, as JSON."""
        acts = [act.document() for act in self.ledger.acts]
        return {"account": self.account, "already": not acts, **fields, "acts": acts}

    @property
    def bill(self) -> str:
        """What was done, in words."""
        from ostrom.report.words import count, whole

        acts = self.ledger.acts
        return f"{whole(sum(act.gas for act in acts))} gas in {count(len(acts), 'transaction')}"


def open_ledger(rpc: str, chain_id: int | None = None) -> MeteredLedger:
    """A connection to a node; of several URLs, with commas between them, the next one stands in.

    Raises:
        InputError: no URL is given.
        LedgerError: none can be reached, or one serves another chain.
    """
    from ostrom.cli.metered import MeteredLedger

    urls = [url.strip() for url in rpc.split(",") if url.strip()]
    if not urls:
        raise InputError("--rpc names no node: give the URL of one, or several with commas")
    return MeteredLedger(urls, chain_id=chain_id)


def connect(rpc: str, deployment: Path) -> Connection:
    """The network that a file names, once its contracts are checked.

    Raises:
        InputError: the file names no network.
        LedgerError: the node cannot be reached, or the contracts are not there.
    """
    from ostrom.chain.deployed import read_deployed

    deployed = read_deployed(deployment)
    ledger = open_ledger(rpc, deployed.chain_id)
    deployed.contracts.watch(ledger)
    return Connection(ledger, deployed, read_coin(ledger, deployed.contracts.token.address))


def open_key(keystore: Path, passphrase_file: Path | None) -> Key:
    """The key that signs.

    Raises:
        InputError: the keystore cannot be read, or its passphrase is another.
    """
    from ostrom.chain.keystore import is_exposed, load

    if is_exposed(keystore):
        say(f"ostrom: others can read {keystore}: chmod 600 {keystore}")
    return load(keystore, passphrase(passphrase_file, keystore))


def open_session(
    rpc: str,
    deployment: Path,
    keystore: Path,
    passphrase_file: Path | None,
    *,
    pays: bool = True,
) -> Session:
    """A network, and a key that signs there and, if it `pays`, can pay for gas.

    Raises:
        InputError: what was given cannot be used.
        LedgerError: the chain cannot be reached or holds other contracts.
    """
    connection = connect(rpc, deployment)
    key = open_key(keystore, passphrase_file)
    if pays:
        connection.ledger.need_gas(key.address)
    return Session(connection, key)


def task_digest(text: str) -> Digest:
    """The task of that name.

    Raises:
        InputError: it is no name of a task.

    >>> task_digest("0x" + "ab" * 32) == bytes([0xAB] * 32)
    True
    """
    digits = text.removeprefix("0x")
    if len(digits) == 64 and all(one in "0123456789abcdefABCDEF" for one in digits):
        return bytes.fromhex(digits)
    raise InputError(f"{text[:70]} names no task: give 64 hexadecimal digits, see ostrom task list")
