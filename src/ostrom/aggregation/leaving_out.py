"""A round's aggregates without each of its updates, to score what each one adds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ostrom.aggregation.exact import Int64Vector, IntMatrix
from ostrom.aggregation.kinds import State
from ostrom.aggregation.pipeline import Pipeline, check_updates
from ostrom.aggregation.server_steps import check_state
from ostrom.types import IntVector


def leave_one_out(
    pipeline: Pipeline, updates: IntMatrix, weights: IntVector, state: State
) -> IntMatrix:
    """The deltas that a round would have without each update.

    delta_i = aggregate(all rows but row i)

    Selections are skipped: scores are not known yet. Means, sums, the median, trimmed means and
    Krum take one pass, and `nnm` one matrix of distances; the rest aggregates n times, to the same
    bytes. `ridge_solve` may use LAPACK here, since scores are each validator's own.

    Args:
        pipeline: the task's pipeline.
        updates: (n, d) int32 or int64.
        weights: (n,) int64.
        state: as given to `Pipeline.aggregate`.

    Returns:
        (n, e) int64, where e is a delta's length. Without the only update of a round nothing
        moves: n = 1 gives zeros.

    Raises:
        InputError: as `Pipeline.aggregate`.

    >>> from ostrom.aggregation.pipeline import pipeline
    >>> rows = np.array([[1], [4], [9]], dtype=np.int32)
    >>> leave_one_out(pipeline("median"), rows, np.array([1, 1, 1]), {}).tolist()
    [[7], [5], [3]]

    Source: Cook (1977), "Detection of Influential Observation in Linear Regression".
    """
    return np.stack(list(deltas_without_each(pipeline, updates, weights, state)))


def deltas_without_each(
    pipeline: Pipeline, updates: IntMatrix, weights: IntVector, state: State
) -> Iterator[Int64Vector]:
    """The rows of `leave_one_out` one by one, for rounds too large to hold them all.

    >>> from ostrom.aggregation.pipeline import pipeline
    >>> rows = np.array([[1], [4]], dtype=np.int32)
    >>> [one.tolist() for one in deltas_without_each(pipeline("mean"), rows, np.array([1, 1]), {})]
    [[4], [1]]
    """
    check_updates(updates, weights)
    kept = check_state(state, pipeline.initial_state(updates.shape[1]))
    if len(updates) == 1:
        delta, _ = pipeline.aggregate(updates, weights, kept, exact=False)
        yield np.zeros_like(delta)
        return
    for delta in _deltas(pipeline, updates, weights, kept):
        yield pipeline.finish(delta, kept, exact=False)[0]


def _deltas(
    pipeline: Pipeline, updates: IntMatrix, weights: IntVector, state: State
) -> Iterator[Int64Vector]:
    plan = pipeline.without_each
    for pre_aggregation in plan.first:
        updates, weights = pre_aggregation(updates, weights)
    if plan.omission is not None:
        yield from plan.omission(updates, weights)
        return
    for others in (plan.mixed or _others)(updates, weights):
        for pre_aggregation in plan.rest:
            others = pre_aggregation(*others)
        yield pipeline.combine(*others, state)[0]


def _others(updates: IntMatrix, weights: IntVector) -> Iterator[tuple[IntMatrix, IntVector]]:
    for i in range(len(updates)):
        yield np.delete(updates, i, axis=0), np.delete(weights, i)
