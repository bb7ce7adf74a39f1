"""The one shape of all attacks on updates, and the arithmetic that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import IntMatrix
from ostrom.errors import InputError
from ostrom.types import IntVector

Aggregate: TypeAlias = Callable[[IntMatrix], IntVector]
"""The rule under attack: rows (n + f, d), the honest ones first -> aggregate (d,)."""

Floats: TypeAlias = npt.NDArray[np.float64]


class Attack(Protocol):
    """Honest updates (n, d), what the attackers trained themselves (f, d) -> what they send.

    Rows are int32 or int64 in fixed point, and so is the answer (f, d), in the dtype of `own`.
    `aggregate` is the rule, for the attacks that search against it; the others take None.
    """

    def __call__(
        self,
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        """What each of the f attackers sends, one row each."""


def not_negative(value: float, name: str) -> None:
    """Refuse a negative argument.

    >>> not_negative(-1, "noise: by")
    Traceback (most recent call last):
    ostrom.errors.InputError: noise: by must be at least 0, not -1
    """
    if not value >= 0:
        raise InputError(f"{name} must be at least 0, not {value}")


def row(honest: IntMatrix, victim: int) -> IntVector:
    """The update of one honest trainer, counted round: their number may change in a run.

    >>> row(np.array([[1, 2], [3, 4]]), 3).tolist()
    [3, 4]
    """
    found: IntVector = honest[victim % len(honest)]
    return found


def lengths(rows: npt.NDArray[Any]) -> Floats:
    """The Euclidean length of each row (..., d), without a BLAS: the same for any thread count.

    >>> lengths(np.array([[3, 4]])).tolist()
    [5.0]
    """
    floats = rows.astype(np.float64, copy=False)
    found: Floats = np.sqrt(np.einsum("...i,...i->...", floats, floats))
    return found


def mean(rows: IntMatrix) -> Floats:
    """The plain mean (d,) of rows (n, d), from one exact sum.

    >>> mean(np.array([[1], [2]])).tolist()
    [1.5]
    """
    found: Floats = rows.sum(axis=0, dtype=np.int64) / len(rows)
    return found


def quantised(values: Floats, dtype: np.dtype[Any]) -> IntMatrix:
    """To the nearest integers that `dtype` holds.

    >>> quantised(np.array([1.6, -1e30]), np.dtype(np.int32)).tolist()
    [2, -2147483646]
    """
    # float64 cannot hold the largest int64: stay one float below the limit.
    top = np.nextafter(float(np.iinfo(dtype).max), 0)
    found: IntMatrix = np.clip(np.rint(values), -top, top).astype(dtype)
    return found


def repeated(vector: Floats, own: IntMatrix) -> IntMatrix:
    """One vector (d,) for all attackers: rows of the shape and dtype of `own`.

    >>> repeated(np.array([1.2]), np.zeros((2, 1), dtype=np.int32)).tolist()
    [[1], [1]]
    """
    return np.broadcast_to(quantised(vector, own.dtype), own.shape).copy()


def blurred(rows: IntMatrix, draws: Floats, share: float) -> IntMatrix:
    """Rows with noise of `share` of their own length, or of about one unit where that is more.

    >>> blurred(np.array([[300, 400]]), np.array([[3.0, 4.0]]), 0.1).tolist()
    [[330, 440]]
    """
    size = rows.shape[1]
    wanted = np.maximum(share * lengths(rows), np.sqrt(size))
    added = draws * (wanted / lengths(draws))[:, None]
    return quantised(rows + added, rows.dtype)
