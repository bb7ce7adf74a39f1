"""Learning rates by round: factors in words, joined by `+` and multiplied.

`warmup-5+cosine-50` rises over 5 rounds and falls over 50. A schedule is a word so that every
algorithm by gradient descent takes it as one argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import signature
from typing import TypeAlias

from ostrom.errors import InputError

Factor: TypeAlias = Callable[[int], float]
"""round (from 1) -> what the learning rate is multiplied by."""


def constant() -> Factor:
    """1 in every round.

    >>> constant()(7)
    1.0
    """
    return lambda number: 1.0


def warmup(rounds: float, /) -> Factor:
    """min(1, round / rounds): a linear rise.

    >>> [warmup(4)(number) for number in (1, 4, 5)]
    [0.25, 1.0, 1.0]

    Source: Goyal et al. (2017), "Accurate, Large Minibatch SGD".
    """
    _at_least_one(rounds)
    return lambda number: min(1.0, number / rounds)


def exponential(decay: float, /) -> Factor:
    """decay ** (round - 1).

    >>> [exponential(0.5)(number) for number in (1, 2, 3)]
    [1.0, 0.5, 0.25]
    """
    _share(decay)
    return lambda number: float(decay ** (number - 1))


def step(rounds: float, decay: float, /) -> Factor:
    """decay ** floor((round - 1) / rounds): a fall after every so many rounds.

    >>> [step(2, 0.5)(number) for number in (1, 2, 3)]
    [1.0, 1.0, 0.5]
    """
    _at_least_one(rounds)
    _share(decay)
    return lambda number: float(decay ** ((number - 1) // rounds))


def cosine(rounds: float, /) -> Factor:
    """(1 + cos(pi * (round - 1) / rounds)) / 2, held after the last of them.

    >>> [round(cosine(4)(number), 3) for number in (1, 3, 4, 9)]
    [1.0, 0.5, 0.146, 0.146]

    Source: Loshchilov & Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """
    _at_least_one(rounds)
    return lambda number: (1 + math.cos(math.pi * (min(number, rounds) - 1) / rounds)) / 2


SCHEDULES: Mapping[str, Callable[..., Factor]] = {
    "constant": constant,
    "warmup": warmup,
    "exponential": exponential,
    "step": step,
    "cosine": cosine,
}


@lru_cache(maxsize=64)
def schedule(text: str) -> Factor:
    """The product of the factors that `text` names.

    Raises:
        InputError: a word that is none of `SCHEDULES`, or numbers that do not fit it.

    >>> schedule("warmup-2+exponential-0.5")(1)
    0.5
    """
    factors = [_factor(word) for word in text.split("+")]
    return lambda number: math.prod(factor(number) for factor in factors)


def _factor(word: str) -> Factor:
    name, *numbers = word.split("-")
    if name not in SCHEDULES:
        raise InputError(f"there is no schedule {name!r}: choose among {', '.join(SCHEDULES)}")
    wanted = len(signature(SCHEDULES[name]).parameters)
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if len(numbers) != wanted or len(values) != wanted:
        raise InputError(f"the schedule {name} takes {wanted} numbers after dashes, not {word!r}")
    return SCHEDULES[name](*values)


def _at_least_one(rounds: float) -> None:
    if not (rounds >= 1 and float(rounds).is_integer()):
        raise InputError(f"a schedule counts in rounds, at least 1, not {rounds}")


def _share(decay: float) -> None:
    if not 0 < decay <= 1:
        raise InputError(f"a schedule's decay lies in (0, 1], not {decay}")
