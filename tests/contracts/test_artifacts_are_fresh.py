"""The package holds what contracts/src compiles to; invariants see as many calls as promised."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "node_modules" / "solc"
IN_CI = bool(os.environ.get("CI"))


@pytest.mark.skipif(
    not IN_CI and not TOOLS.exists(),
    reason="the compiler is not installed: run `npm ci` in the repository",
)
def test_the_shipped_artifacts_are_what_the_sources_compile_to() -> None:
    node = shutil.which("node")
    assert node is not None, "install Node.js 20 or later"
    done = subprocess.run(
        [node, "scripts/contracts/build.mjs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_invariant_sees_at_least_100_000_calls() -> None:
    invariant = tomllib.loads((ROOT / "foundry.toml").read_text("utf-8"))["invariant"]
    assert invariant["runs"] * invariant["depth"] >= 100_000
