"""Random sequences of calls, on the contract and on the reference: whatever differs is a fault.

After every call the same error or none; at the end the same balances, counts, records, weights,
predictions and coins, and the model rebuilt from events alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any

from tests.onchain.machine import RevmLedger
from tests.onchain.worlds import KEYS, NAMES, World, honest, junk, make_world, update

from ostrom.chain.ledger import Call
from ostrom.errors import ContractError, InputError
from ostrom.onchain import contracts, deposit_refund_take, points, versions
from ostrom.onchain.data import Sample
from ostrom.onchain.deployment import deploy_deposit_refund_take, deploy_model, deploy_points
from ostrom.onchain.deposit_refund_take import DAY, DepositRefundTake, Rules
from ostrom.onchain.points import Points
from ostrom.onchain.records import Contribution, Message, Refused, Trainer, is_learnt
from ostrom.onchain.replay import replay, watch

STEPS = 30
WAITS = (0, 0, 1, 3, 59, 3_600, DAY // 2, DAY, DAY, 2 * DAY, 3 * DAY, 29 * DAY)
RULES = (Rules(10**15), Rules(1, 10, 20, 30), Rules((1 << 96) // 3_600 - 1, DAY, 2 * DAY, 3 * DAY))
MODEL_ERRORS = ("Model", "NaiveBayes", "CountTable", "KMeans", "Centroids")
OWNER = "owner"


@dataclass
class Stage:
    """A deployed trainer and its model, with a mark to come back to."""

    world: World
    ledger: RevmLedger
    model: contracts.ModelContract
    trainer: Any
    mark: Any = None


@dataclass
class Play:
    """One sequence: the contract's side, the reference's state, what was given."""

    stage: Stage
    state: Any
    dice: Random
    given: list[Contribution] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)

    @property
    def ledger(self) -> RevmLedger:
        return self.stage.ledger

    @property
    def model(self) -> Any:
        return self.stage.world.model

    @property
    def inner(self) -> Trainer[Any]:
        trainer: Trainer[Any] = self.state.trainer
        return trainer

    def message(self, who: str, value: int = 0) -> Message:
        return Message(KEYS[who].address, self.ledger.time, value, self.ledger.block_number + 1)

    def attempt(self, name: str, who: str, call: Call, reference: Callable[[Message], Any]) -> bool:
        """Do it on both sides; True if both took it."""
        message = self.message(who, call.value)
        expected, actual, after = None, None, None
        try:
            after = reference(message)
        except (Refused, InputError) as error:
            expected = error
        try:
            self.ledger.send(call, KEYS[who])
        except ContractError as error:
            actual = error
        outcome = "taken" if expected is None else getattr(expected, "name", "model")
        self.log.append(f"{name} by {who} at {self.ledger.time}: {outcome}")
        self.counts[f"{name} {outcome}"] += 1
        assert_same_refusal(expected, actual)
        if expected is None:
            self.state = after
            self.spent[who] += call.value
        return expected is None

    def sample(self) -> Sample:
        """Honest, a lie, junk or an update."""
        world, state, dice = self.stage.world, self.inner.model_state, self.dice
        size = self.model.classes(state), self.model.features(state)
        kind = dice.random()
        if kind < 0.08:
            return junk(world, dice, *size)
        if kind < 0.16:
            return update(world, dice, *size)
        sample = honest(world, dice, *size)
        if kind < 0.40 and world.kind != "row":
            return Sample(sample.x, dice.randrange(size[0]))
        return sample

    def pick(self) -> Contribution | None:
        """Some contribution, now and then with a part changed."""
        if not self.given:
            return None
        open_ones = [one for one in self.given if one.key in self.inner.records]
        one = self.dice.choice(open_ones if open_ones and self.dice.random() < 0.8 else self.given)
        if self.dice.random() < 0.05:
            changes: dict[str, Any] = self.dice.choice(
                ({"time": one.time + 1}, {"nonce": one.nonce + 1}, {"label": one.label ^ 1})
            )
            return replace(one, **changes)
        return one

    def name_of(self, one: Contribution) -> str:
        return next(name for name in NAMES if KEYS[name].address == one.contributor)

    def validated(self, otherwise: str) -> str:
        known = [who for who in NAMES if self.state.account(KEYS[who].address).validated]
        return self.dice.choice(known) if known else otherwise

    def remember(self, sample: Sample, who: str) -> None:
        self.given.append(
            Contribution(
                sample.x, sample.label, self.ledger.time, KEYS[who].address, self.inner.count - 1
            )
        )

    def grow(self) -> None:
        """The deployer makes the model larger."""
        contract, (classes, features) = self.stage.model, self.dice.choice(((1, 0), (0, 5)))
        call = contract.add_classes(classes) if classes else contract.add_features(features)

        def grown(_: Message) -> Any:
            widened = self.model.widen(self.inner.model_state, classes=classes, features=features)
            return replace(self.state, trainer=replace(self.inner, model_state=widened))

        self.attempt("grow", OWNER, call, grown)

    def version(self, who: str) -> None:
        """A checkpoint, a roll-back, a vote or its retraction."""
        trainer, model = self.stage.trainer, self.model
        index = self.dice.randrange(len(self.inner.versions) + 1)
        weight = self.state.account(KEYS[who].address).validated
        steps: tuple[tuple[str, Call, Callable[[Message], Trainer[Any]]], ...] = (
            ("checkpoint", trainer.checkpoint(), lambda m: versions.checkpoint(self.inner, m)),
            (
                "roll back",
                trainer.roll_back(index),
                lambda m: versions.roll_back(model, self.inner, m, index=index),
            ),
            (
                "vote",
                trainer.vote(index),
                lambda m: versions.vote(model, self.inner, m, index=index, weight=weight),
            ),
            ("retract", trainer.retract(), lambda m: versions.retract(self.inner, m)),
        )
        name, call, step = self.dice.choice(steps)
        if name == "roll back" and self.dice.random() < 0.7:
            who = OWNER
        self.attempt(name, who, call, lambda m: replace(self.state, trainer=step(m)))

    def compare(self) -> None:
        """Everything that both sides can say."""
        trainer, ledger, inner = self.stage.trainer, self.ledger, self.inner
        totals = contracts.Totals(inner.last_time, inner.count, inner.validated)
        assert trainer.totals(ledger) == totals
        assert trainer.history(ledger) == inner.history.ljust(32, b"\0")
        assert trainer.epoch(ledger) == inner.epoch
        assert trainer.version_count(ledger) == len(inner.versions)
        for index in range(len(inner.versions)):
            assert trainer.votes_for(ledger, index) == versions.votes_for(inner, index)
        for one in self.given:
            assert trainer.record_of(ledger, one.key) == inner.records.get(one.key)
            assert trainer.is_learnt(ledger, one.nonce) == is_learnt(inner, one.nonce)
        for who in NAMES:
            key = KEYS[who]
            assert trainer.account_of(ledger, key.address) == self.state.account(key.address)
        self.compare_model()

    def compare_model(self) -> None:
        contract, ledger, state = self.stage.model, self.ledger, self.inner.model_state
        assert contract.state(ledger) == self.model.dump(state)
        size = self.model.classes(state), self.model.features(state)
        for _ in range(3):
            x = honest(self.stage.world, self.dice, *size).x
            assert contract.predict(ledger, x) == self.model.predict(state, x)

    def compare_replay(self) -> None:
        """Events alone make the same model."""
        world = self.stage.world
        start = world.model.start(world.classes, world.features)
        events = self.ledger.events(0, self.ledger.block_number)
        found = replay(world.model, start, events)
        assert world.model.dump(found) == world.model.dump(self.inner.model_state)


class DepositPlay(Play):
    """With deposits."""

    def step(self) -> None:
        self.ledger.time += self.dice.choice(WAITS)
        who = self.dice.choice(NAMES)
        name = self.dice.choices(
            ("add", "refund", "report", "clear", "withdraw", "version", "grow"),
            (8, 6, 5, 3, 2, 2, 0.3),
        )[0]
        one = self.pick()
        if name == "version":
            self.version(who)
        elif name == "grow":
            self.grow()
        elif name == "withdraw":
            self.withdraw(who)
        elif name == "add" or one is None:
            self.add(who)
        else:
            if name == "refund" and self.dice.random() < 0.9:
                who = self.name_of(one)
            if name == "report" and self.dice.random() < 0.8:
                who = self.validated(who)
            call = getattr(self.stage.trainer, name)(one)
            self.attempt(name, who, call, lambda m: self.settle(name, m, one))

    def settle(self, name: str, message: Message, one: Contribution) -> Any:
        if name == "clear":
            return deposit_refund_take.clear(self.state, message, one=one)[0]
        act = getattr(deposit_refund_take, name)
        return act(self.model, self.state, message, one=one)[0]

    def add(self, who: str) -> None:
        sample, trainer = self.sample(), self.stage.trainer
        price = trainer.deposit(self.ledger)
        value = self.dice.choice((price, price, price, price - 1, price + 7, 0, 2 * price))
        value = min(value, self.ledger.coins(KEYS[who].address))

        def added(message: Message) -> Any:
            return deposit_refund_take.add(
                self.model, self.state, message, features=sample.x, label=sample.label
            )[0]

        if self.attempt("add", who, trainer.add(sample, value), added):
            self.remember(sample, who)

    def withdraw(self, who: str) -> None:
        owed = self.state.account(KEYS[who].address).balance
        taken = self.attempt(
            "withdraw",
            who,
            self.stage.trainer.withdraw(),
            lambda m: deposit_refund_take.withdraw(self.state, m)[0],
        )
        if taken:
            self.spent[who] -= owed

    def compare(self) -> None:
        super().compare()
        trainer, ledger, state = self.stage.trainer, self.ledger, self.state
        assert ledger.coins(trainer.address) == state.owed == sum(self.spent.values())
        price = deposit_refund_take.deposit(state.rules, self.inner.last_time, ledger.time)
        assert trainer.deposit(ledger) == price


class PointsPlay(Play):
    """With points."""

    def step(self) -> None:
        self.ledger.time += self.dice.choice(WAITS)
        who = self.dice.choice(NAMES)
        name = self.dice.choices(
            ("add", "validate", "report", "version", "grow"), (8, 7, 5, 2, 0.3)
        )[0]
        one = self.pick()
        if name == "version":
            self.version(who)
        elif name == "grow":
            self.grow()
        elif name == "add" or one is None:
            self.add(who)
        elif name == "validate":
            self.attempt(
                name,
                who,
                self.stage.trainer.validate(one),
                lambda m: points.validate(self.model, self.state, m, one=one)[0],
            )
        else:
            who = self.validated(who) if self.dice.random() < 0.7 else who
            self.attempt(
                name,
                who,
                self.stage.trainer.report(one),
                lambda m: points.report(self.model, self.state, m, one=one),
            )

    def add(self, who: str) -> None:
        sample = self.sample()

        def added(message: Message) -> Any:
            return points.add(
                self.model, self.state, message, features=sample.x, label=sample.label
            )[0]

        if self.attempt("add", who, self.stage.trainer.add(sample), added):
            self.remember(sample, who)

    def compare(self) -> None:
        super().compare()
        trainer, ledger, state = self.stage.trainer, self.ledger, self.state
        classes = self.model.classes(self.inner.model_state)
        assert trainer.contributor_count(ledger) == len(state.contributors)
        expected = [
            contracts.Standing(who, one.points, one.validated, points.badges(one, classes))
            for who, one in ((who, state.account(who)) for who in state.contributors)
        ]
        assert trainer.leaderboard(ledger, 0, count=100) == expected


PLAYS = ("deposit", "points")


def run(seed: int) -> Play:
    """The sequence of that seed, compared.

    Raises:
        AssertionError: the contract and the reference differ.
    """
    dice = Random(seed)
    index, kind = seed // len(PLAYS), PLAYS[seed % len(PLAYS)]
    stage = set_stage(kind, index % 8, index // 8 % len(RULES))
    play = make_play(kind, stage, index // 8 % len(RULES), dice)
    stage.mark = stage.ledger.mark()
    try:
        middle = dice.randrange(STEPS)
        for step in range(STEPS):
            play.step()
            if step == middle:
                play.compare()
        play.compare()
        if seed % 5 == 0:
            play.compare_replay()
    except AssertionError as error:
        error.add_note(f"seed {seed}, {kind}, {stage.world.name}")
        error.add_note("\n".join(play.log))
        raise
    finally:
        stage.ledger.rewind(stage.mark)
    return play


@cache
def set_stage(kind: str, world_index: int, rules: int) -> Stage:
    """A trainer on a ledger of its own."""
    world, ledger, owner = make_world(world_index), RevmLedger(*KEYS.values()), KEYS[OWNER]
    deployed = deploy_model(ledger, owner, world.model, state=world.start, encoder="none")
    watch(ledger, deployed)
    if kind == "deposit":
        trainer: Any = deploy_deposit_refund_take(ledger, owner, deployed, rules=RULES[rules])
    else:
        trainer = deploy_points(ledger, owner, deployed, wait=RULES[rules].refund_wait)
    watch(ledger, trainer)
    return Stage(world, ledger, deployed, trainer)


def make_play(kind: str, stage: Stage, rules: int, dice: Random) -> DepositPlay | PointsPlay:
    inner = Trainer(KEYS[OWNER].address, stage.world.start)
    if kind == "deposit":
        return DepositPlay(stage, DepositRefundTake(RULES[rules], inner), dice)
    return PointsPlay(stage, Points(inner, RULES[rules].refund_wait), dice)


def assert_same_refusal(expected: Exception | None, actual: ContractError | None) -> None:
    """The same Solidity error with the same arguments; of a model's, that it is one."""
    if expected is None:
        assert actual is None, f"the contract refuses: {actual}"
    elif isinstance(expected, Refused):
        assert str(actual) == str(expected), f"{actual!r} is not {expected!r}"
    else:
        assert actual is not None, f"the contract takes what the model refuses: {expected}"
        name = str(actual).removeprefix("the contract refused: ")
        assert name.startswith(MODEL_ERRORS), f"{actual} is no refusal of a model: {expected}"
