"""What another implementation computes in floating point, ours gives within rounding.

`tests/data/byzfl.json` holds inputs and outputs of the `byzfl` package. Its Krum counts one
neighbour more than the paper, so that its f is one higher there; its MDA and SMEA search all sets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostrom.aggregation import pipeline

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "byzfl.json").read_text("utf-8"))
ROUNDING = 1.0
"""In units of 2**-20: inputs and the result are each rounded to half a unit."""


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["text"])
def test_it_agrees_with_byzfl_to_within_the_rounding_of_the_fixed_point(case: Any) -> None:
    rows = np.rint(np.array(VECTORS["rows"]) * 2**20).astype(np.int32)
    delta, _ = pipeline(case["text"]).aggregate(rows, np.ones(len(rows), dtype=np.int64), {})
    assert np.abs(delta - np.array(case["result"]) * 2**20).max() <= ROUNDING


def test_the_table_holds_every_kind_of_rule_that_byzfl_has() -> None:
    calls = {name for case in VECTORS["cases"] for name, _ in case["calls"]}
    assert {"TrMean", "Median", "GeometricMedian", "Krum", "MultiKrum", "Meamed"} <= calls
    assert {"CenteredClipping", "MDA", "SMEA", "NNM", "ARC", "Clipping", "Bucketing"} <= calls
