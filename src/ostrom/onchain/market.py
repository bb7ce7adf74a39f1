"""The prediction market's rule in whole wei: who is paid what for which contributions.

Contributions queue with a stake each. Parties are contributions, or (`grouped`) contributors in the
order of their first one. A bounty pays `bounty // samples` rounds. A stage replays the parties that
are in, by party and then by number, from the start:

    score = wrong test samples before a party's contributions - after them;
    played = min(rounds left, min over losers of balance // -score);
    balance += score * played for all who are in, and the bounty pays the sum.

Losers who cannot pay one more round leave with what they have. Stages follow until no rounds are
left or nobody is in. The model then learns the contributions of those still in; the rest of the
bounty goes back. Scores telescope, so the bounty cannot be exceeded.

Threat: bad contributions lose their stake to nobody's gain but the bounty's; nothing that a
participant says is believed, only the test set that was committed to before. Not answered: a
provider who takes part knowing the test set.

Harris and Waggoner (2019), https://arxiv.org/abs/1907.07247, after Abernethy and Frongillo: A
Collaborative Mechanism for Crowdsourcing Prediction Problems (2011).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from ostrom.errors import InputError
from ostrom.onchain.data import Sample
from ostrom.onchain.models.model import Model
from ostrom.types import Address

S = TypeVar("S")


@dataclass(frozen=True)
class Staked:
    """A contribution and the wei that its contributor stakes on it."""

    account: Address
    sample: Sample
    stake: int


@dataclass(frozen=True)
class Market:
    """What a market decides on: its contributions, the test samples that count, its bounty (wei).

    Raises:
        InputError: no samples, or a bounty of less than a wei a sample.
    """

    contributions: tuple[Staked, ...]
    samples: tuple[Sample, ...]
    bounty: int
    grouped: bool = False

    def __post_init__(self) -> None:
        if not self.samples or self.bounty < len(self.samples):
            raise InputError("a market needs test samples, and a wei of bounty for each at least")

    @property
    def parties(self) -> tuple[int, ...]:
        """The party of each contribution, counted from 0."""
        if not self.grouped:
            return tuple(range(len(self.contributions)))
        seats: dict[Address, int] = {}
        return tuple(seats.setdefault(one.account, len(seats)) for one in self.contributions)

    def opening(self) -> Position:
        """Everybody is in, with their stakes."""
        parties = self.parties
        balances = [0] * (max(parties, default=-1) + 1)
        for party, one in zip(parties, self.contributions):
            balances[party] += one.stake
        alive = frozenset(range(len(balances)))
        return Position(alive, self.bounty // len(self.samples), tuple(balances), self.bounty)

    def order(self, alive: frozenset[int]) -> list[tuple[int, int]]:
        """The steps of a stage: (party, contribution)."""
        steps = ((party, number) for number, party in enumerate(self.parties) if party in alive)
        return sorted(steps)


@dataclass(frozen=True)
class Position:
    """Where a market stands between two stages: parties that are in, rounds left, balances of all
    parties and the rest of the bounty in wei."""

    alive: frozenset[int]
    rounds: int
    balances: tuple[int, ...]
    rest: int

    @property
    def is_over(self) -> bool:
        """No stage follows."""
        return not self.rounds or not self.alive


@dataclass(frozen=True)
class Settlement:
    """What came out: positions before each stage and at the end, and each stage's scores."""

    positions: tuple[Position, ...]
    scores: tuple[tuple[int, ...], ...]

    @property
    def end(self) -> Position:
        """The last position."""
        return self.positions[-1]


def play(position: Position, scores: Sequence[int]) -> Position:
    """The position after as many rounds as all losers can pay; `scores` has one for each party,
    0 for those who are out.

    >>> start = Position(frozenset({0, 1}), 10, (9, 5), 100)
    >>> play(start, [3, -2])
    Position(alive=frozenset({0}), rounds=8, balances=(15, 1), rest=98)
    """
    alive, balances = position.alive, list(position.balances)
    losers = [party for party in alive if scores[party] < 0]
    played = min([position.rounds, *(balances[p] // -scores[p] for p in losers)])
    for party in alive:
        balances[party] += scores[party] * played
    out = {party for party in losers if balances[party] < -scores[party]}
    gain = sum(scores[party] for party in alive)
    return Position(
        alive - out, position.rounds - played, tuple(balances), position.rest - gain * played
    )


def settle(model: Model[S], start: S, market: Market) -> Settlement:
    """Plays all stages from the model's state `start`."""
    positions, scores = [market.opening()], []
    while True:
        scores.append(score(model, start, market, alive=positions[-1].alive))
        positions.append(play(positions[-1], scores[-1]))
        if positions[-1].is_over:
            return Settlement(tuple(positions), tuple(scores))


def score(model: Model[S], start: S, market: Market, *, alive: frozenset[int]) -> tuple[int, ...]:
    """Each party's score in the stage of those in `alive`; 0 for the others."""
    found = [0] * len(market.opening().balances)
    state, before = start, count_wrong(model, start, market.samples)
    for party, steps in groupby(market.order(alive), key=lambda step: step[0]):
        for _, number in steps:
            state = learn(model, state, market.contributions[number].sample)
        after = count_wrong(model, state, market.samples)
        found[party] = before - after
        before = after
    return tuple(found)


def states(model: Model[S], start: S, market: Market, *, alive: frozenset[int]) -> Iterator[S]:
    """The states of a stage: the start, then one after each contribution."""
    state = start
    yield state
    for _, number in market.order(alive):
        state = learn(model, state, market.contributions[number].sample)
        yield state


def learn(model: Model[S], state: S, sample: Sample) -> S:
    """The state after a contribution; one that the model refuses changes nothing."""
    try:
        return model.learn(state, sample.x, sample.label)[0]
    except InputError:
        return state


def is_wrong(model: Model[S], state: S, sample: Sample) -> bool:
    """Whether the model does not predict the sample's label, or refuses the sample."""
    try:
        return model.predict(state, sample.x) != sample.label
    except InputError:
        return True


def count_wrong(model: Model[S], state: S, samples: Sequence[Sample]) -> int:
    """How many samples the model does not predict."""
    return sum(is_wrong(model, state, sample) for sample in samples)


def forfeited(market: Market) -> tuple[int, ...]:
    """What each party gets if the provider does not reveal, in wei: its stake and a part of the
    bounty by stake. Divided anew for each party, so that the last takes what rounding left.

    >>> from ostrom.onchain.data import Sample
    >>> staked = [Staked(Address(name), Sample(b"", 0), 1) for name in "abc"]
    >>> forfeited(Market(tuple(staked), (Sample(b"", 0),), 10))
    (4, 4, 5)
    """
    opening = market.opening()
    bounty, stakes = market.bounty, sum(opening.balances)
    paid = []
    for stake in opening.balances:
        part = bounty * stake // stakes
        bounty, stakes = bounty - part, stakes - stake
        paid.append(stake + part)
    return tuple(paid)
