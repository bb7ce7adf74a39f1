"""Does cheating pay? Every behaviour of the simulator beside honest trainers, over 20 rounds.

    python -m benchmarks.economics [--seeds 3] [--scorer TEXT ...] [--only NAME ...] [--keep FOLDER]

With `--keep`, summaries are kept there and taken up again. Costs: an honest trainer's work costs
`c` per example that it trains on, chosen so that it spends half of its income; a bonded token
costs 0.01 % a round; what a behaviour spares of the work is in `ostrom.report.economics.EFFORT`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ostrom
from benchmarks.results import Result, write
from ostrom.report.economics import HONEST, Account, Costs, economics
from ostrom.sim.behaviours import TRAINER_BEHAVIOURS

COMMAND = "python -m benchmarks.economics"
SETTING: Mapping[str, Any] = {
    "dataset": "digits",
    "clients": 10,
    "validators": 4,
    "rounds": 20,
    "holdout": 500,
    "workers": 1,
}
WORK_SHARE = 0.5
"""The share of its income that an honest trainer spends on its work."""

ATTACKS: Mapping[str, str] = {"sybil": "sybil(identities=3)"}
"""How a behaviour is written where its name alone is not what is meant."""


@dataclass(frozen=True)
class Verdict:
    """A behaviour's accounts over all seeds, beside the honest trainers of the same runs."""

    behaviour: str
    seats: int
    share: float
    worst: float
    lost: float
    on_cost: float
    on_cost_honest: float
    break_even: float | None
    wronged: int
    unpaid: int
    honest: int
    accuracy: float


def summary_of(attack: str, *, keep: Path, **fields: Any) -> dict[str, Any]:
    """The summary of one run, from `keep` where it was made before."""
    chosen = {**SETTING, "attack": attack, **fields}
    name = "-".join(f"{chosen[key]}" for key in ("attack", *sorted(fields))).replace("/", "_")
    file = keep / f"{name}.json"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            ostrom.simulate(out=Path(folder) / "run", **chosen)
            file.write_text((Path(folder) / "run" / "summary.json").read_text("utf-8"), "utf-8")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def accounts(summary: Mapping[str, Any]) -> tuple[Account, Account]:
    """The mean honest trainer, and the cheat; with work at half of the honest income."""
    (honest, *_) = economics(summary)
    price = WORK_SHARE * honest.income / honest.examples if honest.income else 0.0
    honest, *others = economics(summary, Costs(example=price))
    return honest, others[0]


def judge(behaviour: str, seeds: Sequence[int], *, keep: Path, **fields: Any) -> Verdict:
    """Play one behaviour with every seed."""
    attack = ATTACKS.get(behaviour, behaviour)
    summaries = [summary_of(attack, keep=keep, seed=seed, **fields) for seed in seeds]
    pairs = [accounts(one) for one in summaries]
    shares = [cheat.income / honest.income for honest, cheat in pairs]
    evens = [
        cheat.break_even * honest.examples / honest.income
        for honest, cheat in pairs
        if cheat.break_even is not None
    ]
    honest = [row for one in summaries for row in one["trainers"] if row["behaviour"] == HONEST]
    return Verdict(
        behaviour=behaviour,
        seats=pairs[0][1].seats,
        share=float(np.mean(shares)),
        worst=max(shares),
        lost=float(np.mean([cheat.lost for _, cheat in pairs])),
        on_cost=float(np.mean([cheat.on_cost for _, cheat in pairs])),
        on_cost_honest=float(np.mean([honest.on_cost for honest, _ in pairs])),
        break_even=min(evens) if evens else None,
        wronged=sum(row["strikes"] > 0 for row in honest),
        unpaid=sum(row["payout"] == "0" for row in honest),
        honest=len(honest),
        accuracy=float(np.mean([one["final"]["accuracy"] for one in summaries])),
    )


def line(one: Verdict) -> str:
    """A row of the table."""
    even = "never" if one.break_even is None else f"{100 * one.break_even:.0f} %"
    return (
        f"| `{one.behaviour}` | {one.seats} | {100 * one.share:.1f} % | {100 * one.worst:.1f} % "
        f"| {one.lost:.0f} | {one.on_cost:+.2f} | {one.on_cost_honest:+.2f} | {even} "
        f"| {100 * one.accuracy:.1f} % |"
    )


HEADER = (
    "| behaviour | seats | income beside an honest trainer's | worst seed | stake lost "
    "| return on cost | honest | pays where work costs more than | accuracy |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def measure(
    seeds: Sequence[int] = (1, 2, 3),
    names: Sequence[str] = TRAINER_BEHAVIOURS,
    *,
    keep: Path | None = None,
    **fields: Any,
) -> Iterable[Result]:
    """Print the table; the numbers that must hold."""
    with tempfile.TemporaryDirectory() as folder:
        print(HEADER, flush=True)
        found = []
        for name in names:
            found.append(judge(name, seeds, keep=keep or Path(folder), **fields))
            print(line(found[-1]), flush=True)
    label = ", ".join(str(value) for value in fields.values())
    label = f"Economics, digits, 20 rounds, 1 cheat of 10{', ' + label if label else ''}"
    command = " ".join([COMMAND, *(f"--{name} '{value}'" for name, value in fields.items())])
    better = [one for one in found if one.break_even is not None and one.break_even < WORK_SHARE]
    rich = [one for one in found if one.share > 0.05]
    wronged, honest = (sum(getattr(one, key) for one in found) for key in ("wronged", "honest"))
    unpaid = sum(one.unpaid for one in found)
    print(f"honest trainers that earned nothing: {unpaid} of {honest}")
    print(f"gains more than honest work: {', '.join(one.behaviour for one in better) or 'none'}")
    print(f"earns more than 5 %: {', '.join(one.behaviour for one in rich) or 'none'}")
    seeded = f"seeds {', '.join(map(str, seeds))}"
    for what, some in (
        ("gain more than honest work that costs half of its income", better),
        ("earn more than 5 % of an honest trainer", rich),
    ):
        yield Result(
            f"{label}: behaviours (of {len(found)}) that {what}",
            *(float(len(some)), "", 0.0, "", "lower", command),
            setting=f"{seeded}: {', '.join(one.behaviour for one in some) or 'none'}",
        )
    yield Result(
        f"{label}: honest trainers with a strike",
        *(100.0 * wronged / honest, "%", 1.0, "", "lower", command),
        setting=seeded,
    )


def main() -> None:
    """Play what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", default=list(TRAINER_BEHAVIOURS))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", action="store_true", help="write results.json")
    for field in ("scorer", "aggregation", "incentive", "skew"):
        parser.add_argument(f"--{field}")
    chosen = vars(parser.parse_args())
    keep, names, seeds = chosen.pop("keep"), chosen.pop("only"), chosen.pop("seeds")
    written = chosen.pop("write")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    fields = {key: value for key, value in chosen.items() if value is not None}
    results = list(measure(seeds, names, keep=keep, **fields))
    for one in results:
        print(f"{one.name}: {one.value:g} {one.unit}")
    if written:
        write(results)


if __name__ == "__main__":
    main()
