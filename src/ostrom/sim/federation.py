"""A federation in one process: every role's step, one clock, one ledger, one store.

The steps are the ones that a long-running node takes. What is simulated is time (it jumps to the
next deadline when nobody has anything to do), the network (there is none) and the parties' secrets
(they follow from the seed), so that one seed is one schedule and gives one chain, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ostrom.chain.embedded import EmbeddedLedger
from ostrom.errors import ContractError
from ostrom.node import (
    Action,
    Sealed,
    Trainer,
    Validator,
    ValidatorMemory,
    sponsor_step,
    trainer_step,
    validator_step,
)
from ostrom.node.trainer import contributes, seal, seal_content
from ostrom.node.validator import score_updates
from ostrom.protocol import TaskState, replay
from ostrom.sim.adversary import Knowledge, corrupt, known_rule, last_change
from ostrom.sim.behaviours import garbage, lie, parse_attack, withhold
from ostrom.sim.desk import Desk, Spending, is_stale
from ostrom.sim.local_work import LocalWork, Trained, Updates
from ostrom.sim.stopwatch import Stopwatch
from ostrom.sim.validator_lies import forged
from ostrom.sim.world import World
from ostrom.storage import Store
from ostrom.training import ModelHoldout
from ostrom.training.threads import threads
from ostrom.types import Address, Phase, Role, Update


@dataclass
class Federation:
    """The running simulation. `tick` lets everybody act once."""

    world: World
    ledger: EmbeddedLedger
    store: Store
    desk: Desk
    state: TaskState
    watch: Stopwatch
    work: LocalWork
    workers: int = 1
    spending: Spending = field(default_factory=Spending)
    _block: int = -1
    _updates: tuple[int, Updates] = (0, {})
    _sealed: dict[Address, dict[int, Sealed]] = field(default_factory=dict)
    _scores: dict[Address, ValidatorMemory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = self.world.config
        self._casting = parse_attack(config.attack, config.clients, config.validators)
        self._trainers = [self._trainer(i) for i in range(config.clients)]
        self._validators = [self._validator(i) for i in range(config.validators)]
        self.read_events()

    def read_events(self) -> None:
        """Apply what the chain has logged since the last look."""
        log = self.ledger.events(self._block + 1, self.ledger.block_number)
        self.state = replay(self.state, log)
        self._block = self.ledger.block_number

    def tick(self) -> bool:
        """Let every party act once, in an order that the seed decides.

        Where nobody has anything to do, time passes. False once the task is over and all is paid.
        """
        moved = self._deliver(self._wishes())
        if not moved and not self.state.over:
            self._wait()
        return moved

    def _wishes(self) -> list[Action]:
        now, state = self.ledger.now(), self.state
        overdue = now > state.deadline
        rng = np.random.default_rng([self.world.config.seed, self.ledger.block_number])
        wishes: list[Action] = []
        # A copier has nothing to copy before its victim acts.
        for i in sorted(rng.permutation(len(self._trainers)), key=self._copies):
            wishes += withhold(self._train(i), self._casting.trainers.get(i), overdue=overdue)
        for i, actions in self._validate_all(rng.permutation(len(self._validators)), now):
            wishes += lie(self._casting.validators.get(i)).actions(actions)
        with self.watch.stage("store"):
            return wishes + list(sponsor_step(self.store, state, now=now))

    def _deliver(self, actions: list[Action]) -> bool:
        """Send what is still worth sending; True if a block was made."""
        moved = False
        for batch in self.desk.batches(actions):
            if is_stale(batch, self.state):
                continue
            try:
                with self.watch.stage("chain"):
                    receipt = self.desk.send(batch)
            except ContractError as refusal:
                self.spending.refusals.append(str(refusal))
                continue
            moved = True
            self.spending.add(batch, receipt)
            self.read_events()
        return moved

    def _wait(self) -> None:
        """Jump to the next moment at which somebody may have something to do."""
        target = self.state.deadline + 1
        if self.state.phase == Phase.ATTEST:
            seats = max(1, len(self.state.accounts(Role.VALIDATOR)))
            target = min(target, self.ledger.now() + self.state.rules.attest_time // (2 * seats))
        self.ledger.advance_time(max(1, target - self.ledger.now()))
        self.read_events()

    def _trainer(self, index: int) -> Trainer:
        return Trainer(
            address=self.world.keys.trainers[index].address,
            train=partial(self._update_of, index),
            store=self.store,
            salt=partial(self.world.secret, "salt", "trainer", index),
            spec=self.world.spec,
        )

    def _validator(self, index: int) -> Validator:
        # Validators share the workers; where there are fewer validators, each gets several.
        workers = max(1, self.workers // self.world.config.validators)
        holdout = self.world.holdouts[index]
        return Validator(
            address=self.world.keys.validators[index].address,
            holdout=ModelHoldout(self.world.model, holdout, workers),
            store=self.store,
            salt=partial(self.world.secret, "salt", "validator", index),
            spec=self.world.spec,
        )

    def _train(self, index: int) -> list[Action]:
        me, state = self._trainers[index], self.state
        memory = self._sealed.setdefault(me.address, {})
        if state.number not in memory and self._needs_update(me.address):
            with self.watch.stage("sealing"):
                memory[state.number] = self._seal(index)
        with self.watch.stage("store"):
            kept, actions = trainer_step(me, memory, state)
        self._sealed[me.address] = dict(kept)
        return actions

    def _needs_update(self, address: Address) -> bool:
        """True if the trainer must have an update now; after a restart it makes it again."""
        here = self.state.round
        if self.state.phase == Phase.COMMIT:
            wanted = contributes(address, self.world.spec, self.store, self.state)
            return address not in here.commits and wanted
        return self.state.phase == Phase.REVEAL and here.owes_reveal(address)

    def _seal(self, index: int) -> Sealed:
        """The update that this trainer commits to, by its behaviour."""
        mechanism, state = self._casting.trainers.get(index), self.state
        name = mechanism.name if mechanism else ""
        source = self._victim(index) if name == "copy" else index
        sealed = seal(self._trainers[source], state)
        own_salt = self._trainers[index].salt(state.number)
        content = sealed.content
        if name == "garbage":
            content = garbage(self.world.secret("garbage", state.number, index), len(content))
        return seal_content(content, replace(sealed.opening, salt=own_salt))

    def _copies(self, index: int) -> bool:
        mechanism = self._casting.trainers.get(index)
        return mechanism is not None and mechanism.name == "copy"

    def _victim(self, index: int) -> int:
        """The honest trainer whose update this one copies; itself where there is none."""
        spec, cast = self.world.spec, self._casting.trainers
        seats = [i for i in range(len(self._trainers)) if i not in cast]
        addresses = [self._trainers[i].address for i in seats]
        drawn = [contributes(a, spec, self.store, self.state) for a in addresses]
        others = [i for i, trains in zip(seats, drawn) if trains]
        wanted = int(cast[index].arguments.get("victim", 0))
        return others[wanted % len(others)] if others else index

    def _update_of(self, index: int, state: TaskState) -> Update:
        if self._updates[0] != state.number:
            self._updates = (state.number, self.work.updates(state, self._misbehave))
        return self._updates[1][self.world.keys.trainers[index].address]

    def _misbehave(self, trained: Trained) -> Updates:
        """What the trainers send instead of their honest updates, by their behaviours."""
        if not self._casting.trainers:
            return trained.updates
        world, state = self.world, self.state
        knowledge = Knowledge(
            rule=known_rule(world.spec, trained.start.server),
            previous=last_change(self.store, state, world.spec),
            seed=world.secret("attack", trained.number),
        )
        by_seat = {world.trainers[a]: update for a, update in trained.updates.items()}
        sent = corrupt(self._casting, by_seat, knowledge)
        return {a: sent[world.trainers[a]] for a in trained.updates}

    def _validate_all(self, order: Iterable[int], now: int) -> list[tuple[int, list[Action]]]:
        """Every validator's step, side by side: a step shares nothing but what it reads."""
        stage = "scoring" if self.state.phase == Phase.SCORE else "aggregation"
        with self.watch.stage(stage), threads(self.workers) as pool:
            return list(pool.map(lambda i: (i, self._validate(i, now)), order))

    def _validate(self, index: int, now: int) -> list[Action]:
        me, state = self._validators[index], self.state
        memory = self._scores.get(me.address, ValidatorMemory())
        committed = me.address in state.round.score_commits
        lost = state.phase == Phase.SCORE_REVEAL and committed
        # Liars score before their step, which takes the scores that it finds.
        due = state.phase == Phase.SCORE and not committed and index in self._casting.validators
        if (lost or due) and memory.round != state.number:
            memory = ValidatorMemory(state.number, self._scored(index))
        memory, actions = validator_step(me, memory, state, now=now)
        self._scores[me.address] = memory
        return actions

    def _scored(self, index: int) -> bytes:
        """This validator's score vector, by its behaviour."""
        me, told = self._validators[index], lie(self._casting.validators.get(index))
        trainers = tuple(self.world.trainers)
        honest = score_updates(me, self.state)
        return forged(honest, told, state=self.state, me=me.address, trainers=trainers)
