"""Those who misbehave: the same node, with one part of it twisted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.chain.follower import View
from ostrom.chain.ledger import Call
from ostrom.node.parts import Part
from ostrom.types import IntVector, Result, Update

Floats: TypeAlias = npt.NDArray[np.float64]

Twist: TypeAlias = Callable[[str, Call, View], Call | None]
"""What becomes of an act: another call, or nothing."""


@dataclass(frozen=True)
class Twisted:
    """A part whose acts pass through a twist."""

    inner: Part
    twist: Twist

    def wanted(self, view: View) -> Mapping[str, Call]:
        """What is left of what the part wants."""
        found = {
            name: self.twist(name, call, view) for name, call in self.inner.wanted(view).items()
        }
        return {name: call for name, call in found.items() if call is not None}


def _no_reveal(name: str, call: Call, view: View) -> Call | None:
    return None if call.function == "reveal" else call


def _copied(name: str, call: Call, view: View) -> Call | None:
    """Commit to what somebody else has committed to; it opens for nobody else."""
    if call.function != "commit":
        return call
    seen = list(view.state.round.commits.values())
    return replace(call, args=(*call.args[:2], seen[0])) if seen else None


def _no_act(name: str, call: Call, view: View) -> Call | None:
    return call if call.function == "claim" else None


def _no_batch(name: str, call: Call, view: View) -> Call | None:
    return None if call.function.endswith("Batch") else call


def _wrong_result(name: str, call: Call, view: View) -> Call | None:
    if call.function != "attest":
        return call
    result = call.args[2]
    assert isinstance(result, Result)
    return replace(call, args=(*call.args[:2], replace(result, paid=0, payouts=bytes(32))))


TWISTS: Mapping[str, Twist] = {
    "silent reveal": _no_reveal,
    "copy": _copied,
    "silent": _no_act,
    "censor": _no_batch,
    "wrong result": _wrong_result,
}


class Taste:
    """A holdout that likes models near `wanted`; `factor` above 1 exaggerates."""

    def __init__(self, wanted: IntVector, factor: float = 1.0) -> None:
        self._wanted, self._factor = wanted, factor

    def value(self, models: IntVector) -> Floats:
        """(k, d) -> (k,): minus the mean distance."""
        far: Floats = np.abs(models.astype(np.float64) - self._wanted).mean(axis=1)
        return far * (-self._factor / (1 << 20))

    def gradients(self, parameters: IntVector) -> Floats:
        """Nobody asks."""
        return np.zeros((1, len(parameters)))

    def accuracy(self, parameters: IntVector) -> float:
        """Nobody asks."""
        return 0.5


def garbage(update: Update) -> Update:
    """An update out of every bound."""
    return replace(update, values=np.full_like(update.values, 2**31 - 1))
