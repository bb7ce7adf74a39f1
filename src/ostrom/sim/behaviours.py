"""Parties that misbehave: what they do instead of the honest step.

| behaviour | what it does |
|---|---|
| drop_out | never commits |
| late_reveal | commits, and reveals only when the phase is over |
| garbage | commits to random bytes |
| copy | commits to another trainer's very update, which that trainer leaked |
| zeros | sends an update of nothing |
| sign_flip | sends the opposite of its update |
| scale | sends its update times `by` |
| silent_validator | never scores, never attests |
| wrong_digest | a validator that attests to a result of its own invention |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ostrom.codec import sha256
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, parse_mechanisms
from ostrom.node import Action, Attest, Commit, Reveal
from ostrom.types import Update

HONEST = "honest"

Twist = Callable[[Update, Mechanism], Update]
"""A trainer's lie about its own update."""


def _scaled(update: Update, by: float) -> Update:
    limits = np.iinfo(update.values.dtype)
    values = np.rint(update.values.astype(np.float64) * by)
    # float64 cannot hold the largest int64: stay one float below the limit.
    top = np.nextafter(float(limits.max), 0)
    return Update(np.clip(values, -top, top).astype(update.values.dtype), update.samples)


TWISTS: Mapping[str, Twist] = {
    "zeros": lambda update, _: Update(np.zeros_like(update.values), update.samples),
    "sign_flip": lambda update, _: _scaled(update, -1.0),
    "scale": lambda update, m: _scaled(update, float(m.arguments.get("by", 100))),
}

TRAINER_BEHAVIOURS = ("drop_out", "late_reveal", "garbage", "copy", *TWISTS)
VALIDATOR_BEHAVIOURS = ("silent_validator", "wrong_digest")

ROLES: Mapping[str, tuple[str, ...]] = {
    "trainers": TRAINER_BEHAVIOURS,
    "validators": VALIDATOR_BEHAVIOURS,
}


@dataclass(frozen=True)
class Casting:
    """Who plays what: behaviours by the index of the trainer and of the validator."""

    trainers: Mapping[int, Mechanism]
    validators: Mapping[int, Mechanism]


def parse_attack(text: str, trainers: int, validators: int) -> Casting:
    """Hand out the behaviours of an attack text, from the last party downwards.

    Raises:
        InputError: an unknown behaviour, or more misbehaving parties than there are.

    >>> parse_attack("zeros(trainers=2)|silent_validator", 10, 4).validators[3].name
    'silent_validator'
    """
    cast: dict[str, dict[int, Mechanism]] = {"trainers": {}, "validators": {}}
    free = {"trainers": trainers, "validators": validators}
    for mechanism in parse_mechanisms(text) if text != "none" else ():
        role = _role(mechanism)
        count = mechanism.arguments.get(role, 1)
        if not isinstance(count, int) or not 1 <= count <= free[role]:
            raise InputError(f"{mechanism.text}: there are only {free[role]} {role} left to cast")
        for _ in range(count):
            free[role] -= 1
            cast[role][free[role]] = mechanism
    return Casting(cast["trainers"], cast["validators"])


def _role(mechanism: Mechanism) -> str:
    for role, names in ROLES.items():
        if mechanism.name in names:
            allowed = {role, "by"} if mechanism.name == "scale" else {role}
            if isinstance(mechanism.arguments.get("by", 0), str):
                raise InputError(f"{mechanism.text}: write the factor as a number, scale(by=100)")
            if set(mechanism.arguments) <= allowed:
                return role
            raise InputError(f"{mechanism.text}: the arguments are {', '.join(sorted(allowed))}")
    known = ", ".join([*TRAINER_BEHAVIOURS, *VALIDATOR_BEHAVIOURS])
    raise InputError(f"unknown attack {mechanism.name!r}: there are {known}, and none")


def twist(update: Update, mechanism: Mechanism | None) -> Update:
    """The update that a trainer of that behaviour sends instead of its own."""
    if mechanism is None or mechanism.name not in TWISTS:
        return update
    return TWISTS[mechanism.name](update, mechanism)


def garbage(seed: bytes, size: int) -> bytes:
    """`size` bytes that are no tensor."""
    return np.random.default_rng(list(sha256(seed))).bytes(size)


def withhold(actions: list[Action], mechanism: Mechanism | None, *, overdue: bool) -> list[Action]:
    """A trainer's actions under its behaviour: dropped, or kept until they are too late."""
    name = mechanism.name if mechanism else HONEST
    if name == "drop_out":
        return [a for a in actions if not isinstance(a, (Commit, Reveal))]
    if name == "late_reveal" and not overdue:
        return [a for a in actions if not isinstance(a, Reveal)]
    return actions


def lie(actions: list[Action], mechanism: Mechanism | None) -> list[Action]:
    """A validator's actions under its behaviour."""
    if mechanism is None:
        return actions
    if mechanism.name == "silent_validator":
        return []
    return [_invented(a) if isinstance(a, Attest) else a for a in actions]


def _invented(action: Attest) -> Attest:
    return replace(action, result=replace(action.result, model=sha256(action.result.model)))
