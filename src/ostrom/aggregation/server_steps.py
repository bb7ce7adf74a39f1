"""What happens to the aggregate before it moves the model: (d,), state -> (d,), state.

A server step is a pair of pure functions, as in optax: `init` makes the state for an update's
length, `update` takes the aggregate and the state and returns the delta and the next state. The
state is integers and part of the model file. The arithmetic is element-wise float64, which
IEEE 754 fixes to the last bit, then rounded to integers, halves to even.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.ridge import Floats, solve_exactly, solve_fast, unpack_statistics
from ostrom.aggregation.rules import State
from ostrom.errors import InputError
from ostrom.types import IntVector

STATE_FRACTION = 2.0**16
"""Adam's state has 16 bits behind the update's own fixed point."""

INTEGER_LIMIT = 2.0**62
"""Rounded values are held inside +-2**62, which leaves int64 room for one addition."""

Step: TypeAlias = Callable[[Int64Vector, State], tuple[Int64Vector, State]]


class ServerStep(NamedTuple):
    """`init`: length of an update -> state. `update`: aggregate, state -> delta, state."""

    init: Callable[[int], State]
    update: Step


def server_momentum(*, beta: float, lr: float = 1.0) -> ServerStep:
    """Heavy-ball momentum on the server.

    m' = round(beta * m + x),  delta = round(lr * m')

    Args:
        beta: 0 <= beta < 1, how much of the past stays.
        lr: the server's learning rate, > 0.

    Returns:
        A server step with the state "momentum", (d,) int64 in the update's fixed point.

    Raises:
        InputError: an argument is out of range.

    >>> step = server_momentum(beta=0.5)
    >>> delta, state = step.update(np.array([8]), {"momentum": np.array([4])})
    >>> delta.tolist(), state["momentum"].tolist()
    ([10], [10])

    Source: Hsu et al. (2019), "Measuring the Effects of Non-Identical Data Distribution for
    Federated Visual Classification".
    """
    _assert_fraction("server_momentum", beta=beta)
    _assert_positive("server_momentum", lr=lr)

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        momentum = state["momentum"].astype(np.float64) * beta
        momentum += x.astype(np.float64)
        rounded = to_integers(momentum)
        delta = rounded if lr == 1 else to_integers(rounded.astype(np.float64) * lr)
        return delta, {"momentum": rounded}

    return ServerStep(lambda d: {"momentum": np.zeros(d, dtype=np.int64)}, update)


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
    _assert_fraction("server_adam", beta1=beta1, beta2=beta2)
    _assert_positive("server_adam", lr=lr, eps=eps)
    unit = float(1 << fraction_bits)

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        now = x.astype(np.float64)
        mean = state["adam_mean"].astype(np.float64) / STATE_FRACTION * beta1
        mean += now * (1.0 - beta1)
        scale = state["adam_scale"].astype(np.float64) / STATE_FRACTION
        scale = np.sqrt(scale * scale * beta2 + now * now * (1.0 - beta2))
        delta = to_integers(mean / (scale + eps * unit) * lr * unit)
        kept = {"adam_mean": mean, "adam_scale": scale}
        return delta, {name: to_integers(part * STATE_FRACTION) for name, part in kept.items()}

    names = ("adam_mean", "adam_scale")
    return ServerStep(lambda d: {name: np.zeros(d, dtype=np.int64) for name in names}, update)


def ridge_solve(
    *, features: int, classes: int, l2: float = 1.0, fraction_bits: int, exact: bool = True
) -> ServerStep:
    """The linear model that all trainers' data together would give, from their summed statistics.

    W = (X^T X + l2 I)^-1 X^T Y,  delta = round(W) - W_before

    The answer does not depend on how the data is split over trainers. Where the matrix is not
    positive definite, or W is not finite, the model stays as it is: delta = 0.

    Args:
        features: F. An update is the upper triangle of X^T X by rows, F (F + 1) / 2 integers, then
            X^T Y by rows, F K integers.
        classes: K.
        l2: added to the diagonal of X^T X, in its units, >= 0.
        fraction_bits: the fixed point of W.
        exact: False allows LAPACK, for scores that no other party recomputes.

    Returns:
        A server step with the state "ridge_solution", (F K,) int32, held inside int32.

    Raises:
        InputError: an argument is out of range, or an update has another length.

    >>> step = ridge_solve(features=1, classes=2, l2=0, fraction_bits=4)
    >>> step.update(np.array([4, 2, 8]), step.init(3))[0].tolist()
    [8, 32]

    Source: Hoerl & Kennard (1970), "Ridge Regression"; with statistics summed over trainers: Fani
    et al. (2024), "Accelerating Heterogeneous Federated Learning with Closed-form Classifiers".
    """
    if features < 1 or classes < 1 or l2 < 0:
        raise InputError("ridge_solve needs features >= 1, classes >= 1 and l2 >= 0")
    solve = solve_exactly if exact else solve_fast
    size = features * classes
    length = features * (features + 1) // 2 + size

    def init(d: int) -> State:
        if d != length:
            raise InputError(f"ridge_solve takes updates of {length} values, not {d}")
        return {"ridge_solution": np.zeros(size, dtype=np.int32)}

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        gram, moments = unpack_statistics(x, features, classes)
        gram.flat[:: features + 1] += l2
        solution = solve(gram, moments)
        before = state["ridge_solution"]
        after = before if solution is None else _fixed_point(solution, fraction_bits)
        return after.astype(np.int64) - before, {"ridge_solution": after}

    return ServerStep(init, update)


def _fixed_point(solution: Floats, fraction_bits: int) -> npt.NDArray[np.int32]:
    limits = np.iinfo(np.int32)
    scaled = np.rint(solution.ravel() * float(1 << fraction_bits))
    return np.clip(scaled, limits.min, limits.max).astype(np.int32)


def to_integers(values: Floats) -> npt.NDArray[np.int64]:
    """Round halves to even, held inside +-2**62.

    >>> to_integers(np.array([0.5, 1.5, -2e30])).tolist()
    [0, 2, -4611686018427387904]
    """
    return np.clip(np.rint(values), -INTEGER_LIMIT, INTEGER_LIMIT).astype(np.int64)


def check_state(state: State, initial: State) -> dict[str, IntVector]:
    """`state`, with zeros for what is missing.

    Raises:
        InputError: a name or a shape that the server step does not have.

    >>> check_state({}, {"momentum": np.zeros(2, dtype=np.int64)})["momentum"].tolist()
    [0, 0]
    """
    if state.keys() - initial.keys():
        kept = ", ".join(initial) or "no state"
        raise InputError(f"this pipeline keeps {kept}, not {min(state.keys() - initial.keys())!r}")
    for name, vector in state.items():
        shape, dtype = initial[name].shape, initial[name].dtype
        if vector.shape != shape or vector.dtype != dtype:
            raise InputError(f"the state {name!r} must be {dtype} of shape {shape}")
    return {**initial, **state}


def _assert_fraction(name: str, **arguments: float) -> None:
    for argument, value in arguments.items():
        if not 0 <= value < 1:
            raise InputError(f"{name} needs 0 <= {argument} < 1, not {value}")


def _assert_positive(name: str, **arguments: float) -> None:
    for argument, value in arguments.items():
        if not value > 0:
            raise InputError(f"{name} needs {argument} > 0, not {value}")


SERVER_STEPS: dict[str, Callable[..., ServerStep]] = {
    "server_momentum": server_momentum,
    "server_adam": server_adam,
    "ridge_solve": ridge_solve,
}
