"""The library's front door: `ostrom.simulate` with plain keywords."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ostrom import sim
from ostrom.errors import InputError
from ostrom.sim import Progress, Run, RunConfig


def simulate(
    config: RunConfig | None = None,
    *,
    out: str | os.PathLike[str],
    progress: Callable[[Progress], None] | None = None,
    **fields: Any,
) -> Run:
    """Run a whole federation in this process and leave an auditable folder at `out`.

    Give a `RunConfig`, or its fields as keywords:
    `ostrom.simulate(dataset="digits", clients=5, out="runs/first")`.

    Raises:
        InputError: a field that cannot be, or `out` is not empty.

    >>> simulate(clients=0, out="nowhere")
    Traceback (most recent call last):
    ostrom.errors.InputError: clients: ...
    """
    if config is not None and fields:
        raise InputError(f"give a RunConfig or fields, not both: leave out {', '.join(fields)}")
    return sim.simulate(config or RunConfig.of(fields), Path(out), progress=progress)
