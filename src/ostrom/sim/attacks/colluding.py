"""Attacks of trainers that know every honest update of the round and send one common vector."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from ostrom.aggregation.exact import IntMatrix
from ostrom.errors import InputError
from ostrom.sim.attacks.line_search import line_maximize
from ostrom.sim.attacks.shape import (
    Aggregate,
    Attack,
    Floats,
    blurred,
    lengths,
    mean,
    not_negative,
    repeated,
    row,
)

Common: TypeAlias = Callable[[IntMatrix, IntMatrix, np.random.Generator], Floats]
"""(honest, own, rng) -> the vector (d,) that every attacker sends."""

Direction: TypeAlias = Callable[[IntMatrix], Floats]
"""Honest updates -> which way the malicious vector leaves their mean, (d,)."""

POWER_STEPS = 8
"""Enough for a direction of large variance; mimic needs no more."""


def _together(common: Common) -> Attack:
    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        return repeated(common(honest, own, rng), own)

    return send


def _deviation(honest: IntMatrix) -> Floats:
    """Per coordinate, with n - 1 below the line as the published code has it; 0 for one row."""
    if len(honest) < 2:
        return np.zeros(honest.shape[1])
    found: Floats = np.std(honest, axis=0, ddof=1, dtype=np.float64)
    return found


def ipm(epsilon: float = 0.5) -> Attack:
    """Inner-product manipulation: b = -epsilon mean(x_1, ..., x_n).

    Args:
        epsilon: how far the aggregate is turned; below (n / f) a mean still points forward.

    Returns:
        An attack on updates of any dtype.

    >>> honest = np.array([[4, 0], [8, 0]])
    >>> ipm(epsilon=0.5)(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[-3, 0]]

    Source: Xie, Koyejo and Gupta, "Fall of Empires" (2019).
    """
    return _together(lambda honest, own, rng: -epsilon * mean(honest))


def alie(z: float | None = None) -> Attack:
    """A little is enough: b = mean(x) + z std(x), coordinate by coordinate.

    Args:
        z: how many standard deviations; negative for the other side. None for the paper's own
            z = Phi^-1((N - f - s) / (N - f)), s = floor(N / 2 + 1) - f, N = n + f, which is 0
            where an honest majority needs no supporters.

    Returns:
        An attack on updates of any dtype.

    Raises:
        InputError: z is not a number.

    >>> honest = np.array([[4, 1], [8, 1]])
    >>> alie(z=1.5)(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[10, 1]]

    Source: Baruch, Baruch and Goldberg, "A Little Is Enough" (2019).
    """
    if isinstance(z, str):
        raise InputError(f"alie needs z to be a number, not {z!r}")

    def common(honest: IntMatrix, own: IntMatrix, rng: np.random.Generator) -> Floats:
        strength = alie_strength(len(honest), len(own)) if z is None else z
        return mean(honest) + strength * _deviation(honest)

    return _together(common)


def alie_strength(honest: int, attackers: int) -> float:
    """The z of the paper for so many parties.

    >>> round(alie_strength(20, 5), 3)
    0.253
    """
    supporters = max(1, (honest + attackers) // 2 + 1 - attackers)
    # Below one half z would be negative, and at 1 infinite.
    share = max(0.5, (honest - supporters) / honest)
    return NormalDist().inv_cdf(share)


def optimal_ipm(
    *, evaluations: int = 16, start: float = 0.0, delta: float = 1.0, ratio: float = 0.8
) -> Attack:
    """IPM with the epsilon that hurts most: argmax |aggregate(x, b) - mean(x)|, b = -eps mean(x).

    Args:
        evaluations, start, delta, ratio: of the line search; see `line_maximize`.

    Returns:
        An attack that needs the rule as its last argument.

    Raises:
        InputError: when the attack runs, the rule is missing or the search cannot be.

    >>> honest, rng = np.array([[4, 0], [8, 0]]), np.random.default_rng(0)
    >>> mean_of_all = lambda rows: rows.mean(axis=0).astype(np.int64)
    >>> optimal_ipm(evaluations=3)(honest, honest[:1], rng, mean_of_all).tolist()
    [[-18, 0]]

    Source: Allouah et al., "Fixing by Mixing" (2023).
    """
    search = (evaluations, start, delta, ratio)
    return _searching(lambda honest: -mean(honest), search, "optimal_ipm", from_mean=False)


def optimal_alie(
    *, evaluations: int = 16, start: float = 0.0, delta: float = 1.0, ratio: float = 0.8
) -> Attack:
    """ALIE with the z that hurts most: argmax |aggregate(x, b) - mean(x)|, b = mean + z std.

    Args:
        evaluations, start, delta, ratio: of the line search; see `line_maximize`.

    Returns:
        An attack that needs the rule as its last argument.

    Raises:
        InputError: when the attack runs, the rule is missing or the search cannot be.

    >>> honest, rng = np.array([[4, 0], [8, 0]]), np.random.default_rng(0)
    >>> mean_of_all = lambda rows: rows.mean(axis=0).astype(np.int64)
    >>> optimal_alie(evaluations=3)(honest, honest[:1], rng, mean_of_all).tolist()
    [[14, 0]]

    Source: Allouah et al., "Fixing by Mixing" (2023).
    """
    search = (evaluations, start, delta, ratio)
    return _searching(_deviation, search, "optimal_alie", from_mean=True)


def _searching(
    direction: Direction,
    search: tuple[int, float, float, float],
    name: str,
    *,
    from_mean: bool,
) -> Attack:
    """b = x direction(honest), from the mean or from 0, with the best strength x."""
    evaluations, start, delta, ratio = search

    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        if aggregate is None:
            raise InputError(f"{name} searches against a rule: pass one as its last argument")
        centre, way = mean(honest), direction(honest)
        base = centre if from_mean else np.zeros_like(centre)
        rows = np.concatenate([honest, own])

        def harm(strength: float) -> float:
            rows[len(honest) :] = repeated(base + strength * way, own)
            return float(lengths(aggregate(rows) - centre))

        best = line_maximize(harm, evaluations=evaluations, start=start, delta=delta, ratio=ratio)
        return repeated(base + best * way, own)

    return send


def min_max(direction: str = "deviation") -> Attack:
    """As far from the mean as the honest are apart: max_i |b - x_i| <= max_ij |x_i - x_j|.

    b = mean(x) - gamma p with the largest such gamma, in closed form (the paper halves steps).

    Args:
        direction: p: `deviation` (std), `sign` (signs of the mean) or `mean` (its direction).

    Returns:
        An attack on updates of any dtype; time grows with n^2 d.

    Raises:
        InputError: an unknown direction.

    >>> honest = np.array([[0, 0], [10, 0]])
    >>> min_max()(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[0, 0]]

    Source: Shejwalkar and Houmansadr, "Manipulating the Byzantine" (2021), AGR-agnostic.
    """
    way = _direction(direction)

    def common(honest: IntMatrix, own: IntMatrix, rng: np.random.Generator) -> Floats:
        squares = _squared_distances(honest)
        return _bounded(honest, way(honest), squares, float(squares.max()))

    return _together(common)


def min_sum(direction: str = "deviation") -> Attack:
    """As far in sum as any honest update: sum_i |b - x_i|^2 <= max_i sum_j |x_i - x_j|^2.

    b = mean(x) - gamma p with the largest such gamma, in closed form (the paper halves steps).

    Args:
        direction: p: `deviation` (std), `sign` (signs of the mean) or `mean` (its direction).

    Returns:
        An attack on updates of any dtype; time grows with n^2 d.

    Raises:
        InputError: an unknown direction.

    >>> honest = np.array([[0, 0], [10, 0]])
    >>> min_sum()(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[0, 0]]

    Source: Shejwalkar and Houmansadr, "Manipulating the Byzantine" (2021), AGR-agnostic.
    """
    way = _direction(direction)

    def common(honest: IntMatrix, own: IntMatrix, rng: np.random.Generator) -> Floats:
        centre, step = mean(honest), -way(honest)
        spent = float((lengths(honest - centre) ** 2).sum())
        room = float(_squared_distances(honest).sum(axis=1).max()) - spent
        length = float(lengths(step)) ** 2
        # The honest deviations from their mean sum to 0, so that no linear term is left.
        gamma = (max(0.0, room) / (len(honest) * length)) ** 0.5 if length else 0.0
        return centre + gamma * step

    return _together(common)


def _bounded(honest: IntMatrix, way: Floats, squares: Floats, limit: float) -> Floats:
    """mean - gamma way, with the largest gamma that keeps every |b - x_i|^2 within the limit."""
    centre, step = mean(honest), -way
    length = float(lengths(step)) ** 2
    if not length:
        return centre
    apart = centre - honest
    half = np.einsum("ij,j->i", apart, step)
    room = np.maximum(0.0, limit - lengths(apart) ** 2)
    gamma = float(((np.sqrt(half**2 + length * room) - half) / length).min())
    return centre + max(0.0, gamma) * step


def _squared_distances(rows: IntMatrix) -> Floats:
    """(n, n), one row at a time."""
    floats = rows.astype(np.float64)
    return np.stack([lengths(floats - one) ** 2 for one in floats])


def _direction(name: str) -> Direction:
    if name not in DIRECTIONS:
        raise InputError(f"there is no direction {name!r}: choose among {', '.join(DIRECTIONS)}")
    return DIRECTIONS[name]


DIRECTIONS: dict[str, Direction] = {
    "deviation": _deviation,
    "sign": lambda honest: np.sign(mean(honest)),
    "mean": lambda honest: mean(honest),
}


def mimic(victim: int | None = None) -> Attack:
    """All attackers repeat one honest trainer, so that it is over-represented: b = x_i*.

    Args:
        victim: i*, the row of the honest trainer, counted round. None for the one that stands out:
            i* = argmax |u . x_i| with u the direction of largest variance of this round (the paper
            fixes i* after some rounds of watching).

    Returns:
        An attack on updates of any dtype.

    Raises:
        InputError: victim is no row number.

    >>> honest = np.array([[1, 1], [1, 2], [9, 1]])
    >>> mimic()(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[9, 1]]

    Source: Karimireddy, He and Jaggi, "Byzantine-Robust Learning on Heterogeneous Datasets via
    Bucketing" (2022).
    """
    if victim is not None and (not isinstance(victim, int) or victim < 0):
        raise InputError(f"mimic needs victim to be a row number, not {victim!r}")

    def common(honest: IntMatrix, own: IntMatrix, rng: np.random.Generator) -> Floats:
        chosen = _outstanding(honest, rng) if victim is None else victim
        return row(honest, chosen).astype(np.float64)

    return _together(common)


def _outstanding(honest: IntMatrix, rng: np.random.Generator) -> int:
    """The row with the largest part in the direction of largest variance, by power iteration."""
    centred = honest - mean(honest)
    way = rng.standard_normal((honest.shape[1],))
    for _ in range(POWER_STEPS):
        parts = np.einsum("ij,j->i", centred, way / lengths(way))
        if not parts.any():
            break
        way = np.einsum("ij,i->j", centred, parts)
    return int(np.argmax(np.abs(np.einsum("ij,j->i", honest.astype(np.float64), way))))


def apart(attack: Attack, *, blur: float) -> Attack:
    """An attack whose parties send rows that are not alike: b_i + blur |b_i| u_i, |u_i| = 1.

    A search against the rule sees the blurred rows too. Without any blur, rows still differ by
    about one unit in places, since copies to the bit are refused by the `duplicate` check.

    Args:
        attack: what they would send.
        blur: the length of each one's independent noise, in lengths of what it sends; at least 0.

    Raises:
        InputError: blur is negative.

    >>> rows = np.full((2, 4), 1000)
    >>> sent = apart(ipm(), blur=0.1)(rows, rows, np.random.default_rng(0), None)
    >>> lengths(sent + 500).round().tolist()
    [100.0, 100.0]
    """
    not_negative(blur, "blur")

    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        draws = rng.standard_normal(own.shape)

        def seen(rows: IntMatrix) -> IntMatrix:
            sent = blurred(rows[len(honest) :], draws, blur)
            return np.concatenate([rows[: len(honest)], sent])

        rule = None if aggregate is None else lambda rows: aggregate(seen(rows))
        return blurred(attack(honest, own, rng, rule), draws, blur)

    return send
