"""Measure, print, and write `results.json`: `python -m benchmarks [NAME ...] [--readme]`."""

from __future__ import annotations

import argparse
import re

from benchmarks import chain, cohort, footprint, paper
from benchmarks.results import ROOT, Benchmark, Result, as_result, read, table, write

BENCHMARKS: dict[str, Benchmark] = {
    "footprint": footprint.measure,
    "gas": chain.measure,
    "cohort": cohort.measure,
    "digits": paper.measure_digits,
    "ridge": paper.measure_ridge,
    "demo": paper.measure_demo,
}


def main() -> None:
    """Run the named benchmarks, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which to run")
    parser.add_argument("--readme", action="store_true", help="only renew the README's table")
    chosen = parser.parse_args()
    if not chosen.readme:
        for name in chosen.names or BENCHMARKS:
            results = list(BENCHMARKS[name]())
            print(table(results), flush=True)
            write(results)
    renew_readme()


def renew_readme() -> None:
    """Put the table of all committed results between the README's markers."""
    readme = ROOT / "README.md"
    results: list[Result] = [as_result(row) for row in read()]
    begin, end = "<!-- results: begin -->", "<!-- results: end -->"
    text = readme.read_text("utf-8")
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    block = f"{begin}\n{table(results)}\n{end}"
    readme.write_text(pattern.sub(lambda _: block, text), "utf-8")


if __name__ == "__main__":
    main()
