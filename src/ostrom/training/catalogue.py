"""The models by name."""

from __future__ import annotations

from collections.abc import Callable

from ostrom.errors import InputError
from ostrom.mechanisms import bind, only
from ostrom.training.models import Model, Shape, federated_net, logistic, mlp
from ostrom.training.ridge import ridge_features

MODELS: dict[str, Callable[..., Model]] = {
    "logistic": logistic,
    "mlp": mlp,
    "federated_net": federated_net,
    "ridge_features": ridge_features,
}


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
