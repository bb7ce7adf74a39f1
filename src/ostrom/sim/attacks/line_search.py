"""The line search of the attacks that adapt to the rule."""

from __future__ import annotations

from collections.abc import Callable

from ostrom.errors import InputError


def line_maximize(
    value: Callable[[float], float],
    *,
    evaluations: int = 16,
    start: float = 0.0,
    delta: float = 1.0,
    ratio: float = 0.8,
) -> float:
    """The best strength that a fixed number of evaluations finds: x* ~ argmax value(x).

    First the step doubles as long as each next x = best + step is better; then it shrinks by
    `ratio` after every try of best + step, whether that was better or not.

    Args:
        value: what to maximise.
        evaluations: how often `value` is called; at least 1.
        start: the first x.
        delta: the first step; a negative one searches downwards; not 0.
        ratio: how the step shrinks, above 0.5 and below 1.

    Returns:
        The best x that was evaluated.

    Raises:
        InputError: an argument is out of its range.

    >>> round(line_maximize(lambda x: -abs(x - 3)), 1)
    3.0

    Source: the scheme of the ByzFL library, version 0.0.11, whose defaults are 20 evaluations and
    a first step of 10; 16 evaluations and a first step of 1 are those of the papers' own code
    (Allouah et al., "Fixing by Mixing", 2023).
    """
    if evaluations < 1 or not delta or not 0.5 < ratio < 1:
        raise InputError(
            "a line search needs evaluations >= 1, delta other than 0 and 0.5 < ratio < 1"
        )
    best, best_value, step, expanding = start, value(start), delta, True
    for _ in range(evaluations - 1):
        found = value(best + step)
        better = found > best_value
        if better:
            best, best_value = best + step, found
        expanding = expanding and better
        step *= 2.0 if expanding else ratio
    return best
