"""Fine-tuning a ridge model by its own curvature, from sums that no partition can change.

Answers: label skew, down to one class per trainer. Does not answer: hostile statistics, since a sum
has no outliers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.kinds import State
from ostrom.aggregation.ridge import Floats, factor_exactly, solve_factored, unpack_statistics
from ostrom.aggregation.stepping import ServerStep, assert_fraction, assert_positive, to_integers
from ostrom.errors import InputError
from ostrom.types import IntVector

MOMENTUM_FRACTION = 2.0**16
"""The momentum has 16 bits behind the model's own fixed point."""


def ridge_tune(
    *,
    features: int,
    classes: int,
    l2: float = 1.0,
    lr: float = 0.25,
    beta: float = 0.9,
    fraction_bits: int,
) -> ServerStep:
    """Steps of the softmax loss, scaled by the inverse of the ridge's own X^T X.

    Z = (X^T X + l2 I)^-1 R,  m' = beta m + lr Z,  delta = round(m')

    X^T X comes from the ridge task that this one goes on from, as its server's state. Without it,
    or where it is not positive definite, the model stays as it is.

    Args:
        features: F.
        classes: K. An update is R = X^T (Y - softmax) by rows, F K integers in fixed point.
        l2: added to the diagonal of X^T X, in its units, >= 0.
        lr: the learning rate, > 0.
        beta: how much of the past steps stays, 0 <= beta < 1.
        fraction_bits: the fixed point of model and update.

    Returns:
        A server step with the state "ridge_gram" (F (F + 1) / 2,) int64, which stays, and
        "ridge_momentum" (F K,) int64 with 16 more fraction bits than the model.

    Raises:
        InputError: an argument is out of range, or an update has another length.

    >>> step = ridge_tune(features=1, classes=2, l2=0, lr=1, beta=0.5, fraction_bits=4)
    >>> gram = {"ridge_gram": np.array([2]), "ridge_momentum": np.array([0, 0])}
    >>> step.update(np.array([8, -8]), gram)[0].tolist()
    [4, -4]

    Source: Böhning (1992), "Multinomial Logistic Regression Algorithm", for a fixed bound in place
    of the Hessian; Polyak (1964) for momentum.
    """
    if features < 1 or classes < 1 or l2 < 0:
        raise InputError("ridge_tune needs features >= 1, classes >= 1 and l2 >= 0")
    assert_positive("ridge_tune", lr=lr)
    assert_fraction("ridge_tune", beta=beta)
    size = features * classes
    scale = MOMENTUM_FRACTION * float(1 << fraction_bits)

    def init(d: int) -> State:
        if d != size:
            raise InputError(f"ridge_tune takes updates of {size} values, not {d}")
        gram = np.zeros(features * (features + 1) // 2, dtype=np.int64)
        return {"ridge_gram": gram, "ridge_momentum": np.zeros(size, dtype=np.int64)}

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        gram = state["ridge_gram"]
        factor = _factor(gram.tobytes(), features, l2) if gram.any() else None
        moments = x.astype(np.float64).reshape(features, classes) / float(1 << fraction_bits)
        found = None if factor is None else solve_factored(factor, moments)
        if found is None:
            return np.zeros(size, dtype=np.int64), state
        past = state["ridge_momentum"].astype(np.float64)
        momentum = to_integers(past * beta + found.ravel() * (lr * scale))
        delta = to_integers(momentum.astype(np.float64) / MOMENTUM_FRACTION)
        return delta, {"ridge_gram": gram, "ridge_momentum": momentum}

    return ServerStep(init, update)


@lru_cache(maxsize=2)
def _factor(gram: bytes, features: int, l2: float) -> Floats | None:
    """The factor of X^T X + l2 I: it stays the same for a whole task, and takes long."""
    whole: IntVector = np.frombuffer(gram, dtype=np.int64)
    matrix, _ = unpack_statistics(whole, features, 0)
    matrix.flat[:: features + 1] += l2
    return factor_exactly(matrix)
