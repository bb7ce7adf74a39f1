"""From a mechanism's text to its factory's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from ostrom.codec import Mechanism, parse_mechanisms
from ostrom.errors import InputError

T = TypeVar("T")


def bind(catalogue: Mapping[str, Callable[..., T]], text: str) -> Callable[..., T]:
    """The factory that `text` names, with the text's arguments already filled in.

    Raises:
        InputError: an unknown name or argument, or more than one mechanism.

    >>> bind({"power": pow}, "power(exp=3)")(2)
    8
    >>> bind({"power": pow}, "root")
    Traceback (most recent call last):
    ostrom.errors.InputError: there is no 'root' here: choose among power
    """
    mechanism = _only(text)
    factory = catalogue.get(mechanism.name)
    if factory is None:
        choices = ", ".join(sorted(catalogue))
        raise InputError(f"there is no {mechanism.name!r} here: choose among {choices}")
    parameters = inspect.signature(factory).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY]
    for name in mechanism.arguments:
        if name not in known:
            raise InputError(f"{mechanism.name} takes no {name!r}: choose among {', '.join(known)}")
    return partial(factory, **mechanism.arguments)


def _only(text: str) -> Mechanism:
    mechanisms = parse_mechanisms(text)
    if len(mechanisms) != 1:
        raise InputError(f"one mechanism is wanted, not {len(mechanisms)}: {text!r}")
    return mechanisms[0]
