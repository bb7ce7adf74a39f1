"""What every aggregation pipeline must do. A newcomer adds one line to `REFERENCES` and passes."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.aggregation import (
    PRE_AGGREGATIONS,
    RULES,
    SERVER_STEPS,
    Pipeline,
    leave_one_out,
    pipeline,
)

LENGTH = 12
"""An update of this length is also one of statistics for 3 features and 2 classes."""

Rows = list[list[int]]
Reference = Callable[[Rows, list[int]], list[int]]


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def slow_mean(rows: Rows, weights: list[int]) -> list[int]:
    total = sum(weights)
    return [half_up(Fraction(sum(w * x for w, x in zip(weights, c)), total)) for c in zip(*rows)]


def slow_equal_mean(rows: Rows, weights: list[int]) -> list[int]:
    return slow_mean(rows, [1] * len(rows))


def slow_sum(rows: Rows, weights: list[int]) -> list[int]:
    return [sum(column) for column in zip(*rows)]


def slow_trimmed(f: int) -> Reference:
    def rule(rows: Rows, weights: list[int]) -> list[int]:
        cut = min(f, (len(rows) - 1) // 2)
        kept = [sorted(column)[cut : len(rows) - cut] for column in zip(*rows)]
        return [half_up(Fraction(sum(column), len(column))) for column in kept]

    return rule


def squared(a: list[int], b: list[int]) -> int:
    return sum((x - y) ** 2 for x, y in zip(a, b))


def content(pair: tuple[list[int], int]) -> tuple[bytes, int]:
    return b"".join(x.to_bytes(4, "little", signed=True) for x in pair[0]), pair[1]


def slow_krum(f: int, m: int) -> Reference:
    def rule(rows: Rows, weights: list[int]) -> list[int]:
        rows = [row for row, _ in sorted(zip(rows, weights), key=content)]
        n = len(rows)
        hostile = min(f, max(0, (n - 3) // 2))
        near = [sorted(squared(a, b) for b in rows)[1 : 1 + max(1, n - hostile - 2)] for a in rows]
        best = sorted(range(n), key=lambda i: (sum(near[i]), i))[: min(m, n - hostile)]
        return slow_equal_mean([rows[i] for i in best], weights)

    return rule


def slow_nnm(f: int, rule: Reference) -> Reference:
    def mixed(rows: Rows, weights: list[int]) -> list[int]:
        pairs = sorted(zip(rows, weights), key=content)
        rows = [row for row, _ in pairs]
        keep = len(rows) - min(f, (len(rows) - 1) // 2)
        near = [sorted(rows, key=lambda other: squared(row, other))[:keep] for row in rows]
        return rule([slow_equal_mean(group, weights) for group in near], [w for _, w in pairs])

    return mixed


def slow_clip(bound: int, rule: Reference) -> Reference:
    def clip(row: list[int]) -> list[int]:
        square = sum(x * x for x in row)
        if square <= bound * bound:
            return row
        norm = math.isqrt(square - 1) + 1
        return [int(math.copysign(abs(x) * bound // norm, x)) for x in row]

    return lambda rows, weights: rule([clip(row) for row in rows], weights)


REFERENCES: dict[str, Reference | None] = {
    "mean": slow_mean,
    "mean(weights=equal)": slow_equal_mean,
    "sum": slow_sum,
    "median": slow_trimmed(10**9),
    "trimmed_mean(f=0)": slow_trimmed(0),
    "trimmed_mean(f=2)": slow_trimmed(2),
    "multi_krum(f=1)": slow_krum(1, 1),
    "multi_krum(f=2,m=3)": slow_krum(2, 3),
    "nnm(f=1)|mean": slow_nnm(1, slow_mean),
    "nnm(f=2)|trimmed_mean(f=2)": slow_nnm(2, slow_trimmed(2)),
    "norm_clip(c=1.5)|sum": slow_clip(3 << 19, slow_sum),
    "norm_clip(c=1e-05)|nnm(f=1)|median": slow_clip(10, slow_nnm(1, slow_trimmed(10**9))),
    "mean|server_momentum(beta=0.9)": slow_mean,
    "median|server_momentum(beta=0.5,lr=0.1)": None,
    "mean|server_adam(lr=0.01)": None,
    "sum|ridge_solve(classes=2,features=3)": None,
}
"""Canonical text -> its delta from a fresh state, in Python integers (None: tested elsewhere)."""

TEXTS = list(REFERENCES)
EXTREMES = st.sampled_from([-(2**31), 2**31 - 1, -(2**30), -1, 0, 1])
VALUES = st.one_of(st.integers(-2, 2), EXTREMES, st.integers(-(2**31), 2**31 - 1))


@st.composite
def rounds(draw: st.DrawFn, most: int = 8) -> tuple[Rows, list[int]]:
    n = draw(st.integers(1, most))
    values = draw(st.sampled_from([VALUES, st.integers(-2, 2), EXTREMES]))
    line = st.lists(values, min_size=LENGTH, max_size=LENGTH)
    rows = draw(st.lists(line, min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(1, 5) | st.just(1 << 40), min_size=n, max_size=n))
    return rows, weights


def arrays(rows: Rows, weights: list[int]) -> tuple[Any, Any]:
    return np.array(rows, dtype=np.int32), np.array(weights, dtype=np.int64)


def two_rounds(text: str, rows: Any, weights: Any) -> bytes:
    """Every byte of a first round's result and of a second round that goes on from its state."""
    combine = pipeline(text)
    first, state = combine.aggregate(rows, weights, {})
    second, state = combine.aggregate(rows, weights, state)
    return b"".join(a.tobytes() for a in (first, second, *(state[name] for name in sorted(state))))


def test_every_mechanism_of_the_catalogues_is_in_the_table() -> None:
    table = "|".join(TEXTS).replace("(", "|").split("|")
    assert {*PRE_AGGREGATIONS, *RULES, *SERVER_STEPS} <= set(table)


@pytest.mark.parametrize("text", TEXTS)
def test_its_text_is_canonical(text: str) -> None:
    assert pipeline(text).text == text
    assert isinstance(pipeline(text), Pipeline)


@pytest.mark.parametrize("text", TEXTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), played=rounds())
def test_it_does_not_depend_on_the_order_of_rows(text: str, data: Any, played: Any) -> None:
    rows, weights = arrays(*played)
    order = data.draw(st.permutations(range(len(rows))))
    assert two_rounds(text, rows, weights) == two_rounds(text, rows[order], weights[order])


@pytest.mark.parametrize("text", [text for text, slow in REFERENCES.items() if slow])
@settings(max_examples=40, deadline=None)
@given(played=rounds())
def test_it_agrees_with_a_slow_computation_in_python_integers(text: str, played: Any) -> None:
    slow = REFERENCES[text]
    assert slow is not None
    delta, _ = pipeline(text).aggregate(*arrays(*played), {})
    assert delta.tolist() == slow(*played)


@pytest.mark.parametrize("text", TEXTS)
@settings(max_examples=15, deadline=None)
@given(played=rounds(most=5))
def test_its_delta_is_int64_and_its_state_keeps_its_layout(text: str, played: Any) -> None:
    combine = pipeline(text)
    fresh = combine.initial_state(LENGTH)
    delta, state = combine.aggregate(*arrays(*played), fresh)
    assert delta.dtype == np.int64
    assert delta.shape == ((6,) if "ridge" in text else (LENGTH,))
    layout = {name: (vector.dtype, vector.shape) for name, vector in fresh.items()}
    assert {name: (vector.dtype, vector.shape) for name, vector in state.items()} == layout


@pytest.mark.parametrize("text", TEXTS)
@settings(max_examples=15, deadline=None)
@given(played=rounds(most=5))
def test_a_missing_state_counts_as_zeros(text: str, played: Any) -> None:
    combine, (rows, weights) = pipeline(text), arrays(*played)
    first, _ = combine.aggregate(rows, weights, {})
    second, _ = combine.aggregate(rows, weights, combine.initial_state(LENGTH))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("text", TEXTS)
def test_it_leaves_what_it_is_given_as_it_was(text: str) -> None:
    rows = np.random.default_rng(1).integers(-(2**31), 2**31, (5, LENGTH)).astype(np.int32)
    weights = np.arange(1, 6)
    state = pipeline(text).initial_state(LENGTH)
    for array in (rows, weights, *state.values()):
        array.flags.writeable = False
    two_rounds(text, rows, weights)
    pipeline(text).aggregate(rows, weights, state)


@pytest.mark.parametrize("text", TEXTS)
def test_memory_layout_and_width_of_the_rows_do_not_matter(text: str) -> None:
    rows = np.random.default_rng(2).integers(-(2**31), 2**31, (6, LENGTH)).astype(np.int32)
    weights = np.arange(1, 7)
    whole = two_rounds(text, rows, weights)
    padded = np.repeat(rows, 2, axis=1)[:, ::2]
    for twin in (np.asfortranarray(rows), padded, rows.astype(np.int64)):
        assert two_rounds(text, twin, weights) == whole


@pytest.mark.parametrize("text", [text for text in TEXTS if "server" not in text])
@settings(max_examples=15, deadline=None)
@given(row=st.lists(st.integers(-1000, 1000), min_size=LENGTH, max_size=LENGTH))
def test_the_only_update_of_a_round_is_the_aggregate(text: str, row: list[int]) -> None:
    if "ridge" in text or "norm_clip" in text:
        return
    assert pipeline(text).aggregate(*arrays([row], [7]), {})[0].tolist() == row


@pytest.mark.parametrize("text", TEXTS)
@settings(max_examples=10, deadline=None)
@given(played=rounds(most=6))
def test_leaving_one_out_is_aggregating_the_others(text: str, played: Any) -> None:
    combine, (rows, weights) = pipeline(text), arrays(*played)
    state = {name: vector + 3 for name, vector in combine.initial_state(LENGTH).items()}
    without = leave_one_out(combine, rows, weights, state)
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        if others.any():
            wanted, _ = combine.aggregate(rows[others], weights[others], state, exact=False)
        else:
            wanted = np.zeros_like(without[0])
        assert np.array_equal(without[i], wanted)


@pytest.mark.parametrize(
    "text", ["median", "trimmed_mean(f=2)", "multi_krum(f=2,m=5)", "nnm(f=2)|trimmed_mean(f=2)"]
)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_two_of_nine_updates_a_million_times_too_large_do_not_move_it(text: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    honest = rng.integers(-1000, 1001, (7, LENGTH)).astype(np.int32)
    mallory = np.clip(honest[:2].astype(np.int64) * 10**6, -(2**31), 2**31 - 1).astype(np.int32)
    mallory[:, 0] = 2**31 - 1
    rows = np.concatenate([mallory, honest])
    delta, _ = pipeline(text).aggregate(rows, np.ones(9, dtype=np.int64), {})
    assert (delta >= honest.min(axis=0)).all()
    assert (delta <= honest.max(axis=0)).all()


SCRIPT = """
import hashlib, sys
import numpy as np
from ostrom.aggregation import pipeline
rng = np.random.RandomState(7)
for text in sys.argv[1:]:
    rows = rng.randint(-(2**31), 2**31, (16, 40_000)).astype(np.int32)
    if "ridge" in text:
        x, y = rng.randint(0, 50, (16, 60, 40)), rng.randint(0, 2, (16, 60, 2))
        rows = np.array([[*(a.T @ a)[np.triu_indices(40)], *(a.T @ b).ravel()]
                         for a, b in zip(x, y)], dtype=np.int64)
    delta, state = pipeline(text).aggregate(rows, np.arange(1, 17), {})
    parts = [delta, *(state[name] for name in sorted(state))]
    print(text, delta.any(), hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""

MACHINES = {
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "an older processor": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512_ICL",
    },
}
"""Environments that make numpy and its BLAS use other threads or other instructions."""

DIGEST = "ebfa400f166174f9efabf8563504d3da40b1a1666f85d4fbd6e2688e949b7ef3"
"""Of what `SCRIPT` prints for the whole table; a change means that no old round can be audited."""


@pytest.mark.parametrize("machine", MACHINES)
def test_every_process_thread_count_and_instruction_set_gives_the_same_bytes(machine: str) -> None:
    texts = [text.replace("features=3", "features=40").replace("e-05", "") for text in TEXTS]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *texts],
        env={**os.environ, **MACHINES[machine], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(" True ") == len(texts)
    assert hashlib.sha256(done.stdout.encode()).hexdigest() == DIGEST
