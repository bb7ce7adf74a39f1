"""A round's aggregates without each of its updates, to score what each one adds."""

from __future__ import annotations

import numpy as np

from ostrom.aggregation.exact import IntMatrix
from ostrom.aggregation.pipeline import Pipeline, check_updates
from ostrom.aggregation.rules import State
from ostrom.aggregation.server_steps import check_state
from ostrom.types import IntVector


def leave_one_out(
    pipeline: Pipeline, updates: IntMatrix, weights: IntVector, state: State
) -> IntMatrix:
    """The deltas that a round would have without each update.

    delta_i = aggregate(all rows but row i)

    `mean` and `sum` without pre-aggregation take one pass; other rules aggregate n times.
    `ridge_solve` may use LAPACK here, since scores are each validator's own.

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
    check_updates(updates, weights)
    kept = check_state(state, pipeline.initial_state(updates.shape[1]))
    if len(updates) == 1:
        delta, _ = pipeline.aggregate(updates, weights, kept, exact=False)
        return np.zeros((1, len(delta)), dtype=np.int64)
    if pipeline.omission is not None:
        without = pipeline.omission(updates, weights)
        return np.stack([pipeline.finish(delta, kept, exact=False)[0] for delta in without])
    others = ((np.delete(updates, i, axis=0), np.delete(weights, i)) for i in range(len(updates)))
    return np.stack([pipeline.aggregate(*rest, kept, exact=False)[0] for rest in others])
