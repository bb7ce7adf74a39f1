"""What happens to updates before a rule combines them: (n, d), (n,) -> (m, d), (m,).

| name | threat it answers | what it does not | few updates |
|---|---|---|---|
| norm_clip(c) | scaled updates | many small colluding ones | any n |
| arc(f) | scaled updates, where nobody knows a good c | the same | f <= (n - 1) // 2 |
| rms_clip(f) | scaled updates, where honest lengths differ | the same | f <= (n - 1) // 2 |
| nnm(f) | honest updates so unlike that a rule errs, mimicry | f >= n/2 | f <= (n - 1) // 2 |
| bucketing(s) | the same, at a rule that takes fewer rows | f >= n/(2 s) | any n |
| distinct(cosine) | Sybils and colluders who send one vector | who adds noise to it | any n |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.distances import in_order
from ostrom.aggregation.exact import (
    Int32Matrix,
    Int64Vector,
    IntMatrix,
    canonical_order,
    divide_half_up,
    int32_rows,
    norm_squared,
)
from ostrom.aggregation.gram import Square, gram
from ostrom.aggregation.kinds import PreAggregation, PreOmission
from ostrom.aggregation.selected import mean_selected
from ostrom.codec import sha256
from ostrom.errors import InputError
from ostrom.types import IntVector


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
        whole = int32_rows(rows)
        lengths = [norm_squared(row) for row in whole]
        return _shortened(whole, lengths, bound * bound), weights

    return clip


def arc(*, f: int) -> PreAggregation:
    """Adaptive robust clipping: shrink the longest updates to the length of the next one.

    k = floor(2 f (n - f) / n),  C = the (k + 1)-th largest norm,  x_i' = x_i * min(1, C / |x_i|)

    Rounded towards zero, so that |x_i'| <= C holds exactly. With few updates f is reduced to
    (n - 1) // 2.

    Args:
        f: how many updates may be hostile, f >= 0.

    Returns:
        A pre-aggregation that keeps the number of rows and the weights.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[3, 4], [30, -40], [0, 1]], dtype=np.int32)
    >>> arc(f=1)(rows, np.array([1, 1, 1]))[0].tolist()
    [[3, 4], [3, -4], [0, 1]]

    Source: Allouah et al. (2025), "Adaptive Gradient Clipping for Robust Federated Learning".
    """
    if f < 0:
        raise InputError(f"arc needs f >= 0, not {f}")

    def clip(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        whole = int32_rows(rows)
        n = len(whole)
        hostile = min(f, (n - 1) // 2)
        lengths = [norm_squared(row) for row in whole]
        longest = sorted(lengths)[n - 1 - 2 * hostile * (n - hostile) // n]
        return _shortened(whole, lengths, longest), weights

    return clip


def _shortened(rows: Int32Matrix, lengths: list[int], longest: int) -> Int32Matrix:
    """Rows of squared norms `lengths`, those above `longest` shrunk to it."""
    if max(lengths) <= longest:
        return rows
    bound = math.isqrt(longest)
    short = rows.copy()
    for i, squared in enumerate(lengths):
        if squared > longest:
            short[i] = _shrunk(rows[i], math.isqrt(squared - 1) + 1, bound)
    return short


def _shrunk(row: npt.NDArray[np.int32], length: int, bound: int) -> npt.NDArray[np.int32]:
    """row * bound / length, rounded towards zero; bound <= length."""
    # |x| <= 2**31 and bound <= norm < 2**47, so that this long division stays inside uint64.
    size = np.abs(row.astype(np.int64)).astype(np.uint64)
    scale, norm, half = np.uint64(bound), np.uint64(length), np.uint64(16)
    high, rest = np.divmod((size >> half) * scale, norm)
    low = ((rest << half) + (size & np.uint64(0xFFFF)) * scale) // norm
    clipped = ((high << half) + low).astype(np.int64)
    return np.where(row < 0, -clipped, clipped).astype(np.int32)


def rms_clip(*, f: int) -> PreAggregation:
    """Shrink updates that are longer than the root mean square of all lengths.

    C^2 = floor(mean_i min(|x_i|, L)^2),  L the (f + 1)-th largest norm
    x_i' = x_i * min(1, C / |x_i|)

    Rounded towards zero. Between the median, which starves a trainer whose class is neglected, and
    the maximum, which hands its length to an attacker. With few updates f is reduced to
    (n - 1) // 2.

    Args:
        f: how many updates may be hostile, f >= 0; their lengths count as the next one.

    Returns:
        A pre-aggregation that keeps the number of rows and the weights.

    Raises:
        InputError: f is negative.

    >>> rows = np.array([[3, 4], [30, -40], [0, 5]], dtype=np.int32)
    >>> rms_clip(f=1)(rows, np.array([1, 1, 1]))[0].tolist()
    [[3, 4], [3, -4], [0, 5]]

    Source: this project; adaptive clipping as in Allouah et al. (2025), "Adaptive Gradient Clipping
    for Robust Federated Learning".
    """
    if f < 0:
        raise InputError(f"rms_clip needs f >= 0, not {f}")

    def clip(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        whole = int32_rows(rows)
        lengths = [norm_squared(row) for row in whole]
        top = sorted(lengths)[len(whole) - 1 - min(f, (len(whole) - 1) // 2)]
        mean = sum(min(length, top) for length in lengths) // len(whole)
        return _shortened(whole, lengths, mean), weights

    return clip


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
        order, distances = in_order(whole, weights)
        return _mix(whole, order, distances, f), weights[order]

    return mix


def _mix(rows: Int32Matrix, order: list[int], distances: Square, f: int) -> Int32Matrix:
    """Mixed rows in the given order; `distances` are in that order."""
    keep = len(order) - min(f, (len(order) - 1) // 2)
    return mean_selected(rows, _marks(len(rows), order, _neighbours(distances)[:, :keep]))


def _neighbours(distances: Square) -> npt.NDArray[np.intp]:
    """Each row's places by distance from it; ties go to the earlier place."""
    return np.argsort(distances, axis=1, kind="stable")


def _marks(n: int, order: list[int], places: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    marks = np.zeros((len(places), n), dtype=np.bool_)
    np.put_along_axis(marks, np.array(order, dtype=np.intp)[places], True, axis=1)
    return marks


def nnm_omission(*, f: int) -> PreOmission:
    """`nnm` without each row, from one matrix of distances.

    >>> rows = np.array([[0], [2], [900]], dtype=np.int32)
    >>> [mixed.tolist() for mixed, _ in nnm_omission(f=0)(rows, np.array([1, 1, 1]))]
    [[[451], [451]], [[450], [450]], [[1], [1]]]
    """

    def mix(rows: IntMatrix, weights: IntVector) -> Iterator[tuple[IntMatrix, IntVector]]:
        whole = int32_rows(rows)
        order, distances = in_order(whole, weights)
        for left_out in range(len(order)):
            rest = [place for place, i in enumerate(order) if i != left_out]
            others = [order[place] for place in rest]
            yield _mix(whole, others, distances[np.ix_(rest, rest)], f), weights[others]

    return mix


def bucketing(*, s: int) -> PreAggregation:
    """Replace the updates by the means of random groups of s.

    x_b' = (1 / |b|) * sum of the updates in group b, rounded to nearest, halves upwards

    The shuffle follows from the contents of all updates together, sha256 of each and then of the
    sorted digests, so that nobody can choose a group. The last group may be smaller. A group weighs
    as much as its members.

    Args:
        s: updates in a group, s >= 1.

    Returns:
        A pre-aggregation that leaves ceil(n / s) rows.

    Raises:
        InputError: s is not positive.

    >>> rows = np.array([[1], [3], [5], [7]], dtype=np.int32)
    >>> bucketing(s=4)(rows, np.array([1, 1, 1, 1]))[0].tolist()
    [[4]]

    Source: Karimireddy et al. (2022), "Byzantine-Robust Learning on Heterogeneous Datasets via
    Bucketing".
    """
    if s < 1:
        raise InputError(f"bucketing needs s >= 1, not {s}")

    def group(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        whole = int32_rows(rows)
        order = _shuffled(whole, weights)
        groups = [order[start : start + s] for start in range(0, len(order), s)]
        means = np.stack([_mean(whole[members]) for members in groups])
        return means, np.array([weights[members].sum() for members in groups], dtype=np.int64)

    return group


def _shuffled(rows: Int32Matrix, weights: IntVector) -> list[int]:
    order = canonical_order(rows, weights)
    seed = sha256(b"".join(sha256(rows[i].astype("<i4").tobytes()) for i in order))
    drawn = {i: sha256(seed + place.to_bytes(8, "big")) for place, i in enumerate(order)}
    return sorted(order, key=drawn.__getitem__)


def _mean(rows: Int32Matrix) -> npt.NDArray[np.int32]:
    sums: Int64Vector = rows.sum(axis=0, dtype=np.int64)
    return divide_half_up(sums, len(rows)).astype(np.int32)


def distinct(*, cosine: float) -> PreAggregation:
    """Updates that point almost the same way share one vote.

    i ~ k  if  x_i . x_k >= cosine * |x_i| |x_k|;  each class of ~ becomes the mean of its members

    The test is exact. Classes are closed: if i ~ k and k ~ l, all three are one. Updates of zeros
    are one class. A class weighs as much as the heaviest of its members.

    Args:
        cosine: 0 < cosine <= 1, from which similarity on updates count as one.

    Returns:
        A pre-aggregation that leaves one row for each class.

    Raises:
        InputError: cosine is out of range.

    >>> rows = np.array([[10, 0], [0, 9], [1, 9], [0, 10]], dtype=np.int32)
    >>> distinct(cosine=0.99)(rows, np.array([1, 5, 6, 7]))[0].tolist()
    [[10, 0], [0, 9]]

    Source: Fung et al. (2020), "The Limitations of Federated Learning in Sybil Settings".
    """
    if not 0 < cosine <= 1:
        raise InputError(f"distinct needs 0 < cosine <= 1, not {cosine}")
    threshold = Fraction(str(cosine))

    def share(rows: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        whole = int32_rows(rows)
        classes = _classes(_alike(gram(whole), threshold))
        means = np.stack([_mean(whole[members]) for members in classes])
        return means, np.array([weights[members].max() for members in classes], dtype=np.int64)

    return share


def _alike(products: Square, threshold: Fraction) -> npt.NDArray[np.bool_]:
    whole = products.astype(object)
    lengths = whole.diagonal()
    squares = whole * whole * threshold.denominator**2
    bounds = np.outer(lengths, lengths) * threshold.numerator**2
    # A row of zeros has no direction; its product with any other meets every bound.
    zero = (lengths == 0).astype(np.bool_)
    near = (whole >= 0).astype(np.bool_) & (squares >= bounds).astype(np.bool_)
    alike: npt.NDArray[np.bool_] = near & (zero[:, None] == zero[None, :])
    return alike


def _classes(alike: npt.NDArray[np.bool_]) -> list[list[int]]:
    left = np.ones(len(alike), dtype=np.bool_)
    classes = []
    while left.any():
        members = alike[int(left.argmax())]
        while (grown := np.any(alike[members], axis=0)).sum() > members.sum():
            members = grown
        classes.append(np.flatnonzero(members).tolist())
        left &= ~members
    return classes


PRE_AGGREGATIONS: dict[str, Callable[..., PreAggregation]] = {
    "norm_clip": norm_clip,
    "arc": arc,
    "rms_clip": rms_clip,
    "nnm": nnm,
    "bucketing": bucketing,
    "distinct": distinct,
}

ROW_BY_ROW = ("norm_clip",)
"""Pre-aggregations for which no row depends on another."""

PRE_OMISSIONS: dict[str, Callable[..., PreOmission]] = {"nnm": nnm_omission}
"""Pre-aggregations that can leave each row out faster than by computing n times."""
