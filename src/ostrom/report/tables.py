"""The rounds as a flat table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from ostrom.report.words import is_number

METRICS = ("accuracy", "loss", "precision", "recall", "f1", "client_accuracy", "client_loss")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "gas": ("commit", "reveal", "score", "attest", "other"),
    "bytes": ("updates", "calldata", "store"),
    "seconds": ("training", "store", "chain", "scoring", "aggregation", "evaluation"),
}
COLUMNS = (
    "round",
    "void",
    *METRICS,
    *(f"{group}_{name}" for group, names in GROUPS.items() for name in names),
    "trainers",
    "rejected",
    "paid",
)


def history_csv(summary: Mapping[str, Any]) -> str:
    """One line per round under a header; an empty cell where nothing was measured.

    `paid` is in the token's smallest unit.

    >>> history_csv({"rounds": [{"round": 1, "void": False, "accuracy": 0.5}]}).splitlines()[1][:8]
    '1,0,0.5,'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(entry) for entry in summary["rounds"])
    return text.getvalue()


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    trainers = entry.get("trainers", {}).values()
    row = {"round": entry["round"], "void": int(bool(entry.get("void")))}
    row |= {name: _cell(entry.get(name)) for name in METRICS}
    for group, names in GROUPS.items():
        row |= {f"{group}_{name}": _cell(entry.get(group, {}).get(name)) for name in names}
    return row | {
        "trainers": len(trainers),
        "rejected": sum(1 for trainer in trainers if trainer.get("check")),
        "paid": sum(int(trainer.get("payout", 0)) for trainer in trainers),
    }


def _cell(value: object) -> object:
    return value if is_number(value) else ""
