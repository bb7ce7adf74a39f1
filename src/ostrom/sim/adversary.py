"""What trainers send instead of their honest updates: behaviours applied to one round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.aggregation import SERVER_STEPS, pipeline
from ostrom.aggregation.exact import IntMatrix
from ostrom.data import Dataset, Share
from ostrom.mechanisms import Mechanism, format_mechanisms, parse_mechanisms
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.sim.attacks import ATTACKS, TOGETHER, attack
from ostrom.sim.attacks.alone import scale
from ostrom.sim.attacks.shape import lengths
from ostrom.sim.behaviours import Casting, Group
from ostrom.sim.poison import POISONS, poison
from ostrom.spec import Spec
from ostrom.storage import Store
from ostrom.types import Digest, IntVector, Update
from ostrom.verification.checks import Bounds, bounds

Updates: TypeAlias = Mapping[int, Update]
"""By the trainer's seat."""

Rule: TypeAlias = Callable[[IntMatrix, IntVector], IntVector]
"""Rows (n, d) and their weights (n,) -> the aggregate (d,)."""


@dataclass(frozen=True)
class Knowledge:
    """What the adversary knows beside the honest updates: the rule, and the model's last change."""

    rule: Rule
    previous: IntVector | None
    seed: Digest


def corrupt(casting: Casting, updates: Updates, knowledge: Knowledge) -> dict[int, Update]:
    """What every trainer sends, where `updates` are those that its local algorithm has made.

    Groups do not know of one another: to each, the honest trainers are all that misbehave nowhere.
    """
    honest = {seat: one for seat, one in updates.items() if seat not in casting.trainers}
    sent = dict(updates)
    for number, group in enumerate(casting.groups):
        own = {seat: updates[seat] for seat in group.seats if seat in updates}
        if group.behaviour.name in POISONS:
            sent |= _boosted(group, own)
        elif group.behaviour.name in ATTACKS and group.behaviour.name != "copy" and own:
            # Without anybody honest, the attackers' own updates are all that there is to know.
            rng = np.random.default_rng([number, *knowledge.seed])
            sent |= _attacked(group.behaviour, honest or own, own, rng=rng, knowledge=knowledge)
    return sent


def _attacked(
    behaviour: Mechanism,
    honest: Updates,
    own: Updates,
    *,
    rng: np.random.Generator,
    knowledge: Knowledge,
) -> dict[int, Update]:
    arguments = dict(behaviour.arguments)
    if behaviour.name in TOGETHER:
        # Accomplices' updates must differ a little, or the duplicate check keeps only one.
        arguments.setdefault("blur", 0)
    made = attack(Mechanism(behaviour.name, arguments), previous=knowledge.previous)
    weights = np.array([one.samples for one in (*honest.values(), *own.values())], dtype=np.int64)
    rows = made(_rows(honest), _rows(own), rng, lambda seen: knowledge.rule(seen, weights))
    return {seat: Update(row, one.samples) for row, (seat, one) in zip(rows, own.items())}


def _rows(updates: Updates) -> IntMatrix:
    return np.stack([one.values for one in updates.values()])


def _boosted(group: Group, own: Updates) -> dict[int, Update]:
    made = poison(group.behaviour)
    times = scale(by=made.boost)
    rng = np.random.default_rng(0)
    return {
        seat: Update(
            times(one.values[None], one.values[None], rng)[0], round(one.samples * made.claim)
        )
        for seat, one in own.items()
    }


def known_rule(spec: Spec, server: Mapping[str, IntVector]) -> Rule:
    """The spec's checks of size and its aggregation up to the rule.

    Args:
        spec: the task's rules.
        server: the state of the aggregation that the round starts with.

    >>> from ostrom.spec import example
    >>> known_rule(example(), {})(np.array([[1], [3], [1 << 30]]), np.array([1, 1, 1])).tolist()
    [2]
    """
    kept = [one for one in parse_mechanisms(spec.aggregation) if one.name not in SERVER_STEPS]
    whole = pipeline(format_mechanisms(kept), fraction_bits=spec.fraction_bits)
    limits = bounds(spec)

    def rule(rows: IntMatrix, weights: IntVector) -> IntVector:
        passed = _within(rows, limits)
        if not passed.any():
            return np.zeros(rows.shape[1], dtype=np.int64)
        wanted = whole.initial_state(rows.shape[1])
        state = {name: server.get(name, zeros) for name, zeros in wanted.items()}
        return whole.aggregate(rows[passed], weights[passed], state)[0]

    return rule


def _within(rows: IntMatrix, limits: Bounds) -> npt.NDArray[np.bool_]:
    """The rows that the checks of size let pass."""
    passed = np.ones(len(rows), dtype=np.bool_)
    if limits.value_max is not None:
        passed &= np.abs(rows.astype(np.int64)).max(axis=1) <= limits.value_max
    if limits.norm_squared_max is not None:
        passed &= lengths(rows) ** 2 <= limits.norm_squared_max
    return passed


def last_change(store: Store, state: TaskState, spec: Spec) -> IntVector | None:
    """What the last published version changed, as an update of that spec; None before any.

    Raises:
        StoreError: the store does not hold one of the two models.
    """
    here = parent_of_round(state)
    if here.parent not in state.versions:
        return None
    models = (here, state.versions[here.parent])
    new, old = (load_model(store, one, spec)["parameters"].astype(np.int64) for one in models)
    change = np.zeros(spec.update_length, dtype=np.int64)
    size = min(len(new), len(change))
    change[:size] = (new - old)[:size]
    return change


def parties(casting: Casting, clients: int) -> int:
    """How many parties there are behind so many seats.

    >>> from ostrom.sim.behaviours import parse_attack
    >>> parties(parse_attack("sybil(identities=3)", 10, 4), 10)
    8
    """
    return clients - sum(len(group.seats) - 1 for group in _sybils(casting))


def _sybils(casting: Casting) -> list[Group]:
    return [group for group in casting.groups if group.behaviour.name == "sybil"]


def seat(casting: Casting, shares: Sequence[Share], *, clients: int, seed: int) -> list[Share]:
    """Every seat's data, from every party's: split by Sybils, then poisoned where it is.

    Args:
        casting: who plays what.
        shares: one share for each of `parties`.
        clients: the number of seats.
        seed: of the splits and the poisons.
    """
    rest = iter(shares)
    split: dict[int, Share] = {}
    groups = {min(group.seats): len(group.seats) for group in _sybils(casting)}
    index = 0
    while index < clients:
        pieces = _split(next(rest), groups.get(index, 1), np.random.default_rng([seed, index, 1]))
        split |= {index + i: piece for i, piece in enumerate(pieces)}
        index += len(pieces)
    return [_fed(split[i], casting.trainers.get(i), [seed, i, 2]) for i in range(clients)]


def _split(share: Share, count: int, rng: np.random.Generator) -> list[Share]:
    if count == 1:
        return [share]
    parts = np.array_split(rng.permutation(len(share.train)), count)
    return [Share(share.train.subset(np.sort(part)), share.test) for part in parts]


def _fed(share: Share, behaviour: Mechanism | None, seed: list[int]) -> Share:
    if behaviour is None or behaviour.name not in POISONS:
        return share
    fed: Dataset = poison(behaviour).feed(share.train, np.random.default_rng(seed))
    return Share(fed, share.test)
