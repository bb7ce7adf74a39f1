"""What the commands share that speak to a chain: where it is, who signs, and what was sent.

Every command looks at the chain first and sends only what is missing, so that one which was
interrupted, or lost its answer, is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.amounts import Coin, read_coin
from ostrom.cli.console import say
from ostrom.cli.passphrase import passphrase
from ostrom.errors import ContractError, InputError, LedgerError
from ostrom.report.words import whole

if TYPE_CHECKING:
    from ostrom.chain.deployed import Deployed
    from ostrom.chain.deployment import Deployment
    from ostrom.chain.ledger import Call, Receipt
    from ostrom.chain.rpc import RpcLedger
    from ostrom.chain.wallet import Key
    from ostrom.cli.explain import Moment
    from ostrom.types import Address, Digest

RPC_DEFAULT = "http://127.0.0.1:8545"

Rpc = Annotated[
    str, typer.Option("--rpc", envvar="OSTROM_RPC", metavar="URL", help="A node of the chain.")
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
DEPLOYMENT_DEFAULT = Path("deployment.json")

TaskId = Annotated[
    str, typer.Option("--task", metavar="ID", help="The task: 64 hexadecimal digits.")
]


@dataclass(frozen=True)
class Act:
    """A transaction that a block holds, and what it was for."""

    name: str
    transaction: Digest
    block: int
    gas: int

    def document(self) -> dict[str, Any]:
        """The act as JSON."""
        shown = f"0x{self.transaction.hex()}"
        return {"act": self.name, "transaction": shown, "block": self.block, "gas": self.gas}


@dataclass(frozen=True)
class Connection:
    """A network that was found and checked."""

    ledger: RpcLedger
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
            raise InputError(
                f"there is no task {task_id.hex()} on this network: see ostrom task list"
            )
        state = self.at.training.task(self.ledger, task_id)
        phase, round = self.at.training.phase_of(self.ledger, task_id)
        return Moment(phase, round, state.deadline, created.params, read_pace(self.ledger))

    def explained(self, error: ContractError) -> InputError:
        """A refusal with the way out; the task's clock is asked for only where it matters."""
        from ostrom.cli.explain import explain

        task_id, moment = error.arguments.get("task_id"), None
        if isinstance(task_id, bytes) and type(error).__name__ != "TrainingUnknownTask":
            moment = self.moment(task_id)
        return InputError(explain(error, self.coin, moment))


@dataclass(frozen=True)
class Session:
    """A connection and the account that signs; `acts` are the transactions sent so far."""

    connection: Connection
    key: Key
    acts: list[Act] = field(default_factory=list)

    @property
    def account(self) -> Address:
        """Whose key signs."""
        return self.key.address

    @property
    def ledger(self) -> RpcLedger:
        """The chain."""
        return self.connection.ledger

    def send(self, name: str, call: Call) -> Receipt:
        """Send a call and wait for its block; say what it cost.

        Raises:
            InputError: the contract refuses, or the account cannot pay for gas.
            LedgerError: the chain cannot be reached, or no block held it in time.
        """
        try:
            receipt = send(self.ledger, call, self.key, name)
        except ContractError as error:
            raise self.connection.explained(error) from None
        self.acts.append(Act(name, receipt.transaction, receipt.block, receipt.gas_used))
        return receipt

    def document(self, **fields: Any) -> Mapping[str, Any]:
        """What was done, as JSON."""
        acts = [act.document() for act in self.acts]
        return {"account": self.account, **fields, "already": not acts, "acts": acts}


def send(ledger: RpcLedger, call: Call, key: Key, name: str) -> Receipt:
    """Send a call and say what it cost; errors as `RpcLedger.send`.

    Raises:
        InputError: the account cannot pay for gas.
    """
    try:
        receipt = ledger.send(call, key)
    except KeyboardInterrupt:
        say(f"ostrom: '{name}' may still be mined; run the command again, it sends what is missing")
        raise
    except ContractError:
        raise
    except LedgerError as error:
        if "insufficient funds" in str(error).lower():
            raise no_gas(ledger, key.address) from None
        raise
    say(f"{name}: {whole(receipt.gas_used)} gas, block {receipt.block}")
    return receipt


def no_gas(ledger: RpcLedger, account: Address) -> InputError:
    """What to say to an account that has no coins."""
    return InputError(
        f"{account} cannot pay for gas on chain {ledger.chain_id}: send it some of the chain's coin"
    )


def open_ledger(rpc: str, chain_id: int | None = None) -> RpcLedger:
    """A connection to a node.

    Raises:
        LedgerError: it cannot be reached, or serves another chain.
    """
    from ostrom.chain.rpc import RpcLedger

    return RpcLedger(rpc, chain_id=chain_id)


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
    rpc: str, deployment: Path, keystore: Path, passphrase_file: Path | None
) -> Session:
    """A network and a key that signs for it; the chain comes first, the passphrase last.

    Raises:
        InputError: what was given cannot be used.
        LedgerError: the chain cannot be reached or holds other contracts.
    """
    connection = connect(rpc, deployment)
    key = open_key(keystore, passphrase_file)
    need_gas(connection.ledger, key.address)
    return Session(connection, key)


def need_gas(ledger: RpcLedger, account: Address) -> None:
    """Refuse before the first transaction where the account has nothing and gas costs something.

    Raises:
        InputError: that is so.
    """
    if int(ledger.request("eth_getBalance", account, "latest"), 16) == 0 and gas_price(ledger):
        raise no_gas(ledger, account)


def gas_price(ledger: RpcLedger) -> int:
    """What a unit of gas costs now, in wei."""
    return int(ledger.request("eth_gasPrice"), 16)


def task_digest(text: str) -> Digest:
    """The task of that name.

    Raises:
        InputError: it is no name of a task.
    """
    digits = text.removeprefix("0x")
    if len(digits) == 64 and all(one in "0123456789abcdefABCDEF" for one in digits):
        return bytes.fromhex(digits)
    raise InputError(f"{text[:70]} names no task: give 64 hexadecimal digits, see ostrom task list")
