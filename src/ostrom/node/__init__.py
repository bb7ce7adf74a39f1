"""The roles as step functions: what a trainer, a validator or a sponsor does next.

A step looks at the task's state and answers with actions; whoever runs it (the simulator or a
long-running node) signs, sends and remembers. Clock, randomness, store and data are arguments.
"""

from ostrom.evidence import gather, last_balances, read_scores
from ostrom.node.actions import (
    Action,
    Advance,
    Attest,
    Claim,
    Commit,
    CommitScores,
    Refund,
    Reveal,
    RevealScores,
    Sanction,
)
from ostrom.node.sponsor import sponsor_step
from ostrom.node.trainer import Sealed, Trainer, trainer_step
from ostrom.node.validator import Validator, ValidatorMemory, validator_step

__all__ = [
    "Action",
    "Advance",
    "Attest",
    "Claim",
    "Commit",
    "CommitScores",
    "Refund",
    "Reveal",
    "RevealScores",
    "Sanction",
    "Sealed",
    "Trainer",
    "Validator",
    "ValidatorMemory",
    "gather",
    "last_balances",
    "read_scores",
    "sponsor_step",
    "trainer_step",
    "validator_step",
]
