"""What a benchmark returns, and how results are written down."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"


@dataclass(frozen=True)
class Result:
    """One measured number. `goal` is what it must reach, `reference` the best known elsewhere.

    `values` holds one number per seed where there are several (`value` is then their mean, or what
    the name says); `setting` says exactly what was run.
    """

    name: str
    value: float
    unit: str
    goal: float | None
    reference: str
    better: Literal["higher", "lower"]
    command: str
    values: tuple[float, ...] = ()
    setting: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None if there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


Benchmark = Callable[[], Iterable[Result]]


def machine() -> str:
    """The machine in a few words."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """The commit that is measured, with a plus if the tree has changes."""
    head = _git("rev-parse", "--short", "HEAD") or "unknown"
    return head + ("+" if _git("status", "--porcelain", "--", "src", "contracts") else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def write(results: Iterable[Result]) -> None:
    """Merge results into `results.json`; a name measured again is replaced."""
    stamp = {"commit": commit(), "machine": machine()}
    rows = {row["name"]: row for row in read()}
    rows |= {result.name: asdict(result) | stamp for result in results}
    RESULTS.write_text(json.dumps(list(rows.values()), indent=1) + "\n")


def read() -> list[Mapping[str, object]]:
    """The committed results."""
    return list(json.loads(RESULTS.read_text())) if RESULTS.exists() else []


def as_result(row: Mapping[str, object]) -> Result:
    """A committed row as a `Result`."""
    fields = {name: row[name] for name in Result.__dataclass_fields__ if name in row}
    fields["values"] = tuple(row.get("values", ()))  # type: ignore[arg-type]
    return Result(**fields)  # type: ignore[arg-type]


def shown(value: float) -> str:
    """A number as a table shows it.

    >>> shown(23992.0), shown(0.9512), shown(98.71)
    ('23,992', '0.951', '98.7')
    """
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def table(results: Iterable[Result]) -> str:
    """A Markdown table of results."""
    lines = ["| what | Ostrom | goal | elsewhere |", "|---|---|---|---|"]
    for one in results:
        sign = "≥" if one.better == "higher" else "≤"
        goal = "" if one.goal is None else f"{sign} {shown(one.goal)} {one.unit}"
        missed = " (missed)" if one.reached is False else ""
        number = f"**{shown(one.value)} {one.unit}**{spread(one)}{missed}"
        lines.append(f"| {one.name} | {number} | {goal} | {one.reference} |")
    return "\n".join(lines)


def spread(one: Result) -> str:
    """From the worst to the best seed, where there are several."""
    if len(one.values) < 2:
        return ""
    return f" ({shown(min(one.values))} to {shown(max(one.values))}, {len(one.values)} seeds)"


def details(rows: Iterable[Mapping[str, object]]) -> str:
    """A Markdown table of how each result was made."""
    lines = ["| what | setting | command | made at |", "|---|---|---|---|"]
    for row in rows:
        setting = row.get("setting") or "as the command's defaults"
        made = f"{row['commit']}, {row['machine']}"
        lines.append(f"| {row['name']} | {setting} | `{row['command']}` | {made} |")
    return "\n".join(lines)
