"""The server steps by name, and the one that solves for a model.

What a server step is stands in `ostrom.aggregation.stepping`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.adaptive import (
    server_adagrad,
    server_adam,
    server_momentum,
    server_yogi,
)
from ostrom.aggregation.companions import feddyn, fednova, scaffold
from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.natural import natural_step
from ostrom.aggregation.ridge import Floats, solve_exactly, solve_fast, unpack_statistics
from ostrom.aggregation.rules import State
from ostrom.aggregation.stepping import ServerStep, check_state, to_integers
from ostrom.aggregation.tuning import ridge_tune
from ostrom.errors import InputError

__all__ = ["SERVER_STEPS", "ServerStep", "check_state", "ridge_solve", "to_integers"]


def ridge_solve(
    *,
    features: int,
    classes: int,
    l2: float = 1.0,
    keep: int = 0,
    fraction_bits: int,
    exact: bool = True,
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
        keep: 1 keeps X^T X in the model file, for a task that goes on with `ridge_tune`.
        fraction_bits: the fixed point of W.
        exact: False allows LAPACK, for scores that no other party recomputes.

    Returns:
        A server step with the state "ridge_solution", (F K,) int32, held inside int32, and with
        `keep` "ridge_gram", (F (F + 1) / 2,) int64.

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
        solution = {"ridge_solution": np.zeros(size, dtype=np.int32)}
        gram = np.zeros(length - size, dtype=np.int64)
        return solution | ({"ridge_gram": gram} if keep else {})

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        gram, moments = unpack_statistics(x, features, classes)
        gram.flat[:: features + 1] += l2
        solution = solve(gram, moments)
        before = state["ridge_solution"]
        after = before if solution is None else _fixed_point(solution, fraction_bits)
        kept = {"ridge_gram": x[: length - size]} if keep else {}
        return after.astype(np.int64) - before, {"ridge_solution": after, **kept}

    return ServerStep(init, update)


def _fixed_point(solution: Floats, fraction_bits: int) -> npt.NDArray[np.int32]:
    limits = np.iinfo(np.int32)
    scaled = np.rint(solution.ravel() * float(1 << fraction_bits))
    return np.clip(scaled, limits.min, limits.max).astype(np.int32)


SERVER_STEPS: dict[str, Callable[..., ServerStep]] = {
    "server_momentum": server_momentum,
    "server_adam": server_adam,
    "server_yogi": server_yogi,
    "server_adagrad": server_adagrad,
    "scaffold": scaffold,
    "fednova": fednova,
    "feddyn": feddyn,
    "ridge_solve": ridge_solve,
    "ridge_tune": ridge_tune,
    "natural_step": natural_step,
}
