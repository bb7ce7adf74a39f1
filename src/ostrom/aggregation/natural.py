"""A natural-gradient step from statistics that add up over trainers.

Whoever holds which example, the sums are those of all data together, so that skew costs nothing.

Answers: data that differ from trainer to trainer, down to one class each. Does not answer: hostile
statistics, since a sum has no outliers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.kronecker import (
    HEADER,
    Layer,
    Statistics,
    by_layer,
    curved,
    mean_loss,
    natural_direction,
    parameters,
    read_layers,
    scalar,
    statistics_length,
    unpack,
)
from ostrom.aggregation.ridge import Floats
from ostrom.aggregation.rules import State
from ostrom.aggregation.stepping import ServerStep, assert_fraction, assert_positive, to_integers
from ostrom.errors import InputError
from ostrom.types import IntVector

CONTROL_UNIT = 2.0**40
DAMPING_MIN, DAMPING_MAX = 1e-3, 1e3
CURVATURE_START, CURVATURE_MIN, CURVATURE_MAX = 3.0, 0.5, 20.0
PARALLEL = 0.05
"""Two directions whose squared sine is below this are one."""

GAIN_MAX = 0.5
"""A step may promise to remove at most this share of the loss, which cannot fall below zero."""


@dataclass(frozen=True)
class Control:
    """What steers the steps.

    `curvature` is each layer's true curvature over that of its factors; `predicted` the gain that
    the last step promised, per example; `rounds` the number of accepted steps, `seen` of all.
    """

    damping: float
    curvature: tuple[float, ...]
    predicted: float = 0.0
    rounds: int = 0
    seen: int = 0


@dataclass(frozen=True, eq=False)
class Past:
    """The last step (d,) and what it changed the gradient by (d,)."""

    step: Floats
    change: Floats


def natural_step(
    *, layers: str, damping: float = 0.1, memory: float = 0.9, last: int = 0, fraction_bits: int
) -> ServerStep:
    """A damped natural-gradient step with a trust region and momentum, for layers with biases.

    D = -(G + u / p I)^-1 grad (A + u p I)^-1 / c,  u^2 = damping,  p^2 = mean diag A / mean diag G
    delta = round(a D + b s),  s the last step,  (a, b) the minimum of the loss's quadratic model

    The model's curvature along s is the change of the gradient over s; along D that of the factors,
    times c, what the last step showed them to lack in each layer. A step after which the loss has
    risen is taken back and damping grows fourfold; damping falls where the model predicted well.

    Args:
        layers: outputs and inputs of each layer in the model's order, as "120x256-10x120"; the
            model's tensors are each layer's weight (outputs, inputs) and bias (outputs,).
        damping: the first one, > 0.
        memory: how much of the factors' past stays, 0 <= memory < 1.
        last: the round that takes no new step and only takes back the one before if the loss has
            risen, so that a task does not end on a step that nobody has judged; 0 for none.
        fraction_bits: the fixed point of model and update.

    Returns:
        A server step with the state "natural_statistics" (m,), "natural_step" (d,) and
        "natural_control" (4 + layers,), int64. It takes updates of m integers, sums over examples:
        of the loss, of 1, of 1 for those in the factors; of the gradient (d,); then per layer the
        upper triangles by rows of A = x x^T, x the inputs with a 1 appended, and of G = g g^T, g
        the gradient of the outputs under a label drawn from the model. Delta is (d,). Without a
        positive loss and count, or with factors that are not positive, the model stays.

    Raises:
        InputError: an argument is out of range, or an update has another length.

    >>> step = natural_step(layers="1x1", damping=1, fraction_bits=4)
    >>> sums = np.array([16, 16, 16, 8, -8, 16, 0, 16, 16])
    >>> step.update(sums, step.init(9))[0].tolist()
    [-1, 1]

    Source: Martens & Grosse (2015), "Optimizing Neural Networks with Kronecker-factored Approximate
    Curvature"; for convolutions Grosse & Martens (2016).
    """
    assert_positive("natural_step", damping=damping)
    assert_fraction("natural_step", memory=memory)
    if last < 0:
        raise InputError(f"natural_step needs last >= 0, not {last}")
    shapes, unit = read_layers(layers), float(1 << fraction_bits)
    length = statistics_length(shapes)
    lengths = (length, parameters(shapes), 4 + len(shapes))
    sizes = dict(zip(("natural_statistics", "natural_step", "natural_control"), lengths))

    def init(m: int) -> State:
        if m != length:
            raise InputError(f"natural_step({layers}) takes updates of {length} values, not {m}")
        return {name: np.zeros(size, dtype=np.int64) for name, size in sizes.items()}

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        kept, made, numbers = (state[name] for name in sizes)
        if int(x[:HEADER].min()) < 1:
            return np.zeros_like(made), state
        control = _read(numbers, damping)
        share = max(1 / (control.rounds + 1), 1 - memory)
        turn = Turn(kept, x, control.rounds > 0 and mean_loss(x) >= mean_loss(kept))
        after = turn.after(shapes, first=not control.rounds, share=share)
        chosen, control = _next_step(turn, unpack(after, shapes), shapes, control, made=made / unit)
        step = np.zeros_like(made) if control.seen == last else to_integers(chosen * unit)
        saved = dict(zip(sizes, (after, step, _written(control))))
        return step - made if turn.risen else step, saved

    return ServerStep(init, update)


@dataclass(frozen=True, eq=False)
class Turn:
    """The statistics (m,) that are kept, those that came, and whether the loss has risen."""

    kept: IntVector
    came: IntVector
    risen: bool

    def after(self, layers: Sequence[Layer], *, first: bool, share: float) -> IntVector:
        """The statistics to keep from now on."""
        if self.risen:
            return self.kept
        return self.came if first else _blend(self.kept, self.came, layers, share=share)


def _next_step(
    turn: Turn, found: Statistics, layers: Sequence[Layer], control: Control, *, made: Floats
) -> tuple[Floats, Control]:
    """Judge the last step `made` (d,) and choose the next."""
    past = None
    if control.rounds:
        control = _judge(control, mean_loss(turn.kept) - mean_loss(turn.came))
        if not turn.risen:
            past = Past(made, found.gradient - unpack(turn.kept, layers).gradient)
    rounds = control.rounds + (not turn.risen)
    control = replace(control, rounds=rounds, seen=control.seen + 1)
    return choose_step(found, layers, control, past=past)


def choose_step(
    found: Statistics, layers: Sequence[Layer], control: Control, *, past: Past | None
) -> tuple[Floats, Control]:
    """The next step (d,) and what is remembered of it; a step of zeros where there is none."""
    if past is not None:
        control = replace(control, curvature=_corrected(found, layers, control, past=past))
    direction = natural_direction(found, layers, control.damping, over=control.curvature)
    if direction is None:
        return np.zeros_like(found.gradient), replace(control, predicted=0.0)
    plane = _plane(found, layers, control, direction=direction, past=past)
    a, b = plane.lowest(control.damping)
    fall, rise = plane.fall(a, b), plane.rise(a, b)
    gain = max(fall - rise / 2, fall / 10)
    share = min(1.0, GAIN_MAX * found.loss / gain) if gain > 0 else 0.0
    step = share * a * direction
    if past is not None:
        step = step + share * b * past.step
    fall, rise = share * fall, share * share * rise
    return step, replace(control, predicted=max(fall - rise / 2, fall / 10))


@dataclass(frozen=True)
class Plane:
    """The loss's quadratic model for steps a D + b s: slopes, curvature, and squared lengths."""

    slopes: tuple[float, float]
    curvature: tuple[float, float, float]
    lengths: tuple[float, float, float]

    def fall(self, a: float, b: float) -> float:
        """How much the linear part of the model falls."""
        return -(a * self.slopes[0] + b * self.slopes[1])

    def rise(self, a: float, b: float) -> float:
        """Twice how much its quadratic part rises."""
        first, mixed, second = self.curvature
        return a * a * first + 2 * a * b * mixed + b * b * second

    def lowest(self, damping: float) -> tuple[float, float]:
        """(a, b) of the damped model's minimum, b in [0, 1]; (a, 0) where there is no plane."""
        first, mixed, second = (
            bend + damping * length for bend, length in zip(self.curvature, self.lengths)
        )
        alone = -self.slopes[0] / first if first > 0 else 1.0
        determinant = first * second - mixed * mixed
        if not (self.curvature[2] > 0 and determinant > PARALLEL * first * second):
            return min(alone, 1.0), 0.0
        a = (self.slopes[1] * mixed - self.slopes[0] * second) / determinant
        b = (self.slopes[0] * mixed - self.slopes[1] * first) / determinant
        if a <= 0:
            return min(alone, 1.0), 0.0
        b = min(max(b, 0.0), 1.0)
        return (a, b) if self.fall(a, b) > 0 else (min(alone, 1.0), 0.0)


def _plane(
    found: Statistics,
    layers: Sequence[Layer],
    control: Control,
    *,
    direction: Floats,
    past: Past | None,
) -> Plane:
    bends = by_layer(curved(found, layers, direction), direction, layers)
    lengths = by_layer(direction, direction, layers)
    bend, length = (
        math.fsum(c * part for c, part in zip(control.curvature, parts))
        for parts in (bends, lengths)
    )
    slope = scalar(found.gradient, direction)
    if past is None:
        return Plane((slope, 0.0), (bend, 0.0, 0.0), (length, 0.0, 0.0))
    step, change = past.step, past.change
    return Plane(
        (slope, scalar(found.gradient, step)),
        (bend, scalar(direction, change), scalar(step, change)),
        (length, scalar(direction, step), scalar(step, step)),
    )


def _corrected(
    found: Statistics, layers: Sequence[Layer], control: Control, *, past: Past
) -> tuple[float, ...]:
    """Each layer's curvature along the last step set right, half by half.

    A layer's share of step times change of the gradient holds what the other layers' steps did to
    it, which the factors leave out.
    """
    expected = by_layer(curved(found, layers, past.step), past.step, layers)
    measured = by_layer(past.change, past.step, layers)
    ratios = (real / model if model > 0 else 1.0 for real, model in zip(measured, expected))
    return tuple(_held((old + _held(new)) / 2) for old, new in zip(control.curvature, ratios))


def _held(curvature: float) -> float:
    return min(max(curvature, CURVATURE_MIN), CURVATURE_MAX)


def _judge(control: Control, gain: float) -> Control:
    """More damping and curvature after a step that failed, less after one foretold well."""
    if gain <= 0:
        damping, curvature = control.damping * 4, tuple(_held(c * 1.5) for c in control.curvature)
        return replace(control, damping=min(damping, DAMPING_MAX), curvature=curvature)
    met = gain / control.predicted if control.predicted > 0 else 0.0
    factor = 0.6 if met > 0.75 else 2.0 if met < 0.25 else 1.0
    return replace(control, damping=min(max(control.damping * factor, DAMPING_MIN), DAMPING_MAX))


def _blend(kept: IntVector, x: IntVector, layers: Sequence[Layer], *, share: float) -> IntVector:
    """Loss and gradient of `x`, factors and their count of both."""
    mixed = to_integers(kept * (1.0 - share) + x * share)
    mixed[: HEADER - 1] = x[: HEADER - 1]
    stop = HEADER + parameters(layers)
    mixed[HEADER:stop] = x[HEADER:stop]
    return mixed


def _read(numbers: IntVector, damping: float) -> Control:
    if not numbers[1]:
        return Control(damping, (CURVATURE_START,) * (len(numbers) - 4))
    held = [float(number) / CONTROL_UNIT for number in numbers[2:]]
    return Control(held[0], tuple(held[2:]), held[1], int(numbers[0]), int(numbers[1]))


def _written(control: Control) -> IntVector:
    held = np.array([control.damping, control.predicted, *control.curvature])
    counts = np.array([control.rounds, control.seen], dtype=np.int64)
    return np.concatenate([counts, to_integers(held * CONTROL_UNIT)])
