"""Means of chosen rows, many choices at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import Int32Matrix, floor_of_halves, in_blocks
from ostrom.aggregation.tiles import combinations, padded
from ostrom.errors import InputError


def mean_selected(rows: Int32Matrix, chosen: npt.NDArray[np.bool_]) -> Int32Matrix:
    """For each line of `chosen` the mean of the rows that it marks, halves upwards.

    Args:
        rows: (n, d) int32, n < 2**20.
        chosen: (m, n) bool, at least one mark in each line.

    Returns:
        (m, d) int32.

    >>> mean_selected(np.array([[1], [2]], dtype=np.int32), np.array([[True, True]])).tolist()
    [[2]]
    """
    if len(rows) >= 1 << 20:
        raise InputError("a rule that compares updates takes fewer than 1,048,576 of them")
    means = np.empty((len(chosen), rows.shape[1]), dtype=np.int32)
    marks = chosen.astype(np.float64)
    counts = chosen.sum(axis=1, dtype=np.int64).astype(np.float64)[:, None]

    def work(columns: slice) -> None:
        width = columns.stop - columns.start
        block = padded(len(rows), width)
        block[:, :width] = rows[:, columns]
        # Exact in any order: partial sums stay at or below 2**31 * 2**20 = 2**51.
        means[:, columns] = floor_of_halves(combinations(marks, block)[:, :width], counts)

    in_blocks(work, rows)
    return means
