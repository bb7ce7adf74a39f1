"""How well scorers agree with exact Shapley values: Kendall's tau, and what copies earn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from benchmarks.results import Result, table
from ostrom.aggregation import leave_one_out, pipeline
from ostrom.codec import sha256
from ostrom.data import Dataset
from ostrom.report.agreement import kendall
from ostrom.sim.config import RunConfig
from ostrom.sim.world import World, build_world
from ostrom.tensors import add_saturating
from ostrom.training import ModelHoldout, Start, local_algorithm, train_cohort
from ostrom.types import IntVector, Update
from ostrom.verification import Contributions, coalitions, scorer

COMMAND = "python -m benchmarks contribution"
SCORERS = (
    ("leave_one_out", "exact_shapley"),
    ("gtg_shapley", "exact_shapley"),
    ("leave_one_out(absent=public)", "exact_shapley(absent=public)"),
    ("gtg_shapley(absent=public)", "exact_shapley(absent=public)"),
)
"""Each scorer with the exact values that it is compared with."""
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "digits": {"dataset": "digits", "clients": 10, "holdout": 200},
    "mnist-small": {
        "dataset": "mnist",
        "clients": 8,
        "holdout": 200,
        "model": "mlp",
        "algorithm": "fedavg(batch=32,epochs=2,lr=0.1)",
        "samples": 2_000,
    },
}
SKEWS = ("iid", "emphasis(share=0.5)", "emphasis(share=0.9)")
ROUNDS = (1, 2, 3, 5, 8)
"""The rounds whose updates are scored."""

Row: TypeAlias = dict[str, float]


@dataclass
class Counted:
    """A holdout that counts the models it rates."""

    holdout: ModelHoldout
    models: int = 0

    def value(self, parameters: IntVector, /) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        self.models += len(parameters)
        return self.holdout.value(parameters)

    def gradients(self, parameters: IntVector, /) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return self.holdout.gradients(parameters)

    def accuracy(self, parameters: IntVector, /) -> float:
        return self.holdout.accuracy(parameters)


def poorer(data: Dataset, index: int, rng: np.random.Generator) -> Dataset:
    """Trainer 1 has a fifth of its data; of trainer 2's labels half are wrong."""
    if index == 1:
        return data.subset(np.arange(max(1, len(data) // 5)))
    if index == 2:
        wrong = rng.random(len(data)) < 0.5
        return replace(data, y=np.where(wrong, rng.permutation(data.y), data.y))
    return data


Twist: TypeAlias = Callable[[list[Update], np.random.Generator], list[Update]]


def noisy_last(updates: list[Update], rng: np.random.Generator) -> list[Update]:
    """The last trainer sends noise as long as its update."""
    *others, last = updates
    noise = rng.normal(0, 1, len(last.values))
    noise *= np.linalg.norm(last.values) / np.linalg.norm(noise)
    return [*others, replace(last, values=np.rint(noise).astype(np.int32))]


def as_they_are(updates: list[Update], rng: np.random.Generator) -> list[Update]:
    """Everybody is honest."""
    return updates


def copied(noise: float) -> Twist:
    """A further trainer sends the first one's update with noise of a share of its size."""

    def twist(updates: list[Update], rng: np.random.Generator) -> list[Update]:
        values = updates[0].values
        added = rng.normal(0, noise * np.linalg.norm(values) / np.sqrt(len(values)), len(values))
        return [*updates, replace(updates[0], values=np.rint(values + added).astype(np.int32))]

    return twist


def rounds(world: World, *, poor: bool, twist: Twist) -> Iterator[Contributions]:
    """The scored rounds of a federation that averages."""
    rng = np.random.default_rng(world.config.seed)
    shares = [share.train for share in world.shares]
    if poor:
        shares = [poorer(data, i, rng) for i, data in enumerate(shares)]
    algorithm, parameters = local_algorithm(world.spec.algorithm), world.initial()["parameters"]
    trend = None
    for number in range(1, max(ROUNDS) + 1):
        seeds = [world.training_seed(number, i) for i in range(len(shares))]
        start = Start(parameters, {}, number)
        honest = [one for one, _ in train_cohort(world.model, algorithm, start, shares, seeds)]
        seed = world.secret("order", number)
        made = contributions(parameters, twist(honest, rng), seed, trend)
        if number in ROUNDS:
            yield made
        trend, parameters = made.candidate.astype(np.int64) - parameters, made.candidate


def contributions(
    parent: IntVector, updates: Sequence[Update], seed: bytes, trend: IntVector | None
) -> Contributions:
    """A round of averaged updates, as a scorer sees it."""
    mean = pipeline("mean")
    rows = np.stack([one.values for one in updates])
    weights = np.array([one.samples for one in updates], dtype=np.int64)

    def moved(some: IntVector, counts: IntVector) -> IntVector:
        return add_saturating(parent, mean.aggregate(some, counts, {})[0])

    left_out, public = coalitions(rows, weights, moved=moved, trend=lambda: trend)
    return Contributions(
        parent=parent,
        updates=rows,
        seed=sha256(seed),
        candidate=left_out(range(len(rows))),
        model_of=lambda some: left_out(some) if len(some) else parent,
        without_each=lambda: add_saturating(parent, leave_one_out(mean, rows, weights, {})),
        model_with=public,
    )


def world_of(setting: str, skew: str, seed: int, **fields: object) -> World:
    """The federation of a setting."""
    chosen = {**SETTINGS[setting], "skew": skew, "seed": seed, "validators": 1, **fields}
    return build_world(RunConfig.of(chosen))


def agreement(setting: str, skew: str, seed: int) -> Iterator[tuple[str, Row]]:
    """Each scorer's tau with exact Shapley values and the models that it rates, per round."""
    world = world_of(setting, skew, seed)
    for made in rounds(world, poor=True, twist=noisy_last):
        holdout = ModelHoldout(world.model, world.holdouts[0])
        exact = {name: scorer(name)(made, holdout) for name in {exact for _, exact in SCORERS}}
        for name, reference in SCORERS:
            counted = Counted(holdout)
            scores = scorer(name)(made, counted)
            yield name, {"tau": kendall(scores, exact[reference]), "models": counted.models}


def copies(setting: str, skew: str, seed: int) -> Iterator[tuple[str, Row]]:
    """What a trainer and its near copy earn together, in shares of what it earns alone."""
    world = world_of(setting, skew, seed, clients=8)
    pair = zip(
        rounds(world, poor=False, twist=as_they_are), rounds(world, poor=False, twist=copied(0.1))
    )
    for alone, with_copy in pair:
        holdout = ModelHoldout(world.model, world.holdouts[0])
        for name in ("leave_one_out", "gtg_shapley", "exact_shapley"):
            before, after = (pay(scorer(name)(one, holdout)) for one in (alone, with_copy))
            if before[0]:
                yield name, {"group": (after[0] + after[-1]) / before[0]}


def pay(scores: Sequence[int]) -> list[float]:
    """Shares of a pool in proportion to positive scores."""
    total = sum(max(score, 0) for score in scores)
    return [max(score, 0) / total if total else 0.0 for score in scores]


def gather(rows: Iterable[tuple[str, Row]]) -> dict[str, dict[str, list[float]]]:
    """Numbers by scorer and name."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, row in rows:
        for key, value in row.items():
            found.setdefault(name, {}).setdefault(key, []).append(value)
    return found


def measure(
    seeds: Sequence[int] = (1, 2), settings: Sequence[str] = tuple(SETTINGS)
) -> Iterable[Result]:
    """Tau with exact Shapley values, among honest and poor trainers and one that sends noise."""
    for setting in settings:
        by_skew = {}
        for skew in SKEWS:
            rows = (row for seed in seeds for row in agreement(setting, skew, seed))
            by_skew[skew] = gather(rows)
            for name, found in by_skew[skew].items():
                taus = found["tau"]
                print(
                    f"{setting:12} {skew:20} {name:28} tau {np.mean(taus):.3f} "
                    f"(min {min(taus):.3f}, sd {np.std(taus):.3f}, n {len(taus)}), "
                    f"{np.mean(found['models']):.0f} models rated",
                    flush=True,
                )
        for name, reference in SCORERS:
            worst = min(float(np.mean(by_skew[skew][name]["tau"])) for skew in SKEWS)
            clients = SETTINGS[setting]["clients"]
            yield Result(
                f"{name}, {setting}, {clients} trainers: Kendall's tau with {reference}, "
                f"worst of {len(SKEWS)} partitions, mean of {len(seeds)} seeds",
                worst,
                "",
                0.9 if name.startswith("gtg") else None,
                "",
                "higher",
                COMMAND,
            )


def measure_copies(seeds: Sequence[int] = (1, 2)) -> None:
    """Print what near copies earn."""
    for skew in SKEWS:
        rows = (row for seed in seeds for row in copies("digits", skew, seed))
        for name, found in gather(rows).items():
            group = found["group"]
            print(
                f"digits {skew:20} {name:14} trainer and near copy together: "
                f"{np.mean(group):.2f} shares (median {np.median(group):.2f}, "
                f"min {min(group):.2f}, max {max(group):.2f})",
                flush=True,
            )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--copies", action="store_true", help="only what near copies earn")
    chosen = parser.parse_args()
    seeds = range(1, chosen.seeds + 1)
    if not chosen.copies:
        print(table(list(measure(seeds, chosen.settings))))
    measure_copies(seeds)


if __name__ == "__main__":
    main()
