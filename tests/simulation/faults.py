"""What goes wrong, and when: drawn from the seed, counted, written into the log.

Each seed draws which kinds of fault it has and how often (swarm testing, Groce et al. 2012): a run
in which everything fails hides what a few faults together do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from random import Random

from ostrom.errors import LedgerError, StoreError

RATES: Mapping[str, float] = {
    "chain unreachable": 0.2,
    "chain fails after taking": 0.15,
    "stale head": 0.04,
    "logs missing": 0.02,
    "reorganisation": 0.05,
    "stuck on the old branch": 0.3,
    "transaction lost": 0.03,
    "transaction lost with its block": 0.3,
    "fees rise": 0.03,
    "fees stay high": 0.01,
    "slow blocks": 0.1,
    "crash before": 0.002,
    "crash after": 0.002,
    "crash tears the disk": 0.7,
    "pause": 0.01,
    "disk fails": 0.004,
    "store full": 0.01,
    "block lost": 0.002,
    "fetch lost": 0.15,
    "fetch gives wrong bytes": 0.05,
    "partition": 0.01,
    "one-way partition": 0.01,
    "message lost": 0.3,
    "message twice": 0.1,
    "message late": 0.1,
    "answer lost": 0.1,
}
"""The most that each kind of fault is drawn with, for each occasion."""

KINDS_MAX = 14
"""Kinds of fault in one seed, at most."""


class Crash(BaseException):
    """The process is gone. No node may catch it."""


class ChainUnreachable(LedgerError):
    """The simulated RPC node does not answer."""


class PeerSilent(StoreError):
    """The simulated peer does not answer."""


class Log:
    """Lines of a run, in order; `digest` tells two runs apart."""

    def __init__(self, *, keep: bool = False) -> None:
        self._hash = hashlib.sha256()
        self.lines: list[str] | None = [] if keep else None
        self.last: list[str] = []

    def write(self, time: int, who: str, text: str) -> None:
        """One line: the virtual time in seconds, who, and what happened."""
        line = f"{time:>7} {who:<12} {text}"
        self._hash.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """sha2-256 over the lines so far, in hexadecimal."""
        return self._hash.hexdigest()


class Faults:
    """Draws faults. With `on` false nothing goes wrong any more."""

    def __init__(self, seed: int, log: Log, *, only: Mapping[str, float] | None = None) -> None:
        self.dice = Random(f"faults {seed}")
        self.on = True
        self.count: Counter[str] = Counter()
        self.time = 0
        self._log = log
        self.rates = dict(only) if only is not None else self._drawn()

    def _drawn(self) -> dict[str, float]:
        kinds = self.dice.sample(sorted(RATES), self.dice.randint(1, KINDS_MAX))
        return {kind: RATES[kind] * self.dice.choice([0.2, 0.5, 1.0]) for kind in sorted(kinds)}

    def strikes(self, kind: str, who: str) -> bool:
        """True if this kind of fault happens here and now."""
        rate = self.rates.get(kind, 0.0)
        if not self.on or not rate or self.dice.random() >= rate:
            return False
        self.happened(kind, who)
        return True

    def happened(self, kind: str, who: str) -> None:
        """Count and write down a fault."""
        self.count[kind] += 1
        self._log.write(self.time, who, f"FAULT {kind}")
