"""What happens at the trainers in a round: training, misbehaviour, packing; all at once.

Nothing here is seen by anybody else before it is revealed. What trainers keep between rounds is
saved before the first commitment, so that a killed run goes on with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ostrom.node.trainer import contributes
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.sim.states import State, States
from ostrom.sim.stopwatch import Stopwatch
from ostrom.sim.world import World
from ostrom.storage import Store
from ostrom.training import LocalAlgorithm, Start, local_algorithm, train_cohort
from ostrom.types import Address, Update
from ostrom.updates import packing

Updates: TypeAlias = Mapping[Address, Update]
WIRE = "wire."
"""Before the names of what a compression keeps, beside the local algorithm's own."""


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
            packed = {a: self._pack(update, before.get(a, {})) for a, update in made.items()}
            kept = {a: {**trained.states.get(a, {}), **state} for a, (_, state) in packed.items()}
            self.states.save(state.number, kept)
        return {address: update for address, (update, _) in packed.items()}

    def _train(self, state: TaskState, before: Mapping[Address, State]) -> Trained:
        world, spec = self.world, self.world.spec
        with self.watch.stage("store"):
            model = load_model(self.store, parent_of_round(state), spec)
        server = {name[6:]: part for name, part in model.items() if name.startswith("state.")}
        start = Start(model["parameters"], server, state.number)
        trainers = [a for a in world.trainers if contributes(a, spec, self.store, state)]
        indices = [world.trainers[a] for a in trainers]
        with self.watch.stage("training"):
            made = train_cohort(
                world.model,
                self.algorithm,
                start,
                [world.shares[i].train for i in indices],
                [world.training_seed(state.number, i) for i in indices],
                [_own(before.get(a, {})) for a in trainers],
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

    def _pack(self, update: Update, before: State) -> tuple[Update, State]:
        """The update as the compression sends it, and what the compression held back."""
        packed = packing(self.world.spec)
        if packed.text == "none":
            return update, {}
        held = {name[len(WIRE) :]: part for name, part in before.items() if name.startswith(WIRE)}
        words, kept = packed.encode(update.values, held)
        sent = Update(packed.decode(words), update.samples, words)
        return sent, {WIRE + name: part for name, part in kept.items()}


def _own(state: State) -> State:
    """What the local algorithm keeps, without the compression's part."""
    return {name: part for name, part in state.items() if not name.startswith(WIRE)}
