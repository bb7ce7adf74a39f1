"""The Python examples of the documentation that are marked `runnable` run as they stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES_MAX = 15
SECONDS_MAX = 120

Example = tuple[str, str]


def examples(fence: str) -> list[Example]:
    """Where each block with that fence stands, and its text."""
    found: list[Example] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in re.finditer(rf"^```{fence}\n(.*?)^```", text, re.S | re.M):
            line = text.count("\n", 0, block.start()) + 1
            found.append((f"{page.relative_to(ROOT)}:{line}", block[1]))
    return found


RUNNABLE = examples("python runnable")
ALL = examples("python[^\n]*")


def test_there_are_examples_to_run() -> None:
    assert len(RUNNABLE) >= 3


@pytest.mark.parametrize(("place", "text"), ALL, ids=[place for place, _ in ALL])
def test_every_example_is_python(place: str, text: str) -> None:
    ast.parse(text, place)


@pytest.mark.parametrize(("place", "text"), RUNNABLE, ids=[place for place, _ in RUNNABLE])
def test_a_runnable_example_runs_and_is_short(place: str, text: str, tmp_path: Path) -> None:
    assert len(text.splitlines()) <= LINES_MAX, f"{place} is long"
    script = tmp_path / "example.py"
    script.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{place}: {done.stderr}"
