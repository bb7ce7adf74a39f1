"""Local algorithms by gradient descent that keep nothing, or their optimiser's memory alone.

Each takes the arguments of `ostrom.training.lockstep.COMMON` beside its own: `epochs`, `lr`,
`batch`, `momentum` and `schedule` (`ostrom.training.schedules`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ostrom.errors import InputError
from ostrom.tensors import FRACTION_BITS
from ostrom.training.descent import AdamW, Descent, FloatVector, Outcome, Terms, Trainer
from ostrom.training.local import LocalAlgorithm, State, fixed_point, model_layout
from ostrom.training.lockstep import by_gradient, descents
from ostrom.training.models import Model, Shape
from ostrom.types import IntVector

EPOCH_STEPS = 32
"""FedNova counts steps in units of epochs of so many, which keeps its integers near fedavg's."""

MISSING = -1e4
"""The logit offset of a class that a trainer does not hold: its share is exactly zero."""

FINE = float(1 << 36)
"""AdamW's memory has 16 bits behind the update's fixed point, since squares are small."""


@by_gradient()
def fedavg(descent: Descent, /) -> LocalAlgorithm:
    """Local gradient descent.

    v <- momentum * v + grad f_i(w),  w <- w - lr * v

    Args:
        epochs: how often it goes through its data.
        lr: the learning rate, > 0.
        batch: examples per step.
        momentum: 0 <= momentum < 1.
        schedule: the learning rate by round, as in `warmup-5+cosine-50`.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32.

    Raises:
        InputError: an argument is out of range.

    >>> fedavg(lr=0.1).text
    'fedavg(batch=32,epochs=1,lr=0.1,momentum=0.9,schedule=constant)'

    Source: McMahan et al. (2017), "Communication-Efficient Learning of Deep Networks from
    Decentralized Data".
    """
    return descents(descent)


@by_gradient()
def fedprox(descent: Descent, /, *, mu: float = 0.01) -> LocalAlgorithm:
    """`fedavg` with a pull towards the round's model, so that skewed trainers drift less.

    f_i(w) + mu / 2 * |w - w_0|^2

    Args:
        mu: the strength of the pull, >= 0.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32.

    Raises:
        InputError: an argument is out of range.

    >>> fedprox(mu=0.1).text
    'fedprox(batch=32,epochs=1,lr=0.05,momentum=0.9,mu=0.1,schedule=constant)'

    Source: Li et al. (2020), "Federated Optimization in Heterogeneous Networks".
    """
    return descents(replace(descent, proximal=mu))


@by_gradient()
def fednova(descent: Descent, /) -> LocalAlgorithm:
    """`fedavg` normalised by how far its steps reach, so that more steps are not more votes.

    update = (unit * (w - w_0) / a_i, a_i / unit),  a_i = lr-weight of trainer i's gradients

    `unit` is that of `epochs` times 32 steps, equal for all; the server step `fednova` multiplies
    the mean of one by the mean of the other, so that it cancels.

    Returns:
        A local algorithm whose update is d + 1 integers, int32; server step `fednova`.

    Raises:
        InputError: an argument is out of range.

    >>> from ostrom.training.models import logistic
    >>> model = logistic((2,), 3)
    >>> fednova().length(model), fednova().server(model)
    (10, 'fednova')

    Source: Wang et al. (2020), "Tackling the Objective Inconsistency Problem in Heterogeneous
    Federated Optimization".
    """
    unit = EPOCH_STEPS * descent.epochs / (1 - descent.momentum)

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        steps = descent.weight_of_gradients(outcome.steps) / unit
        whole = outcome.moved.astype(np.float64) / float(1 << FRACTION_BITS)
        return fixed_point(np.append(whole / steps, steps)), trainer.state

    return descents(
        replace(descent, finish=finish), layout=_one_more, server=lambda model: "fednova"
    )


def _one_more(model: Model) -> tuple[Shape, ...]:
    return (*model_layout(model), (1,))


@by_gradient()
def fedlc(descent: Descent, /, *, tau: float = 0.5) -> LocalAlgorithm:
    """`fedavg` with logits calibrated by how often a trainer sees each class.

    loss = cross-entropy of f_k(x) - tau * n_k^(-1/4),  n_k: the trainer's examples of class k

    Rare classes get a wider margin; a class that the trainer does not hold drops out of its
    softmax, so that it is not pushed down. With one class alone nothing is left to learn.

    Args:
        tau: the calibration's strength, >= 0.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32.

    Raises:
        InputError: an argument is out of range.

    >>> fedlc(tau=1.0).text
    'fedlc(batch=32,epochs=1,lr=0.05,momentum=0.9,schedule=constant,tau=1)'

    Source: Zhang et al. (2022), "Federated Learning with Label Distribution Skew via Logits
    Calibration".
    """
    if not tau >= 0:
        raise InputError(f"fedlc needs tau >= 0, not {tau}")

    def begin(trainer: Trainer) -> Terms:
        counts = _counts(trainer)
        margins = -tau * np.maximum(counts, 1) ** -0.25
        return Terms(offsets=np.where(counts > 0, margins, MISSING).astype(np.float32))

    return descents(replace(descent, begin=begin))


@by_gradient()
def fedrs(descent: Descent, /, *, alpha: float = 0.5) -> LocalAlgorithm:
    """`fedavg` with a restricted softmax: logits of classes that a trainer lacks count less.

    loss = cross-entropy of s_k * f_k(x),  s_k = alpha where the trainer lacks class k, else 1

    Args:
        alpha: 0 <= alpha <= 1; 1 is `fedavg`.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32.

    Raises:
        InputError: an argument is out of range.

    >>> fedrs(alpha=0.9).text
    'fedrs(alpha=0.9,batch=32,epochs=1,lr=0.05,momentum=0.9,schedule=constant)'

    Source: Li & Zhan (2021), "FedRS: Federated Learning with Restricted Softmax for Label
    Distribution Non-IID Data".
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"fedrs needs 0 <= alpha <= 1, not {alpha}")

    def begin(trainer: Trainer) -> Terms:
        held = _counts(trainer) > 0
        return Terms(scales=np.where(held, 1.0, alpha).astype(np.float32))

    return descents(replace(descent, begin=begin))


def _counts(trainer: Trainer) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.bincount(trainer.data.y, minlength=trainer.model.classes)


@by_gradient("epochs", "momentum", lr=0.1)
def momentum_sgd(descent: Descent, /, *, beta: float = 0.9, steps: int = 1) -> LocalAlgorithm:
    """A few steps along the trainer's own momentum, which outlives the round.

    m <- beta * m + (1 - beta) * grad f_i(w),  w <- w - lr * m

    Averages over rounds are less noisy than one batch, so that a robust rule can tell an honest
    trainer from a hostile one that hides in the noise.

    Args:
        beta: 0 <= beta < 1, how much of the past stays.
        steps: steps a round; 1 is distributed gradient descent.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32; it keeps "momentum",
        (d,) int32.

    Raises:
        InputError: an argument is out of range.

    >>> momentum_sgd(batch=25).text
    'momentum_sgd(batch=25,beta=0.9,lr=0.1,schedule=constant,steps=1)'

    Source: Karimireddy et al. (2021), "Learning from History for Byzantine Robust Optimization".
    """
    _check_steps("momentum_sgd", steps)

    def begin(trainer: Trainer) -> Terms:
        return Terms(velocity=_read(trainer, "momentum", float(1 << FRACTION_BITS)))

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        return outcome.moved, {"momentum": fixed_point(outcome.velocity)}

    return descents(
        replace(descent, momentum=beta, damping=beta, steps=steps, begin=begin, finish=finish)
    )


@by_gradient("epochs", "momentum", lr=0.001)
def diloco(descent: Descent, /, *, steps: int = 100, weight_decay: float = 0.1) -> LocalAlgorithm:
    """Many steps of AdamW between rounds; the server takes their mean as a gradient of its own.

    m <- 0.9 m + 0.1 g,  s <- 0.99 s + 0.01 g^2,
    w <- (1 - lr * weight_decay) * w - lr * m' / (sqrt(s') + 1e-8),  m', s' without their bias

    Args:
        steps: AdamW's steps a round.
        weight_decay: >= 0.

    Returns:
        A local algorithm whose update is the change of the model, (d,) int32; it keeps AdamW's
        "mean" and "scale", (d,) int64 with 16 more fraction bits, and "steps", (1,) int64. Server
        step `server_momentum(beta=0.9,lr=0.7,nesterov=1)`.

    Raises:
        InputError: an argument is out of range.

    >>> diloco(steps=20).text
    'diloco(batch=32,lr=0.001,schedule=constant,steps=20,weight_decay=0.1)'

    Source: Douillard et al. (2023), "DiLoCo: Distributed Low-Communication Training of Language
    Models". A "scale" is the root of s.
    """
    _check_steps("diloco", steps)

    def begin(trainer: Trainer) -> Terms:
        taken = trainer.state.get("steps")
        return Terms(
            velocity=_read(trainer, "mean", FINE),
            second=_read(trainer, "scale", FINE) ** 2,
            taken=0 if taken is None else int(taken[0]),
        )

    def finish(trainer: Trainer, outcome: Outcome) -> tuple[IntVector, State]:
        assert outcome.second is not None
        taken = trainer.state.get("steps", np.zeros(1, np.int64))
        return outcome.moved, {
            "mean": _fine(outcome.velocity),
            "scale": _fine(np.sqrt(outcome.second)),
            "steps": taken + outcome.steps,
        }

    adamw = AdamW(beta2=0.99, decay=weight_decay)
    made = replace(descent, momentum=0.0, steps=steps, adamw=adamw, begin=begin, finish=finish)
    return descents(made, server=lambda model: "server_momentum(beta=0.9,lr=0.7,nesterov=1)")


def _read(trainer: Trainer, name: str, unit: float) -> FloatVector:
    """A kept vector as floats, zeros before the first round."""
    kept = trainer.state.get(name)
    if kept is None:
        return np.zeros(trainer.model.parameters, np.float32)
    return (kept / unit).astype(np.float32)


def _fine(values: FloatVector) -> IntVector:
    return np.rint(values.astype(np.float64) * FINE).astype(np.int64)


def _check_steps(name: str, steps: int) -> None:
    if steps < 1:
        raise InputError(f"{name} needs steps >= 1, not {steps}")
