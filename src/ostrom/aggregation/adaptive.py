"""Server optimisers: momentum, Adam, Yogi and Adagrad on the aggregate.

Answer: slow or shaky progress where few trainers answer a round or their data differ. Do not
answer: hostile updates, which the rule before them must hold off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.ridge import Floats
from ostrom.aggregation.rules import State
from ostrom.aggregation.stepping import (
    ServerStep,
    assert_fraction,
    assert_positive,
    to_integers,
    zeros,
)
from ostrom.errors import InputError

STATE_FRACTION = 2.0**16
"""The state of Adam and its kin has 16 bits behind the update's own fixed point."""

Second: TypeAlias = Callable[[Floats, Floats], Floats]
"""s^2 and the aggregate -> the next s^2."""


def server_momentum(*, beta: float, lr: float = 1.0, nesterov: int = 0) -> ServerStep:
    """Heavy-ball momentum on the server, or Nesterov's.

    m' = round(beta * m + x),  delta = round(lr * m'), or round(lr * (beta * m' + x))

    Args:
        beta: 0 <= beta < 1, how much of the past stays.
        lr: the server's learning rate, > 0.
        nesterov: 1 looks ahead, 0 does not.

    Returns:
        A server step with the state "momentum", (d,) int64 in the update's fixed point.

    Raises:
        InputError: an argument is out of range.

    >>> step = server_momentum(beta=0.5)
    >>> delta, state = step.update(np.array([8]), {"momentum": np.array([4])})
    >>> delta.tolist(), state["momentum"].tolist()
    ([10], [10])

    Source: Hsu et al. (2019), "Measuring the Effects of Non-Identical Data Distribution for
    Federated Visual Classification"; with Nesterov's: Douillard et al. (2023), "DiLoCo".
    """
    assert_fraction("server_momentum", beta=beta)
    assert_positive("server_momentum", lr=lr)
    if nesterov not in (0, 1):
        raise InputError(f"server_momentum needs nesterov to be 0 or 1, not {nesterov}")

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        momentum = state["momentum"].astype(np.float64) * beta
        momentum += x.astype(np.float64)
        rounded = to_integers(momentum)
        if lr == 1 and not nesterov:
            return rounded, {"momentum": rounded}
        ahead = rounded.astype(np.float64)
        if nesterov:
            ahead = ahead * beta + x.astype(np.float64)
        return to_integers(ahead * lr), {"momentum": rounded}

    return ServerStep(zeros("momentum"), update)


def server_adam(
    *, lr: float, beta1: float = 0.9, beta2: float = 0.99, eps: float = 1e-3, fraction_bits: int
) -> ServerStep:
    """Adam on the server, without bias correction.

    m' = beta1 m + (1 - beta1) x,  s'^2 = beta2 s^2 + (1 - beta2) x^2,  delta = lr m' / (s' + eps)

    The state holds s, not its square, which would not fit into 64 bits.

    Args:
        lr: the server's learning rate, in the model's units, > 0.
        beta1: 0 <= beta1 < 1.
        beta2: 0 <= beta2 < 1.
        eps: keeps small steps small, in the model's units, > 0.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A server step with the state "adam_mean" and "adam_scale", (d,) int64 each, with 16 more
        fraction bits than the update.

    Raises:
        InputError: an argument is out of range.

    >>> step = server_adam(lr=0.5, beta1=0, beta2=0, eps=1, fraction_bits=2)
    >>> step.update(np.array([12, -12]), step.init(2))[0].tolist()
    [2, -2]

    Source: Reddi et al. (2021), "Adaptive Federated Optimization", Algorithm 2 (FedAdam).
    """
    assert_fraction("server_adam", beta1=beta1, beta2=beta2)
    assert_positive("server_adam", lr=lr, eps=eps)

    def second(square: Floats, now: Floats) -> Floats:
        return square * beta2 + now * now * (1.0 - beta2)

    return _adaptive("adam", second, lr=lr, beta1=beta1, unit=(eps, float(1 << fraction_bits)))


def server_yogi(
    *, lr: float, beta1: float = 0.9, beta2: float = 0.99, eps: float = 1e-3, fraction_bits: int
) -> ServerStep:
    """Yogi on the server: Adam whose scale changes additively, so that it cannot jump.

    m' = beta1 m + (1 - beta1) x,  s'^2 = s^2 - (1 - beta2) x^2 sign(s^2 - x^2),
    delta = lr m' / (s' + eps)

    Args:
        lr: the server's learning rate, in the model's units, > 0.
        beta1: 0 <= beta1 < 1.
        beta2: 0 <= beta2 < 1.
        eps: keeps small steps small, in the model's units, > 0.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A server step with the state "yogi_mean" and "yogi_scale", (d,) int64 each, with 16 more
        fraction bits than the update.

    Raises:
        InputError: an argument is out of range.

    >>> step = server_yogi(lr=0.5, beta1=0, beta2=0, eps=1, fraction_bits=2)
    >>> step.update(np.array([12, -12]), step.init(2))[0].tolist()
    [2, -2]

    Source: Reddi et al. (2021), "Adaptive Federated Optimization", Algorithm 2 (FedYogi).
    """
    assert_fraction("server_yogi", beta1=beta1, beta2=beta2)
    assert_positive("server_yogi", lr=lr, eps=eps)

    def second(square: Floats, now: Floats) -> Floats:
        recent = now * now
        change = recent * (1.0 - beta2) * np.sign(square - recent)
        # What rounding leaves below zero has no root.
        return np.maximum(square - change, 0.0)

    return _adaptive("yogi", second, lr=lr, beta1=beta1, unit=(eps, float(1 << fraction_bits)))


def server_adagrad(
    *, lr: float, beta1: float = 0.0, eps: float = 1e-3, fraction_bits: int
) -> ServerStep:
    """Adagrad on the server: steps shrink with all that a coordinate has moved.

    m' = beta1 m + (1 - beta1) x,  s'^2 = s^2 + x^2,  delta = lr m' / (s' + eps)

    Args:
        lr: the server's learning rate, in the model's units, > 0.
        beta1: 0 <= beta1 < 1.
        eps: keeps small steps small, in the model's units, > 0.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A server step with the state "adagrad_mean" and "adagrad_scale", (d,) int64 each, with 16
        more fraction bits than the update.

    Raises:
        InputError: an argument is out of range.

    >>> step = server_adagrad(lr=0.5, eps=1, fraction_bits=2)
    >>> step.update(np.array([12, -12]), step.init(2))[0].tolist()
    [2, -2]

    Source: Reddi et al. (2021), "Adaptive Federated Optimization", Algorithm 2 (FedAdagrad).
    """
    assert_fraction("server_adagrad", beta1=beta1)
    assert_positive("server_adagrad", lr=lr, eps=eps)

    def second(square: Floats, now: Floats) -> Floats:
        return square + now * now

    return _adaptive("adagrad", second, lr=lr, beta1=beta1, unit=(eps, float(1 << fraction_bits)))


def _adaptive(
    name: str, second: Second, *, lr: float, beta1: float, unit: tuple[float, float]
) -> ServerStep:
    """The common form; `unit` is eps and how many integers make one of the model's units."""
    eps, one = unit
    names = (f"{name}_mean", f"{name}_scale")

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        now = x.astype(np.float64)
        mean, scale = (state[part].astype(np.float64) / STATE_FRACTION for part in names)
        mean *= beta1
        mean += now * (1.0 - beta1)
        scale = np.sqrt(second(scale * scale, now))
        delta = to_integers(mean / (scale + eps * one) * lr * one)
        kept = zip(names, (mean, scale))
        return delta, {part: to_integers(values * STATE_FRACTION) for part, values in kept}

    return ServerStep(zeros(*names), update)
