"""What happens at the trainers in a round: training, misbehaviour, packing; all at once.

Nothing here is seen by anybody else before it is revealed. What trainers keep between rounds is
saved before the first commitment, so that a killed run goes on with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ostrom.node.learning import own_state, pack_update, start_of
from ostrom.node.trainer import contributes
from ostrom.protocol import TaskState
from ostrom.sim.states import State, States
from ostrom.sim.stopwatch import Stopwatch
from ostrom.sim.world import World
from ostrom.storage import Store
from ostrom.training import LocalAlgorithm, Start, local_algorithm, train_cohort
from ostrom.types import Address, Update

Updates: TypeAlias = Mapping[Address, Update]


@dataclass(frozen=True)
class Trained:
    """A round's honest training: its start, the updates, and what each trainer keeps."""

    number: int
    start: Start
    updates: Updates
    states: Mapping[Address, State]


@dataclass
class LocalWork:
    """Trains all trainers of a round in one cohort."""

    world: World
    store: Store
    states: States
    watch: Stopwatch
    workers: int
    on_trained: Callable[[Trained], None]

    def updates(self, state: TaskState, misbehave: Callable[[Trained], Updates]) -> Updates:
        """What every trainer of the round commits to; `misbehave` may change honest updates."""
        before = self.states.before(state.number)
        trained = self._train(state, before)
        with self.watch.stage("evaluation"):
            self.on_trained(trained)
        with self.watch.stage("sealing"):
            made = misbehave(trained)
            spec = self.world.spec
            packed = {a: pack_update(spec, one, before.get(a, {})) for a, one in made.items()}
            kept = {a: {**trained.states.get(a, {}), **state} for a, (_, state) in packed.items()}
            self.states.save(state.number, kept)
        return {address: update for address, (update, _) in packed.items()}

    def _train(self, state: TaskState, before: Mapping[Address, State]) -> Trained:
        world, spec = self.world, self.world.spec
        with self.watch.stage("store"):
            start = start_of(self.store, state, spec)
        trainers = [a for a in world.trainers if contributes(a, spec, self.store, state)]
        indices = [world.trainers[a] for a in trainers]
        with self.watch.stage("training"):
            made = train_cohort(
                world.model,
                self.algorithm,
                start,
                [world.shares[i].train for i in indices],
                [world.training_seed(state.number, i) for i in indices],
                [own_state(before.get(a, {})) for a in trainers],
                workers=self.workers,
            )
        return Trained(
            number=state.number,
            start=start,
            updates={a: update for a, (update, _) in zip(trainers, made)},
            states={a: kept for a, (_, kept) in zip(trainers, made)},
        )

    @property
    def algorithm(self) -> LocalAlgorithm:
        """The task's local algorithm."""
        return local_algorithm(self.world.spec.algorithm)
