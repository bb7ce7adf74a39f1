"""Checks and scores: is an update well formed, and what is it worth?

Checks turn a revealed update into a `Verdict`; they need its bytes and the spec, so everybody who
repeats them gets the same answer. Scorers need a validator's own holdout; they give integers.
"""

from ostrom.verification.checks import Checked, check_round, check_update
from ostrom.verification.contributions import (
    SCORE_UNIT,
    Contributions,
    Holdout,
    Scorer,
    coalitions,
    public_parts,
    scoring_seed,
)
from ostrom.verification.scorers import SCORERS, class_cone, leave_one_out, scorer
from ostrom.verification.shapley import exact_shapley, gtg_shapley

__all__ = [
    "SCORERS",
    "SCORE_UNIT",
    "Checked",
    "Contributions",
    "Holdout",
    "Scorer",
    "check_round",
    "check_update",
    "class_cone",
    "coalitions",
    "exact_shapley",
    "gtg_shapley",
    "leave_one_out",
    "public_parts",
    "scorer",
    "scoring_seed",
]
