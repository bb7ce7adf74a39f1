"""Measure, print, and write `results.json`: `python -m benchmarks [NAME ...] [--readme]`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks import (
    attacks,
    byzantine,
    chain,
    cohort,
    compression,
    contribution,
    economics,
    executors,
    footprint,
    kernels,
    network,
    paper,
    skew,
)
from benchmarks.results import ROOT, Benchmark, Result, as_result, details, read, table, write

BENCHMARKS: dict[str, Benchmark] = {
    "footprint": footprint.measure,
    "gas": chain.measure,
    "cohort": cohort.measure,
    "executors": executors.measure,
    "kernels": kernels.measure,
    "digits": paper.measure_digits,
    "ridge": paper.measure_ridge,
    "demo": paper.measure_demo,
    "compression": compression.measure,
}


LONG: dict[str, Benchmark] = {
    "attacks": attacks.measure,
    "byzantine": byzantine.measure,
    "contribution": contribution.measure,
    "economics": economics.measure,
    "compressions": compression.measure_grid,
    "language": compression.measure_language,
    "scale": cohort.measure_scale,
    "network": network.measure,
    "skew_one": skew.measure_one_class,
    "skew_two": skew.measure_two_classes,
    "skew_ridge": skew.measure_ridge,
    "skew_others": skew.measure_others,
}
"""Grids that take from ten minutes to hours; they run only when they are named."""


def main() -> None:
    """Run the named benchmarks, all the short ones by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = {**BENCHMARKS, **LONG}
    parser.add_argument("names", nargs="*", choices=[*known, []], help="which to run")
    parser.add_argument("--readme", action="store_true", help="only renew the tables")
    chosen = parser.parse_args()
    if not chosen.readme:
        for name in chosen.names or BENCHMARKS:
            results = list(known[name]())
            print(table(results), flush=True)
            write(results)
    renew_tables()


def renew_tables() -> None:
    """Put the tables of all committed results between the markers of README and docs."""
    rows = read()
    results: list[Result] = [as_result(row) for row in rows]
    renew(ROOT / "README.md", table(one for one in results if one.goal is not None))
    renew(ROOT / "docs" / "benchmarks.md", f"{table(results)}\n\n{details(rows)}")


def renew(page: Path, block: str) -> None:
    """Replace what stands between a page's markers."""
    begin, end = "<!-- results: begin -->", "<!-- results: end -->"
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    text = pattern.sub(lambda _: f"{begin}\n{block}\n{end}", page.read_text("utf-8"))
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
