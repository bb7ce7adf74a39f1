"""The models and local algorithms by name."""

from __future__ import annotations

from collections.abc import Callable

from ostrom.errors import InputError
from ostrom.mechanisms import bind, only
from ostrom.training.gradient import (
    diloco,
    fedavg,
    fedlc,
    fednova,
    fedprox,
    fedrs,
    momentum_sgd,
)
from ostrom.training.local import LocalAlgorithm
from ostrom.training.lora import lora
from ostrom.training.models import Model, Shape, federated_net, lenet, logistic, mlp
from ostrom.training.natural import natural
from ostrom.training.ridge import ridge, ridge_features, ridge_tuning
from ostrom.training.stateful import ditto, feddyn, personal_head, scaffold
from ostrom.training.transformer import transformer

MODELS: dict[str, Callable[..., Model]] = {
    "logistic": logistic,
    "mlp": mlp,
    "federated_net": federated_net,
    "lenet": lenet,
    "ridge_features": ridge_features,
    "transformer": transformer,
}

LOCAL_ALGORITHMS: dict[str, Callable[..., LocalAlgorithm]] = {
    "fedavg": fedavg,
    "fedprox": fedprox,
    "fednova": fednova,
    "scaffold": scaffold,
    "feddyn": feddyn,
    "fedlc": fedlc,
    "fedrs": fedrs,
    "momentum_sgd": momentum_sgd,
    "diloco": diloco,
    "personal_head": personal_head,
    "ditto": ditto,
    "lora": lora,
    "ridge": ridge,
    "ridge_tuning": ridge_tuning,
    "natural": natural,
}


def local_algorithm(text: str) -> LocalAlgorithm:
    """The local algorithm that a mechanism text names.

    Raises:
        InputError: the text names none of `LOCAL_ALGORITHMS`, or an argument is out of range.

    >>> local_algorithm("fedprox(mu=0.1)").text
    'fedprox(batch=32,epochs=1,lr=0.05,momentum=0.9,mu=0.1,schedule=constant)'
    """
    return bind(LOCAL_ALGORITHMS, only(text))()


def build_model(text: str, *, shape: Shape, classes: int) -> Model:
    """The model that a mechanism text names, for examples of `shape`.

    Raises:
        InputError: the text names no model of `MODELS`, or the model cannot take that shape.

    >>> build_model("mlp(hidden=64)", shape=(28, 28), classes=10).parameters
    50890
    """
    if classes < 2:
        raise InputError(f"a model needs at least 2 classes, not {classes}")
    return bind(MODELS, only(text))(shape, classes)
