"""The shapes of what a pipeline is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ostrom.aggregation.exact import Int64Vector, IntMatrix
from ostrom.types import IntVector

State: TypeAlias = Mapping[str, IntVector]
"""What a pipeline carries from round to round; part of the model file."""

Rule: TypeAlias = Callable[[IntMatrix, IntVector, State], tuple[Int64Vector, State]]
"""(n, d) updates, (n,) weights, state -> (d,) int64, state."""

Omission: TypeAlias = Callable[[IntMatrix, IntVector], Iterator[Int64Vector]]
"""(n, d) updates, (n,) weights -> the rule's n results without each row, n >= 2."""

PreAggregation: TypeAlias = Callable[[IntMatrix, IntVector], tuple[IntMatrix, IntVector]]
"""(n, d) updates, (n,) weights -> (m, d) updates, (m,) weights."""

PreOmission: TypeAlias = Callable[[IntMatrix, IntVector], Iterator[tuple[IntMatrix, IntVector]]]
"""(n, d) updates, (n,) weights -> the pre-aggregation's n results without each row, n >= 2."""


@dataclass(frozen=True)
class StatefulRule:
    """A rule that remembers. `init`: length of an update -> its state before the first round."""

    init: Callable[[int], State]
    combine: Rule

    def __call__(
        self, rows: IntMatrix, weights: IntVector, state: State
    ) -> tuple[Int64Vector, State]:
        """As any rule."""
        return self.combine(rows, weights, state)
