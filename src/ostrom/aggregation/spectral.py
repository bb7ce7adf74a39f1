"""The rule that looks for the updates of least variance in any direction.

Eigenvalues are irrational, and two machines' LAPACK need not agree on the last bits. Floats only
discard sets that are worse by far more than they can err; what is left, nearly always one set, is
compared by integers.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.distances import mean_of_chosen
from ostrom.aggregation.gram import Square
from ostrom.aggregation.kinds import Rule
from ostrom.aggregation.tiles import Floats
from ostrom.errors import InputError

SETS_MAX = 1 << 16
"""Sets compared at once; where there would be more, updates are first left out one by one."""

MARGIN = 2.0**-24
"""Far more than the relative error of a float64 eigenvalue, which is below n**2 * 2**-50."""

Masks: TypeAlias = npt.NDArray[np.bool_]
"""(k, n): k sets of rows."""


def smea(*, f: int) -> Rule:
    """The mean of the n - f updates whose covariance has the smallest largest eigenvalue.

    delta = mean of S, where S has n - f updates and the smallest lambda_max of sum over S of
            (x_i - mean_S)(x_i - mean_S)^T

    Eigenvalues are compared exactly, 2 (n - f)^2 lambda_max rounded up to an integer; of equals,
    the set that is first in order of content is taken. Where there are more than 65,536 sets,
    updates are left out one by one, each time the one without which the eigenvalue is smallest,
    until there are not. With few updates f is reduced to (n - 1) // 2.

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A rule that keeps no state and counts every row once.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[0], [1], [2], [3], [10**6]], dtype=np.int32)
    >>> smea(f=2)(rows, np.ones(5, dtype=np.int64), {})[0].tolist()
    [1]

    Source: El Mhamdi et al. (2021), "Collaborative Learning in the Jungle"; Allouah et al. (2023),
    "Robust Distributed Learning: Tight Error Bounds and Breakdown Point under Data Heterogeneity".
    """
    if f < 0:
        raise InputError(f"smea needs f >= 0, not {f}")
    return mean_of_chosen(lambda distances: least_spread(distances, f))


def least_spread(distances: Square, f: int) -> list[int]:
    """The n - f rows of smallest largest eigenvalue, the first such set in lexicographic order.

    >>> far = np.array([[0, 1, 400], [1, 0, 361], [400, 361, 0]])
    >>> least_spread(far, 1)
    [0, 1]
    """
    left = list(range(len(distances)))
    gone = min(f, (len(left) - 1) // 2)
    while gone and math.comb(len(left), gone) > SETS_MAX:
        left = [left[i] for i in _best(distances[np.ix_(left, left)], 1)]
        gone -= 1
    return [left[i] for i in _best(distances[np.ix_(left, left)], gone)]


def _best(distances: Square, f: int) -> list[int]:
    n = len(distances)
    if f == 0 or not distances.any():
        return list(range(n - f))
    masks = _distinct_sets(distances, f)
    scale = float(distances.max())
    between = distances.astype(np.float64) / scale
    lower = _rayleigh(between, masks)
    upper = _eigenvalues(between, masks[[int(lower.argmin())]])[0]
    masks = masks[lower <= upper * (1 + MARGIN)]
    values = _eigenvalues(between, masks)
    best = values.min()
    sets = [np.flatnonzero(mask).tolist() for mask in masks[values <= best * (1 + MARGIN)]]
    if len(sets) == 1:
        return list(sets[0])
    guess = 2 * (n - f) ** 2 * Fraction(float(best)) * Fraction(scale)
    exact = [_rounded_up(distances[np.ix_(chosen, chosen)], guess) for chosen in sets]
    return min(zip(exact, sets))[1]


def _distinct_sets(distances: Square, f: int) -> Masks:
    """All sets of n - f rows in lexicographic order; of equal rows the last ones go first."""
    n = len(distances)
    gone = np.array(list(combinations(range(n), f)), dtype=np.intp)[::-1]
    masks = np.ones((len(gone), n), dtype=np.bool_)
    np.put_along_axis(masks, gone, False, axis=1)
    # Rows in order of content: equal ones are neighbours.
    equal = np.flatnonzero(distances.diagonal(1) == 0)
    fair = ~(~masks[:, equal] & masks[:, equal + 1]).any(axis=1)
    chosen: Masks = masks[fair]
    return chosen


def _rayleigh(distances: Floats, masks: Masks) -> Floats:
    """Lower bounds on each set's largest eigenvalue, from a few steps of the power method."""
    part = masks.astype(np.float64)
    count = part.sum(axis=1, keepdims=True)
    vector = part * np.linspace(1.0, 2.0, len(distances))
    bound = np.zeros(len(masks))
    for _ in range(6):
        vector = _centred(vector, part, count)
        size = np.sqrt((vector * vector).sum(axis=1, keepdims=True))
        vector /= np.where(size > 0, size, 1)
        image = _centred(vector @ distances * -0.5, part, count)
        bound = np.maximum(bound, (vector * image).sum(axis=1))
        vector = image
    # The smallest doubt about a bound keeps the set.
    return bound * (1 - MARGIN)


def _centred(vectors: Floats, part: Floats, count: Floats) -> Floats:
    vectors = vectors * part
    centred: Floats = (vectors - vectors.sum(axis=1, keepdims=True) / count) * part
    return centred


def _eigenvalues(distances: Floats, masks: Masks) -> Floats:
    """The largest eigenvalue of each set's scatter, the matrix -J D J / 2, up to rounding."""
    indices = np.nonzero(masks)[1].reshape(len(masks), -1)
    values = np.empty(len(masks))
    for start in range(0, len(masks), 1024):
        rows = indices[start : start + 1024]
        part = distances[rows[:, :, None], rows[:, None, :]] * -0.5
        part -= part.mean(axis=1, keepdims=True)
        part -= part.mean(axis=2, keepdims=True)
        values[start : start + 1024] = np.linalg.eigvalsh(part)[:, -1]
    return values


def _rounded_up(distances: Square, guess: Fraction) -> int:
    """The smallest integer above 2 m^2 lambda_max, m rows: exactly, from integers.

    N = (1 1^T - m I) D (m I - 1 1^T) is 2 m^2 times the scatter; s I - N is positive definite if s
    is larger than each eigenvalue, which Sylvester's criterion decides without fractions.

    Args:
        guess: 2 m^2 lambda_max to within 2 `MARGIN` of itself.
    """
    whole = distances.astype(object)
    m = len(whole)
    sums = whole.sum(axis=0)
    matrix = m * (sums[:, None] + sums[None, :]) - m * m * whole - sums.sum()
    low = math.floor(guess * (1 - 4 * Fraction(MARGIN))) - 1
    high = math.ceil(guess * (1 + 4 * Fraction(MARGIN))) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_definite(matrix, middle) else (middle, high)
    return high


def _is_definite(matrix: Square, shift: int) -> bool:
    """Whether shift * I - matrix is positive definite, by Bareiss's elimination."""
    m = len(matrix)
    left = -matrix
    left[np.diag_indices(m)] += shift
    before = 1
    for k in range(m):
        pivot = left[k, k]
        if pivot <= 0:
            return False
        rest = left[k + 1 :, k + 1 :] * pivot - np.outer(left[k + 1 :, k], left[k, k + 1 :])
        left[k + 1 :, k + 1 :] = rest // before
        before = pivot
    return True
