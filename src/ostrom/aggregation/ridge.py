"""Ridge regression from summed statistics, with one answer on every IEEE 754 machine.

Each element of the factor is the result of the same multiplications, subtractions, divisions and
square roots in the same order, each rounded once: numpy's element-wise functions neither reorder
nor fuse them. Blocking changes where operands lie, never the order of operations on one element.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ostrom.types import IntVector

Floats = npt.NDArray[np.float64]

PANEL_VALUES = 1 << 15
"""Values per panel of rows: it and its scratch (256 KiB each) stay in a core's L2 cache."""

PANEL_ROWS_MIN = 8
PANEL_ROWS_MAX = 64


def unpack_statistics(vector: IntVector, features: int, classes: int) -> tuple[Floats, Floats]:
    """Read a vector of summed statistics.

    Args:
        vector: the upper triangle of X^T X by rows, F (F + 1) / 2 values, then X^T Y by rows,
            F K values.
        features: F.
        classes: K.

    Returns:
        (F, F) float64 whose upper triangle is X^T X (zeros below), and (F, K) float64.

    >>> gram, moments = unpack_statistics(np.array([4, 1, 9, 5, 6]), 2, 1)
    >>> gram.tolist(), moments.tolist()
    ([[4.0, 1.0], [0.0, 9.0]], [[5.0], [6.0]])
    """
    gram = np.zeros((features, features))
    start = 0
    for row in range(features):
        stop = start + features - row
        gram[row, row:] = vector[start:stop]
        start = stop
    return gram, vector[start:].astype(np.float64).reshape(features, classes)


def solve_exactly(gram: Floats, moments: Floats) -> Floats | None:
    """Solve G W = M by Cholesky's method in a fixed order of operations.

    G = R^T R,  R^T Z = M,  R W = Z

    Args:
        gram: (F, F) symmetric and positive definite; only the upper triangle is read.
        moments: (F, K).

    Returns:
        (F, K) float64, the same bits on every machine; None if G is not positive definite.

    >>> solve_exactly(np.array([[4.0, 2.0], [0.0, 5.0]]), np.array([[8.0], [12.0]])).tolist()
    [[1.0], [2.0]]

    Source: Golub & Van Loan (2013), "Matrix Computations", section 4.2.
    """
    size = len(gram)
    # The moments ride along as extra columns, which is the forward substitution.
    work = np.hstack([gram, moments])
    with np.errstate(all="ignore"):
        top = 0
        while top < size:
            rows = _panel_rows(size - top, work.shape[1] - top)
            if not _factor_panel(work, top, rows):
                return None
            top += rows
        return _substitute_back(work, size)


def factor_exactly(gram: Floats) -> Floats | None:
    """Cholesky's factor R of G = R^T R in a fixed order of operations.

    Args:
        gram: (F, F) symmetric and positive definite; only the upper triangle is read.

    Returns:
        (F, F) float64, upper triangular, the same bits on every machine; None if G is not
        positive definite.

    >>> factor_exactly(np.array([[4.0, 2.0], [0.0, 5.0]])).tolist()
    [[2.0, 1.0], [0.0, 2.0]]

    Source: Golub & Van Loan (2013), "Matrix Computations", section 4.2.
    """
    work = np.triu(gram)
    with np.errstate(all="ignore"):
        top = 0
        while top < len(work):
            rows = _panel_rows(len(work) - top, len(work) - top)
            if not _factor_panel(work, top, rows):
                return None
            top += rows
    return np.triu(work)


def solve_factored(factor: Floats, moments: Floats) -> Floats | None:
    """Solve R^T R W = M for an upper triangular R, in a fixed order of operations.

    Args:
        factor: (F, F) from `factor_exactly`.
        moments: (F, K).

    Returns:
        (F, K) float64, the same bits on every machine; None if a value is not finite.

    >>> factor = np.array([[2.0, 1.0], [0.0, 2.0]])
    >>> solve_factored(factor, np.array([[8.0], [12.0]])).tolist()
    [[1.0], [2.0]]
    """
    forward = np.ascontiguousarray(moments.T)
    with np.errstate(all="ignore"):
        for row in range(len(factor)):
            forward[:, row] /= factor[row, row]
            tail = forward[:, row + 1 :]
            np.subtract(tail, forward[:, row, None] * factor[row, row + 1 :], out=tail)
        return _substitute_back(np.hstack([factor, forward.T]), len(factor))


def solve_fast(gram: Floats, moments: Floats) -> Floats | None:
    """As `solve_exactly`, by LAPACK: faster, and its last bits depend on the machine.

    >>> solve_fast(np.array([[4.0, 2.0], [0.0, 5.0]]), np.array([[8.0], [12.0]])).round(9).tolist()
    [[1.0], [2.0]]
    """
    whole = gram + np.triu(gram, 1).T
    try:
        # Refuses what `solve_exactly` refuses; LU alone would solve an indefinite matrix too.
        np.linalg.cholesky(whole)
        solution = np.linalg.solve(whole, moments).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    return solution if bool(np.isfinite(solution).all()) else None


def _panel_rows(left: int, width: int) -> int:
    return min(left, PANEL_ROWS_MAX, max(PANEL_ROWS_MIN, PANEL_VALUES // width))


def _factor_panel(work: Floats, top: int, rows: int) -> bool:
    """Turn rows top .. top + rows of `work` into rows of the factor; False if that cannot be."""
    panel = work[top : top + rows, top:].copy()
    scratch = np.empty_like(panel)
    for done in range(top):
        factor = work[done, top : top + rows, None]
        np.multiply(factor, work[done, top:], out=scratch)
        np.subtract(panel, scratch, out=panel)
    for row in range(rows):
        pivot = float(panel[row, row])
        if not 0.0 < pivot < math.inf:
            return False
        line: Floats = panel[row, row:]
        np.divide(line, math.sqrt(pivot), out=line)
        rest, product = panel[row + 1 :, row:], scratch[row + 1 :, row:]
        np.multiply(panel[row, row + 1 : rows, None], line, out=product)
        np.subtract(rest, product, out=rest)
    work[top : top + rows, top:] = panel
    return True


def _substitute_back(work: Floats, size: int) -> Floats | None:
    """Solve R W = Z, with R and Z side by side in `work`."""
    columns = np.ascontiguousarray(work[:, :size].T)
    solution = np.ascontiguousarray(work[:, size:].T)
    for row in range(size - 1, -1, -1):
        solution[:, row] /= columns[row, row]
        head = solution[:, :row]
        np.subtract(head, solution[:, row, None] * columns[row, :row], out=head)
    return np.ascontiguousarray(solution.T) if bool(np.isfinite(solution).all()) else None
