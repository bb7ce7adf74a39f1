"""`ostrom models`: the lineage of a run's model, and going back in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ostrom.cli.console import AsJson, RunPath, clean_exit, need_run, say, show_json, show_table

RollBack = Annotated[
    int | None,
    typer.Option("--roll-back", metavar="N", min=0, help="Make version N the current model."),
]


def models(run: RunPath, roll_back: RollBack = None, as_json: AsJson = False) -> None:
    """List a run's model versions; rolling back adds to the history and deletes nothing."""
    with clean_exit():
        from ostrom import sim

        if roll_back is not None:
            sim.roll_back(need_run(run), roll_back)
            say(f"the current model is version {roll_back} again")
        versions = sim.lineage(sim.load_run(need_run(run)))
        if as_json:
            show_json([asdict(version) for version in versions])
            return
        rows = [
            (str(v.number), str(v.parent), str(v.round), "current" if v.head else "", v.model)
            for v in versions
        ]
        head = ("Version", "Parent", "Round", "", "Model")
        show_table(head, rows, right="Version|Parent|Round")
