"""`ostrom collab deploy`: put a model and its trainer on a chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.cli.collab_file import Collab, Incentive, write_whole
from ostrom.cli.collab_session import COIN, FILE_DEFAULT, STORE_DEFAULT, connect
from ostrom.cli.connection import RPC_DEFAULT, KeyPath, Rpc, open_key, open_ledger
from ostrom.cli.console import AsJson, clean_exit, show_json, show_table
from ostrom.cli.passphrase import PassphraseFile
from ostrom.cli.stores import open_sink, open_store
from ostrom.errors import InputError
from ostrom.report.words import count, whole

if TYPE_CHECKING:
    from ostrom.chain.wallet import Key
    from ostrom.cli.collab_start import Start
    from ostrom.cli.metered import MeteredLedger
    from ostrom.onchain.contracts import ModelContract
    from ostrom.onchain.deposit_refund_take import Rules
    from ostrom.storage import Store
    from ostrom.types import Address

BASE = "0.0001"

Kind = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="The model, with its settings.")
]
Way = Annotated[Incentive, typer.Option("--incentive", help="What makes people give good data.")]
By = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="What makes features of data.",
        show_default="made of --data",
    ),
]
Warm = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="What the model has learnt already: passages, digits, breast_cancer, or a file.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="What cuts named data into parts.")]
Classes = Annotated[
    int | None,
    typer.Option(
        "--classes", metavar="N", min=1, max=255, help="How many labels.", show_default="of --data"
    ),
]
Features = Annotated[
    int | None,
    typer.Option(
        "--features",
        metavar="N",
        min=1,
        max=65_535,
        help="How many numbers a row has.",
        show_default="of the encoder",
    ),
]
Base = Annotated[
    str,
    typer.Option("--base", metavar="AMOUNT", help="The deposit 3,600 hours after another one."),
]
Wait = Annotated[
    int,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="Until data can be refunded, reported or validated; 0: a day.",
    ),
]
OwnerWait = Annotated[
    int,
    typer.Option(
        "--owner-wait", metavar="SECONDS", min=0, help="Until the deployer clears; 0: 30 days."
    ),
]
AnyWait = Annotated[
    int,
    typer.Option("--any-wait", metavar="SECONDS", min=0, help="Until anybody clears; 0: 60 days."),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The file that will say where the model is.")
]
Sink = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="What gets the encoder's list or table: a store's folder, or the RPC of a Kubo node.",
        show_default="store, beside the file",
    ),
]


def deploy(
    key: KeyPath,
    model: Kind = "sparse_perceptron",
    incentive: Way = Incentive.DEPOSIT,
    encoder: By = None,
    data: Warm = None,
    seed: Seed = 1,
    classes: Classes = None,
    features: Features = None,
    base: Base = BASE,
    wait: Wait = 0,
    owner_wait: OwnerWait = 0,
    any_wait: AnyWait = 0,
    rpc: Rpc = RPC_DEFAULT,
    out: Out = FILE_DEFAULT,
    store: Sink = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a model and its trainer on a chain, and write down where they are.

    What the file names already is checked and left as it is.
    """
    with clean_exit():
        if out.exists():
            found = connect(rpc, out)
            _tell(found.collab, found.ledger, out, as_json, learnt=None)
            return
        from ostrom.cli.collab_start import plan

        place = store or str(out.parent / STORE_DEFAULT)
        rules = _rules(base, wait, owner_wait, any_wait)
        with _source(encoder, place) as content:
            start = plan(
                model, encoder, data, classes=classes, features=features, seed=seed, store=content
            )
        _check_incentive(start, incentive)
        ledger, owner = open_ledger(rpc), open_key(key, passphrase_file)
        ledger.need_gas(owner.address)
        if start.content is not None:
            with open_sink(place) as sink:
                sink.put(start.content)
        collab = _deploy(ledger, owner, start, model, incentive, rules)
        write_whole(out, collab.encode() + b"\n")
        _tell(collab, ledger, out, as_json, learnt=start.learnt)


@contextmanager
def _source(encoder: str | None, place: str) -> Iterator[Store | None]:
    """What has the content that an encoder's text names."""
    if encoder is None or "=bafk" not in encoder:
        yield None
        return
    with open_store(place) as store:
        yield store


def _rules(base: str, wait: int, owner_wait: int, any_wait: int) -> Rules:
    from ostrom.onchain.deposit_refund_take import Rules
    from ostrom.onchain.records import Refused

    try:
        return Rules(COIN.units(base), wait, owner_wait, any_wait)
    except Refused as error:
        if error.name == "DepositBaseOutOfRange":
            raise InputError(
                f"--base is above 0 and at most 22,000,000 coins, not {base}"
            ) from None
        raise InputError(
            "--wait must be shorter than --owner-wait, and that shorter than --any-wait"
        ) from None


def _check_incentive(start: Start, incentive: Incentive) -> None:
    from ostrom.onchain.models import NaiveBayes, Perceptron

    if incentive == Incentive.MARKET and not isinstance(start.model, NaiveBayes | Perceptron):
        raise InputError(
            "a market needs a model that repeats single steps: a perceptron or naive_bayes"
        )


def _deploy(
    ledger: MeteredLedger,
    owner: Key,
    start: Start,
    kind: str,
    incentive: Incentive,
    rules: Rules,
) -> Collab:
    from ostrom.mechanisms import only
    from ostrom.onchain.deployment import deploy_model

    text = start.encoder.text
    model = deploy_model(ledger, owner, start.model, state=start.state, encoder=text)
    trainer = _deploy_trainer(ledger, owner, model, incentive, rules)
    return Collab(
        chain_id=ledger.chain_id,
        block=ledger.acts[0].block,
        incentive=incentive,
        kind=only(kind).text,
        encoder=text,
        classes=start.classes,
        features=start.features,
        model=model.address,
        trainer=trainer,
    )


def _deploy_trainer(
    ledger: MeteredLedger, owner: Key, model: ModelContract, incentive: Incentive, rules: Rules
) -> Address:
    from ostrom.onchain import deployment

    if incentive == Incentive.POINTS:
        return deployment.deploy_points(ledger, owner, model, wait=rules.refund_wait).address
    if incentive == Incentive.MARKET:
        return deployment.deploy_market(ledger, owner, model).address
    return deployment.deploy_deposit_refund_take(ledger, owner, model, rules=rules).address


def _tell(
    collab: Collab, ledger: MeteredLedger, out: Path, as_json: bool, *, learnt: int | None
) -> None:
    acts = ledger.acts
    gas = sum(act.gas for act in acts)
    if as_json:
        show_json(
            {
                "chain": collab.chain_id,
                "block": collab.block,
                "model": collab.model,
                "trainer": collab.trainer,
                "encoder": collab.encoder,
                "classes": collab.classes,
                "features": collab.features,
                "learnt": learnt,
                "file": str(out),
                "gas": gas,
                "already": not acts,
                "acts": [act.document() for act in acts],
            }
        )
        return
    rows = [(collab.kind, collab.model), (collab.incentive.value, collab.trainer)]
    show_table(("Contract", "Address"), rows)
    said = f"{whole(gas)} gas in {count(len(acts), 'transaction')}" if acts else "already deployed"
    knows = "" if learnt is None else f", {whole(learnt)} samples learnt before"
    size = f"{collab.classes} labels, {whole(collab.features)} features{knows}"
    typer.echo(f"{collab.encoder}: {size}")
    typer.echo(f"chain {collab.chain_id}, from block {collab.block}: {said}; see {out}")
