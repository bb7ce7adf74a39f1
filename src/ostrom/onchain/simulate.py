"""People with intentions around a trainer with deposits: what becomes of the model and their money.

Time, prices and credits are those of the contract, by `deposit_refund_take`; a run's `acts` can be
sent to a chain and give the same balances. Everybody looks once a day: owners ask for their
deposits back, reporters take what the model disagrees with, in the order of nonces, and the
deployer clears what is left after its wait.

Behaviours: `good` gives true labels and reports; `noisy` errs in a fifth; `reporter` gives little
and reports; `flooder` gives wrong labels, many in a row; `colluder` gives each wrong sample twice,
by two accounts that carry each other; `copier` repeats what others gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Generic, TypeVar

from ostrom.errors import InputError
from ostrom.onchain import deposit_refund_take as drt
from ostrom.onchain.data import Sample, Stream, accuracy, learn_all
from ostrom.onchain.deposit_refund_take import DAY, DepositRefundTake, Rules
from ostrom.onchain.models.model import Model
from ostrom.onchain.records import Contribution, Message, Record, Trainer, agrees
from ostrom.types import Address

S = TypeVar("S")

START = 1_767_225_600
GAP_SECONDS = 3_600
"""Between two contributions, half to one and a half times this."""

FLOOD_SECONDS = 5
ACCURACY_POINTS = 25
"""How often a run measures accuracy."""

DEPLOYER = Address("0x" + "d0" * 20)
NOISE = 0.2


@dataclass(frozen=True)
class Behaviour:
    """What an agent gives: `lies` is the share of wrong labels. `flood` samples come in a row."""

    lies: float = 0.0
    reports: bool = True
    flood: int = 1
    twice: bool = False
    copies: bool = False
    weight: float = 1.0

    @property
    def is_malicious(self) -> bool:
        """Half of what it gives or more is wrong on purpose."""
        return self.lies >= 0.5


BEHAVIOURS: Mapping[str, Behaviour] = {
    "good": Behaviour(),
    "noisy": Behaviour(lies=NOISE, reports=False),
    "reporter": Behaviour(weight=0.1),
    "flooder": Behaviour(lies=1.0, flood=8),
    "colluder": Behaviour(lies=1.0, twice=True),
    "copier": Behaviour(copies=True),
}


@dataclass(frozen=True)
class Agent:
    """An account with a behaviour; a colluder has a second account."""

    name: str
    behaviour: Behaviour
    address: Address


@dataclass(frozen=True)
class Act:
    """A call that a run made: `add` pays `amount` wei and makes the contribution, others are
    credited it."""

    who: Address
    name: str
    time: int
    one: Contribution
    amount: int


@dataclass
class Run(Generic[S]):
    """A run: its state, everybody's money paid in, and what it was like on the way.

    `worths` has, for each day, everybody's net worth in wei: balance and claimable less paid in.
    """

    model: Model[S]
    state: DepositRefundTake[S]
    agents: Sequence[Agent]
    now: int = START
    paid: dict[Address, int] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    open: list[Contribution] = field(default_factory=list)
    worths: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    accuracies: list[tuple[int, float]] = field(default_factory=list)
    malicious: int = 0

    def net(self, agent: Agent) -> int:
        """What an agent has more than it brought, in wei, deposits that are still open counted."""
        return self._net(agent.address)

    def share(self, agent: Agent) -> float:
        """`net` over what the agent paid in; 0 for one who gave nothing."""
        paid = self.paid.get(agent.address, 0)
        return self.net(agent) / paid if paid else 0.0

    def _net(self, address: Address) -> int:
        records = self.state.trainer.records
        locked = sum(
            records[one.key].claimable
            for one in self.open
            if one.contributor == address and one.key in records
        )
        return self.state.account(address).balance + locked - self.paid.get(address, 0)

    def add(self, who: Address, sample: Sample) -> None:
        """Give a sample for the deposit of the moment."""
        price = drt.deposit(self.state.rules, self.state.trainer.last_time, self.now)
        message = Message(who, self.now, price)
        self.state, one = drt.add(
            self.model, self.state, message, features=sample.x, label=sample.label
        )
        self.paid[who] = self.paid.get(who, 0) + price
        self.open.append(one)
        self.acts.append(Act(who, "add", self.now, one, price))

    def look(self, dice: Random) -> None:
        """A day's end: refunds, reports, clearing, in the order of nonces."""
        rules = self.state.rules
        reporters = [a.address for a in self.agents if a.behaviour.reports]
        for one in list(self.open):
            record = self.state.trainer.records.get(one.key)
            if record is None or self.now < one.time + rules.refund_wait:
                continue
            if agrees(self.model, self.state.trainer, one, record):
                self._do("refund", one.contributor, one)
            else:
                dice.shuffle(reporters)
                self._report(one, reporters)
            if self.now >= one.time + rules.owner_wait and self._record(one):
                self._do("clear", DEPLOYER, one)
        self.open = [one for one in self.open if one.key in self.state.trainer.records]
        worth = {agent.name: self.net(agent) for agent in self.agents}
        self.worths.append((self.now, worth))

    def _record(self, one: Contribution) -> Record | None:
        return self.state.trainer.records.get(one.key)

    def _report(self, one: Contribution, reporters: Sequence[Address]) -> None:
        for who in reporters:
            account = self.state.account(who)
            may = account.validated and account.next_report <= one.nonce
            if may and who != one.contributor and self._record(one):
                self._do("report", who, one)

    def _do(self, name: str, who: Address, one: Contribution) -> None:
        message = Message(who, self.now)
        if name == "clear":
            self.state, amount = drt.clear(self.state, message, one=one)
        else:
            act: Callable[..., Any] = getattr(drt, name)
            self.state, amount = act(self.model, self.state, message, one=one)
        self.acts.append(Act(who, name, self.now, one, amount))


def simulate(
    model: Model[S],
    stream: Stream,
    start: S,
    *,
    crowd: Mapping[str, int],
    malicious_share: float = 0.3,
    rules: Rules | None = None,
    seed: int = 0,
    days_after: int = 31,
) -> Run[S]:
    """A run over all arrivals of a stream: `crowd` says how many there are of each behaviour.

    The arrivals are the honest contributions; malicious ones come between them, so that they are
    `malicious_share` of all: samples of the arrivals with other labels. `start` is the model's
    state, warm or not.

    Raises:
        InputError: an unknown behaviour, or nobody honest.
    """
    dice, agents = Random(seed), make_agents(crowd)
    honest = [agent for agent in agents if not agent.behaviour.is_malicious]
    liars = [agent for agent in agents if agent.behaviour.is_malicious]
    if not honest:
        raise InputError("a simulation needs somebody honest, such as good=5")
    state = DepositRefundTake(rules or Rules(10**15), Trainer(DEPLOYER, start))
    run = Run(model, state, agents)
    plan = _Plan(run, stream, dice, every=max(1, len(stream.arrivals) // ACCURACY_POINTS))
    odds = malicious_share / (1 - malicious_share) if liars else 0.0
    due, looked = 0.0, run.now
    for index, sample in enumerate(stream.arrivals):
        plan.honest(_pick(dice, honest), sample)
        due += odds
        while due >= 1:
            due -= plan.lies(_pick(dice, liars))
        plan.measure(index)
        if run.now - looked >= DAY:
            run.look(dice)
            looked = run.now
    for _ in range(days_after):
        run.now += DAY
        run.look(dice)
    run.accuracies.append((run.now, accuracy(model, run.state.trainer.model_state, stream.test)))
    return run


@dataclass
class _Plan(Generic[S]):
    """Who gives what next."""

    run: Run[S]
    stream: Stream
    dice: Random
    every: int

    def honest(self, agent: Agent, sample: Sample) -> None:
        run, dice, behaviour = self.run, self.dice, agent.behaviour
        run.now += dice.randrange(GAP_SECONDS // 2, GAP_SECONDS * 3 // 2)
        others = [one for one in run.open[-50:] if one.contributor != agent.address]
        if behaviour.copies and others:
            one = dice.choice(others)
            sample = Sample(one.features, one.label)
        elif dice.random() < behaviour.lies:
            sample = self._lie(sample)
        run.add(agent.address, sample)

    def lies(self, agent: Agent) -> int:
        """A flood, a pair or one; how many."""
        run, dice, behaviour = self.run, self.dice, agent.behaviour
        run.now += dice.randrange(GAP_SECONDS // 2, GAP_SECONDS * 3 // 2)
        if behaviour.twice:
            sample = self._lie(dice.choice(self.stream.arrivals))
            run.add(agent.address, sample)
            run.now += FLOOD_SECONDS
            run.add(_second(agent.address), sample)
            run.malicious += 2
            return 2
        for _ in range(behaviour.flood):
            run.add(agent.address, self._lie(dice.choice(self.stream.arrivals)))
            run.now += FLOOD_SECONDS
        run.malicious += behaviour.flood
        return behaviour.flood

    def measure(self, index: int) -> None:
        if index % self.every == 0:
            run = self.run
            reached = accuracy(run.model, run.state.trainer.model_state, self.stream.test)
            run.accuracies.append((run.now, reached))

    def _lie(self, sample: Sample) -> Sample:
        return wrong(sample, self.stream.classes, self.dice)


def make_agents(crowd: Mapping[str, int]) -> list[Agent]:
    """The agents of a crowd such as {"good": 7, "flooder": 3}.

    Raises:
        InputError: an unknown behaviour.
    """
    agents: list[Agent] = []
    for name, count in crowd.items():
        if name not in BEHAVIOURS:
            raise InputError(f"there is no behaviour {name}: choose one of {', '.join(BEHAVIOURS)}")
        for _ in range(count):
            address = Address(f"0x{len(agents) + 1:040x}")
            agents.append(Agent(f"{name} {len(agents) + 1}", BEHAVIOURS[name], address))
            if BEHAVIOURS[name].twice:
                quiet = replace(BEHAVIOURS[name], weight=0.0)
                agents.append(Agent(f"{name} {len(agents)}b", quiet, _second(address)))
    return agents


def wrong(sample: Sample, classes: int, dice: Random) -> Sample:
    """The sample with another label."""
    other = dice.randrange(classes - 1)
    return replace(sample, label=other + (other >= sample.label))


def _second(address: Address) -> Address:
    """The other account of a colluder."""
    return Address(f"0xc0{address[4:]}")


def _pick(dice: Random, agents: Sequence[Agent]) -> Agent:
    return dice.choices(agents, [agent.behaviour.weight for agent in agents])[0]


def warm_state(model: Model[S], stream: Stream) -> S:
    """The state that a deployer starts with: all warm samples learnt."""
    return learn_all(model, model.start(stream.classes, stream.features), stream.warm)
