"""One training run under attack: honest trainers, an adversary who sees all, an exact pipeline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.byzantine_net import (
    NETS,
    Images,
    Indices,
    Net,
    Parameters,
    as_floats,
    batches,
    deal,
    mnist,
)
from benchmarks.byzantine_rules import (
    Battle,
    Floats,
    counts_once,
    is_informed,
    strongest,
    weights_of,
)
from ostrom.aggregation import pipeline
from ostrom.aggregation.standing import Standing
from ostrom.sim.attacks import attack
from ostrom.tensors import FRACTION_BITS
from ostrom.verification.cone import CONE_UNIT, cone_scores, non_negative_weights

UNIT = 2.0**FRACTION_BITS
VALUE_MAX = 2.0**31 / UNIT - 1
"""What an attacker can send at most, in the model's units."""

RENEWED_EVERY = 4
"""Validators compute their holdout's class gradients anew every so many rounds."""

SEARCHED = ("optimal_ipm", "optimal_alie")
Rows = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Setting:
    """A published experiment. `fresh` is the weight of the new gradient in a trainer's momentum."""

    net: str
    honest: int
    steps: int
    batch: int
    lr: float
    fresh: float
    decay: float = 0.0
    momentum: float = 0.9
    dropout: bool = False


SETTINGS = {
    "byzfl": Setting("byzfl", 10, 800, 25, 0.1, 0.1, decay=1e-4),
    "bucketing": Setting("bucketing", 20, 600, 32, 0.01, 1.0, dropout=True),
}


@dataclass(frozen=True)
class Cell:
    """One run: who attacks whom how, and by which rule updates are combined."""

    setting: str
    gamma: float
    attackers: int
    attack: str
    rule: str
    seed: int
    holdout: int = 0
    blur: float = 0.0
    steps: int = 0

    def rng(self, *purpose: int) -> np.random.Generator:
        """A stream of random numbers for one purpose."""
        return np.random.default_rng([self.seed, round(100 * self.gamma), *purpose])


class Trainers:
    """Honest trainers (or attackers at their honest work) with their momentum."""

    def __init__(self, cell: Cell, net: Net, shares: list[tuple[Images, Indices]]) -> None:
        setting = SETTINGS[cell.setting]
        self._setting, self._net = setting, net
        self._data = [images for images, _ in shares]
        self._streams: list[Iterator[Indices]] = [
            batches(rows, setting.batch, cell.rng(1, i)) for i, (_, rows) in enumerate(shares)
        ]
        self._momentum = torch.zeros(len(shares), net.size)
        dropout = torch.Generator().manual_seed(cell.seed)
        self._generator = dropout if setting.dropout else None

    def updates(self, flat: Tensor, *, momentum: bool = True) -> Tensor:
        """Everybody's momentum after one more batch, (n, d) float32; or the plain gradients."""
        keep = self._setting.momentum if momentum else 0.0
        for row, images, stream in zip(self._momentum, self._data, self._streams):
            x, y = images[next(stream)]
            gradient = self._net.gradient(flat, x, y, self._generator)
            row.mul_(keep).add_(gradient, alpha=self._setting.fresh if momentum else 1.0)
        return self._momentum


class Validators:
    """A holdout that no trainer has seen, and what its classes ask for."""

    def __init__(self, net: Net, images: Images, rows: Indices) -> None:
        labels = images.y.numpy()[rows]
        self._net, self._images = net, images
        self._rows = [rows[labels == digit] for digit in range(10)]
        self.directions = torch.zeros(10, net.size)

    def renew(self, flat: Tensor) -> None:
        """The gradient of each class's mean loss at the model."""
        for line, rows in zip(self.directions, self._rows):
            if len(rows):
                line.copy_(self._net.gradient(flat, *self._images[rows]))

    def scores(self, rows: Rows) -> list[int]:
        """The integer scores of gradients as they were sent."""
        return cone_scores(rows, self.directions.numpy())


class Run:
    """A cell in progress."""

    def __init__(self, cell: Cell, data: tuple[Images, Images] | None = None) -> None:
        self.cell, self.setting = cell, SETTINGS[cell.setting]
        self.net = NETS[self.setting.net]()
        self.train, self.test = data or mnist()
        order = cell.rng(0).permutation(len(self.train.y))
        held, rest = order[: cell.holdout], np.sort(order[cell.holdout :])
        labels = self.train.y.numpy()
        parts = deal(labels[rest], cell.gamma, self.setting.honest, cell.rng(2))
        self.trainers = Trainers(cell, self.net, [(self.train, rest[part]) for part in parts])
        self.validators = Validators(self.net, self.train, held) if cell.holdout else None
        self.adversary = _adversary(self)
        self.pipeline = pipeline(cell.rule)
        self.flat: Parameters = self.net.initial(cell.seed)

    def step(self, number: int) -> None:
        """One round."""
        model = as_floats(self.flat)
        if self.validators and number % RENEWED_EVERY == 0:
            self.validators.renew(model)
        honest = quantised(self.trainers.updates(model))
        rows = np.concatenate([honest, self.adversary.send(honest, model)])
        delta, _ = self.pipeline.aggregate(
            rows, np.ones(len(rows), dtype=np.int64), {}, standing=self._standing(rows)
        )
        # The server's plain step, in float64, rounded to the model's fixed point.
        change = self.setting.lr * (delta + self.setting.decay * self.flat.astype(np.float64))
        self.flat = (self.flat - np.rint(change)).astype(np.int32)

    def _standing(self, rows: Rows) -> Standing | None:
        if self.validators is None:
            return None
        scores = np.array(self.validators.scores(rows), dtype=np.int64)
        return Standing(scores, np.zeros_like(scores), (1,) * len(rows))

    def accuracy(self) -> float:
        """On the official test images."""
        return self.net.accuracy(as_floats(self.flat), self.test.x, self.test.y)


def quantised(values: Tensor) -> Rows:
    """Fixed point, halves to even; float32 times a power of two is exact, and so is rounding."""
    limited = values.clamp(-VALUE_MAX, VALUE_MAX)
    rows: Rows = (limited * UNIT).round_().to(torch.int32).numpy()
    return rows


class Silent:
    """Nobody attacks."""

    def send(self, honest: Rows, model: Tensor) -> Rows:
        """Nothing."""
        return honest[:0]


class Fixed:
    """An attack that looks at honest updates but not at the rule."""

    def __init__(self, run: Run, text: str) -> None:
        self._attack, self._rng = attack(text), run.cell.rng(3)
        self._count = run.cell.attackers

    def send(self, honest: Rows, model: Tensor) -> Rows:
        """What the attackers send."""
        own = np.zeros((self._count, honest.shape[1]), dtype=np.int32)
        return np.asarray(self._attack(honest, own, self._rng, None), dtype=np.int32)


class Own:
    """Attackers with data of their own, i.i.d., that flip their gradients or their labels."""

    def __init__(self, run: Run, *, labels: bool) -> None:
        cell, images = run.cell, run.train
        parts = np.array_split(cell.rng(4).permutation(len(images.y)), run.setting.honest)
        data = Images(images.x, 9 - images.y) if labels else images
        self._trainers = Trainers(cell, run.net, [(data, part) for part in parts[: cell.attackers]])
        self._sign = 1 if labels else -1

    def send(self, honest: Rows, model: Tensor) -> Rows:
        """Gradients of one batch, without momentum, as the paper's code has it."""
        return quantised(self._sign * self._trainers.updates(model, momentum=False))


class Mimic:
    """All attackers repeat the honest trainer that stands out in the first round."""

    def __init__(self, run: Run) -> None:
        self._count, self._rng = run.cell.attackers, run.cell.rng(3)
        self._victim: int | None = None

    def send(self, honest: Rows, model: Tensor) -> Rows:
        """Copies; the first round's direction of largest variance chooses the victim."""
        if self._victim is None:
            centred = honest - honest.mean(axis=0)
            way = (centred @ self._rng.standard_normal(honest.shape[1])) @ centred
            self._victim = int((honest @ way).argmax())
        return np.repeat(honest[self._victim : self._victim + 1], self._count, axis=0)


class Searching:
    """Optimal IPM and optimal ALIE: the strength that does most harm, searched in every round."""

    def __init__(self, run: Run) -> None:
        self._run, self._cell = run, run.cell
        self._weigh = weights_of(run.cell.rule)
        self._noise = torch.Generator().manual_seed(run.cell.seed)
        self._alie = run.cell.attack == "optimal_alie"

    def send(self, honest: Rows, model: Tensor) -> Rows:
        """What the attackers send: one vector, blurred if the cell says so."""
        n, floats = len(honest), torch.from_numpy(honest).to(torch.float32) / UNIT
        mean = floats.mean(0)
        basis = torch.cat([floats, _deviation(floats)[None]]) if self._alie else floats
        start = np.zeros(len(basis))
        way = np.zeros(len(basis))
        if self._alie:
            start[:n], way[n] = 1 / n, 1.0
        else:
            way[:n] = -1 / n
        battle = self._battle(basis, n)
        top = float((basis[n] if self._alie else mean).abs().max())
        limit = (VALUE_MAX - float(mean.abs().max())) / max(top, 1e-12)
        strength = strongest(battle, lambda x: start + x * way, limit)
        vector = torch.from_numpy(start + strength * way).to(torch.float32) @ basis
        return self._copies(vector)

    def _battle(self, basis: Tensor, n: int) -> Battle:
        cell, validators = self._cell, self._run.validators
        gram = (basis @ basis.T).numpy().astype(np.float64) * UNIT**2
        # Where equal votes count once, one of them stands for all.
        count = 1 if counts_once(cell.rule) and not cell.blur else cell.attackers
        plain = Battle(gram, n, count, self._weigh, cell.blur)
        if validators is None or not is_informed(cell.rule):
            return plain
        lengths = validators.directions.norm(dim=1).clamp(min=1e-30)
        units = validators.directions / lengths[:, None]
        inner = (basis @ units.T).numpy().astype(np.float64) * UNIT
        classes = (units @ units.T).numpy().astype(np.float64)

        def score(vector: Floats, norm: float) -> int:
            return _cone_score(vector @ inner, norm, classes)

        honest = [score(line, math.sqrt(line @ gram @ line)) for line in np.eye(len(basis))[:n]]
        return replace(plain, score=score, honest_scores=honest)

    def _copies(self, vector: Tensor) -> Rows:
        sent = vector.repeat(self._cell.attackers, 1)
        if self._cell.blur:
            noise = torch.randn(sent.shape, generator=self._noise)
            noise *= self._cell.blur * vector.norm() / noise.norm(dim=1, keepdim=True)
            sent = sent + noise
        return quantised(sent)


def _deviation(rows: Tensor) -> Tensor:
    """Per coordinate, with n below the line as ByzFL has it; several times faster than `std`."""
    lengths: Tensor = torch.linalg.vector_norm(rows - rows.mean(0), dim=0)
    return lengths / math.sqrt(len(rows))


def _cone_score(inner: Floats, norm: float, classes: Floats) -> int:
    projected = float(non_negative_weights(classes, inner) @ inner)
    return round(CONE_UNIT * math.sqrt(max(projected, 0.0)) / norm) if norm else 0


def _adversary(run: Run) -> Silent | Fixed | Own | Mimic | Searching:
    name = run.cell.attack
    if not run.cell.attackers:
        return Silent()
    if name in SEARCHED:
        return Searching(run)
    if name in ("own_sign_flip", "own_label_flip"):
        return Own(run, labels=name == "own_label_flip")
    return Mimic(run) if name == "mimic" else Fixed(run, name)
