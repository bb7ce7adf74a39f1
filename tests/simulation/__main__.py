"""`python -m tests.simulation --seeds 0:500`: run seeds, count faults, say how to replay."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.network import Outcome, simulate


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a seed fails."""
    chosen = _parser().parse_args(arguments)
    if chosen.planted:
        from tests.simulation.planted import report

        return report(jobs=chosen.jobs, names=chosen.only)
    if chosen.replay is not None:
        return _replay(chosen.replay)
    first, last = (int(part) for part in chosen.seeds.split(":"))
    return _run(range(first, last), chosen.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:100", metavar="FIRST:LAST", help="LAST excluded")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="print the log of one seed")
    parser.add_argument(
        "--planted", action="store_true", help="show how many planted bugs are found"
    )
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these planted bugs only")
    return parser


def _replay(seed: int) -> int:
    outcome = simulate(seed, keep_log=True)
    print(*outcome.lines or [], sep="\n")
    print(f"seed {seed}: {outcome.fault or 'everything holds'}\nlog sha256 {outcome.digest}")
    return int(bool(outcome.fault))


def _run(seeds: Iterable[int], jobs: int) -> int:
    began = time.perf_counter()
    outcomes = []
    for outcome in _outcomes(seeds, jobs):
        outcomes.append(outcome)
        if outcome.fault:
            print(f"seed {outcome.seed}: {outcome.fault}", flush=True)
    seconds = time.perf_counter() - began
    failed = [one.seed for one in outcomes if one.fault]
    _summary(outcomes, seconds)
    for seed in failed:
        print(f"replay: python -m tests.simulation --replay {seed}")
    return int(bool(failed))


def _outcomes(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(simulate, seeds, chunksize=4)


def _summary(outcomes: list[Outcome], seconds: float) -> None:
    counts: Counter[str] = Counter()
    for one in outcomes:
        counts.update(one.counts)
    for kind, count in counts.most_common():
        print(f"{count:>8} {kind}")
    total = max(1, len(outcomes))
    print(
        f"{len(outcomes)} seeds, {sum(bool(one.fault) for one in outcomes)} failed, "
        f"{sum(one.settled for one in outcomes)} rounds settled, "
        f"{sum(one.void for one in outcomes)} void, {sum(one.blocks for one in outcomes)} blocks, "
        f"{len(counts)} kinds of fault, {seconds / total:.2f} s a seed"
    )


if __name__ == "__main__":
    sys.exit(main())
