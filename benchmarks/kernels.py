"""Aggregation rules beside the `byzfl` package, on the same numbers in the same run.

Shapes, f, tau, iterations and data (normal, deviation 1) are those of ByzPy's published comparison
with ByzFL. `byzfl` gets the kind of array that it is fastest with, of NumPy float64 and float32;
ours are the same numbers in fixed point, int32. Runs alternate; medians are compared. Where `byzfl`
is not installed (`pip install --no-deps byzfl==0.0.11`) its published times stand in.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module, metadata
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.results import Result
from ostrom.aggregation import leave_one_out, pipeline
from ostrom.aggregation.pre_aggregations import nnm
from ostrom.tensors import quantise

COMMAND = "python -m benchmarks kernels"
FASTER = 3.0
"""How many times faster than `byzfl` each kernel should be."""

Kernel = Callable[[Any], object]


@dataclass(frozen=True)
class Case:
    """A kernel, its shape, and what `byzfl` calls it. `published` is ByzFL's time in seconds."""

    name: str
    text: str
    n: int
    d: int
    theirs: tuple[str, dict[str, Any]]
    published: float
    runs: int = 15


CASES = (
    Case("Trimmed mean", "trimmed_mean(f=8)", 64, 65_536, ("TrMean", {"f": 8}), 0.068),
    Case("Multi-Krum", "multi_krum(f=20,m=60)", 80, 65_536, ("MultiKrum", {"f": 20}), 0.078),
    Case(
        "Centred clipping, 10 steps",
        "centred_clipping(c=0.1,iterations=10)",
        64,
        65_536,
        ("CenteredClipping", {"L": 10, "tau": 0.1}),
        0.146,
    ),
    Case("NNM", "nnm(f=32)", 196, 4_096, ("NNM", {"f": 32}), 0.058),
    Case("MDA, f = 6", "mda(f=6)", 18, 2_048, ("MDA", {"f": 6}), 10.0, runs=1),
    Case("SMEA, f = 3", "smea(f=3)", 12, 1_024, ("SMEA", {"f": 3}), 10.0, runs=3),
    Case("MDA, f = 7", "mda(f=7)", 22, 65_536, ("MDA", {"f": 7}), 10.0, runs=1),
    Case("SMEA, f = 4", "smea(f=4)", 16, 65_536, ("SMEA", {"f": 4}), 10.0, runs=1),
)
LIMIT = 0.5
"""Seconds that MDA and SMEA may take, where searching all sets takes `byzfl` over ten."""


def measure() -> Iterable[Result]:
    """Milliseconds of each kernel, and of leaving each update out."""
    byzfl = load_byzfl()
    for case in CASES:
        yield compare(case, byzfl)
    for text in ("trimmed_mean(f=20)", "multi_krum(f=20,m=60)", "nnm(f=20)|trimmed_mean(f=20)"):
        yield Result(
            f"Leaving each of 100 updates of 79,510 values out of `{text}`",
            leaving_out_seconds(text),
            "s",
            None,
            "",
            "lower",
            COMMAND,
        )


def compare(case: Case, byzfl: ModuleType | None) -> Result:
    """Our time for one case beside theirs; the goal is a third of theirs."""
    floats = np.random.default_rng(0).standard_normal((case.n, case.d))
    integers = quantise(floats.ravel()).reshape(floats.shape)
    ours = our_kernel(case)
    times: list[list[float]] = [[], []]
    theirs = their_kernel(case, byzfl, floats) if byzfl else None
    for _ in range(case.runs):
        times[0].append(seconds(ours, integers))
        if theirs:
            times[1].append(seconds(*theirs))
    value, other = (statistics.median(line) if line else case.published for line in times)
    source = f"`byzfl` {metadata.version('byzfl')}, same run" if byzfl else "ByzFL, published"
    searched = case.name.startswith(("MDA", "SMEA"))
    return Result(
        f"{case.name}, {case.n} x {case.d:,}",
        value * 1e3,
        "ms",
        (LIMIT if searched else other / FASTER) * 1e3,
        f"{other * 1e3:,.0f} ms ({source})",
        "lower",
        COMMAND,
    )


def our_kernel(case: Case) -> Kernel:
    """The pipeline, or the pre-aggregation alone."""
    weights = np.ones(case.n, dtype=np.int64)
    if case.text.startswith("nnm"):
        mix = nnm(f=case.theirs[1]["f"])
        return lambda rows: mix(rows, weights)
    combine = pipeline(case.text)
    return lambda rows: combine.aggregate(rows, weights, {})


def their_kernel(
    case: Case, byzfl: ModuleType, floats: np.ndarray[Any, Any]
) -> tuple[Kernel, np.ndarray[Any, Any]]:
    """`byzfl`'s kernel with the faster of its two kinds of array."""
    name, arguments = case.theirs

    def kernel(rows: Any) -> object:
        return getattr(byzfl, name)(**arguments)(rows)

    kinds = [floats, floats.astype(np.float32)]
    if case.runs == 1:
        return kernel, kinds[0]
    return kernel, min(kinds, key=lambda rows: seconds(kernel, rows))


def seconds(kernel: Kernel, rows: Any) -> float:
    """One call's wall-clock time."""
    began = time.perf_counter()
    kernel(rows)
    return time.perf_counter() - began


def leaving_out_seconds(text: str, n: int = 100, d: int = 79_510) -> float:
    """The time of all n aggregates without one update each."""
    rows = quantise(np.random.default_rng(0).standard_normal(n * d) * 0.01).reshape(n, d)
    combine, weights = pipeline(text), np.ones(n, dtype=np.int64)
    return seconds(lambda values: leave_one_out(combine, values, weights, {}), rows)


def load_byzfl() -> ModuleType | None:
    """The aggregators of `byzfl`, if it is installed, without the rest of that package.

    Its `__init__` imports torchvision and plotting, which aggregators do not need.
    """
    found = importlib.util.find_spec("byzfl")
    if found is None or not found.submodule_search_locations:
        return None
    package = ModuleType("byzfl")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["byzfl"] = package
    both = ModuleType("byzfl.both")
    for part in ("aggregators", "preaggregators"):
        both.__dict__.update(vars(import_module(f"byzfl.aggregators.{part}")))
    return both
