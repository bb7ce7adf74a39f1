"""Rules that look for a centre by iteration: geometric median, centred clipping.

Every centre on the way is a combination z = sum_i b_i x_i / B of the updates and of the point where
the search starts. Its distances follow from the updates' own, which are integers:

    B^2 |x_i - z|^2 = B sum_j b_j D_ij - (1/2) sum_jk b_j b_k D_jk

so that all iterations are arithmetic of integers on one (n + 1, n + 1) matrix, and the updates are
read twice however many iterations there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ostrom.aggregation.exact import (
    WEIGHT_SUM_MAX,
    Int32Matrix,
    Int64Vector,
    IntMatrix,
    int32_rows,
    mean_half_up,
    weighted_sums,
)
from ostrom.aggregation.gram import Square, squared_distances
from ostrom.aggregation.kinds import Rule, State, StatefulRule
from ostrom.errors import InputError
from ostrom.types import IntVector

ITERATIONS_MAX = 1_000
"""A spec is a stranger's text: this bounds the time that a round can take."""

Shares = list[int]
"""b_1 .. b_n of the updates and b_0, of the start, last; their sum is B."""


def geometric_median(*, iterations: int = 8, nu: float = 1e-6, fraction_bits: int) -> Rule:
    """The point of least summed distance to all updates, by the smoothed Weiszfeld algorithm.

    z_0 = 0,  z_(t+1) = sum_i b_i x_i / sum_i b_i  with  b_i = 1 / max(nu, |x_i - z_t|)

    Distances are rounded down to the model's unit over B, shares to at most 40 bits, the last z to
    nearest; all of it in integers.

    Args:
        iterations: how many steps, 1 <= iterations <= 1000.
        nu: the smoothing: nearer updates count as this far, in the model's units, > 0.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: an argument is out of range.

    >>> rows = np.array([[0], [10], [10**6]], dtype=np.int32)
    >>> geometric_median(fraction_bits=0)(rows, np.array([1, 1, 1]), {})[0].tolist()
    [10]

    Source: Pillutla et al. (2022), "Robust Aggregation for Federated Learning"; Weiszfeld (1937).
    """
    near = _units("geometric_median", iterations, fraction_bits, nu=nu)

    def step(shares: Shares, radii: list[int], precision: int) -> Shares:
        lengths = [max(radius, near * sum(shares)) for radius in radii[:-1]]
        return [*((min(lengths) << precision) // length for length in lengths), 0]

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        whole = int32_rows(rows)
        points = np.concatenate([whole, np.zeros_like(whole[:1])])
        return _search(points, step, iterations), state

    return combine


def centred_clipping(*, c: float, iterations: int = 1, fraction_bits: int) -> StatefulRule:
    """Start from the last aggregate and move by the mean of clipped differences.

    z_0 = the last aggregate,  z_(t+1) = z_t + (1/n) sum_i (x_i - z_t) min(1, c / |x_i - z_t|)

    No update moves the centre by more than c / n in a step, wherever it is. Shares are rounded down
    to at most 40 bits, the last z to nearest; all of it in integers.

    Args:
        c: the clipping radius, in the model's units, > 0.
        iterations: how many steps, 1 <= iterations <= 1000.
        fraction_bits: the pipeline's fixed point.

    Returns:
        A rule with the state "centre", (d,) int32; it counts every row once.

    Raises:
        InputError: an argument is out of range.

    >>> rows = np.array([[2], [4], [10**6]], dtype=np.int32)
    >>> rule = centred_clipping(c=6, fraction_bits=0)
    >>> delta, state = rule(rows, np.array([1, 1, 1]), rule.init(1))
    >>> delta.tolist(), state["centre"].tolist()
    ([4], [4])

    Source: Karimireddy et al. (2021), "Learning from History for Byzantine Robust Optimization".
    """
    radius = _units("centred_clipping", iterations, fraction_bits, c=c)

    def step(shares: Shares, radii: list[int], precision: int) -> Shares:
        total = sum(shares)
        one, reach = 1 << precision, radius * total
        kept = [one if r <= reach else (reach << precision) // (r + 1) for r in radii[:-1]]
        whole = len(kept) << precision
        stays = whole - sum(kept)
        moved = [share * stays // total + k for share, k in zip(shares, kept)]
        # What rounding left over stays where the search began.
        return [*moved, whole - sum(moved)]

    def combine(rows: IntMatrix, _: IntVector, state: State) -> tuple[Int64Vector, State]:
        points = np.concatenate([int32_rows(rows), state["centre"][None]])
        centre = _search(points, step, iterations)
        return centre, {**state, "centre": centre.astype(np.int32)}

    return StatefulRule(lambda d: {"centre": np.zeros(d, dtype=np.int32)}, combine)


def _search(
    points: Int32Matrix, step: Callable[[Shares, list[int], int], Shares], iterations: int
) -> Int64Vector:
    """The last centre; the search starts from the last of `points`."""
    # So that the shares sum to at most WEIGHT_SUM_MAX.
    precision = min(40, WEIGHT_SUM_MAX.bit_length() - 1 - len(points).bit_length())
    distances = squared_distances(points).astype(object)
    shares = [0] * (len(points) - 1) + [1]
    for _ in range(iterations):
        shares = step(shares, _radii(distances, shares), precision)
    return mean_half_up(weighted_sums(points, np.array(shares, dtype=np.int64)), sum(shares))


def _radii(distances: Square, shares: Shares) -> list[int]:
    """floor(B |x_i - z|) for each point."""
    held = np.array(shares, dtype=object)
    towards = distances @ held
    half = int(held @ towards) // 2
    total = sum(shares)
    return [math.isqrt(total * int(one) - half) for one in towards]


def _units(name: str, iterations: int, fraction_bits: int, **length: float) -> int:
    """A length in the fixed point's units, at least one."""
    ((argument, value),) = length.items()
    if not value > 0 or not 1 <= iterations <= ITERATIONS_MAX:
        raise InputError(
            f"{name} needs {argument} > 0 and 1 <= iterations <= {ITERATIONS_MAX}, "
            f"not {argument}={value}, iterations={iterations}"
        )
    return max(1, math.floor(Fraction(str(value)) * (1 << fraction_bits)))
