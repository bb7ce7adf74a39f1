"""Byzantine grids: `python -m benchmarks.byzantine GRID [--cells FOLDER] [--seeds 0 1 2] [--run]`.

A grid is many training runs of minutes each. Every run leaves one JSON file in the folder, so that
a grid can be stopped, resumed and shared out; without --run, the files that there are make results.

- `byzfl0`, `byzfl33`: ByzFL 0.0.11's grid on MNIST (its CNN, 10 honest trainers, 800 steps), one
  class per trainer, or a third of the data dealt at random. Attackers know every honest update, the
  rule and the validators' holdout; of sign flip, optimal IPM and optimal ALIE the worst counts.
- `noise`: the same with attackers who add independent noise, so as not to be alike.
- `bucketing`: the setting of Karimireddy et al. (2022), five fixed attacks.

Accuracy is that of the last step; ByzFL reports the best of all evaluations, kept here as `best`.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.byzantine_round import SETTINGS, Cell, Run
from benchmarks.byzantine_rules import counts_once
from benchmarks.results import ROOT, Result, table, write
from ostrom.errors import InputError
from ostrom.training.threads import one_thread

NO_TRUST = "distinct(cosine=0.9)|rms_clip(f=1)|mean(weights=equal)"
"""Whoever points the same way has one vote; the four longest votes are cut to the fifth."""

MIXED = "distinct(cosine=0.9)|rms_clip(f=1)|nnm(f=1)|mean(weights=equal)"
"""Where honest updates are alike, each is also mixed with its nearest neighbours."""

FIXED = "distinct(cosine=0.9)|arc(f=1)|mean(weights=equal)"
"""Against the five fixed attacks: one vote for copies, the longest vote cut to the next."""

TRUST = "score_best(share={share})|distinct(cosine=0.9)|arc(f=1)|mean(weights=equal)"
"""First the n - f updates that the holdout's classes explain best. Like ByzFL's, it is told f."""

BYZFL_ATTACKS = ("optimal_ipm", "ipm(epsilon=1)", "optimal_alie")
"""The second is what ByzFL calls sign flip: minus the honest mean."""

BUCKETING_ATTACKS = (
    "own_sign_flip",
    "own_label_flip",
    "mimic",
    "ipm(epsilon=0.1)",
    "alie(z=-0.253)",
)
FOLDER = ROOT / "runs" / "byzantine"
HOLDOUT = 500
EVERY = 50
ATTACKERS = (1, 2, 3, 4)
BLUR = 0.5
"""The attackers' own noise in lengths of what they send: cosines of 0.8 among them."""

TITLES = {
    "byzfl0": "ByzFL grid, gamma 0",
    "byzfl33": "ByzFL grid, gamma .33",
    "noise": "ByzFL grid, gamma 0, attackers with noise of their own",
    "bucketing": "Bucketing setting, n=25",
}
KNOWN = {
    "byzfl0": "ByzFL: clipping, NNM, trimmed mean or geometric median",
    "byzfl33": "the same",
    "bucketing": "Karimireddy et al. 2022: centred clipping, momentum, bucketing",
}
BEST_KNOWN = {
    **{("byzfl0", f): best for f, best in zip(ATTACKERS, (0.87, 0.61, 0.26, 0.27))},
    **{("byzfl33", f): best for f, best in zip(ATTACKERS, (0.98, 0.97, 0.94, 0.94))},
    ("bucketing", 5): 0.9766,
}
HOLDOUT_GOALS = dict(zip(ATTACKERS, (0.95, 0.95, 0.92, 0.90)))


def cells(grid: str, seeds: Sequence[int]) -> Iterator[Cell]:
    """The runs of a grid, the most telling first."""
    for seed in seeds:
        if grid == "bucketing":
            for attack in BUCKETING_ATTACKS:
                yield Cell("bucketing", 0.0, 5, attack, FIXED, seed)
        elif grid == "noise":
            yield from _noisy(seed)
        else:
            gamma = 0.0 if grid == "byzfl0" else 0.33
            for attack in BYZFL_ATTACKS:
                # Equal attackers count once, so that their number changes no byte.
                rule = MIXED if gamma else NO_TRUST
                yield Cell("byzfl", gamma, max(ATTACKERS), attack, rule, seed)
            for attackers in (4, 1, 3, 2):
                for attack in BYZFL_ATTACKS:
                    yield Cell(
                        "byzfl", gamma, attackers, attack, trusting(attackers), seed, HOLDOUT
                    )


def _noisy(seed: int) -> Iterator[Cell]:
    for attackers in reversed(ATTACKERS):
        for attack in ("optimal_ipm", "optimal_alie"):
            rule = trusting(attackers)
            yield Cell("byzfl", 0.0, attackers, attack, rule, seed, HOLDOUT, BLUR)
            yield Cell("byzfl", 0.0, attackers, attack, NO_TRUST, seed, 0, BLUR)


def trusting(attackers: int, honest: int = SETTINGS["byzfl"].honest) -> str:
    """The rule that keeps as many updates as there are honest trainers.

    >>> trusting(1)
    'score_best(share=0.909)|distinct(cosine=0.9)|arc(f=1)|mean(weights=equal)'
    """
    # Rounded down, so that the share of all does not exceed the honest ones.
    return TRUST.format(share=math.floor(1000 * honest / (honest + attackers)) / 1000)


def key(cell: Cell) -> str:
    """A cell's file name."""
    once = counts_once(cell.rule) and not cell.blur and not cell.attack.startswith("own")
    words = [
        cell.setting,
        f"gamma{cell.gamma}",
        "fany" if once else f"f{cell.attackers}",
        cell.attack,
        cell.rule,
        f"holdout{cell.holdout}",
        f"blur{cell.blur}",
        f"seed{cell.seed}",
    ]
    return "_".join(words).replace("|", "+") + ".json"


def run(cell: Cell) -> dict[str, Any]:
    """Train to the end: accuracies every 50 steps, CPU seconds."""
    began, battle = time.process_time(), Run(cell)
    steps = cell.steps or SETTINGS[cell.setting].steps
    curve = []
    for number in range(steps):
        battle.step(number)
        if (number + 1) % EVERY == 0:
            curve.append(battle.accuracy())
            print(number + 1, curve[-1], f"{time.process_time() - began:.0f} s", flush=True)
    return {
        **asdict(cell),
        "accuracy": curve[-1],
        "best": max(curve),
        "curve": curve,
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def run_all(wanted: Iterable[Cell], folder: Path) -> None:
    """Run what has no file yet; a cell that another process is at is left to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for cell in wanted:
        path = folder / key(cell)
        with path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not path.exists():
                print(path.name, flush=True)
                part = path.with_suffix(".part")
                part.write_text(json.dumps(run(cell)) + "\n")
                part.replace(path)


def found(wanted: Iterable[Cell], folder: Path) -> list[dict[str, Any]]:
    """The outcomes of the wanted cells that have run."""
    paths = [folder / key(cell) for cell in wanted]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def results(grid: str, folder: Path, seeds: Sequence[int]) -> Iterator[Result]:
    """One number for each place in a published table, of the seeds that every attack has run."""
    done = found(cells(grid, seeds), folder)
    for holdout in (0, HOLDOUT):
        for count in (5,) if grid == "bucketing" else ATTACKERS:
            wanted = [cell for cell in cells(grid, seeds) if _counts(cell, holdout, count)]
            rows = [one for one in done if _counts(Cell(**_fields(one)), holdout, count)]
            if wanted and {cell.attack for cell in wanted} == {one["attack"] for one in rows}:
                trust = f"holdout of {holdout} images" if holdout else "no trust"
                yield _place(grid, trust, count, rows)


def _counts(cell: Cell, holdout: int, attackers: int) -> bool:
    """Whether a run belongs to a place in the table."""
    alike = counts_once(cell.rule) and not cell.blur and cell.setting == "byzfl"
    return cell.holdout == holdout and (alike or cell.attackers == attackers)


def _fields(outcome: dict[str, Any]) -> dict[str, Any]:
    return {name: outcome[name] for name in Cell.__dataclass_fields__}


def _place(grid: str, trust: str, count: int, rows: Sequence[dict[str, Any]]) -> Result:
    chosen = worst(rows)
    goal, reference = goals(grid, trust, count)
    tried = sorted({one["attack"] for one in rows})
    # ByzFL averages the curves of its seeds before it looks for their best point.
    best = max(map(statistics.fmean, zip(*(one["curve"] for one in chosen))))
    seeds = ", ".join(str(one["seed"]) for one in chosen)
    values = tuple(one["accuracy"] for one in chosen)
    ran = chosen[0]["attackers"]
    alike = "" if ran == count else f" (run with f={ran}: equal attackers have one vote)"
    return Result(
        name=f"{TITLES[grid]}, f={count}, {trust}: worst of {len(tried)} attacks",
        value=round(statistics.fmean(values), 4),
        unit="accuracy",
        goal=goal,
        reference=reference,
        better="higher",
        command=f"python -m benchmarks.byzantine {grid} --run",
        values=values,
        setting=f"{chosen[0]['rule']}; {', '.join(tried)}; worst {chosen[0]['attack']}; seeds "
        f"{seeds}; last step (best evaluation {best:.4f}); noise {chosen[0]['blur']}{alike}"
        + ("; the paper's network at half its width" if grid == "bucketing" else ""),
    )


def worst(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outcomes, by seed, of the attack with the lowest mean over the seeds that all have run.

    Raises:
        InputError: there is no such seed.
    """
    attacks = sorted({one["attack"] for one in rows})
    each = [{one["seed"]: one for one in rows if one["attack"] == attack} for attack in attacks]
    common = sorted(set.intersection(*(set(one) for one in each)))
    if not common:
        raise InputError("no seed has run with every attack: run one seed to its end first")
    outcomes = [[one[seed] for seed in common] for one in each]
    return min(outcomes, key=lambda some: statistics.fmean(one["accuracy"] for one in some))


def goals(grid: str, trust: str, count: int) -> tuple[float | None, str]:
    """What a place must reach, and the best published."""
    if grid == "noise":
        return None, "published attackers are all alike"
    known = BEST_KNOWN[grid, count]
    if grid == "byzfl0" and trust != "no trust":
        return HOLDOUT_GOALS[count], f"{known} (ByzFL's best, no trust)"
    return {"byzfl0": known, "byzfl33": 0.98, "bucketing": 0.977}[grid], f"{known} ({KNOWN[grid]})"


def measure() -> Iterator[Result]:
    """Every grid with one seed: hours. What has run before is read from `runs/byzantine`."""
    for grid in TITLES:
        with one_thread():
            run_all(cells(grid, [0]), FOLDER)
        yield from results(grid, FOLDER, [0])


def main() -> None:
    """Run a grid, or write down what has run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.byzantine", description=__doc__)
    parser.add_argument("grid", choices=list(TITLES))
    parser.add_argument("--cells", type=Path, default=FOLDER, help="folder of the runs' files")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--run", action="store_true", help="train what has no file yet")
    parser.add_argument("--write", action="store_true", help="write results.json")
    chosen = parser.parse_args()
    if chosen.run:
        with one_thread():
            run_all(cells(chosen.grid, chosen.seeds), chosen.cells)
    measured = list(results(chosen.grid, chosen.cells, chosen.seeds))
    print(table(measured))
    if chosen.write:
        write(measured)


if __name__ == "__main__":
    main()
