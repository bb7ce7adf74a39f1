"""Learning under attack without a chain: every round's training, misbehaviour and aggregation.

What a full run adds (checks, scores, payouts, sanctions) is not there, so that a grid of attacks
and rules costs seconds. The same config gives the same data, seeds and parties as a full run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ostrom.aggregation import Pipeline, pipeline
from ostrom.sim.adversary import Knowledge, corrupt, known_rule
from ostrom.sim.behaviours import Casting, parse_attack
from ostrom.sim.config import RunConfig
from ostrom.sim.world import World, build_world
from ostrom.tensors import add_saturating
from ostrom.training import Start, State, local_algorithm, train_cohort
from ostrom.types import IntVector, Update

ABSENT = ("drop_out", "late_reveal", "garbage")
"""Behaviours after which no update is counted."""


@dataclass(frozen=True, eq=False)
class Rehearsed:
    """A round that has been rehearsed: its model (d,), and what everybody sent."""

    number: int
    world: World
    parameters: IntVector
    sent: Mapping[int, Update]


def rehearse(config: RunConfig) -> Iterator[Rehearsed]:
    """The rounds of a config, one after the other, without chain, store, checks and scores.

    Raises:
        InputError: unknown names, or too few data for so many parties.

    >>> config = RunConfig.of({"dataset": "digits", "model": "logistic", "clients": 3, "rounds": 2})
    >>> [made.number for made in rehearse(config)]
    [1, 2]
    """
    world = build_world(config)
    casting = parse_attack(config.attack, config.clients, config.validators)
    unchecked = world.spec.model_copy(update={"checks": ""})
    whole = pipeline(world.spec.aggregation, fraction_bits=world.spec.fraction_bits)
    parameters, previous = world.initial()["parameters"], None
    server: Mapping[str, IntVector] = whole.initial_state(world.spec.update_length)
    kept: dict[int, State] = {}
    for number in range(1, config.rounds + 1):
        updates = _train(world, Start(parameters, server, number), kept)
        secret = world.secret("attack", number)
        known = Knowledge(known_rule(unchecked, server), previous, secret)
        sent = _counted(casting, corrupt(casting, updates, known), updates)
        delta, server = _aggregate(whole, sent, server)
        after = add_saturating(parameters, delta)
        previous = _as_update(after, parameters, world.spec.update_length)
        parameters = after
        yield Rehearsed(number, world, parameters, sent)


def _train(world: World, start: Start, kept: dict[int, State]) -> dict[int, Update]:
    seats = range(world.config.clients)
    made = train_cohort(
        world.model,
        local_algorithm(world.spec.algorithm),
        start,
        [share.train for share in world.shares],
        [world.training_seed(start.round, i) for i in seats],
        [kept.get(i, {}) for i in seats],
        workers=1,
    )
    kept |= {i: state for i, (_, state) in zip(seats, made)}
    return {i: update for i, (update, _) in zip(seats, made)}


def _counted(
    casting: Casting, sent: Mapping[int, Update], trained: Mapping[int, Update]
) -> dict[int, Update]:
    """Without those who send nothing that counts; a copy is its victim's update once more."""
    honest = [seat for seat in trained if seat not in casting.trainers]
    found = dict(sent)
    for seat, behaviour in casting.trainers.items():
        if behaviour.name in ABSENT:
            del found[seat]
        elif behaviour.name == "copy" and honest:
            found[seat] = trained[honest[int(behaviour.arguments.get("victim", 0)) % len(honest)]]
    return found


def _aggregate(
    whole: Pipeline, sent: Mapping[int, Update], server: Mapping[str, IntVector]
) -> tuple[IntVector, Mapping[str, IntVector]]:
    rows = np.stack([one.values for one in sent.values()])
    weights = np.array([one.samples for one in sent.values()], dtype=np.int64)
    return whole.aggregate(rows, weights, server)


def _as_update(after: IntVector, before: IntVector, length: int) -> IntVector:
    change = np.zeros(length, dtype=np.int64)
    size = min(len(after), length)
    change[:size] = (after.astype(np.int64) - before)[:size]
    return change
