"""What a network shows of itself: a live table in a terminal, else one line per change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ostrom.network.local import NodeView
from ostrom.report.words import whole

if TYPE_CHECKING:
    from rich.table import Table

COIN = 10**18
HEAD = ("Node", "Phase", "Round", "Block", "Last act", "Acts", "Gas", "Coins", "Fault")
RIGHT = ("Round", "Block", "Acts", "Gas", "Coins")
FAULT_CHARACTERS = 60
STARTING = "has not seen the chain yet"
"""What a node's health says until its first look; with a reason behind it, it is a fault."""


def cells(view: NodeView) -> tuple[str, ...]:
    """A node's row, in the columns of `HEAD`."""
    status = view.status
    if not status:
        fault = view.last_words if view.alive else f"stopped: {view.last_words}"
        state = "starting" if view.alive else "stopped"
        return (view.party.name, state, *[""] * 6, _printable(fault)[:FAULT_CHARACTERS])
    phase = str(status.get("phase") or status.get("state") or "")
    balance = status.get("balance")
    return (
        view.party.name,
        phase.lower().replace("_", " "),
        _text(status.get("round")),
        _text(status.get("block")),
        _printable(str(status.get("last_act") or "")),
        _text(status.get("landed")),
        whole(int(status.get("gas") or 0)),
        "" if balance is None else f"{int(balance) / COIN:.4f}",
        _printable(fault_of(view))[:FAULT_CHARACTERS],
    )


def fault_of(view: NodeView) -> str:
    """What keeps a node from its work, in one line; empty if nothing does."""
    found = view.status.get("fault") or view.status.get("notice") or ""
    if not found and view.status.get("healthy") is False:
        found = view.status.get("health", "")
    if found == STARTING:
        return ""
    return " ".join(str(found).split())


def table(views: Sequence[NodeView], title: str = "") -> Table:
    """All nodes, one row each."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in HEAD:
        made.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "Fault")
    for view in views:
        made.add_row(*(Text(one) for one in cells(view)))
    return made


@dataclass
class Lines:
    """Writes a line whenever the task has got to another phase, and for each new fault."""

    write: Callable[[str], None]
    _where: tuple[int, int, str] = (0, 0, "")
    _faults: dict[str, str] = field(default_factory=dict)

    def show(self, views: Sequence[NodeView]) -> None:
        """Take note of what the nodes say."""
        found = [_place(view) for view in views if view.status.get("phase")]
        if found and max(found)[0] >= self._where[0]:
            # The node that is the furthest ahead tells where the task is.
            block, number, phase = max(found)
            if (number, phase) != self._where[1:]:
                self.write(f"block {block}: round {number}, {phase.lower().replace('_', ' ')}")
            self._where = block, number, phase
        for view in views:
            fault = fault_of(view)
            if fault and self._faults.get(view.party.name) != fault:
                self.write(f"{view.party.name}: {_printable(fault)}")
            self._faults[view.party.name] = fault


def _place(view: NodeView) -> tuple[int, int, str]:
    status = view.status
    return (int(status.get("block") or 0), int(status.get("round") or 0), str(status["phase"]))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _printable(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
