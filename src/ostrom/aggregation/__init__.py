"""Exact aggregation: the same integers in, the same bytes out, on every machine.

A pipeline is any selections by what the ledger knows, any pre-aggregations, one rule and at most
one server step, named in a task's spec by canonical text. Results do not depend on the order of
rows, on threads, processes or hardware.
"""

from __future__ import annotations

from ostrom.aggregation.gram import squared_distances
from ostrom.aggregation.leaving_out import deltas_without_each, leave_one_out
from ostrom.aggregation.pipeline import Pipeline, pipeline
from ostrom.aggregation.pre_aggregations import PRE_AGGREGATIONS
from ostrom.aggregation.rules import RULES
from ostrom.aggregation.server_steps import SERVER_STEPS, ServerStep
from ostrom.aggregation.standing import SELECTIONS, Selection, Standing

__all__ = [
    "PRE_AGGREGATIONS",
    "RULES",
    "SELECTIONS",
    "SERVER_STEPS",
    "Pipeline",
    "Selection",
    "ServerStep",
    "Standing",
    "deltas_without_each",
    "leave_one_out",
    "pipeline",
    "squared_distances",
]
