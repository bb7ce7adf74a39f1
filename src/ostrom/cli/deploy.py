"""`ostrom deploy`: bring the contracts onto a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.connection import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    Act,
    KeyPath,
    Rpc,
    need_gas,
    open_key,
    open_ledger,
    send,
)
from ostrom.cli.console import AsJson, clean_exit, show_json, show_table
from ostrom.cli.passphrase import PassphraseFile
from ostrom.errors import InputError
from ostrom.report.words import whole

if TYPE_CHECKING:
    from ostrom.chain.deployed import Deployed
    from ostrom.chain.ledger import Call, Receipt
    from ostrom.chain.rpc import RpcLedger
    from ostrom.chain.wallet import Key
    from ostrom.types import Address, Logged

BURN = "0x000000000000000000000000000000000000dEaD"
WEEK_SECONDS = 7 * 24 * 3_600
YEAR_SECONDS = 365 * 24 * 3_600

Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The file that will say where they are.")
]
Treasury = Annotated[
    str, typer.Option("--treasury", metavar="ACCOUNT", help="Who gets slashed stakes.")
]
BondDelay = Annotated[
    int,
    typer.Option(
        "--bond-delay",
        metavar="SECONDS",
        min=0,
        max=YEAR_SECONDS,
        help="How long a stake stays after its owner has left.",
    ),
]


@dataclass
class Metered:
    """A ledger that says and keeps what each transaction costs."""

    inner: RpcLedger
    acts: list[Act] = field(default_factory=list)
    first: int | None = None

    @property
    def chain_id(self) -> int:
        """The chain's number."""
        return self.inner.chain_id

    @property
    def block_number(self) -> int:
        """The head block's number."""
        return self.inner.block_number

    def now(self) -> int:
        """The head block's time."""
        return self.inner.now()

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode these contracts' events."""
        self.inner.watch(contracts)

    def send(self, call: Call, key: Key) -> Receipt:
        """Send and note what it cost."""
        name = f"{call.contract}.{call.function}"
        receipt = send(self.inner, call, key, name)
        self.acts.append(Act(name, receipt.transaction, receipt.block, receipt.gas_used))
        return receipt

    def call(self, call: Call) -> Any:
        """What a view answers."""
        return self.inner.call(call)

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts."""
        return self.inner.events(from_block, to_block)

    def code(self, address: Address) -> bytes:
        """The code at an address."""
        return self.inner.code(address)


def deploy(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    out: Out = DEPLOYMENT_DEFAULT,
    treasury: Treasury = BURN,
    bond_delay: BondDelay = WEEK_SECONDS,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Deploy token, registry, model registry and training; the key's account will own them.

    A network that the file names already is checked and left as it is.
    """
    with clean_exit():
        ledger = open_ledger(rpc)
        if out.exists():
            deployed, acts = _existing(ledger, out), []
        else:
            owner = open_key(key, passphrase_file)
            need_gas(ledger, owner.address)
            deployed, acts = _deploy(ledger, owner, out, treasury, bond_delay)
        _tell(deployed, acts, out, as_json)


def _existing(ledger: RpcLedger, out: Path) -> Deployed:
    """The network that the file names, if it is on this chain."""
    from ostrom.chain.deployed import read_deployed

    deployed = read_deployed(out)
    if deployed.chain_id != ledger.chain_id:
        raise InputError(
            f"{out} names a network on chain {deployed.chain_id}, the node serves chain "
            f"{ledger.chain_id}: choose another --out"
        )
    deployed.contracts.watch(ledger)
    return deployed


def _deploy(
    ledger: RpcLedger, owner: Key, out: Path, treasury: str, bond_delay: int
) -> tuple[Deployed, list[Act]]:
    from ostrom.chain.deployed import Deployed, write_deployed
    from ostrom.chain.deployment import deploy as deploy_contracts
    from ostrom.cli.accounts import account

    collects, metered = account(treasury), Metered(ledger)
    # The file must be writable before anything is paid.
    write_nothing(out)
    contracts = deploy_contracts(metered, owner, treasury=collects, bond_delay=bond_delay)
    deployed = Deployed(ledger.chain_id, metered.acts[0].block, contracts)
    write_deployed(out, deployed)
    return deployed, metered.acts


def _tell(deployed: Deployed, acts: list[Act], out: Path, as_json: bool) -> None:
    gas = sum(act.gas for act in acts)
    if as_json:
        show_json(
            {
                "chain": deployed.chain_id,
                "block": deployed.block,
                "contracts": deployed.contracts.addresses,
                "file": str(out),
                "gas": gas,
                "already": not acts,
                "acts": [act.document() for act in acts],
            }
        )
        return
    show_table(("Contract", "Address"), list(deployed.contracts.addresses.items()))
    said = f"{whole(gas)} gas in {len(acts)} transactions" if acts else "already deployed"
    typer.echo(f"chain {deployed.chain_id}, from block {deployed.block}: {said}; see {out}")
