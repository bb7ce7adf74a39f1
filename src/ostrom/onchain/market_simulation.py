"""People with intentions in a prediction market: who is paid, and what the model learns.

Everybody gives as many contributions, in an order that chance decides, with the same stake on each.
Half of a stream's test samples are the market's, the other half measures accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Generic, TypeVar

from ostrom.onchain.data import Stream, accuracy
from ostrom.onchain.market import Market, Settlement, Staked, learn, settle
from ostrom.onchain.models.model import Model
from ostrom.onchain.simulate import Agent, make_agents, wrong

S = TypeVar("S")

STAKE = 10**15
"""Wei on a contribution."""

ERRORS_PER_STAKER = 2
"""What an agent stakes pays for so many spoilt samples in all rounds: the provider's `stakeMin`."""


@dataclass(frozen=True)
class MarketRun(Generic[S]):
    """What came of a market. Balances in wei; accuracies in per cent, of the model before, with the
    contributions of those still in, and of a market without the malicious."""

    market: Market
    settlement: Settlement
    agents: tuple[Agent, ...]
    before: float
    after: float
    clean: float

    def net(self, agent: Agent) -> int:
        """What an agent has more than it staked, in wei."""
        balances = self.settlement.end.balances
        staked: dict[int, int] = {}
        for party, one in zip(self.market.parties, self.market.contributions):
            if one.account == agent.address:
                staked[party] = staked.get(party, 0) + one.stake
        return sum(balances[party] - stake for party, stake in staked.items())


def simulate_market(
    model: Model[S],
    stream: Stream,
    start: S,
    *,
    crowd: Mapping[str, int],
    each: int = 20,
    grouped: bool = True,
    seed: int = 0,
) -> MarketRun[S]:
    """A market in which every agent of the crowd gives `each` samples of the stream's arrivals."""
    dice, agents = Random(seed), make_agents(crowd)
    half = len(stream.test) // 2
    contributions: list[Staked] = []
    turns = [agent for agent in agents for _ in range(each)]
    dice.shuffle(turns)
    for agent, sample in zip(turns, dice.sample(stream.arrivals, len(turns))):
        if dice.random() < agent.behaviour.lies:
            sample = wrong(sample, stream.classes, dice)
        contributions.append(Staked(agent.address, sample, STAKE))
    bounty = half * (each * STAKE // ERRORS_PER_STAKER)
    market = Market(tuple(contributions), stream.test[:half], bounty, grouped)
    settlement = settle(model, start, market)
    liars = {agent.address for agent in agents if agent.behaviour.is_malicious}
    honest = tuple(one for one in contributions if one.account not in liars)
    clean = replace(market, contributions=honest)
    ends = ((market, settlement), (clean, settle(model, start, clean)))
    after, without = (
        accuracy(model, _learnt(model, start, one, end), stream.test[half:]) for one, end in ends
    )
    before = accuracy(model, start, stream.test[half:])
    return MarketRun(market, settlement, tuple(agents), before, after, without)


def _learnt(model: Model[S], start: S, market: Market, settlement: Settlement) -> S:
    """The model with the contributions of those who are in at the end."""
    state = start
    for _, number in market.order(settlement.end.alive):
        state = learn(model, state, market.contributions[number].sample)
    return state
