"""Local algorithms whose trainers keep something between rounds: corrections, or a model.

What they keep is fixed-point integers by name, so that a trainer can store it, prove it and take it
up after a restart. Each takes the arguments of `ostrom.training.lockstep.COMMON` beside its own.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ostrom.errors import InputError
from ostrom.tensors import add_saturating, dequantise
from ostrom.training.descent import Descent, Outcome, Terms, Trainer
from ostrom.training.local import LocalAlgorithm, State, model_layout
from ostrom.training.lockstep import by_gradient, descents
from ostrom.training.models import Model, Shape
from ostrom.types import IntVector

INT32 = np.iinfo(np.int32)


@by_gradient(momentum=0.0)
def scaffold(descent: Descent, /) -> LocalAlgorithm:
    """Gradient descent corrected by control variates, so that trainers do not drift apart.

    w <- w - lr * (grad f_i(w) - c_i + c),  c_i' = c_i - c + (w_0 - w) / (lr * a_i)

    c is the server's control, a_i the number of steps (more, with momentum). Controls are integers:
    a trainer's is the sum of the control changes that it has sent, bit by bit.

    Returns:
        A local algorithm whose update is (w - w_0, c_i' - c_i), 2 d integers, int32; it keeps
        "control", (d,) int32. Server step `scaffold`.

    Raises:
        InputError: an argument is out of range.

    >>> from ostrom.training.models import logistic
    >>> model = logistic((2,), 3)
    >>> scaffold().length(model), scaffold().server(model)
    (18, 'scaffold')

    Source: Karimireddy et al. (2020), "SCAFFOLD: Stochastic Controlled Averaging for Federated
    Learning" (option II). Does not answer: a control variate that lies.
    """

    def begin(trainer: Trainer) -> Terms:
        gap = _held(_server_control(trainer) - _kept(trainer, "control"))
        return Terms(correction=dequantise(gap))

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        reach = outcome.lr * descent.weight_of_gradients(outcome.steps)
        mean_gradient = np.rint(outcome.moved / -reach).astype(np.int64)
        before = _kept(trainer, "control")
        after = _held(before - _server_control(trainer) + mean_gradient)
        change = _held(after.astype(np.int64) - before)
        kept = (before + change).astype(np.int32)
        return np.concatenate([outcome.moved, change]), {"control": kept}

    passes = replace(descent, begin=begin, finish=finish)
    return descents(passes, layout=_twice, server=lambda model: "scaffold")


def _twice(model: Model) -> tuple[Shape, ...]:
    return model_layout(model) * 2


def _server_control(trainer: Trainer) -> IntVector:
    control = trainer.start.server.get("control")
    return np.zeros(trainer.model.parameters, np.int64) if control is None else control


def _kept(trainer: Trainer, name: str) -> IntVector:
    """A vector that the trainer keeps, as int64; zeros before the first round."""
    kept = trainer.state.get(name)
    if kept is None:
        return np.zeros(trainer.model.parameters, np.int64)
    return kept.astype(np.int64)


def _held(values: IntVector) -> IntVector:
    return np.clip(values, INT32.min, INT32.max).astype(np.int32)


@by_gradient(momentum=0.0)
def feddyn(descent: Descent, /, *, alpha: float = 0.01) -> LocalAlgorithm:
    """Gradient descent on a loss whose minimum, summed over trainers, is that of all data.

    f_i(w) + alpha * <m_i, w> + alpha / 2 * |w - w_0|^2,  m_i' = m_i + (w - w_0)

    m_i is the sum of all that the trainer has moved: in the paper's terms -grad / alpha.

    Args:
        alpha: the strength of both terms, > 0.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32; it keeps "moved",
        (d,) int64. Server step `feddyn`.

    Raises:
        InputError: an argument is out of range.

    >>> feddyn(alpha=0.1).text
    'feddyn(alpha=0.1,batch=32,epochs=1,lr=0.05,momentum=0,schedule=constant)'

    Source: Acar et al. (2021), "Federated Learning Based on Dynamic Regularization".
    """
    if not alpha > 0:
        raise InputError(f"feddyn needs alpha > 0, not {alpha}")

    def begin(trainer: Trainer) -> Terms:
        moved = dequantise(_kept(trainer, "moved"))
        return Terms(correction=moved * np.float32(alpha))

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        return outcome.moved, {"moved": _kept(trainer, "moved") + outcome.moved}

    passes = replace(descent, proximal=alpha, begin=begin, finish=finish)
    return descents(passes, server=lambda model: "feddyn")


@by_gradient()
def personal_head(descent: Descent, /, *, head_epochs: int = 0) -> LocalAlgorithm:
    """The last layer stays at the trainer; the layers below it are learned together.

    w = (body, head_i); the update is (body' - body, 0)

    Args:
        head_epochs: 0 trains body and head at once (FedPer); above 0, first the head alone for so
            many epochs, then the body alone (FedRep).

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32, zero in its last
        layer; it keeps "head", (h,) int32. A trainer's own model has its own head.

    Raises:
        InputError: an argument is out of range, or the model has a single layer.

    >>> personal_head(epochs=2).text
    'personal_head(batch=32,epochs=2,head_epochs=0,lr=0.05,momentum=0.9,schedule=constant)'

    Source: Arivazhagan et al. (2019), "Federated Learning with Personalization Layers"; Collins
    et al. (2021), "Exploiting Shared Representations for Personalized Federated Learning".
    """
    if head_epochs < 0:
        raise InputError(f"personal_head needs head_epochs >= 0, not {head_epochs}")

    def begin(which: str, trainer: Trainer) -> Terms:
        mask = None
        if which:
            mask = np.zeros(trainer.model.parameters, np.float32)
            mask[body_length(trainer.model) :] = 1
            mask = mask if which == "head" else 1 - mask
        own = _own_head(trainer.model, trainer.start.parameters, trainer.state)
        return Terms(origin=own, mask=mask)

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        place = body_length(trainer.model)
        own = _own_head(trainer.model, trainer.start.parameters, trainer.state)
        values = outcome.moved.copy()
        values[place:] = 0
        return values, {"head": add_saturating(own[place:], outcome.moved[place:])}

    def one(which: str, epochs: int) -> Descent:
        start = lambda trainer: begin(which, trainer)  # noqa: E731
        return replace(descent, epochs=epochs, begin=start, finish=finish)

    both = [one("", descent.epochs)]
    apart = [one("head", max(1, head_epochs)), one("body", descent.epochs)]
    return descents(*(apart if head_epochs else both), personal=_own_head)


def body_length(model: Model) -> int:
    """The number of parameters below the last layer.

    >>> from ostrom.training.models import mlp
    >>> body_length(mlp((2,), 3, hidden=4))
    12
    """
    last = list(model.tensors)[-1].rpartition(".")[0]
    below = [shape for name, shape in model.tensors.items() if name.rpartition(".")[0] != last]
    if not below:
        raise InputError(f"personal_head needs a model of two layers or more, not {model.text}")
    return sum(math.prod(shape) for shape in below)


def _own_head(model: Model, parameters: IntVector, state: State) -> IntVector:
    place = body_length(model)
    return np.concatenate([parameters[:place], state.get("head", parameters[place:])])


@by_gradient()
def ditto(descent: Descent, /, *, proximity: float = 0.1) -> LocalAlgorithm:
    """`fedavg`, and beside it a model of the trainer's own that stays near the global one.

    v <- v - lr * (grad f_i(v) + proximity * (v - w_0))

    Args:
        proximity: the paper's lambda, >= 0; 0 trains the own model alone.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32; it keeps "model",
        (d,) int32, the trainer's own.

    Raises:
        InputError: an argument is out of range.

    >>> ditto(epochs=2).text
    'ditto(batch=32,epochs=2,lr=0.05,momentum=0.9,proximity=0.1,schedule=constant)'

    Source: Li et al. (2021), "Ditto: Fair and Robust Federated Learning Through Personalization".
    """

    def begin(trainer: Trainer) -> Terms:
        return Terms(origin=_own_model(trainer.model, trainer.start.parameters, trainer.state))

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[None, State]:
        before = _own_model(trainer.model, trainer.start.parameters, trainer.state)
        return None, {"model": add_saturating(before, outcome.moved)}

    own = replace(descent, proximal=proximity, begin=begin, finish=finish)
    return descents(descent, own, personal=_own_model)


def _own_model(model: Model, parameters: IntVector, state: State) -> IntVector:
    return state.get("model", parameters)
