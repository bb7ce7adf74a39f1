"""Attacks on updates: what dishonest trainers send, from what the honest ones have computed.

The adversary is omniscient: it knows every honest update of the round and the rule that combines
them. An attack is a pure function of those, and needs no simulator:

>>> import numpy as np
>>> honest = np.array([[4, 0], [8, 0]], dtype=np.int32)
>>> own = np.zeros((1, 2), dtype=np.int32)
>>> attack("ipm(epsilon=0.5)")(honest, own, np.random.default_rng(0), None).tolist()
[[-3, 0]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, bind, choose, only
from ostrom.sim.attacks.alone import (
    copy,
    gaussian,
    last_delta,
    noise,
    noisy_copy,
    scale,
    sign_flip,
    zeros,
)
from ostrom.sim.attacks.colluding import (
    alie,
    apart,
    ipm,
    mimic,
    min_max,
    min_sum,
    optimal_alie,
    optimal_ipm,
)
from ostrom.sim.attacks.line_search import line_maximize
from ostrom.sim.attacks.shape import Aggregate, Attack
from ostrom.tensors import FRACTION_BITS
from ostrom.types import IntVector

ALONE: Mapping[str, Callable[..., Attack]] = {
    "zeros": zeros,
    "sign_flip": sign_flip,
    "scale": scale,
    "gaussian": gaussian,
    "noise": noise,
    "copy": copy,
    "noisy_copy": noisy_copy,
}

TOGETHER: Mapping[str, Callable[..., Attack]] = {
    "last_delta": last_delta,
    "ipm": ipm,
    "alie": alie,
    "optimal_ipm": optimal_ipm,
    "optimal_alie": optimal_alie,
    "min_max": min_max,
    "min_sum": min_sum,
    "mimic": mimic,
}
"""All attackers send one vector; a text may set `blur` too, see `apart`."""

ATTACKS: Mapping[str, Callable[..., Attack]] = {**ALONE, **TOGETHER}

__all__ = [
    "ALONE",
    "ATTACKS",
    "Aggregate",
    "Attack",
    "TOGETHER",
    "apart",
    "attack",
    "line_maximize",
]


def attack(
    text: str | Mechanism,
    *,
    previous: IntVector | None = None,
    fraction_bits: int = FRACTION_BITS,
) -> Attack:
    """Read an attack: `alie(z=1.5)`, `optimal_ipm`, `mimic(blur=0.1)`.

    Args:
        text: a name of `ATTACKS` with its arguments; those of `TOGETHER` also take `blur`.
        previous: (d,) the last change of the global model, for `last_delta`.
        fraction_bits: the fixed point of the updates, for arguments in the model's units.

    Returns:
        (honest (n, d), own (f, d), rng, aggregate or None) -> what the f attackers send.

    Raises:
        InputError: an unknown name or argument, or a value out of range.

    >>> attack("ipm(epsilon=nine)")
    Traceback (most recent call last):
    ostrom.errors.InputError: ipm needs epsilon to be of type float, not 'nine'
    """
    wanted = only(text) if isinstance(text, str) else text
    choose(ATTACKS, wanted)
    arguments = dict(wanted.arguments)
    blur = arguments.pop("blur", None) if wanted.name in TOGETHER else None
    given = {"previous": previous, "fraction_bits": fraction_bits}
    made = bind(ATTACKS, Mechanism(wanted.name, arguments), given)()
    if blur is None:
        return made
    if isinstance(blur, str):
        raise InputError(f"{wanted.name} needs blur to be a number, not {blur!r}")
    return apart(made, blur=blur)
