"""How much of an update is explained by what a holdout's classes ask for.

An honest trainer of any mix of classes moves the model along a mixture, with weights that are not
negative, of the directions in which the classes' losses fall. Those mixtures form a cone. The sole
holder of a class lies in it as well as anybody; what points against the classes, or across them,
does not.

Answers: sign flips, inner-product manipulation, noise, "a little is enough", and the outlier who is
honest because its class is rare. Does not answer: classes that no holdout contains, and an update
that serves some classes so as to starve the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.types import IntVector

CONE_UNIT = 1_000_000
"""The score of an update that lies in the cone entirely."""

BLOCK_COLUMNS = 1 << 16
"""Columns made float64 at a time."""

Floats = npt.NDArray[np.float64]


def cone_scores(
    updates: npt.NDArray[np.signedinteger[Any]] | Sequence[IntVector],
    directions: npt.NDArray[np.floating[Any]],
) -> list[int]:
    """Each update's cosine with the nearest non-negative mixture of directions.

    score_i = |p_i| / |x_i|,  p_i = argmin |x_i - p| over p = sum_c w_c g_c, w_c >= 0

    Since the cone contains 0, |p_i| / |x_i| is the cosine between x_i and p_i; it is 0 for an
    update that no mixture approaches.

    Args:
        updates: (n, d) or n vectors (d,), integers in any fixed point; only directions count.
        directions: (classes, d) floats, one row per class: minus the gradient of the class's mean
            loss where updates are changes of the model, the gradient where they are gradients.
            Rows of zeros stand for classes that the holdout does not contain.

    Returns:
        n integers from 0 to `CONE_UNIT`, rounded to nearest; 0 for an update of zeros.

    Raises:
        InputError: lengths differ, or a direction is not finite.

    >>> classes = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> cone_scores(np.array([[5, 5, 0], [-5, 0, 0], [0, 3, 4]]), classes)
    [1000000, 0, 600000]

    Source: Lawson and Hanson (1974), "Solving Least Squares Problems", chapter 23, for the
    projection; the score is this project's.
    """
    if any(len(row) != directions.shape[1] for row in updates):
        raise InputError(f"updates must have {directions.shape[1]} values, as the directions do")
    if not np.isfinite(directions).all():
        raise InputError("directions must be finite: leave out a class whose loss is not")
    inner, squares, gram = _products(updates, directions)
    return [_score(row, float(square), gram) for row, square in zip(inner, squares)]


def _products(
    updates: npt.NDArray[np.signedinteger[Any]] | Sequence[IntVector],
    directions: npt.NDArray[np.floating[Any]],
) -> tuple[Floats, Floats, Floats]:
    """Updates with unit directions (n, classes), updates with themselves (n,), the Gram matrix."""
    classes, d = directions.shape
    inner, squares = np.zeros((len(updates), classes)), np.zeros(len(updates))
    gram = np.zeros((classes, classes))
    for start in range(0, d, BLOCK_COLUMNS):
        columns = slice(start, start + BLOCK_COLUMNS)
        block = directions[:, columns].astype(np.float64)
        gram += block @ block.T
        rows = np.stack([row[columns] for row in updates]).astype(np.float64)
        inner += rows @ block.T
        squares += np.einsum("ij,ij->i", rows, rows)
    # Only directions count, and unit vectors keep the small systems well scaled.
    lengths = np.sqrt(gram.diagonal())
    lengths[lengths == 0] = 1.0
    return inner / lengths, squares, gram / np.outer(lengths, lengths)


def _score(inner: Floats, square: float, gram: Floats) -> int:
    if square == 0:
        return 0
    # At the optimum w' gram w = w' inner: the projection's squared length.
    projected = float(non_negative_weights(gram, inner) @ inner)
    return min(CONE_UNIT, round(CONE_UNIT * math.sqrt(max(projected, 0.0) / square)))


def non_negative_weights(gram: Floats, inner: Floats) -> Floats:
    """The weights w >= 0 of the mixture that is nearest to a vector.

    w = argmin w' gram w - 2 w' inner

    Args:
        gram: (k, k) inner products of the directions, each of length 1 or 0.
        inner: (k,) inner products of the directions with the vector.

    Returns:
        (k,) float64.

    >>> non_negative_weights(np.eye(2), np.array([3.0, -1.0])).tolist()
    [3.0, 0.0]

    Source: Bro and De Jong (1997), "A fast non-negativity-constrained least squares algorithm".
    """
    weights = np.zeros(len(inner))
    active = np.zeros(len(inner), dtype=np.bool_)
    tolerance = 1e-10 * float(np.abs(inner).max(initial=0.0))
    for _ in range(3 * len(inner)):
        slope = np.where(active | (gram.diagonal() == 0), -np.inf, inner - gram @ weights)
        if not slope.max(initial=-np.inf) > tolerance:
            break
        active[slope.argmax()] = True
        weights = _feasible(gram, inner, weights, active)
    return weights


def _feasible(
    gram: Floats, inner: Floats, weights: Floats, active: npt.NDArray[np.bool_]
) -> Floats:
    """Solve on the active set; shrink it, in place, until no weight is negative."""
    while active.any():
        solved = np.zeros(len(inner))
        part = gram[np.ix_(active, active)]
        # Two classes may ask for one direction: lstsq takes the shortest of equal answers.
        solved[active] = np.linalg.lstsq(part, inner[active], rcond=1e-10)[0]
        falling = np.flatnonzero(active & (solved <= 0))
        if not falling.size:
            return solved
        # Go towards the solution until the first weight is zero; that one leaves.
        room = weights[falling] - solved[falling]
        steps = np.divide(weights[falling], room, out=np.zeros(len(falling)), where=room > 0)
        weights = weights + steps.min() * (solved - weights)
        active[falling[steps.argmin()]] = False
        active &= weights > 0
        weights = np.where(active, weights, 0.0)
    return np.zeros(len(inner))
