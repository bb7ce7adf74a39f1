"""What every aggregation pipeline must do. A newcomer adds one line to `REFERENCES` and passes."""

from __future__ import annotations

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, pairwise
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


def in_order(rows: Rows, weights: list[int]) -> Rows:
    return [row for row, _ in sorted(zip(rows, weights), key=content)]


def by_krum(rows: Rows, f: int) -> list[int]:
    n = len(rows)
    near = [sorted(squared(a, b) for b in rows)[1 : 1 + max(1, n - f - 2)] for a in rows]
    return sorted(range(n), key=lambda i: (sum(near[i]), i))


def slow_krum(f: int, m: int) -> Reference:
    def rule(rows: Rows, weights: list[int]) -> list[int]:
        rows = in_order(rows, weights)
        hostile = min(f, max(0, (len(rows) - 3) // 2))
        best = by_krum(rows, hostile)[: min(m, len(rows) - hostile)]
        return slow_equal_mean([rows[i] for i in best], weights)

    return rule


def around_median(rows: Rows, keep: int) -> list[int]:
    means = []
    for column in zip(*rows):
        ranked = sorted(column)
        middle = Fraction(ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2], 2)
        kept = sorted(column, key=lambda x: (abs(x - middle), x))[:keep]
        means.append(half_up(Fraction(sum(kept), keep)))
    return means


def slow_around(f: int) -> Reference:
    return lambda rows, _: around_median(rows, len(rows) - min(f, (len(rows) - 1) // 2))


def slow_bulyan(f: int) -> Reference:
    def rule(rows: Rows, weights: list[int]) -> list[int]:
        left, chosen = in_order(rows, weights), []
        hostile = min(f, max(0, (len(rows) - 3) // 4))
        while len(chosen) < len(rows) - 2 * hostile:
            chosen.append(left.pop(by_krum(left, hostile)[0]))
        return around_median(chosen, len(rows) - 4 * hostile)

    return rule


def best_set(f: int, badness: Callable[[Rows], int]) -> Reference:
    def rule(rows: Rows, weights: list[int]) -> list[int]:
        sets = combinations(in_order(rows, weights), len(rows) - min(f, (len(rows) - 1) // 2))
        return slow_equal_mean(list(min(map(list, sets), key=badness)), weights)

    return rule


def diameter(rows: Rows) -> int:
    return max(squared(a, b) for a in rows for b in rows)


def spread(rows: Rows) -> int:
    """The smallest integer above 2 m^2 times the largest eigenvalue of the scatter.

    All roots of the characteristic polynomial are real, so that s lies above them exactly where
    the polynomial and all its derivatives are positive.
    """
    m = len(rows)
    centred = [[m * x - total for x, total in zip(row, map(sum, zip(*rows)))] for row in rows]
    matrix = [[2 * sum(x * y for x, y in zip(a, b)) for b in centred] for a in centred]
    polynomial = characteristic(matrix)
    low, high = -1, sum(matrix[i][i] for i in range(m)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if all_positive(polynomial, middle) else (middle, high)
    return high


def characteristic(matrix: Rows) -> list[int]:
    """Coefficients of det(x I - matrix), highest first, by Faddeev and LeVerrier."""
    size = len(matrix)
    part = [[0] * size for _ in matrix]
    found = [1]
    for k in range(1, size + 1):
        for i in range(size):
            part[i][i] += found[-1]
        part = [
            [sum(a * b for a, b in zip(row, column)) for column in zip(*part)] for row in matrix
        ]
        found.append(-sum(part[i][i] for i in range(size)) // k)
    return found


def all_positive(polynomial: list[int], s: int) -> bool:
    """Whether it and all its derivatives are positive at s: by repeated synthetic division."""
    rest = polynomial
    while len(rest) > 1:
        line = [rest[0]]
        for coefficient in rest[1:]:
            line.append(line[-1] * s + coefficient)
        if line[-1] <= 0:
            return False
        rest = line[:-1]
    return True


Step = Callable[[list[int], list[int], int], list[int]]


def slow_search(start: list[int], rows: Rows, step: Step, iterations: int) -> list[int]:
    points = [*rows, start]
    precision = min(40, 46 - len(points).bit_length())
    shares = [0] * len(rows) + [1]
    for _ in range(iterations):
        whole = sum(shares)
        centre = [sum(b * x for b, x in zip(shares, column)) for column in zip(*points)]
        far = [math.isqrt(sum((whole * x - z) ** 2 for x, z in zip(p, centre))) for p in rows]
        shares = step(shares, far, precision)
    return slow_mean(points, shares)


def slow_geometric(iterations: int, near: int) -> Reference:
    def step(shares: list[int], far: list[int], precision: int) -> list[int]:
        lengths = [max(r, near * sum(shares)) for r in far]
        return [*((min(lengths) << precision) // length for length in lengths), 0]

    return lambda rows, _: slow_search([0] * LENGTH, rows, step, iterations)


def slow_centred(c: int, iterations: int) -> Reference:
    def step(shares: list[int], far: list[int], precision: int) -> list[int]:
        whole, one = sum(shares), 1 << precision
        kept = [one if r <= c * whole else c * whole * one // (r + 1) for r in far]
        stays = one * len(far) - sum(kept)
        moved = [share * stays // whole + k for share, k in zip(shares, kept)]
        return [*moved, one * len(far) - sum(moved)]

    return lambda rows, _: slow_search([0] * LENGTH, rows, step, iterations)


def slow_nnm(f: int, rule: Reference) -> Reference:
    def mixed(rows: Rows, weights: list[int]) -> list[int]:
        pairs = sorted(zip(rows, weights), key=content)
        rows = [row for row, _ in pairs]
        keep = len(rows) - min(f, (len(rows) - 1) // 2)
        near = [sorted(rows, key=lambda other: squared(row, other))[:keep] for row in rows]
        return rule([slow_equal_mean(group, weights) for group in near], [w for _, w in pairs])

    return mixed


def shortened(row: list[int], longest: int) -> list[int]:
    square = sum(x * x for x in row)
    if square <= longest:
        return row
    norm = math.isqrt(square - 1) + 1
    return [int(math.copysign(abs(x) * math.isqrt(longest) // norm, x)) for x in row]


def slow_clip(bound: int, rule: Reference) -> Reference:
    return lambda rows, weights: rule([shortened(row, bound * bound) for row in rows], weights)


def slow_arc(f: int, rule: Reference) -> Reference:
    def clip(rows: Rows, weights: list[int]) -> list[int]:
        n, hostile = len(rows), min(f, (len(rows) - 1) // 2)
        lengths = sorted((sum(x * x for x in row) for row in rows), reverse=True)
        longest = lengths[math.floor(Fraction(2 * hostile * (n - hostile), n))]
        return rule([shortened(row, longest) for row in rows], weights)

    return clip


def slow_rms(f: int, rule: Reference) -> Reference:
    def clip(rows: Rows, weights: list[int]) -> list[int]:
        n, hostile = len(rows), min(f, (len(rows) - 1) // 2)
        lengths = [sum(x * x for x in row) for row in rows]
        longest = sorted(lengths, reverse=True)[hostile]
        mean = sum(min(length, longest) for length in lengths) // n
        return rule([shortened(row, mean) for row in rows], weights)

    return clip


def slow_buckets(s: int, rule: Reference) -> Reference:
    def mix(rows: Rows, weights: list[int]) -> list[int]:
        pairs = sorted(zip(rows, weights), key=content)
        digests = [hashlib.sha256(content(pair)[0]).digest() for pair in pairs]
        seed = hashlib.sha256(b"".join(digests)).digest()
        ranks = [hashlib.sha256(seed + i.to_bytes(8, "big")).digest() for i in range(len(pairs))]
        drawn = [pair for _, pair in sorted(zip(ranks, pairs))]
        groups = [drawn[start : start + s] for start in range(0, len(drawn), s)]
        means = [slow_equal_mean([row for row, _ in group], weights) for group in groups]
        return rule(means, [sum(weight for _, weight in group) for group in groups])

    return mix


def slow_distinct(cosine: Fraction, rule: Reference) -> Reference:
    def alike(a: list[int], b: list[int]) -> bool:
        dot, one, other = (sum(x * y for x, y in zip(*pair)) for pair in ((a, b), (a, a), (b, b)))
        if not one or not other:
            return one == other
        return dot >= 0 and dot * dot >= cosine**2 * one * other

    def merge(rows: Rows, weights: list[int]) -> list[int]:
        label = list(range(len(rows)))
        for _ in rows:
            near = [[k for k in range(len(rows)) if alike(row, rows[k])] for row in rows]
            label = [min(label[k] for k in others) for others in near]
        classes = [[i for i, one in enumerate(label) if one == name] for name in set(label)]
        means = [slow_equal_mean([rows[i] for i in members], weights) for members in classes]
        return rule(means, [max(weights[i] for i in members) for members in classes])

    return merge


REFERENCES: dict[str, Reference | None] = {
    "mean": slow_mean,
    "mean(weights=equal)": slow_equal_mean,
    "sum": slow_sum,
    "median": slow_trimmed(10**9),
    "trimmed_mean(f=0)": slow_trimmed(0),
    "trimmed_mean(f=2)": slow_trimmed(2),
    "multi_krum(f=1)": slow_krum(1, 1),
    "multi_krum(f=2,m=3)": slow_krum(2, 3),
    "mean_around_median(f=1)": slow_around(1),
    "mean_around_median(f=3)": slow_around(3),
    "krum(f=2)": slow_krum(2, 1),
    "bulyan(f=1)": slow_bulyan(1),
    "mda(f=2)": best_set(2, diameter),
    "mda(f=3)": best_set(3, diameter),
    "smea(f=2)": best_set(2, spread),
    "geometric_median": slow_geometric(8, 1),
    "geometric_median(iterations=2,nu=1)": slow_geometric(2, 1 << 20),
    "centred_clipping(c=0.5)": slow_centred(1 << 19, 1),
    "centred_clipping(c=2e-06,iterations=3)": slow_centred(2, 3),
    "arc(f=2)|mean": slow_arc(2, slow_mean),
    "rms_clip(f=2)|mean": slow_rms(2, slow_mean),
    "bucketing(s=3)|mean": slow_buckets(3, slow_mean),
    "distinct(cosine=0.9)|mean": slow_distinct(Fraction(9, 10), slow_mean),
    "distinct(cosine=1)|bucketing(s=2)|median": slow_distinct(
        Fraction(1), slow_buckets(2, slow_trimmed(10**9))
    ),
    "nnm(f=1)|mean": slow_nnm(1, slow_mean),
    "nnm(f=2)|trimmed_mean(f=2)": slow_nnm(2, slow_trimmed(2)),
    "norm_clip(c=1.5)|sum": slow_clip(3 << 19, slow_sum),
    "norm_clip(c=1e-05)|nnm(f=1)|median": slow_clip(10, slow_nnm(1, slow_trimmed(10**9))),
    "mean|server_momentum(beta=0.9)": slow_mean,
    "median|server_momentum(beta=0.5,lr=0.1)": None,
    "mean|server_adam(lr=0.01)": None,
    "mean|server_adagrad(lr=0.01)": None,
    "mean|server_yogi(lr=0.01)": None,
    "mean|scaffold": None,
    "mean|fednova": None,
    "mean|feddyn": None,
    "centred_clipping(c=0.5)|server_momentum(beta=0.9)": None,
    "sum|ridge_solve(classes=2,features=3)": None,
}
"""Canonical text -> its delta from a fresh state, in Python integers (None: tested elsewhere)."""

TEXTS = list(REFERENCES)
TESTED_ELSEWHERE = {"natural_step", "ridge_tune"}
"""Steps that need more than any update of `LENGTH` values: `test_natural.py`, `test_tuning.py`."""

STEPPED = [text for text in TEXTS if any(name in text for name in SERVER_STEPS)]
MOVES = {"ridge_solve": 6, "scaffold": LENGTH // 2, "fednova": LENGTH - 1}
"""Server steps whose delta is shorter than an update."""

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
    assert {*PRE_AGGREGATIONS, *RULES, *SERVER_STEPS} - TESTED_ELSEWHERE <= set(table)


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
    (length,) = [MOVES[name] for name in MOVES if name in text] or [LENGTH]
    assert delta.shape == (length,)
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


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in STEPPED])
@settings(max_examples=15, deadline=None)
@given(row=st.lists(st.integers(-1000, 1000), min_size=LENGTH, max_size=LENGTH))
def test_the_only_update_of_a_round_is_the_aggregate(text: str, row: list[int]) -> None:
    if "clip" in text:
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


ROBUST = [
    "median",
    "trimmed_mean(f=2)",
    "mean_around_median(f=2)",
    "krum(f=2)",
    "multi_krum(f=2,m=5)",
    "mda(f=2)",
    "smea(f=2)",
    "nnm(f=2)|trimmed_mean(f=2)",
    "distinct(cosine=0.9)|bulyan(f=1)",
    "bucketing(s=1)|median",
]


@pytest.mark.parametrize("text", ROBUST)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_two_of_nine_updates_a_million_times_too_large_do_not_move_it(text: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    honest = rng.integers(-1000, 1001, (7, LENGTH)).astype(np.int32)
    mallory = np.clip(honest[:2].astype(np.int64) * 10**6, -(2**31), 2**31 - 1).astype(np.int32)
    mallory[:, 0] = 2**31 - 1
    if "distinct" in text:
        mallory[1] = mallory[0]
    rows = np.concatenate([mallory, honest])
    delta, _ = pipeline(text).aggregate(rows, np.ones(9, dtype=np.int64), {})
    assert (delta >= honest.min(axis=0)).all()
    assert (delta <= honest.max(axis=0)).all()


@pytest.mark.parametrize("text", ["geometric_median(iterations=60)", "centred_clipping(c=0.001)"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_two_of_nine_huge_updates_move_a_centre_no_further_than_the_honest_spread(
    text: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    honest = rng.integers(-1000, 1001, (7, LENGTH)).astype(np.int32)
    rows = np.concatenate([np.full((2, LENGTH), 2**31 - 1, dtype=np.int32), honest])
    delta, _ = pipeline(text).aggregate(rows, np.ones(9, dtype=np.int64), {})
    assert np.linalg.norm(delta - honest.mean(axis=0)) < 1000 * math.sqrt(LENGTH)


def test_centred_clipping_goes_on_from_the_last_aggregate() -> None:
    combine = pipeline("centred_clipping(c=1)", fraction_bits=0)
    rows, state, seen = np.full((3, 1), 10, dtype=np.int32), {}, []
    for _ in range(3):
        delta, state = combine.aggregate(rows, np.ones(3, dtype=np.int64), state)
        seen.append(int(delta[0]))
    assert [b - a for a, b in pairwise(seen)] == [1, 1]


SCRIPT = """
import hashlib, sys
import numpy as np
from ostrom.aggregation import pipeline
rng = np.random.RandomState(7)
for text in sys.argv[1:]:
    rows = rng.randint(-(2**31), 2**31, (16, 40_000)).astype(np.int32)
    rows[::2] >>= rng.randint(9, 16)
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

DIGEST = "b691e073410a22e4b52f68b3d71eed8e3eb1ac2f84f801568f03dbb373941713"
"""Of what `SCRIPT` prints for the whole table; a change means that no old round can be audited."""


@pytest.mark.parametrize("machine", MACHINES)
def test_every_process_thread_count_and_instruction_set_gives_the_same_bytes(machine: str) -> None:
    texts = [re.sub(r"e-0\d", "", text.replace("features=3", "features=40")) for text in TEXTS]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *texts],
        env={**os.environ, **MACHINES[machine], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(" True ") == len(texts)
    assert hashlib.sha256(done.stdout.encode()).hexdigest() == DIGEST
