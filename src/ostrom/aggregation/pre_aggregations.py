"""What happens to updates before a rule combines them: (n, d), (n,) -> (m, d), (m,).

| name | threat it answers | what it does not |
|---|---|---|
| norm_clip(c) | scaled updates | many small colluding ones |
| nnm(f) | honest updates so unlike that a robust rule errs (label skew), mimicry | f >= n/2 |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import (
    Int32Matrix,
    IntMatrix,
    canonical_order,
    divide_half_up,
    int32_rows,
    norm_squared,
    squared_distances,
    sum_selected,
)
from ostrom.errors import InputError
from ostrom.types import IntVector

PreAggregation: TypeAlias = Callable[[IntMatrix, IntVector], tuple[IntMatrix, IntVector]]
"""(n, d) updates, (n,) weights -> (m, d) updates, (m,) weights."""


def norm_clip(*, c: float, fraction_bits: int) -> PreAggregation:
    """Shrink updates that are longer than c.

    x_i' = x_i * min(1, c / |x_i|), rounded towards zero, so that |x_i'| <= c holds exactly

    Args:
        c: the largest Euclidean norm, in the model's units.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A pre-aggregation that keeps the number of rows and the weights.

    Raises:
        InputError: c is not positive.

    >>> rows = np.array([[3, 4], [30, -40]], dtype=np.int32)
    >>> norm_clip(c=5, fraction_bits=0)(rows, np.array([1, 1]))[0].tolist()
    [[3, 4], [3, -4]]

    Source: Sun et al. (2019), "Can You Really Backdoor Federated Learning?"
    """
    if not c > 0:
        raise InputError(f"norm_clip needs c > 0, not {c}")
    bound = math.floor(Fraction(str(c)) * (1 << fraction_bits))

    def clip(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        return np.stack([_clip_row(row, bound) for row in int32_rows(rows)]), weights

    return clip


def _clip_row(row: npt.NDArray[np.int32], bound: int) -> npt.NDArray[np.int32]:
    squared = norm_squared(row)
    if squared <= bound * bound:
        return row
    norm = np.uint64(math.isqrt(squared - 1) + 1)
    # |x| <= 2**31 and bound < norm < 2**47, so that this long division stays inside uint64.
    size = np.abs(row.astype(np.int64)).astype(np.uint64)
    scale, half = np.uint64(bound), np.uint64(16)
    high, rest = np.divmod((size >> half) * scale, norm)
    low = ((rest << half) + (size & np.uint64(0xFFFF)) * scale) // norm
    clipped = ((high << half) + low).astype(np.int64)
    return np.where(row < 0, -clipped, clipped).astype(np.int32)


def nnm(*, f: int) -> PreAggregation:
    """Nearest-neighbour mixing: replace each update by the mean of its n - f nearest.

    x_i' = (1 / (n - f)) * sum of the n - f updates nearest to x_i (itself among them)

    Distances are exact; ties go to the smaller content; means round to nearest, halves upwards.
    With few updates f is reduced to (n - 1) // 2. Weights stay with their row.

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A pre-aggregation that keeps the number of rows and puts them in order of content.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[0], [2], [900]], dtype=np.int32)
    >>> nnm(f=1)(rows, np.array([1, 1, 1]))[0].tolist()
    [[1], [1], [451]]

    Source: Allouah et al. (2023), "Fixing by Mixing: A Recipe for Optimal Byzantine ML
    under Heterogeneity".
    """
    if f < 0:
        raise InputError(f"nnm needs f >= 0, not {f}")

    def mix(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        whole = int32_rows(rows)
        order = canonical_order(whole, weights)
        whole = whole[order]
        keep = len(whole) - min(f, (len(whole) - 1) // 2)
        return _mix(whole, squared_distances(whole), keep), weights[order]

    return mix


def _mix(rows: Int32Matrix, distances: npt.NDArray[Any], keep: int) -> Int32Matrix:
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :keep]
    chosen = np.zeros(distances.shape, dtype=np.bool_)
    np.put_along_axis(chosen, nearest, True, axis=1)
    return divide_half_up(sum_selected(rows, chosen), keep).astype(np.int32)


PRE_AGGREGATIONS: dict[str, Callable[..., PreAggregation]] = {"norm_clip": norm_clip, "nnm": nnm}
