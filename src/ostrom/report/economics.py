"""Whether cheating pays: income, stake lost and return on cost of every behaviour in a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from ostrom.errors import InputError

Row: TypeAlias = Mapping[str, Any]

HONEST = "honest"
TOKEN = 10**18
EXPELLED_AT = 3
"""Strikes; who is expelled has worked for as many rounds at most."""

EFFORT: Mapping[str, float] = MappingProxyType(
    {
        "lazy": 0.1,
        **dict.fromkeys(("drop_out", "garbage", "zeros", "gaussian", "noise", "last_delta"), 0.0),
        **dict.fromkeys(("copy", "noisy_copy", "mimic", "ipm", "alie"), 0.0),
        **dict.fromkeys(("optimal_ipm", "optimal_alie", "min_max", "min_sum"), 0.0),
    }
)
"""The share of honest work that a behaviour does; 1 where it is not listed.

Who knows the others' updates, by a leak or by magic, is taken to need no data of its own.
"""


@dataclass(frozen=True)
class Costs:
    """What taking part costs, in tokens.

    `example` is the price of training on one example in one round; `capital` what a round takes of
    each token that is bonded.
    """

    example: float = 0.0
    capital: float = 0.0001

    def __post_init__(self) -> None:
        if not (self.example >= 0 and self.capital >= 0):
            raise InputError("costs must not be negative")


@dataclass(frozen=True)
class Account:
    """What one party of a behaviour gained, in tokens; the mean of several honest trainers.

    `seats` is how many trainers the party is. `examples` counts those that it trained on, over all
    rounds. `on_cost` is the net gain for each token put in: stake, work and capital.
    `break_even` is the price of an example from which on this behaviour gains more than honest
    work; None where no price makes it pay.
    """

    behaviour: str
    seats: int
    income: float
    lost: float
    stake: float
    examples: float
    cost: float
    break_even: float | None = None

    @property
    def net(self) -> float:
        """Income less what was lost and spent."""
        return self.income - self.lost - self.cost

    @property
    def on_cost(self) -> float:
        """The net gain for each token put in."""
        put_in = self.stake + self.cost
        return self.net / put_in if put_in else 0.0


def economics(
    summary: Row,
    costs: Costs | None = None,
    *,
    stake: float = 100.0,
    effort: Mapping[str, float] = EFFORT,
) -> list[Account]:
    """What every behaviour of a run earned beside an honest trainer.

    on_cost = (income - lost - cost) / (stake + cost)
    break_even = ((income_h - lost_h) - (income - lost)) / (examples_h - examples), capital aside

    Args:
        summary: a run's summary, as `summary.json` holds it.
        costs: the price of an example and of capital; `Costs()` where it is left open.
        stake: what one trainer bonds, in tokens.
        effort: the share of honest work by behaviour, 1 where it is not listed.

    Returns:
        The mean honest trainer first, then one account for each other behaviour, whose trainers
        count as one party with that many seats.

    Raises:
        InputError: negative costs, or a run without an honest trainer.

    >>> trainers = [
    ...     {"behaviour": "honest", "samples": 10, "payout": str(9 * TOKEN), "slashed": "0"},
    ...     {"behaviour": "zeros", "samples": 10, "payout": "0", "slashed": "0"},
    ... ]
    >>> run = {"trainers": [row | {"strikes": 0} for row in trainers], "rounds": [{"round": 1}]}
    >>> [(one.behaviour, one.income, one.break_even) for one in economics(run)]
    [('honest', 9.0, None), ('zeros', 0.0, 0.9)]

    Source: Becker (1968), "Crime and Punishment", for weighing gain against sanction.
    """
    rows: dict[str, list[Row]] = {}
    for row in summary["trainers"]:
        rows.setdefault(row["behaviour"], []).append(row)
    if HONEST not in rows:
        raise InputError("a run without an honest trainer has nothing to compare with")
    rounds, costs = len(summary["rounds"]), costs or Costs()

    def account(behaviour: str, parties: int) -> Account:
        mine = rows[behaviour]
        examples = sum(_examples(row, rounds, effort.get(behaviour, 1.0)) for row in mine)
        bonded = stake * len(mine)
        cost = costs.example * examples + costs.capital * bonded * rounds
        return Account(
            behaviour=behaviour,
            seats=len(mine) // parties,
            income=_tokens(mine, "payout") / parties,
            lost=_tokens(mine, "slashed") / parties,
            stake=bonded / parties,
            examples=examples / parties,
            cost=cost / parties,
        )

    honest = account(HONEST, len(rows[HONEST]))
    others = [account(name, 1) for name in rows if name != HONEST]
    return [honest, *(_with_break_even(one, honest, costs, rounds) for one in others)]


def _examples(row: Row, rounds: int, effort: float) -> float:
    """How many examples a trainer trained on, epochs aside."""
    worked = min(rounds, EXPELLED_AT) if int(row["strikes"]) >= EXPELLED_AT else rounds
    return effort * int(row["samples"]) * worked


def _tokens(rows: Sequence[Row], field: str) -> float:
    return sum(int(row[field]) for row in rows) / TOKEN


def _with_break_even(one: Account, honest: Account, costs: Costs, rounds: int) -> Account:
    """The account with the price of an example at which both gain the same."""
    capital = costs.capital * rounds * (one.stake - honest.stake)
    ahead = (honest.income - honest.lost) - (one.income - one.lost) + capital
    spared = honest.examples - one.examples
    if ahead <= 0:
        at: float | None = 0.0
    elif spared > 0:
        at = ahead / spared
    else:
        at = None
    return replace(one, break_even=at)
