from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.aggregation import pipeline
from ostrom.errors import InputError
from ostrom.sim.config import RunConfig
from ostrom.sim.world import build_world
from ostrom.tensors import add_saturating
from ostrom.training import ModelHoldout, Start, local_algorithm, train_cohort
from ostrom.verification import SCORE_UNIT, Contributions, exact_shapley, gtg_shapley, leave_one_out
from ostrom.verification.contributions import example
from ostrom.verification.shapley import EXACT_MAX, Utility, cycle_orders

GLOVES = {(): 0, (0,): 0, (1,): 0, (2,): 0, (0, 1): 1, (0, 2): 1, (1, 2): 0, (0, 1, 2): 1}
"""One left glove, two right ones: a pair is worth one. Its values are 2/3, 1/6, 1/6."""


class Counting:
    """A holdout whose models are their own value; it counts them."""

    def __init__(self) -> None:
        self.rated = 0

    def value(self, parameters: Any) -> Any:
        self.rated += len(parameters)
        return parameters[:, 0] / 1_000

    def gradients(self, parameters: Any) -> Any:
        raise AssertionError("nobody asks for gradients")

    def accuracy(self, parameters: Any) -> float:
        raise AssertionError("nobody asks for accuracy")


def game(worth: Any, n: int, seed: bytes = bytes(32)) -> Contributions:
    """A round in which a coalition, a sorted tuple of rows, is worth so many thousandths."""

    def model_of(rows: Sequence[int]) -> Any:
        return np.array([worth(tuple(rows))], dtype=np.int32)

    everyone = tuple(range(n))
    return Contributions(
        parent=model_of(()),
        updates=np.ones((n, 1), dtype=np.int32),
        seed=seed,
        candidate=model_of(everyone),
        model_of=model_of,
        without_each=lambda: np.stack(
            [model_of(everyone[:i] + everyone[i + 1 :]) for i in range(n)]
        ),
        model_with=model_of,
    )


def by_definition(worth: Any, n: int) -> list[int]:
    """The mean marginal contribution over all n! orders, in units of a millionth."""
    total, orders = [0] * n, list(permutations(range(n)))
    for order in orders:
        for place, i in enumerate(order):
            before = tuple(sorted(order[:place]))
            total[i] += worth(tuple(sorted((*before, i)))) - worth(before)
    return [round(one * (SCORE_UNIT // 1_000) / len(orders)) for one in total]


def test_more_than_ten_updates_are_too_many_for_exact_values() -> None:
    with pytest.raises(InputError, match="use gtg_shapley"):
        exact_shapley()(*example(*range(EXACT_MAX + 1)))


def test_the_exact_value_of_a_known_game() -> None:
    made = game(lambda rows: 1_000 * GLOVES[rows], 3)
    assert exact_shapley()(made, Counting()) == [666_667, 166_667, 166_667]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-1_000, 1_000), min_size=16, max_size=16))
def test_exact_values_are_the_mean_over_all_orders(values: list[int]) -> None:
    def worth(rows: tuple[int, ...]) -> int:
        return values[sum(1 << i for i in rows)]

    made = game(worth, 4)
    assert exact_shapley()(made, Counting()) == by_definition(worth, 4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-1_000, 1_000), min_size=32, max_size=32))
def test_exact_values_add_up_to_what_the_round_gained(values: list[int]) -> None:
    def worth(rows: tuple[int, ...]) -> int:
        return values[sum(1 << i for i in rows)]

    scores = exact_shapley()(game(worth, 5), Counting())
    assert abs(sum(scores) - (values[-1] - values[0]) * SCORE_UNIT // 1_000) <= 5


def test_no_coalition_is_rated_twice() -> None:
    made, holdout = game(lambda rows: len(rows) ** 2, 6), Counting()
    gtg_shapley(cycles=20, tolerance=0)(made, holdout)
    assert holdout.rated <= 2**6
    worth = Utility(made, holdout)
    worth.rate([(0, 1), (1, 0), (1,), (0, 1)])
    assert len(worth) == 2


def test_sampled_values_come_close_to_the_exact_ones() -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(1, 100, size=8)

    def worth(rows: tuple[int, ...]) -> int:
        return int(1_000 * np.sqrt(weight[list(rows)].sum()))

    made = game(worth, 8)
    exact = np.array(exact_shapley()(made, Counting()))
    sampled = np.array(gtg_shapley(cycles=8, tolerance=0, within=0.0)(made, Counting()))
    assert np.abs(sampled - exact).max() < 0.05 * exact.sum()
    assert np.abs(sampled.sum() - exact.sum()) < 0.02 * exact.sum()


def test_a_round_that_gains_next_to_nothing_pays_nobody_and_costs_two_ratings() -> None:
    holdout = Counting()
    made = game(lambda rows: len(rows) % 5, 5)
    assert gtg_shapley(between=0.001)(made, holdout) == [0] * 5
    assert holdout.rated == 2


def test_an_order_ends_once_there_is_nothing_left_to_gain() -> None:
    def worth(rows: tuple[int, ...]) -> int:
        return min(len(rows), 2) * 1_000

    short, long = Counting(), Counting()
    gtg_shapley(cycles=1, within=0.01)(game(worth, 8), short)
    gtg_shapley(cycles=1, within=0.01)(game(lambda rows: len(rows) * 1_000, 8), long)
    assert short.rated <= 2 + 8 + 8
    assert long.rated > 2 * short.rated


def test_it_stops_when_another_cycle_changes_little() -> None:
    calm, eager = Counting(), Counting()
    values = np.random.default_rng(2).integers(0, 300, size=1 << 10).tolist()
    for holdout, tolerance in ((calm, 0.9), (eager, 0.0)):
        made = game(lambda rows: 1_000 * len(rows) + values[sum(1 << i for i in rows)], 10)
        gtg_shapley(cycles=12, tolerance=tolerance, within=0.0)(made, holdout)
    assert calm.rated < eager.rated / 2


def test_in_a_cycle_everybody_stands_everywhere_once_and_the_seed_decides_the_rest() -> None:
    orders = cycle_orders(b"a" * 32, 7, 0)
    assert all(sorted(places) == list(range(7)) for places in zip(*orders))
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert orders != cycle_orders(b"b" * 32, 7, 0)
    assert orders != cycle_orders(b"a" * 32, 7, 1)


def test_once_every_coalition_is_known_the_values_are_exact() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-1_000, 1_000, size=16).tolist()
    made = game(lambda rows: values[sum(1 << i for i in rows)], 4)
    sampled = gtg_shapley(cycles=200, tolerance=0, within=0.0)(made, Counting())
    assert sampled == exact_shapley()(made, Counting())


def test_the_seed_changes_samples_and_nothing_else() -> None:
    def worth(rows: tuple[int, ...]) -> int:
        return 1_000 * len({r % 3 for r in rows})

    seeds = [bytes([i]) * 32 for i in range(3)]
    scores = [gtg_shapley(cycles=1)(game(worth, 9, seed), Counting()) for seed in seeds]
    again = gtg_shapley(cycles=1)(game(worth, 9, seeds[0]), Counting())
    assert scores[0] == again
    assert scores[0] != scores[1]


def mean_round(targets: list[Any], *updates: Any) -> tuple[Contributions, Any]:
    """A round of averaged updates; the holdout likes models near the mean of the targets."""
    rows = np.rint(np.array(updates) * (1 << 20)).astype(np.int32)
    parent = np.zeros(rows.shape[1], dtype=np.int32)
    goal = np.mean(targets, axis=0)

    def model_of(coalition: Sequence[int]) -> Any:
        mine = rows[list(coalition)]
        return np.rint(mine.mean(axis=0)).astype(np.int32) if len(mine) else parent

    class Near(Counting):
        def value(self, parameters: Any) -> Any:
            return -((parameters / (1 << 20) - goal) ** 2).sum(axis=1)

    n = range(len(rows))
    made = replace(
        game(len, len(rows)),
        parent=parent,
        updates=rows,
        candidate=model_of(n),
        model_of=model_of,
        without_each=lambda: np.stack([model_of([j for j in n if j != i]) for i in n]),
        model_with=model_of,
    )
    return made, Near()


def share_of_pool(scores: list[int], who: list[int]) -> float:
    return sum(max(scores[i], 0) for i in who) / sum(max(score, 0) for score in scores)


def digits_round() -> tuple[Contributions, ModelHoldout]:
    """A first round of six trainers on digits, half of whose images are of one class."""
    fields = {"dataset": "digits", "clients": 6, "validators": 1, "skew": "emphasis(share=0.5)"}
    world = build_world(RunConfig.of(fields))
    start, shares = Start(world.initial()["parameters"]), [share.train for share in world.shares]
    algorithm = local_algorithm(world.spec.algorithm)
    trained = train_cohort(world.model, algorithm, start, shares, list(range(6)))
    rows = np.stack([update.values for update, _ in trained])
    return averaged(start.parameters, rows), ModelHoldout(world.model, world.holdouts[0])


def averaged(parent: Any, rows: Any) -> Contributions:
    mean, everyone = pipeline("mean"), list(range(len(rows)))

    def model_of(coalition: Sequence[int]) -> Any:
        if not len(coalition):
            return parent
        mine = rows[list(coalition)]
        return add_saturating(parent, mean.aggregate(mine, np.full(len(mine), 1), {})[0])

    others = [[j for j in everyone if j != i] for i in everyone]
    return Contributions(
        parent=parent,
        updates=rows,
        seed=bytes(32),
        candidate=model_of(everyone),
        model_of=model_of,
        without_each=lambda: np.stack([model_of(rest) for rest in others]),
        model_with=model_of,
    )


def with_copy(made: Contributions, victim: int, *, noise: float) -> Contributions:
    """The round in which mallory sends the victim's update with noise of a share of its length."""
    source = made.updates[victim]
    size = noise * np.linalg.norm(source) / np.sqrt(len(source))
    near = np.rint(source + np.random.default_rng(1).normal(0, size, len(source)))
    return averaged(made.parent, np.concatenate([made.updates, near[None].astype(np.int32)]))


def test_trainers_and_their_near_copies_earn_less_than_two_shares_together() -> None:
    made, holdout = digits_round()
    rate, victims = gtg_shapley(cycles=2), range(3)
    honest = rate(made, holdout)
    alone = sum(share_of_pool(honest, [i]) for i in victims)
    copied = [rate(with_copy(made, i, noise=0.1), holdout) for i in victims]
    together = sum(share_of_pool(scores, [i, 6]) for i, scores in enumerate(copied))
    assert 0.7 * alone < together < 1.9 * alone


def test_leaving_one_out_takes_from_both_what_a_near_copy_copies() -> None:
    own = [np.eye(6)[i] for i in range(6)]
    noisy = own[0] + np.random.default_rng(5).normal(0, 0.01, 6)
    left = leave_one_out()(*mean_round(own, *own, noisy))
    assert left[0] + left[6] < 0.5 * min(left[1:6])


def test_more_near_copies_do_not_earn_more() -> None:
    own = [np.eye(6)[i] for i in range(6)]
    rng = np.random.default_rng(7)
    group = []
    for copies in (0, 1, 3):
        noisy = [own[0] + rng.normal(0, 0.01, 6) for _ in range(copies)]
        scores = gtg_shapley(cycles=8)(*mean_round(own, *own, *noisy))
        group.append(share_of_pool(scores, [0, *range(6, 6 + copies)]))
    assert max(group[1:]) < 1.1 * group[0]
