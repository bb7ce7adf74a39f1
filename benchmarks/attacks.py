"""Every attack on two kinds of data, with the plain mean and with a robust pipeline.

    python -m benchmarks.attacks [--seeds 1 2 3 4 5] [--only NAME ...] [--write]

Digits, 10 trainers of whom 2 attack, 20 rounds of `fedavg(batch=16,epochs=5,lr=0.1)` on an MLP with
32 hidden units; accuracy on the 180 test images after the last round. Checks, scores and sanctions
are off: what is measured is the aggregation alone. Where a model is ruined so far that honest
training diverges, its last accuracy counts.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, pstdev

from benchmarks.results import Result, write
from ostrom.errors import InputError
from ostrom.sim.config import RunConfig
from ostrom.sim.poison import triggered
from ostrom.sim.rehearsal import Rehearsed, rehearse
from ostrom.training import evaluate
from ostrom.training.threads import one_thread

COMMAND = "python -m benchmarks.attacks"
SETTING: Mapping[str, object] = {
    "dataset": "digits",
    "model": "mlp(hidden=32)",
    "algorithm": "fedavg(batch=16,epochs=5,lr=0.1)",
    "clients": 10,
    "rounds": 20,
}
RULES = ("mean", "nnm(f=2)|trimmed_mean(f=2)")
SKEWS = ("iid", "emphasis(share=0.9)")
ATTACKS = (
    "none",
    "drop_out(trainers=2)",
    "zeros(trainers=2)",
    "noise(trainers=2)",
    "last_delta(trainers=2)",
    "copy(trainers=2)",
    "noisy_copy(trainers=2)",
    "mimic(trainers=2)",
    "lazy(trainers=2)",
    "sybil(identities=2)",
    "label_flip(trainers=2)",
    "backdoor(boost=5,trainers=2)",
    "gaussian(sigma=1,trainers=2)",
    "sign_flip(trainers=2)",
    "scale(by=-20,trainers=2)",
    "ipm(epsilon=10,trainers=2)",
    "alie(trainers=2,z=1.5)",
    "min_max(trainers=2)",
    "min_sum(trainers=2)",
    "optimal_ipm(trainers=2)",
    "optimal_alie(trainers=2)",
)
Cell = tuple[str, str, str]
"""Attack, skew, rule."""


def accuracy(cell: Cell, seed: int, **fields: object) -> tuple[float, float]:
    """Percent of the test images that are right, and that the trigger turns into its class."""
    attack, skew, rule = cell
    named = {"attack": attack, "skew": skew, "aggregation": rule, "seed": seed}
    last = _last(RunConfig.of({**SETTING, **named, **fields}))
    model, test = last.world.model, last.world.parts.test
    pages = (test, triggered(test, target=0))
    right, taken = (100 * evaluate(model, last.parameters, page).accuracy for page in pages)
    return right, taken


def _last(config: RunConfig) -> Rehearsed:
    """The last round; of a model that was ruined so far that nobody can train it, its last one."""
    made: deque[Rehearsed] = deque(maxlen=1)
    try:
        made.extend(rehearse(config))
    except InputError:
        if not made:
            raise
    return made.pop()


def grid(attacks: Sequence[str], seeds: Sequence[int]) -> dict[Cell, tuple[list[float], float]]:
    """Accuracies by seed and the mean share of triggered images, cell by cell; prints each row."""
    titles = [f"{skew}, `{rule}`" for skew in SKEWS for rule in RULES]
    cells = " | ".join(title.replace("|", "\\|") for title in titles)
    print(f"| attack | {cells} |\n|---|{'---|' * len(titles)}", flush=True)
    found: dict[Cell, tuple[list[float], float]] = {}
    for attack in attacks:
        row = []
        for cell in ((attack, skew, rule) for skew in SKEWS for rule in RULES):
            rights, triggers = zip(*(accuracy(cell, seed) for seed in seeds))
            found[cell] = list(rights), mean(triggers)
            row.append(shown(cell, *found[cell]))
        print(f"| `{attack}` | {' | '.join(row)} |", flush=True)
    return found


def shown(cell: Cell, rights: Sequence[float], triggered_share: float) -> str:
    """A cell as the table shows it: mean, spread, and for a backdoor how often it works.

    >>> shown(("none", "iid", "mean"), [90.0, 92.0], 0.0)
    '91.0 ± 1.0'
    """
    text = f"{mean(rights):.1f} ± {pstdev(rights):.1f}"
    works = f" (trigger {triggered_share:.0f} %)" if cell[0].startswith("backdoor") else ""
    return text + works


def matrix(seeds: Sequence[int], attacks: Sequence[str] = ATTACKS) -> Iterable[Result]:
    """Print the whole matrix; the worst attack of the harder column, by rule."""
    with one_thread():
        found = grid(attacks, seeds)
    label = f"digits, 10 trainers of whom 2 attack, {SKEWS[1]}, seeds {min(seeds)}-{max(seeds)}"
    for rule in RULES:
        worst = min((mean(found[a, SKEWS[1], rule][0]), a) for a in attacks)
        culprit = worst[1].split("(")[0]
        yield Result(
            f"{label}: worst of {len(attacks)} attacks ({culprit}) on {_named(rule)}",
            *(worst[0], "%", None, "", "higher", COMMAND),
        )


BACKDOOR = "backdoor(boost=10)"
DEFENCES = ("norm_clip(c=1)|mean", "nnm(f=3)|trimmed_mean(f=3)")


def backdoor(seeds: Sequence[int]) -> Iterable[Result]:
    """One boosted attacker of ten, 10 rounds of logistic regression, defence off and on."""
    print("| skew | attack | rule | accuracy | triggered images taken in |\n|---|---|---|---|---|")
    cases = [("none", "mean"), (BACKDOOR, "mean"), *((BACKDOOR, rule) for rule in DEFENCES)]
    found: dict[Cell, tuple[float, float]] = {}
    for cell in ((attack, skew, rule) for skew in SKEWS for attack, rule in cases):
        with one_thread():
            pairs = [accuracy(cell, seed, model="logistic", rounds=10) for seed in seeds]
        rights, taken = zip(*pairs)
        found[cell] = mean(rights), mean(taken)
        attack, skew, rule = cell
        quoted = rule.replace("|", "\\|")
        cells = (
            f"{mean(rights):.1f} ± {pstdev(rights):.1f} | {mean(taken):.1f} ± {pstdev(taken):.1f}"
        )
        print(f"| `{skew}` | `{attack}` | `{quoted}` | {cells} |", flush=True)
    yield from _backdoor_results(found, f"seeds {min(seeds)}-{max(seeds)}")


def _backdoor_results(found: Mapping[Cell, tuple[float, float]], seeds: str) -> Iterable[Result]:
    skew = SKEWS[0]
    clean, _ = found["none", skew, "mean"]
    label = f"backdoor by 1 of 10, digits, logistic, {skew}, {seeds}"
    taken = found[BACKDOOR, skew, "mean"][1]
    yield Result(f"{label}: works on mean", *(taken, "%", 90.0, "", "higher", COMMAND))
    for rule in DEFENCES:
        right, taken = found[BACKDOOR, skew, rule]
        yield Result(f"{label}: works on {_named(rule)}", *(taken, "%", 10.0, "", "lower", COMMAND))
        lost = clean - right
        yield Result(
            f"{label}: accuracy lost by {_named(rule)}",
            *(lost, "points", 2.0, "", "lower", COMMAND),
        )


def _named(rule: str) -> str:
    """As the name of a result, which stands in a table."""
    return rule.replace("|", " and ")


def measure(
    seeds: Sequence[int] = (1, 2, 3, 4, 5), attacks: Sequence[str] = ATTACKS
) -> Iterable[Result]:
    """The backdoor, then the whole matrix."""
    yield from backdoor(seeds)
    yield from matrix(seeds, attacks)


def main() -> None:
    """Play what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", default=list(ATTACKS), metavar="ATTACK")
    parser.add_argument("--write", action="store_true", help="write results.json")
    chosen = parser.parse_args()
    results = list(measure(chosen.seeds, chosen.only))
    for one in results:
        print(f"{one.name}: {one.value:.1f} {one.unit}")
    if chosen.write:
        write(results)


if __name__ == "__main__":
    main()
