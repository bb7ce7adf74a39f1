"""Numbers as people read them. Amounts of money stay integers and are rounded down."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any, TypeGuard

TOKEN = "OSTR"
TOKEN_DECIMALS = 18
SHOWN_DECIMALS = 2
FLOAT32_BYTES = 4

NOTHING = "—"
"""What stands where there is no number: the round was void, or nothing was measured."""

CONFIG_OPTIONS = (
    "dataset",
    "clients",
    "skew",
    "rounds",
    "model",
    "algorithm",
    "aggregation",
    "scorer",
    "incentive",
    "validators",
    "holdout",
    "compression",
    "participation",
    "target",
    "start",
    "attack",
    "samples",
    "seed",
)
"""The options of `ostrom demo` that decide what a run's bytes are, in their order."""


def money(amount: str | int) -> str:
    """An amount in the token's smallest unit as OSTR, rounded down to two decimals.

    >>> money("1234567000000000000000"), money(10**15), money("0")
    ('1,234.56 OSTR', '< 0.01 OSTR', '0 OSTR')
    """
    units, step = int(amount), 10 ** (TOKEN_DECIMALS - SHOWN_DECIMALS)
    whole, cents = divmod(abs(units) // step, 10**SHOWN_DECIMALS)
    if units and not whole and not cents:
        return f"< 0.01 {TOKEN}"
    sign = "-" if units < 0 else ""
    return f"{sign}{whole:,}{f'.{cents:02}' if cents else ''} {TOKEN}"


def per_update(model: Mapping[str, Any]) -> str:
    """The bytes of one update, and how many times fewer than the model's as float32.

    >>> per_update({"parameters": 79242, "update_bytes": 3160})
    '3.2 kB an update, 100 times less than float32'
    """
    each = model.get("update_bytes")
    if not each:
        return ""
    times = FLOAT32_BYTES * model["parameters"] / each
    less = f", {times:,.0f} times less than float32" if times >= 1.5 else ""
    return f"{size(each)} an update{less}"


def percent(share: float | None, digits: int = 2) -> str:
    """A share as per cent; a dash if there is none.

    >>> percent(0.98765), percent(None)
    ('98.77 %', '—')
    """
    return f"{100 * share:.{digits}f} %" if is_number(share) else NOTHING


def decimal(value: float | None, digits: int = 4) -> str:
    """A number with fixed decimals; a dash if there is none.

    >>> decimal(0.30499), decimal(float("nan"))
    ('0.3050', '—')
    """
    return f"{value:.{digits}f}" if is_number(value) else NOTHING


def whole(value: int | None) -> str:
    """An integer with its thousands apart.

    >>> whole(1234567)
    '1,234,567'
    """
    return NOTHING if value is None else f"{value:,}"


def size(count: int | None) -> str:
    """Bytes in decimal units.

    >>> size(999), size(1_234_000), size(5_600_000_000)
    ('999 B', '1.2 MB', '5.6 GB')
    """
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.95:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def duration(seconds: float | None) -> str:
    """A time span.

    >>> duration(0.25), duration(61), duration(7_262)
    ('0.2 s', '1 min 1 s', '2 h 1 min')
    """
    if not is_number(seconds):
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "round"), count(2000, "round")
    ('1 round', '2,000 rounds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(text: str) -> str:
    """A long hexadecimal name by its ends.

    >>> short("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    '0x5aAe…BeAed'
    """
    return text if len(text) <= 14 else f"{text[:6]}…{text[-5:]}"


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite number.

    >>> is_number(0), is_number(None), is_number(float("inf"))
    (True, False, False)
    """
    return isinstance(value, (int, float)) and math.isfinite(value)


def demo_command(config: Mapping[str, Any]) -> str:
    """The command that makes the same run again, ready for a POSIX shell.

    >>> demo_command({"dataset": "digits", "rounds": 2, "skew": "shards(k=2)"})
    "ostrom demo --dataset digits --skew 'shards(k=2)' --rounds 2"
    """
    given = [(name, config[name]) for name in CONFIG_OPTIONS if config.get(name) is not None]
    return shlex.join(
        ["ostrom", "demo", *(word for name, value in given for word in (f"--{name}", str(value)))]
    )
