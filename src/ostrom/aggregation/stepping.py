"""What a server step is: what happens to the aggregate before it moves the model.

A server step is a pair of pure functions, as in optax: `init` makes the state for an update's
length, `update` takes the aggregate and the state and returns the delta and the next state. The
state is integers and part of the model file. The arithmetic is element-wise float64, which
IEEE 754 fixes to the last bit, then rounded to integers, halves to even.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.ridge import Floats
from ostrom.aggregation.rules import State
from ostrom.errors import InputError
from ostrom.types import IntVector

INTEGER_LIMIT = 2.0**62
"""Rounded values are held inside +-2**62, which leaves int64 room for one addition."""

Step: TypeAlias = Callable[[Int64Vector, State], tuple[Int64Vector, State]]


class ServerStep(NamedTuple):
    """`init`: length of an update -> state. `update`: aggregate, state -> delta, state."""

    init: Callable[[int], State]
    update: Step


def zeros(*names: str) -> Callable[[int], State]:
    """An `init` whose state is vectors of zeros as long as an update.

    >>> zeros("momentum")(2)["momentum"].tolist()
    [0, 0]
    """
    return lambda d: {name: np.zeros(d, dtype=np.int64) for name in names}


def to_integers(values: Floats) -> npt.NDArray[np.int64]:
    """Round halves to even, held inside +-2**62.

    >>> to_integers(np.array([0.5, 1.5, -2e30])).tolist()
    [0, 2, -4611686018427387904]
    """
    return np.clip(np.rint(values), -INTEGER_LIMIT, INTEGER_LIMIT).astype(np.int64)


def check_state(state: State, initial: State) -> dict[str, IntVector]:
    """`state`, with zeros for what is missing.

    Raises:
        InputError: a name or a shape that the server step does not have.

    >>> check_state({}, {"momentum": np.zeros(2, dtype=np.int64)})["momentum"].tolist()
    [0, 0]
    """
    if state.keys() - initial.keys():
        kept = ", ".join(initial) or "no state"
        raise InputError(f"this pipeline keeps {kept}, not {min(state.keys() - initial.keys())!r}")
    for name, vector in state.items():
        shape, dtype = initial[name].shape, initial[name].dtype
        if vector.shape != shape or vector.dtype != dtype:
            raise InputError(f"the state {name!r} must be {dtype} of shape {shape}")
    return {**initial, **state}


def assert_fraction(name: str, **arguments: float) -> None:
    for argument, value in arguments.items():
        if not 0 <= value < 1:
            raise InputError(f"{name} needs 0 <= {argument} < 1, not {value}")


def assert_positive(name: str, **arguments: float) -> None:
    for argument, value in arguments.items():
        if not value > 0:
            raise InputError(f"{name} needs {argument} > 0, not {value}")
