"""`ostrom deploy`: bring the contracts onto a chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.cli.connection import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    KeyPath,
    Rpc,
    open_key,
    open_ledger,
)
from ostrom.cli.console import AsJson, clean_exit, show_json, show_table
from ostrom.cli.passphrase import PassphraseFile
from ostrom.errors import InputError
from ostrom.report.words import count, whole

if TYPE_CHECKING:
    from ostrom.chain.deployed import Deployed
    from ostrom.chain.wallet import Key
    from ostrom.cli.metered import Act, MeteredLedger

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
            deployed = _existing(ledger, out)
        else:
            owner = open_key(key, passphrase_file)
            deployed = _deploy(ledger, owner, out, treasury=treasury, bond_delay=bond_delay)
        _tell(deployed, ledger.acts, out, as_json)


def _existing(ledger: MeteredLedger, out: Path) -> Deployed:
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
    ledger: MeteredLedger, owner: Key, out: Path, *, treasury: str, bond_delay: int
) -> Deployed:
    from ostrom.chain.deployed import Deployed, need_writable, write_deployed
    from ostrom.chain.deployment import deploy as deploy_contracts
    from ostrom.node.taskfile import account_of

    collects = account_of(treasury)
    ledger.need_gas(owner.address)
    need_writable(out)
    contracts = deploy_contracts(ledger, owner, treasury=collects, bond_delay=bond_delay)
    deployed = Deployed(ledger.chain_id, ledger.acts[0].block, contracts)
    write_deployed(out, deployed)
    return deployed


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
    said = f"{whole(gas)} gas in {count(len(acts), 'transaction')}" if acts else "already deployed"
    typer.echo(f"chain {deployed.chain_id}, from block {deployed.block}: {said}; see {out}")
