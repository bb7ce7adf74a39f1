"""Bytes against accuracy: the demo, and a small language model, by compression.

Each row is a whole run of the protocol. Bytes are those of one update's file, as the store holds
it; a file of plain int32 words is as long as one of float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.paper import run_demo
from benchmarks.results import Result

BEST = "error_feedback|low_rank(rank=4)|int4"
"""The compression that reaches the goal; everything else is the demo's."""

GRID = (
    ("none", "mean"),
    ("int16", "mean"),
    ("int8", "mean"),
    ("int4", "mean"),
    ("error_feedback|top_k(bits=4,share=0.026)", "mean|server_momentum(beta=0,lr=2)"),
    ("error_feedback|chunk_top_k(bits=1,chunk=64,k=2)", "mean|server_momentum(beta=0,lr=2)"),
    ("chunk_top_k(bits=2,chunk=64,k=2)", "mean|server_momentum(beta=0,lr=2)"),
    ("error_feedback|chunk_top_k(bits=2,chunk=64,k=2)", "mean"),
    ("error_feedback|chunk_top_k(bits=2,chunk=64,k=2)", "mean|server_momentum(beta=0,lr=2)"),
    ("error_feedback|low_rank(rank=1)|int8", "mean"),
    ("low_rank(rank=4)|int4", "mean"),
    (BEST, "mean"),
)

LANGUAGE = ("--dataset", "sentences", "--model", "transformer", "--skew", "iid", "--rounds", "10")
LANGUAGE_GRID = (
    ("fedavg", "none"),
    ("fedavg", "error_feedback|low_rank(rank=4)|int8"),
    ("lora(lr=0.1,rank=4)", "none"),
    ("lora(lr=0.1,rank=4)", "low_rank(rank=4)|int8"),
    ("lora(lr=0.1,rank=8)", "low_rank(rank=8)|int8"),
)


def measure() -> Iterable[Result]:
    """The demo with and without compression, same rounds, epochs and seed."""
    plain, packed = run(), run("--compression", BEST)
    command = f"ostrom demo --compression '{BEST}'"
    yield Result(
        "Compressed demo: times fewer bytes for an update than float32",
        plain["bytes"] / packed["bytes"],
        "x",
        100.0,
        "",
        "higher",
        command,
        setting=f"{packed['bytes']:,.0f} bytes in place of {plain['bytes']:,.0f}",
    )
    yield Result(
        "Compressed demo: accuracy lost to the plain demo",
        plain["accuracy"] - packed["accuracy"],
        "points",
        1.0,
        "",
        "lower",
        command,
        setting=f"{packed['accuracy']:.2f} % in place of {plain['accuracy']:.2f} %, 10 rounds",
    )


def measure_grid() -> Iterable[Result]:
    """The demo's accuracy for every compression."""
    for compression, aggregation in GRID:
        found = run("--compression", compression, "--aggregation", aggregation)
        yield Result(
            f"Demo, {found['bytes']:,.0f} bytes an update: `{compression}`, `{aggregation}`",
            found["accuracy"],
            "%",
            None,
            "",
            "higher",
            "python -m benchmarks compressions",
        )


def measure_language() -> Iterable[Result]:
    """A transformer that learns a generated language: test loss for each way of sending."""
    for algorithm, compression in LANGUAGE_GRID:
        found = run("--algorithm", algorithm, "--compression", compression, *LANGUAGE)
        yield Result(
            f"Sentences, {found['bytes']:,.0f} bytes an update: `{algorithm}`, `{compression}`",
            found["loss"],
            "nats a word",
            None,
            "3.55 (how often each word comes)",
            "lower",
            "python -m benchmarks language",
        )


def run(*options: str) -> dict[str, float]:
    """`ostrom demo` with these options: accuracy in percent, test loss, bytes of an update."""
    summary: dict[str, Any] = run_demo(*options)[0]
    last = summary["rounds"][-1]
    return {
        "accuracy": 100 * summary["final"]["accuracy"],
        "loss": summary["final"]["loss"],
        "bytes": last["bytes"]["updates"] / summary["config"]["clients"],
    }
