"""`python -m tests.onchain --sequences 10000 --jobs 2`: contracts against the reference, at random.

A tenth of the sequences are whole markets, the others 30 calls to a trainer with deposits or
points, over models of every kind. A sequence is found again by its number: `--first N --sequences
1`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.onchain.differential import run
from tests.onchain.markets import run_market

MARKET_EVERY = 10
PROGRESS_EVERY = 500


def sequence(number: int) -> Counter[str]:
    """What happened how often in the sequence of that number.

    Raises:
        AssertionError: a contract and the reference differ.
    """
    if number % MARKET_EVERY == 0:
        return run_market(number // MARKET_EVERY).counts
    return run(number).counts


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a sequence fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.onchain", description=__doc__)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    chosen = parser.parse_args(arguments)
    counts, failed, begun = Counter[str](), 0, time.monotonic()
    numbers = range(chosen.first, chosen.first + chosen.sequences)
    for number, found, fault in _outcomes(numbers, chosen.jobs):
        counts += found
        if (number + 1) % PROGRESS_EVERY == 0:
            print(f"up to {number}: {failed} failed", flush=True)
        if fault:
            failed += 1
            print(f"sequence {number} fails:\n{fault}", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{count:>9,} {name}")
    calls, seconds = sum(counts.values()), time.monotonic() - begun
    print(f"{len(numbers):,} sequences, {calls:,} outcomes, {failed} failed, {seconds:,.0f} s")
    return int(failed > 0)


def _outcomes(numbers: Iterable[int], jobs: int) -> Iterator[tuple[int, Counter[str], str]]:
    if jobs == 1:
        yield from map(_outcome, numbers)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_outcome, numbers, chunksize=20)


def _outcome(number: int) -> tuple[int, Counter[str], str]:
    try:
        return number, sequence(number), ""
    except Exception:
        return number, Counter(), traceback.format_exc()


if __name__ == "__main__":
    sys.exit(main())
