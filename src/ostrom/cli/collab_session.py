"""What the commands of the coupled mode share: the contracts, who signs, whose data, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.amounts import Coin
from ostrom.cli.collab_file import Collab, Incentive, read_collab
from ostrom.cli.connection import open_key, open_ledger
from ostrom.cli.console import printable, show_json
from ostrom.errors import ContractError, InputError

if TYPE_CHECKING:
    from ostrom.chain.ledger import Call, Receipt
    from ostrom.chain.tasks import Pace
    from ostrom.chain.wallet import Key
    from ostrom.cli.metered import MeteredLedger
    from ostrom.onchain.contracts import (
        DepositRefundTake,
        ModelContract,
        Points,
        TrainerContract,
    )
    from ostrom.onchain.encoders import Encoder
    from ostrom.onchain.market_contract import Market
    from ostrom.onchain.models.model import Model
    from ostrom.onchain.records import Contribution
    from ostrom.types import Address, Logged

COIN = Coin("coins", 18)
"""The chain's own coin: deposits, stakes and bounties are paid in it, not in a token."""

FILE_DEFAULT = Path("collab.json")
STORE_DEFAULT = Path("store")

CollabPath = Annotated[
    Path,
    typer.Option(
        "--collab",
        envvar="OSTROM_COLLAB",
        metavar="FILE",
        help="Where the model is: the file that ostrom collab deploy wrote.",
    ),
]
Place = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="OSTROM_STORE",
        metavar="PLACE",
        help="Where the encoder's list or table is: a store's folder, or the URL of a node.",
        show_default="store, beside the file",
    ),
]
Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A text, or numbers with commas; put -- before -1.")
]
Nonce = Annotated[int, typer.Argument(metavar="NONCE", min=0, help="Which contribution.")]
Label = Annotated[
    int | None,
    typer.Option("--label", metavar="N", min=0, help="What the data are.", show_default=False),
]


@dataclass(frozen=True)
class Connection:
    """A model of the coupled mode that was found on its chain."""

    ledger: MeteredLedger
    collab: Collab

    @cached_property
    def model(self) -> ModelContract:
        """The model's contract."""
        from ostrom.onchain import contracts, models

        kinds: Mapping[type, type[ModelContract]] = {
            models.NaiveBayes: contracts.NaiveBayes,
            models.Centroid: contracts.NearestCentroid,
            models.SparseCentroid: contracts.SparseNearestCentroid,
            models.KMeans: contracts.KMeans,
        }
        known = self.reference
        if isinstance(known, models.Perceptron):
            sparse = contracts.SparsePerceptron
            return (sparse if known.sparse else contracts.DensePerceptron)(self.collab.model)
        return kinds[type(known)](self.collab.model)

    @cached_property
    def reference(self) -> Model[Any]:
        """The model outside the chain, equal in every bit."""
        from ostrom.onchain.models import model

        return model(self.collab.kind)

    @property
    def deposits(self) -> DepositRefundTake:
        """The trainer, which takes deposits.

        Raises:
            InputError: this one has another incentive.
        """
        from ostrom.onchain.contracts import DepositRefundTake

        self.need(Incentive.DEPOSIT)
        return DepositRefundTake(self.collab.trainer)

    @property
    def points(self) -> Points:
        """The trainer, which gives points.

        Raises:
            InputError: this one has another incentive.
        """
        from ostrom.onchain.contracts import Points

        self.need(Incentive.POINTS)
        return Points(self.collab.trainer)

    @property
    def market(self) -> Market:
        """The market.

        Raises:
            InputError: this one has another incentive.
        """
        from ostrom.onchain.market_contract import Market

        self.need(Incentive.MARKET)
        return Market(self.collab.trainer)

    @property
    def trainer(self) -> TrainerContract:
        """The trainer, whatever its incentive; a market has no records and no versions.

        Raises:
            InputError: it is a market.
        """
        self.need(Incentive.DEPOSIT, Incentive.POINTS)
        return self.deposits if self.collab.incentive == Incentive.DEPOSIT else self.points

    def need(self, *incentives: Incentive) -> None:
        """Refuse what another incentive has.

        Raises:
            InputError: that is so.
        """
        if self.collab.incentive not in incentives:
            wanted = " or ".join(one.value for one in incentives)
            raise InputError(
                f"that is for the incentive {wanted}; this model has {self.collab.incentive.value}"
            )

    @cached_property
    def pace(self) -> Pace:
        """The head and how fast blocks come."""
        from ostrom.chain.tasks import read_pace

        return read_pace(self.ledger)

    @cached_property
    def log(self) -> list[Logged]:
        """All events of the model and its trainer up to now."""
        return self.ledger.events(self.collab.block, self.ledger.block_number)

    @cached_property
    def contributions(self) -> Mapping[int, Contribution]:
        """All contributions by their nonces."""
        from ostrom.onchain.replay import contributions

        return {one.nonce: one for _, one in contributions(self.log)}

    def contribution(self, nonce: int) -> Contribution:
        """A contribution, as the chain's events have it.

        Raises:
            InputError: there is none of that nonce.
        """
        found = self.contributions.get(nonce)
        if found is None:
            known = len(self.contributions)
            there = f"there are 0 to {known - 1}" if known else "nobody has contributed yet"
            raise InputError(f"there is no contribution {nonce}: {there}")
        return found

    def explain(self, error: ContractError, verb: str) -> InputError:
        """A refusal in one line."""
        from ostrom.chain.tasks import read_pace
        from ostrom.cli.collab_refusals import explain

        return InputError(explain(error, verb, coin=COIN, pace=read_pace(self.ledger)))


@dataclass(frozen=True)
class Session(Connection):
    """A connection, and the key that signs."""

    key: Key

    @property
    def account(self) -> Address:
        """Whose key signs."""
        return self.key.address

    def send(self, call: Call, verb: str) -> Receipt:
        """Send a call and wait for its block.

        Raises:
            InputError: the contract refuses, in one line; or the account cannot pay.
            LedgerError: the chain cannot be reached, or no block held it in time.
        """
        try:
            return self.ledger.send(call, self.key)
        except ContractError as error:
            raise self.explain(error, verb) from None

    def tell(self, as_json: bool, said: str, **fields: Any) -> None:
        """What was done, in a line or as JSON."""
        from ostrom.report.words import count, whole

        acts = self.ledger.acts
        if as_json:
            done = [act.document() for act in acts]
            show_json({"account": self.account, "already": not acts, **fields, "acts": done})
            return
        gas = whole(sum(act.gas for act in acts))
        bill = f"{gas} gas in {count(len(acts), 'transaction')}" if acts else "nothing was sent"
        typer.echo(printable(f"{said} ({bill})"))


def connect(rpc: str, file: Path) -> Connection:
    """The model that a file names, once its contracts are checked.

    Raises:
        InputError: the file names none.
        LedgerError: the node cannot be reached, or serves another chain.
    """
    collab = read_collab(file)
    found = Connection(open_ledger(rpc, collab.chain_id), collab)
    _check(found)
    return found


def open_session(rpc: str, file: Path, keystore: Path, passphrase_file: Path | None) -> Session:
    """As `connect`, and a key that can pay for gas.

    Raises:
        InputError: what was given cannot be used.
        LedgerError: the chain cannot be reached or holds other contracts.
    """
    found = connect(rpc, file)
    key = open_key(keystore, passphrase_file)
    found.ledger.need_gas(key.address)
    return Session(found.ledger, found.collab, key)


def encoder_of(text: str, place: str | None, file: Path) -> Encoder:
    """The encoder that a canonical text names, its list or table from a store.

    Raises:
        InputError: there is no such encoder or store.
        StoreError: the store does not have it.
    """
    from ostrom.cli.stores import open_store
    from ostrom.onchain.encoders import encoder

    if "=bafk" not in text:
        return encoder(text)
    with open_store(place or str(file.parent / STORE_DEFAULT)) as store:
        return encoder(text, store)


def encode(encoder: Encoder, data: str) -> bytes:
    """The features of what a user wrote.

    Raises:
        InputError: it is nothing that the encoder takes.
    """
    from ostrom.onchain.encoders import Quantise

    if not isinstance(encoder, Quantise):
        return encoder.encode(data)
    return encoder.encode(numbers(data.replace(",", " ").split()))


def numbers(words: Sequence[str]) -> list[float]:
    """Numbers that a user wrote.

    Raises:
        InputError: one is none.

    >>> numbers(["1", "-2.5"])
    [1.0, -2.5]
    """
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"this model takes numbers with commas between them: {error}") from None


def label_of(label: int | None, connection: Connection) -> int:
    """A label that the model has now; 0 for data without labels.

    Raises:
        InputError: it has fewer, or none is given where one is needed.
    """
    from ostrom.onchain.models import KMeans

    if isinstance(connection.reference, KMeans):
        if label:
            raise InputError("k_means learns from data without labels: leave --label out")
        return 0
    classes = connection.model.classes(connection.ledger)
    if label is None or label >= classes:
        raise InputError(f"what are the data? give --label, 0 to {classes - 1}")
    return label


def _check(found: Connection) -> None:
    """Refuse other contracts at the addresses."""
    from ostrom.chain.artifacts import is_code_of
    from ostrom.chain.contracts import Contract

    ledger = found.ledger
    trainer: Contract = (
        found.market if found.collab.incentive == Incentive.MARKET else found.trainer
    )
    for contract in (found.model, trainer):
        name = type(contract).__name__
        if not is_code_of(name, ledger.code(contract.address)):
            raise InputError(f"{contract.address} is not the {name} of this version on this chain")
    if found.model.trainer(ledger) != trainer.address:
        raise InputError(f"the model {found.model.address} learns from another trainer")
    if found.model.encoder(ledger) != found.collab.encoder:
        raise InputError(f"the model {found.model.address} has another encoder than the file says")
    ledger.watch({one.address: type(one).__name__ for one in (found.model, trainer)})
