"""Mechanism texts: how a spec names an algorithm and its arguments, and how a catalogue answers.

A mechanism is a value that a factory makes; a catalogue is a literal dict from name to factory.
`nnm(f=2)|trimmed_mean(f=2)` names two of them with their arguments. One text has one canonical
form, so that a spec has one digest.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from ostrom.errors import InputError

T = TypeVar("T")

Argument: TypeAlias = int | float | str

MECHANISMS_CHARACTERS_MAX = 4_096
"""A spec is a stranger's text: this bounds the time that reading it can take."""

INTEGER_MAX = (1 << 53) - 1
"""Up to here float64 holds every integer, so that 2 and 2.0 are one number."""


@dataclass(frozen=True)
class Mechanism:
    """A named mechanism with its arguments, as a spec writes it: `trimmed_mean(f=2)`."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The canonical text: arguments sorted by name, shortest number form.

        >>> Mechanism("fedavg", {"lr": 0.05, "epochs": 1}).text
        'fedavg(epochs=1,lr=0.05)'
        """
        if not self.arguments:
            return self.name
        inner = ",".join(f"{key}={self.arguments[key]}" for key in sorted(self.arguments))
        return f"{self.name}({inner})"


_NAME = r"[a-z][a-z0-9_]*"
_CALL = re.compile(rf"\s*({_NAME})\s*(?:\(([^()|]*)\))?\s*")
_ARGUMENT = re.compile(rf"\s*({_NAME})\s*=\s*([A-Za-z0-9_.+-]+)\s*")


def parse_mechanisms(text: str) -> tuple[Mechanism, ...]:
    """Read mechanism texts joined by `|`; the inverse of `format_mechanisms`.

    Raises:
        InputError: the text does not have that form.

    >>> [m.text for m in parse_mechanisms("nnm( f=2 ) | trimmed_mean(f=2)")]
    ['nnm(f=2)', 'trimmed_mean(f=2)']
    """
    if len(text) > MECHANISMS_CHARACTERS_MAX:
        raise InputError(f"a mechanism text has at most {MECHANISMS_CHARACTERS_MAX} characters")
    return tuple(_parse_mechanism(part) for part in text.split("|"))


def format_mechanisms(mechanisms: Sequence[Mechanism]) -> str:
    """The canonical text of a chain of mechanisms.

    >>> format_mechanisms([Mechanism("median")])
    'median'
    """
    return "|".join(mechanism.text for mechanism in mechanisms)


def _parse_mechanism(text: str) -> Mechanism:
    found = _CALL.fullmatch(text)
    if not found:
        raise InputError(f"cannot read {text!r}: write name or name(argument=value, ...)")
    arguments: dict[str, Argument] = {}
    for part in (found[2] or "").split(",") if (found[2] or "").strip() else []:
        pair = _ARGUMENT.fullmatch(part)
        if not pair or pair[1] in arguments:
            raise InputError(f"cannot read {part!r} in {text!r}: write each argument once as a=1")
        arguments[pair[1]] = _number(pair[2])
    return Mechanism(found[1], arguments)


def _number(text: str) -> Argument:
    """An integer, a float or a word; 1.0 and 1 are one number and have one text."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        raise InputError(f"{text!r} is not a finite number")
    return int(value) if value.is_integer() and abs(value) <= INTEGER_MAX else value


def only(text: str) -> Mechanism:
    """The single mechanism that `text` names.

    Raises:
        InputError: there are several.

    >>> only("mlp(hidden=32)").arguments["hidden"]
    32
    """
    mechanisms = parse_mechanisms(text)
    if len(mechanisms) != 1:
        raise InputError(f"one mechanism is wanted, not {len(mechanisms)}: {text!r}")
    return mechanisms[0]


def choose(catalogue: Mapping[str, T], mechanism: Mechanism) -> T:
    """The catalogue's entry of that name.

    Raises:
        InputError: there is none; the message lists those that there are.

    >>> choose({"mean": 1, "median": 2}, Mechanism("mode"))
    Traceback (most recent call last):
    ostrom.errors.InputError: there is no 'mode' here: choose among mean, median
    """
    if mechanism.name not in catalogue:
        choices = ", ".join(sorted(catalogue))
        raise InputError(f"there is no {mechanism.name!r} here: choose among {choices}")
    return catalogue[mechanism.name]


def plain(catalogue: Mapping[str, T], text: str) -> T:
    """The entry that `text` names, for catalogues whose entries take no arguments.

    Raises:
        InputError: an unknown name, arguments, or several mechanisms.

    >>> plain({"mean": 1}, "mean")
    1
    """
    mechanism = only(text)
    entry = choose(catalogue, mechanism)
    if mechanism.arguments:
        raise InputError(f"{mechanism.name} takes no arguments: write {mechanism.name}")
    return entry


def bind(
    catalogue: Mapping[str, Callable[..., T]],
    mechanism: Mechanism,
    given: Mapping[str, Any] | None = None,
) -> Callable[..., T]:
    """The factory of that name, with the text's arguments filled in.

    Args:
        catalogue: name -> factory; its keyword parameters are what a text may set.
        mechanism: name and arguments.
        given: arguments that the caller sets and a text may not; a factory gets those it takes.

    Raises:
        InputError: an unknown name or argument, one that is missing or of another kind.

    >>> def power(x: int, /, exponent: int = 1) -> int:
    ...     return x**exponent
    >>> bind({"power": power}, only("power(exponent=3)"))(2)
    8
    """
    factory = choose(catalogue, mechanism)
    fixed = given or {}
    parameters = inspect.signature(factory).parameters.values()
    keywords = {p.name: p for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    settable = {name: p for name, p in keywords.items() if name not in fixed}
    _check_arguments(mechanism, settable)
    return partial(
        factory, **mechanism.arguments, **{k: v for k, v in fixed.items() if k in keywords}
    )


_KINDS: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}


def _check_arguments(mechanism: Mechanism, settable: Mapping[str, inspect.Parameter]) -> None:
    takes = f"it takes {', '.join(settable) or 'no arguments'}"
    for name, value in mechanism.arguments.items():
        if name not in settable:
            raise InputError(f"{mechanism.name} has no argument {name!r}: {takes}")
        kind = getattr(settable[name].annotation, "__name__", settable[name].annotation)
        if not isinstance(value, _KINDS.get(kind, (object,))):
            raise InputError(f"{mechanism.name} needs {name} to be of type {kind}, not {value!r}")
    for name, one in settable.items():
        if one.default is one.empty and name not in mechanism.arguments:
            raise InputError(f"{mechanism.name} needs the argument {name!r}: {takes}")
