"""Mechanism texts to functions: `score_filter|nnm(f=2)|median|server_momentum(beta=0.9)`.

The order is fixed: selections (what the ledger knows), pre-aggregations, one rule, server steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import takewhile

import numpy as np

from ostrom.aggregation.exact import WEIGHT_SUM_MAX, Int64Vector, IntMatrix
from ostrom.aggregation.kinds import (
    Omission,
    PreAggregation,
    PreOmission,
    Rule,
    State,
    StatefulRule,
)
from ostrom.aggregation.pre_aggregations import PRE_AGGREGATIONS, PRE_OMISSIONS, ROW_BY_ROW
from ostrom.aggregation.rules import OMISSIONS, RULES
from ostrom.aggregation.server_steps import SERVER_STEPS, ServerStep, check_state
from ostrom.aggregation.standing import SELECTIONS, Selection, Standing, check_standing
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, bind, format_mechanisms, parse_mechanisms
from ostrom.tensors import FRACTION_BITS
from ostrom.types import IntVector

UPDATES_MAX = (1 << 22) - 1
"""More updates could push sums beyond what float64 holds exactly."""


@dataclass(frozen=True)
class WithoutEach:
    """How a pipeline leaves each row out faster than by aggregating n times.

    Pre-aggregations that take rows one by one come `first`, once for all; then `mixed`, which
    shares its work between the n rounds, or nothing; then the `rest`; then `omission` if no
    pre-aggregation is left, else the rule.
    """

    first: tuple[PreAggregation, ...]
    mixed: PreOmission | None
    rest: tuple[PreAggregation, ...]
    omission: Omission | None


@dataclass(frozen=True)
class Pipeline:
    """Selections, pre-aggregations, one rule, at most one server step, from `pipeline(text)`.

    >>> mean = pipeline("mean")
    >>> mean.aggregate(np.array([[1], [4]], dtype=np.int32), np.array([1, 2]), {})[0].tolist()
    [3]
    """

    text: str
    selections: tuple[Selection, ...]
    pre_aggregations: tuple[PreAggregation, ...]
    rule: Rule
    without_each: WithoutEach
    server_step: ServerStep | None
    scoring_step: ServerStep | None

    @property
    def approximates(self) -> bool:
        """True if `exact=False` makes a difference."""
        return self.scoring_step is not None

    def initial_state(self, update_length: int) -> State:
        """The state before the first round, zeros, as the first model file holds it.

        >>> list(pipeline("mean|server_momentum(beta=0.9)").initial_state(3))
        ['momentum']
        """
        stepping = {} if self.server_step is None else self.server_step.init(update_length)
        return {**self.rule_state(update_length), **stepping}

    def rule_state(self, update_length: int) -> State:
        """The part of `initial_state` that is the rule's own.

        >>> list(pipeline("centred_clipping(c=1)|server_momentum(beta=0.9)").rule_state(3))
        ['centre']
        """
        return self.rule.init(update_length) if isinstance(self.rule, StatefulRule) else {}

    @property
    def informed(self) -> bool:
        """True if the pipeline looks at what the ledger knows of trainers."""
        return bool(self.selections)

    def aggregate(
        self,
        updates: IntMatrix,
        weights: IntVector,
        state: State,
        *,
        standing: Standing | None = None,
        exact: bool = True,
    ) -> tuple[Int64Vector, State]:
        """Combine a round's updates into one change of the model.

        Args:
            updates: (n, d) int32 or int64, n and d at least 1, rows in any order.
            weights: (n,) int64, sample counts, each at least 1, with a sum of at most 2**46.
            state: what the last round returned; missing vectors count as zeros.
            standing: what the ledger knows of each row's trainer. None, where scores are not known
                yet, skips the selections.
            exact: False lets `ridge_solve` use LAPACK, for scores that nobody recomputes.

        Returns:
            The delta, int64, as long as an update (with `ridge_solve`: as the model), and the
            next state. The same bytes for any order of rows, on any machine.

        Raises:
            InputError: shapes, dtypes, weights or state that do not fit.
        """
        check_updates(updates, weights)
        kept = check_state(state, self.initial_state(updates.shape[1]))
        if standing is not None:
            updates, weights = self.select(updates, weights, standing)
        delta, memory = self.combine(*self.prepare(updates, weights), kept)
        moved, stepped = self.finish(delta, kept, exact=exact)
        return moved, {**memory, **stepped}

    def select(
        self, updates: IntMatrix, weights: IntVector, standing: Standing
    ) -> tuple[IntMatrix, IntVector]:
        """Apply the selections."""
        check_standing(standing, len(updates))
        for selection in self.selections:
            kept, weights = selection.choose(weights, standing)
            updates, weights, standing = updates[kept], weights[kept], standing.of(kept)
        return updates, weights

    def prepare(self, updates: IntMatrix, weights: IntVector) -> tuple[IntMatrix, IntVector]:
        """Apply the pre-aggregations."""
        for pre_aggregation in self.pre_aggregations:
            updates, weights = pre_aggregation(updates, weights)
        return updates, weights

    def combine(
        self, updates: IntMatrix, weights: IntVector, state: State
    ) -> tuple[Int64Vector, State]:
        """Apply the rule to its own part of the state."""
        own = self.rule_state(updates.shape[1])
        return self.rule(updates, weights, {name: state[name] for name in own})

    def finish(self, delta: Int64Vector, state: State, *, exact: bool) -> tuple[Int64Vector, State]:
        """Apply the server step, if there is one, to its own part of the state."""
        step = self.server_step if exact or not self.approximates else self.scoring_step
        if step is None:
            return delta, {}
        own = step.init(len(delta))
        return step.update(delta, {name: state[name] for name in own})


def pipeline(text: str, *, fraction_bits: int = FRACTION_BITS) -> Pipeline:
    """Read a pipeline: selections, pre-aggregations, one rule, at most one server step.

    Args:
        text: mechanisms joined by `|`.
        fraction_bits: the fixed point of updates and model, for arguments in the model's units.

    Raises:
        InputError: an unknown name or argument, a value out of range, or another order.

    >>> pipeline("norm_clip( c=1.0 ) | trimmed_mean(f=2)").text
    'norm_clip(c=1)|trimmed_mean(f=2)'
    """
    mechanisms = parse_mechanisms(text)
    for mechanism in mechanisms:
        if not any(mechanism.name in catalogue for catalogue in CATALOGUES.values()):
            raise InputError(f"unknown mechanism {mechanism.name!r}: there are {_everything()}")
    chosen, pres, rule, steps = _split(mechanisms)
    make = {"fraction_bits": fraction_bits, "exact": True}
    fast = {**make, "exact": False}
    return Pipeline(
        text=format_mechanisms(mechanisms),
        selections=tuple(bind(SELECTIONS, one, make)() for one in chosen),
        pre_aggregations=tuple(bind(PRE_AGGREGATIONS, one, make)() for one in pres),
        rule=bind(RULES, rule, make)(),
        without_each=_without_each(pres, rule, make),
        server_step=bind(SERVER_STEPS, steps[0], make)() if steps else None,
        scoring_step=bind(SERVER_STEPS, steps[0], fast)() if _approximates(steps) else None,
    )


def check_updates(updates: IntMatrix, weights: IntVector) -> None:
    """Refuse what no pipeline can take.

    >>> check_updates(np.zeros((0, 3), dtype=np.int32), np.zeros(0, dtype=np.int64))
    Traceback (most recent call last):
    ostrom.errors.InputError: updates must be (n, d) with n and d at least 1, not (0, 3)
    """
    if updates.ndim != 2 or not updates.size:
        raise InputError(f"updates must be (n, d) with n and d at least 1, not {updates.shape}")
    if len(updates) > UPDATES_MAX:
        raise InputError(f"a pipeline takes at most {UPDATES_MAX} updates, not {len(updates)}")
    if updates.dtype not in (np.int32, np.int64) or weights.dtype not in (np.int32, np.int64):
        raise InputError(f"updates must be int32 or int64, not {updates.dtype} ({weights.dtype})")
    if weights.shape != updates.shape[:1] or int(weights.min()) < 1:
        raise InputError(f"{len(updates)} updates need as many weights, each at least 1")
    if sum(weights.tolist()) > WEIGHT_SUM_MAX:
        raise InputError(f"weights sum to {sum(weights.tolist())}, allowed are {WEIGHT_SUM_MAX}")


def _split(
    mechanisms: Sequence[Mechanism],
) -> tuple[Sequence[Mechanism], Sequence[Mechanism], Mechanism, Sequence[Mechanism]]:
    """Selections, pre-aggregations, the rule and what follows it, if the order is right."""
    places = [i for i, mechanism in enumerate(mechanisms) if mechanism.name in RULES]
    text = format_mechanisms(mechanisms)
    if len(places) != 1:
        raise InputError(f"{text!r} needs exactly one rule: one of {', '.join(RULES)}")
    before, after = mechanisms[: places[0]], mechanisms[places[0] + 1 :]
    chosen = list(takewhile(lambda one: one.name in SELECTIONS, before))
    pres = before[len(chosen) :]
    if any(one.name in SELECTIONS for one in pres):
        raise InputError(f"{', '.join(SELECTIONS)} must come before all else: {text!r}")
    if any(one.name not in PRE_AGGREGATIONS for one in pres):
        raise InputError(f"only {', '.join(PRE_AGGREGATIONS)} may stand before the rule: {text!r}")
    if len(after) > 1 or any(one.name not in SERVER_STEPS for one in after):
        raise InputError(f"only one of {', '.join(SERVER_STEPS)} may follow the rule: {text!r}")
    return chosen, pres, mechanisms[places[0]], after


def _without_each(
    pres: Sequence[Mechanism], rule: Mechanism, make: Mapping[str, object]
) -> WithoutEach:
    alone = list(takewhile(lambda one: one.name in ROW_BY_ROW, pres))
    left = pres[len(alone) :]
    shared = left[:1] if left and left[0].name in PRE_OMISSIONS else []
    fast = rule.name in OMISSIONS and not left
    return WithoutEach(
        first=tuple(bind(PRE_AGGREGATIONS, one, make)() for one in alone),
        mixed=bind(PRE_OMISSIONS, shared[0], make)() if shared else None,
        rest=tuple(bind(PRE_AGGREGATIONS, one, make)() for one in left[len(shared) :]),
        omission=bind(OMISSIONS, rule, make)() if fast else None,
    )


def _approximates(steps: Sequence[Mechanism]) -> bool:
    """True for a server step that has a faster way for scores."""
    return any("exact" in signature(SERVER_STEPS[step.name]).parameters for step in steps)


def _everything() -> str:
    return ", ".join(name for catalogue in CATALOGUES.values() for name in catalogue)


CATALOGUES: Mapping[str, Mapping[str, object]] = {
    "selection": SELECTIONS,
    "pre-aggregation": PRE_AGGREGATIONS,
    "rule": RULES,
    "server step": SERVER_STEPS,
}
