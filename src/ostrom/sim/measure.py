"""What a run measures beside the chain: models on test data, and the rows of its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ostrom.codec import Document
from ostrom.errors import StoreError
from ostrom.evidence import read_record
from ostrom.protocol import RoundState, TaskState
from ostrom.records import decode_record
from ostrom.registry import load_model
from ostrom.sim.desk import Spending
from ostrom.sim.folder import Row
from ostrom.sim.local_work import Trained
from ostrom.sim.world import World
from ostrom.storage import Store
from ostrom.tensors import add_saturating
from ostrom.training import Metrics, evaluate, local_algorithm
from ostrom.training.threads import threads
from ostrom.types import Address, Update
from ostrom.updates import update_file_size


def measure_clients(world: World, trained: Trained, *, workers: int) -> dict[Address, Row]:
    """Each trainer's local model on its own local test data, as the paper measures clients.

    The local model is the trainer's personal one where the algorithm makes one. Updates that are no
    change of the parameters (statistics) have no local model.
    """
    personal = local_algorithm(world.spec.algorithm).personal
    parameters = trained.start.parameters

    def measure(item: tuple[Address, Update]) -> tuple[Address, Row] | None:
        address, update = item
        test = world.shares[world.trainers[address]].test
        if not len(test) or (personal is None and update.values.shape != parameters.shape):
            return None
        if personal is None:
            mine = add_saturating(parameters, update.values)
        else:
            mine = personal(world.model, parameters, trained.states.get(address, {}))
        metrics = evaluate(world.model, mine, test)
        return address, {"client_accuracy": metrics.accuracy, "client_loss": metrics.loss}

    with threads(workers) as pool:
        return dict(row for row in pool.map(measure, trained.updates.items()) if row)


def measure_version(
    world: World, store: Store, state: TaskState, *, version: int, workers: int
) -> Metrics:
    """A published model on the global test data."""
    tensors = load_model(store, state.versions[version], world.spec)
    return evaluate(world.model, tensors["parameters"], world.parts.test, workers=workers)


def metrics_row(metrics: Metrics) -> Row:
    """The headline numbers of a model."""
    names = ("accuracy", "loss", "precision", "recall", "f1")
    return {name: getattr(metrics, name) for name in names}


def round_row(
    here: RoundState,
    *,
    store: Store,
    world: World,
    clients: Mapping[Address, Row],
    spent: Spending,
) -> Row:
    """One round as history keeps it, without the global model's metrics."""
    record = _record(here, store)
    wanted = ("check", "score", "payout", "samples")
    rows = record["updates"] if record else []
    trainers: dict[str, Any] = {row["trainer"]: {key: row[key] for key in wanted} for row in rows}
    for address, row in clients.items():
        trainers.setdefault(address, {}).update(row)
    size = update_file_size(world.spec)
    return {
        "round": here.number,
        "void": here.void,
        "metric": record["metric"] if record else None,
        "gas": dict(spent.gas),
        "bytes": {"updates": size * len(here.reveals), "calldata": spent.calldata},
        "refusals": spent.refusals,
        "trainers": trainers,
        "client_accuracy": _mean(clients, "client_accuracy"),
        "client_loss": _mean(clients, "client_loss"),
    }


def _record(here: RoundState, store: Store) -> Document:
    """The round's record; None if the round is void, or nobody keeps the record."""
    if here.settled is None:
        return None
    try:
        return decode_record(read_record(store, here.settled.record))
    except StoreError:
        return None


def _mean(rows: Mapping[Address, Row], name: str) -> float | None:
    values = [row[name] for row in rows.values()]
    return float(np.mean(values)) if values else None
