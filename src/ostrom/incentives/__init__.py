"""From integer scores to payouts: consensus, shares of a pool, cumulative payouts in a tree.

Integers only; every division rounds down, so that no more than the pool is ever paid.
"""

from __future__ import annotations

from ostrom.incentives.balances import accumulate, balance_leaves, balance_proof, balance_root
from ostrom.incentives.consensus import consensus
from ostrom.incentives.shares import INCENTIVES, Incentive, incentive, remembers

__all__ = [
    "INCENTIVES",
    "Incentive",
    "accumulate",
    "consensus",
    "incentive",
    "remembers",
    "balance_leaves",
    "balance_proof",
    "balance_root",
]
