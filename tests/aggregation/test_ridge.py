from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import leave_one_out, pipeline, ridge
from ostrom.errors import InputError

F, K = 90, 3


def statistics(x: Any, y: Any) -> Any:
    """A trainer's update: upper triangle of X^T X by rows, then X^T Y by rows."""
    gram, features = x.T @ x, x.shape[1]
    return np.array([*gram[np.triu_indices(features)], *(x.T @ y).ravel()], dtype=np.int64)


def data_of(n: int, features: int = F, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 40, (n, features)), np.eye(K, dtype=np.int64)[rng.integers(0, K, n)]


def slow_cholesky(gram: Any, moments: Any) -> Any:
    """The same operations on each element in the same order, in plain Python floats."""
    rows = [[*map(float, line), *map(float, right)] for line, right in zip(gram, moments)]
    size, width = len(rows), len(rows[0])
    for k in range(size):
        root = math.sqrt(rows[k][k])
        for j in range(k, width):
            rows[k][j] = rows[k][j] / root
        for i in range(k + 1, size):
            for j in range(i, width):
                rows[i][j] = rows[i][j] - rows[k][i] * rows[k][j]
    solution = [row[size:] for row in rows]
    for i in range(size - 1, -1, -1):
        for c in range(width - size):
            solution[i][c] = solution[i][c] / rows[i][i]
            for j in range(i):
                solution[j][c] = solution[j][c] - solution[i][c] * rows[j][i]
    return np.array(solution)


def test_the_blocked_solution_is_the_plain_one_bit_by_bit(monkeypatch: Any) -> None:
    x, y = data_of(200)
    gram, moments = (x.T @ x).astype(np.float64) + np.eye(F), (x.T @ y).astype(np.float64)
    wanted = slow_cholesky(gram, moments)
    for values, rows in [(1 << 15, 64), (1, 1), (1 << 10, 7), (1 << 20, 90)]:
        monkeypatch.setattr(ridge, "PANEL_VALUES", values)
        monkeypatch.setattr(ridge, "PANEL_ROWS_MIN", 1)
        monkeypatch.setattr(ridge, "PANEL_ROWS_MAX", rows)
        solution = ridge.solve_exactly(gram, moments)
        assert solution is not None
        assert solution.tobytes() == wanted.tobytes()


def test_the_exact_and_the_fast_solution_agree() -> None:
    x, y = data_of(400)
    gram, moments = np.triu(x.T @ x).astype(np.float64), (x.T @ y).astype(np.float64)
    exact, fast = ridge.solve_exactly(gram, moments), ridge.solve_fast(gram, moments)
    assert exact is not None
    assert fast is not None
    assert np.allclose(exact, fast, rtol=1e-9, atol=1e-12)


def test_the_model_does_not_depend_on_how_the_data_is_split() -> None:
    x, y = data_of(300)
    combine = pipeline(f"sum|ridge_solve(features={F},classes={K},l2=0.5)")
    whole, _ = combine.aggregate(statistics(x, y)[None], np.array([300]), {})
    for cuts in ([150], [10, 20, 299], list(range(30, 300, 30))):
        parts = list(zip(np.split(x, cuts), np.split(y, cuts)))
        rows = np.stack([statistics(*part) for part in parts])
        weights = np.array([len(part[0]) for part in parts])
        assert combine.aggregate(rows, weights, {})[0].tobytes() == whole.tobytes()


def test_a_second_round_of_the_same_statistics_moves_nothing() -> None:
    combine = pipeline(f"sum|ridge_solve(features={F},classes={K})")
    rows, weights = statistics(*data_of(300))[None], np.array([300])
    first, state = combine.aggregate(rows, weights, {})
    assert np.array_equal(state["ridge_solution"], first)
    second, state = combine.aggregate(rows, weights, state)
    assert first.any()
    assert not second.any()


def test_statistics_that_no_data_can_give_leave_the_model_as_it_is() -> None:
    combine = pipeline("sum|ridge_solve(features=2,classes=1)")
    before = {"ridge_solution": np.array([5, 6], dtype=np.int32)}
    for gram in ([-4, 0, 1], [1, 9, 1], [2**62, 2**63 - 1, 2**62], [-(2**63)] * 3):
        rows = np.array([[*gram, 1, 1]])
        for exact in (True, False):
            delta, state = combine.aggregate(rows, np.array([1]), before, exact=exact)
            assert delta.tolist() == [0, 0]
            assert state["ridge_solution"].tolist() == [5, 6]


def test_weights_beyond_int32_are_held_there() -> None:
    combine = pipeline("sum|ridge_solve(features=1,classes=2,l2=0)")
    delta, _ = combine.aggregate(np.array([[1, 2**62, -(2**62)]]), np.array([1]), {})
    assert delta.tolist() == [2**31 - 1, -(2**31)]


def test_an_update_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="5 values, not 6"):
        pipeline("sum|ridge_solve(features=2,classes=1)").aggregate(
            np.ones((1, 6), dtype=np.int64), np.array([1]), {}
        )


def test_leaving_one_out_gives_the_model_of_the_others_data() -> None:
    x, y = data_of(300)
    rows = np.stack([statistics(x[i::3], y[i::3]) for i in range(3)])
    combine = pipeline(f"sum|ridge_solve(features={F},classes={K})")
    without = leave_one_out(combine, rows, np.array([100, 100, 100]), {})
    others, _ = combine.aggregate(rows[1:], np.array([100, 100]), {})
    assert without.shape == (3, F * K)
    assert np.abs(without[0] - others).max() <= 1
