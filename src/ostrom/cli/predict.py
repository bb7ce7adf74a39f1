"""`ostrom predict`: ask a run's model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ostrom.cli.console import AsJson, RunPath, clean_exit, need_run, show_json, show_table
from ostrom.report.words import percent

Images = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")]


def predict(run: RunPath, images: Images, as_json: AsJson = False) -> None:
    """Say what the run's current model takes images for."""
    with clean_exit():
        from ostrom import sim

        found = sim.predict(sim.load_run(need_run(run)), images)
        if as_json:
            show_json([asdict(one) | {"path": str(one.path)} for one in found])
            return
        rows = [
            (str(one.path), str(one.label), percent(one.probability), _second(one.probabilities))
            for one in found
        ]
        show_table(("Image", "Class", "Sure", "Else"), rows, right="Class|Sure")


def _second(probabilities: list[float]) -> str:
    """The runner-up."""
    ranked = sorted(range(len(probabilities)), key=lambda label: -probabilities[label])
    return f"{ranked[1]} ({percent(probabilities[ranked[1]])})" if len(ranked) > 1 else ""
