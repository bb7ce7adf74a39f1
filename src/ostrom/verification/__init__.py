"""Checks and scores: is an update well formed, and what is it worth?

Checks turn a revealed update into a `Verdict`; they need its bytes and the spec, so everybody who
repeats them gets the same answer. Scorers need a validator's own holdout; they give integers.
"""

from ostrom.verification.checks import Checked, check_round, check_update
from ostrom.verification.scorers import SCORE_UNIT, SCORERS, leave_one_out, scorer

__all__ = [
    "SCORERS",
    "SCORE_UNIT",
    "Checked",
    "check_round",
    "check_update",
    "leave_one_out",
    "scorer",
]
