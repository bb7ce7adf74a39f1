"""Putting a model and its trainer on a chain: deploy, load, deploy, bind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call, Ledger
from ostrom.chain.wallet import Key
from ostrom.errors import InputError, LedgerError
from ostrom.onchain import models
from ostrom.onchain.contracts import (
    DensePerceptron,
    DepositRefundTake,
    KMeans,
    ModelContract,
    NaiveBayes,
    NearestCentroid,
    Points,
    SparseNearestCentroid,
    SparsePerceptron,
)
from ostrom.onchain.deposit_refund_take import Rules
from ostrom.onchain.market_contract import Market
from ostrom.onchain.models.model import Model
from ostrom.types import Address

S = TypeVar("S")

WORD_BYTES = 32
LOAD_WORDS = 256
"""Words of a state in one transaction: 6 million gas, 8 KiB."""

_CLASSES: Mapping[type, type[ModelContract]] = {
    models.NaiveBayes: NaiveBayes,
    models.Centroid: NearestCentroid,
    models.SparseCentroid: SparseNearestCentroid,
}


def deploy_model(
    ledger: Ledger, key: Key, model: Model[S], *, state: S, encoder: str
) -> ModelContract:
    """A model on the chain, in that state and not yet bound; `key` is its deployer.

    Raises:
        InputError: no contract of this house is that model.
        LedgerError: the chain cannot be reached, or the contract refuses.
    """
    classes, features = model.classes(state), model.features(state)
    contract, arguments = _constructor(model, classes, features)
    deployed = contract(create(ledger, key, contract.__name__, *arguments, encoder))
    # Words that are as those of a new model need no gas.
    blank = model.dump(model.start(classes, features))
    words, page = model.dump(state), LOAD_WORDS * WORD_BYTES
    for at in range(0, len(words), page):
        if words[at : at + page] != blank[at : at + page]:
            call = deployed.load(at // WORD_BYTES, words[at : at + page])
            ledger.send(call, key)
    return deployed


def deploy_deposit_refund_take(
    ledger: Ledger, key: Key, model: ModelContract, *, rules: Rules
) -> DepositRefundTake:
    """A trainer with deposits for a model of the same deployer, which is bound to it."""
    waits = (rules.refund_wait, rules.owner_wait, rules.any_wait)
    address = create(ledger, key, "DepositRefundTake", model.address, rules.base, *waits)
    ledger.send(model.bind(address), key)
    return DepositRefundTake(address)


def deploy_points(ledger: Ledger, key: Key, model: ModelContract, *, wait: int = 0) -> Points:
    """A trainer with points for a model of the same deployer, which is bound to it."""
    address = create(ledger, key, "Points", model.address, wait)
    ledger.send(model.bind(address), key)
    return Points(address)


def deploy_market(ledger: Ledger, key: Key, model: ModelContract) -> Market:
    """A market of `key` for a model of the same deployer, which is bound to it."""
    address = create(ledger, key, "Market", model.address)
    ledger.send(model.bind(address), key)
    return Market(address)


def create(ledger: Ledger, key: Key, contract: str, *args: object) -> Address:
    """The address of a new contract.

    Raises:
        LedgerError: the chain does not say where it is.
    """
    created = ledger.send(Call(contract, NOWHERE, CONSTRUCTOR, args), key).created
    if created is None:
        raise LedgerError(f"the chain does not say where it put {contract}")
    return created


def _constructor(
    model: Model[Any], classes: int, features: int
) -> tuple[type[ModelContract], tuple[object, ...]]:
    """The contract of a model and what its constructor takes before the encoder."""
    if isinstance(model, models.Perceptron):
        shape = (classes, features, model.one, model.bits, model.averaged)
        return (SparsePerceptron if model.sparse else DensePerceptron), (shape,)
    if isinstance(model, models.KMeans):
        return KMeans, (classes, features, model.limit)
    found = _CLASSES.get(type(model))
    if found is None:
        raise InputError(f"{type(model).__name__} has no contract: choose a model of MODELS")
    return found, (classes, features)
