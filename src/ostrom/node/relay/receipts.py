"""What a relay answers: taken, known already, or refused with one line that says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LINE_MAX = 240
"""Characters of an answer's line."""

KNOWN, TAKEN = 200, 202
MALFORMED, FORBIDDEN, ELSEWHERE, CONFLICT, TOO_LATE, TOO_LONG = 400, 403, 404, 409, 410, 413
TOO_MANY, NOT_NOW = 429, 503


@dataclass(frozen=True)
class Receipt:
    """An answer: `status` as in HTTP, and one printable line.

    202: taken, written down. 200: it was known already, or the chain has it. 4xx: refused, and
    nothing has changed. 503: ask again later.
    """

    status: int
    line: str

    @property
    def accepted(self) -> bool:
        """True if the relay has the message or the chain has what it says."""
        return self.status in (KNOWN, TAKEN)


class Carrier(Protocol):
    """Whatever takes messages to a relay: HTTP, or a simulator's network."""

    def offer(self, data: bytes) -> Receipt:
        """Hand a message in; an answer that never came is a receipt too, of status 503."""


def receipt(status: int, line: str) -> Receipt:
    """A receipt whose line is one line, short, and printable whatever went into it.

    >>> receipt(400, "no\\nfield \\x1b[31m")
    Receipt(status=400, line='no field ?[31m')
    """
    text = " ".join(line.split())
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return Receipt(status, shown if len(shown) <= LINE_MAX else shown[: LINE_MAX - 3] + "...")
