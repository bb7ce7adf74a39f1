"""When a task has reached what its sponsor wants, so that its rounds stop early.

Every validator measures the round's model on its own holdout and puts the metric beside its scores;
the stake-weighted lower median decides. From the round that reaches the target on nobody trains, so
that nothing more is paid, and the rest of the pool goes back to the sponsor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from ostrom.errors import InputError
from ostrom.mechanisms import bind, only

METRIC_UNIT = 1_000_000
"""A metric of one million is an accuracy of 1."""

Target: TypeAlias = int | None
"""The metric to reach, in units of 1 / METRIC_UNIT; None if every round is to be played."""


def none() -> Target:
    """No target: every round is played.

    >>> none() is None
    True
    """
    return None


def accuracy(*, at_least: float) -> Target:
    """The share of right answers on the validators' holdouts.

    Args:
        at_least: the accuracy to reach, 0 < at_least <= 1.

    Returns:
        The target in units of 1 / METRIC_UNIT, rounded up.

    Raises:
        InputError: the share is out of range.

    >>> accuracy(at_least=0.97)
    970000
    """
    if not 0 < at_least <= 1:
        raise InputError(f"accuracy needs 0 < at_least <= 1, not {at_least}")
    return math.ceil(Fraction(str(at_least)) * METRIC_UNIT)


TARGETS: Mapping[str, Callable[..., Target]] = {"none": none, "accuracy": accuracy}


@lru_cache(maxsize=16)
def target(text: str) -> Target:
    """The target that a mechanism text names.

    Raises:
        InputError: there is no such target, or an argument is out of range.

    >>> target("accuracy(at_least=0.5)")
    500000
    """
    return bind(TARGETS, only(text))()


def to_metric(share: float) -> int:
    """An accuracy as an integer, rounded down.

    >>> to_metric(0.9876543)
    987654
    """
    return int(share * METRIC_UNIT)
