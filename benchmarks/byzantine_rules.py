"""What a pipeline does, as weights on its rows: for attackers who search against it.

Every rule here returns a weighted sum of the updates, and the weights depend on the updates by
their inner products alone. A search that tries many strengths of one attack can therefore compute
the inner products once and try each strength in microseconds. Arithmetic is float64; the round
itself is aggregated by the exact pipeline of the same text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.mechanisms import bind, parse_mechanisms
from ostrom.sim.attacks.line_search import line_maximize
from ostrom.tensors import FRACTION_BITS

Floats = npt.NDArray[np.float64]

SEARCHES = ({"evaluations": 20, "delta": 10.0}, {"evaluations": 16, "delta": 1.0})
"""ByzFL 0.0.11's line search, and that of its authors' papers: the worse of both counts."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as mixtures (m, n) of the updates, the updates' Gram matrix (n, n), scores (m,)."""

    mixtures: Floats
    gram: Floats
    scores: npt.NDArray[np.int64] | None

    def products(self) -> Floats:
        """The rows' own Gram matrix (m, m)."""
        return self.mixtures @ self.gram @ self.mixtures.T

    def lengths(self) -> Floats:
        """The rows' norms (m,)."""
        return np.sqrt(np.maximum(self.products().diagonal(), 0.0))

    def with_mixtures(self, mixtures: Floats) -> Rows:
        """Other rows of the same updates; selections come first, so scores have had their use."""
        return Rows(mixtures, self.gram, None)


Stage = Callable[[Rows], Rows]
Weights = Callable[[Floats, npt.NDArray[np.int64] | None], Floats]
"""The updates' Gram matrix (n, n) and scores (n,) or None -> the weights (n,) of the aggregate."""


def weights_of(text: str) -> Weights:
    """The pipeline of that text, as weights on its rows.

    Raises:
        InputError: a mechanism that is no weighted sum by inner products.

    >>> weights_of("norm_clip(c=1)|mean(weights=equal)")(np.diag([1.0, 16.0]) * 2.0**40, None)
    array([0.5  , 0.125])
    """
    *before, rule = parse_mechanisms(text)
    if rule.text != "mean(weights=equal)":
        raise InputError(f"this search knows mean(weights=equal) as its rule, not {rule.text}")
    stages = [bind(STAGES, mechanism)() for mechanism in before]

    def weigh(gram: Floats, scores: npt.NDArray[np.int64] | None) -> Floats:
        rows = Rows(np.eye(len(gram)), gram, scores)
        for stage in stages:
            rows = stage(rows)
        weights: Floats = rows.mixtures.mean(axis=0)
        return weights

    return weigh


def _score_filter(*, least: int = 1) -> Stage:
    def keep(rows: Rows) -> Rows:
        if rows.scores is None:
            return rows
        kept = rows.scores >= min(least, int(rows.scores.max()))
        return rows.with_mixtures(rows.mixtures[kept])

    return keep


def _score_best(*, share: float) -> Stage:
    part = Fraction(str(share))

    def keep(rows: Rows) -> Rows:
        if rows.scores is None:
            return rows
        ranked = np.sort(rows.scores)
        level = ranked[len(ranked) - math.ceil(part * len(ranked))]
        return rows.with_mixtures(rows.mixtures[rows.scores >= level])

    return keep


def _distinct(*, cosine: float) -> Stage:
    def share(rows: Rows) -> Rows:
        products, lengths = rows.products(), rows.lengths()
        zero = lengths == 0
        alike = (products >= cosine * np.outer(lengths, lengths)) & (zero[:, None] == zero[None, :])
        group = np.arange(len(alike))
        for i, k in np.argwhere(np.triu(alike, 1)).tolist():
            group[group == group[k]] = group[i]
        marks = (group[:, None] == np.unique(group)[None, :]).T.astype(np.float64)
        return rows.with_mixtures(marks / marks.sum(axis=1, keepdims=True) @ rows.mixtures)

    return share


def _norm_clip(*, c: float) -> Stage:
    return lambda rows: _shortened(rows, c * 2.0**FRACTION_BITS)


def _arc(*, f: int) -> Stage:
    def clip(rows: Rows) -> Rows:
        n = len(rows.mixtures)
        hostile = min(f, (n - 1) // 2)
        return _shortened(rows, np.sort(rows.lengths())[n - 1 - 2 * hostile * (n - hostile) // n])

    return clip


def _rms_clip(*, f: int) -> Stage:
    def clip(rows: Rows) -> Rows:
        n, lengths = len(rows.mixtures), rows.lengths()
        ranked = np.sort(lengths)
        capped = np.minimum(lengths, ranked[n - 1 - min(f, (n - 1) // 2)])
        return _shortened(rows, math.sqrt(float(np.mean(capped**2))))

    return clip


def _shortened(rows: Rows, longest: float) -> Rows:
    scale = np.minimum(1.0, longest / np.maximum(rows.lengths(), 1e-300))
    return rows.with_mixtures(rows.mixtures * scale[:, None])


def _nnm(*, f: int) -> Stage:
    def mix(rows: Rows) -> Rows:
        products = rows.products()
        squares = products.diagonal()
        distances = squares[:, None] + squares[None, :] - 2 * products
        keep = len(products) - min(f, (len(products) - 1) // 2)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :keep]
        return rows.with_mixtures(rows.mixtures[nearest].mean(axis=1))

    return mix


STAGES: Mapping[str, Callable[..., Stage]] = {
    "score_filter": _score_filter,
    "score_best": _score_best,
    "distinct": _distinct,
    "norm_clip": _norm_clip,
    "arc": _arc,
    "rms_clip": _rms_clip,
    "nnm": _nnm,
}


@dataclass(frozen=True, eq=False)
class Battle:
    """One round as an attacker sees it. All attackers send one vector, blurred if they wish.

    `gram` holds the inner products of a basis: the n honest updates, then whatever else the attack
    is made of. `score` says what a vector of such coefficients (k,) and norm would score.
    """

    gram: Floats
    honest: int
    attackers: int
    weigh: Weights
    blur: float = 0.0
    score: Callable[[Floats, float], int] | None = None
    honest_scores: Sequence[int] = ()

    def harm(self, vector: Floats) -> float:
        """How far the aggregate is from the honest mean if attackers send `vector` (k,)."""
        rows = np.zeros((self.honest + self.attackers, len(self.gram)))
        rows[: self.honest, : self.honest] = np.eye(self.honest)
        rows[self.honest :] = vector
        # Independent noise is orthogonal to all else: it shows on the diagonal alone.
        noise = np.zeros(len(rows))
        noise[self.honest :] = self.blur**2 * float(vector @ self.gram @ vector)
        products = rows @ self.gram @ rows.T + np.diag(noise)
        weights = self.weigh(products, self._scores(vector, float(products[-1, -1])))
        off = weights @ rows
        off[: self.honest] -= 1 / self.honest
        return math.sqrt(max(0.0, float(off @ self.gram @ off + weights**2 @ noise)))

    def _scores(self, vector: Floats, square: float) -> npt.NDArray[np.int64] | None:
        if self.score is None:
            return None
        theirs = self.score(vector, math.sqrt(max(0.0, square)))
        return np.array([*self.honest_scores, *[theirs] * self.attackers], dtype=np.int64)


def strongest(battle: Battle, family: Callable[[float], Floats], limit: float) -> float:
    """The strength up to `limit` that does most harm, of those that two line searches try."""

    def harm(strength: float) -> float:
        return battle.harm(family(min(strength, limit)))

    settings: Sequence[Mapping[str, Any]] = SEARCHES
    found = [min(limit, line_maximize(harm, **setting)) for setting in settings]
    return max(found, key=harm)


def is_informed(text: str) -> bool:
    """Whether the pipeline looks at scores."""
    return any(one.name.startswith("score_") for one in parse_mechanisms(text))


def counts_once(text: str) -> bool:
    """Whether equal updates have one vote, so that the number of equal attackers cannot matter."""
    names = [one.name for one in parse_mechanisms(text)]
    return "distinct" in names and "score_best" not in names
