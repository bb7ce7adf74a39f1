"""Parties that misbehave: who plays what, and what they do instead of the honest step.

| behaviour | what it does |
|---|---|
| drop_out | never commits |
| late_reveal | commits, and reveals only when the phase is over |
| garbage | commits to random bytes |
| copy | commits to another trainer's very update, which that trainer leaked |
| zeros | sends an update of nothing |
| sign_flip | sends the opposite of its update |
| scale | sends its update times `by` |
| gaussian | sends independent noise |
| noise | sends a random direction as long as an honest update |
| noisy_copy | sends an honest trainer's update with noise |
| last_delta | sends the last change of the global model |
| ipm | sends the opposite of the honest mean, scaled |
| alie | sends the honest mean, some standard deviations off |
| optimal_ipm | the same as ipm, with the scale that moves the rule most |
| optimal_alie | the same as alie, with the distance that moves the rule most |
| min_max | sends what is as far from the honest as they are from one another |
| min_sum | the same, in the sum of squared distances |
| mimic | sends what the most unusual honest trainer sends |
| label_flip | trains on wrong labels |
| backdoor | teaches the model a trigger |
| lazy | trains on a part of its data and claims all |
| sybil | one party holds several seats and splits its data among them |
| silent_validator | never scores, never attests |
| wrong_digest | a validator that attests to a result of its own invention |
| inflate | a validator that gives one trainer the highest score |
| lazy_validator | a validator that scores 0 for everyone |
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ostrom.codec import sha256
from ostrom.errors import InputError
from ostrom.mechanisms import Mechanism, bind, parse_mechanisms
from ostrom.node import Action, Commit, Reveal
from ostrom.sim.attacks import ATTACKS, TOGETHER
from ostrom.sim.poison import POISONS
from ostrom.sim.validator_lies import LIES, Lie

HONEST = "honest"


def _timing() -> None:
    """A behaviour that changes what is sent when, and no number."""


def _seats() -> None:
    """A behaviour that changes who holds which data."""


TRAINERS: Mapping[str, Callable[..., object]] = {
    "drop_out": _timing,
    "late_reveal": _timing,
    "garbage": _timing,
    "sybil": _seats,
    **ATTACKS,
    **POISONS,
}

TRAINER_BEHAVIOURS = tuple(TRAINERS)
VALIDATOR_BEHAVIOURS = tuple(LIES)

ROLES: Mapping[str, tuple[str, ...]] = {
    "trainers": TRAINER_BEHAVIOURS,
    "validators": VALIDATOR_BEHAVIOURS,
}

COUNTS: Mapping[str, str] = {"sybil": "identities"}
"""The argument that says how many seats a behaviour takes, where it is not its role's name."""


@dataclass(frozen=True)
class Group:
    """The parties that play one behaviour together: its arguments, without their number."""

    behaviour: Mechanism
    seats: tuple[int, ...]


@dataclass(frozen=True)
class Casting:
    """Who plays what, by the index of the trainer and of the validator."""

    groups: tuple[Group, ...]

    @property
    def trainers(self) -> Mapping[int, Mechanism]:
        """The behaviours of those trainers that are not honest."""
        return self._of(TRAINERS)

    @property
    def validators(self) -> Mapping[int, Mechanism]:
        """The behaviours of those validators that are not honest."""
        return self._of(LIES)

    def _of(self, catalogue: Mapping[str, object]) -> Mapping[int, Mechanism]:
        played = [group for group in self.groups if group.behaviour.name in catalogue]
        return {seat: group.behaviour for group in played for seat in group.seats}


def parse_attack(text: str, trainers: int, validators: int) -> Casting:
    """Hand out the behaviours of an attack text, from the last party downwards.

    Raises:
        InputError: an unknown behaviour or argument, or more misbehaving parties than there are.

    >>> parse_attack("zeros(trainers=2)|silent_validator", 10, 4).validators[3].name
    'silent_validator'
    """
    free = {"trainers": trainers, "validators": validators}
    groups = []
    for mechanism in parse_mechanisms(text) if text != "none" else ():
        role = _role(mechanism)
        counter = COUNTS.get(mechanism.name, role)
        count = mechanism.arguments.get(counter, 1)
        if not isinstance(count, int) or not 1 <= count <= free[role]:
            raise InputError(f"{mechanism.text}: there are only {free[role]} {role} left to cast")
        free[role] -= count
        seats = tuple(reversed(range(free[role], free[role] + count)))
        rest = {name: one for name, one in mechanism.arguments.items() if name != counter}
        if int(rest.get("friend", 0)) >= trainers:
            raise InputError(f"{mechanism.text}: the trainers are 0 to {trainers - 1}")
        groups.append(Group(Mechanism(mechanism.name, rest), seats))
    return Casting(tuple(groups))


def _role(mechanism: Mechanism) -> str:
    """Whose behaviour it is, once its arguments are known to fit."""
    for role, catalogue in (("trainers", TRAINERS), ("validators", LIES)):
        if mechanism.name in catalogue:
            _check(mechanism, COUNTS.get(mechanism.name, role), catalogue)
            return role
    known = ", ".join([*TRAINERS, *LIES])
    raise InputError(f"unknown attack {mechanism.name!r}: there are {known}, and none")


GIVEN: Mapping[str, object] = {"previous": None, "fraction_bits": 20}
"""Arguments that the simulator fills in."""


def _check(
    mechanism: Mechanism, counter: str, catalogue: Mapping[str, Callable[..., object]]
) -> None:
    own = set(inspect.signature(catalogue[mechanism.name]).parameters) - set(GIVEN)
    blur = {"blur"} if mechanism.name in TOGETHER else set()
    allowed = {counter} | own | blur
    if not set(mechanism.arguments) <= allowed:
        raise InputError(f"{mechanism.text}: the arguments are {', '.join(sorted(allowed))}")
    if not isinstance(mechanism.arguments.get("blur", 0), (int, float)):
        raise InputError(f"{mechanism.text}: write blur as a number")
    arguments = {name: one for name, one in mechanism.arguments.items() if name in own}
    # Made once here, so that a value out of range is refused before a run begins.
    bind(catalogue, Mechanism(mechanism.name, arguments), GIVEN)()


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


def lie(mechanism: Mechanism | None) -> Lie:
    """What a validator of that behaviour says instead of the truth.

    >>> lie(Mechanism("lazy_validator")).scores({"a": 5}, ("a",))
    {'a': 0}
    """
    return Lie() if mechanism is None else bind(LIES, mechanism)()
