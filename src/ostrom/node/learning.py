"""What a node computes with its own data: a trainer's update, a validator's holdout.

Both follow from the task's spec and the party's own examples. What a trainer keeps between rounds
(control variates, momentum, what a compression held back) stays on its disk and never leaves it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ostrom.data import Dataset, load_dataset
from ostrom.data.loading import NAMED
from ostrom.errors import InputError
from ostrom.node.kept import Kept
from ostrom.node.trainer import Train
from ostrom.protocol import TaskState
from ostrom.registry import load_model, parent_of_round
from ostrom.spec import Spec, installed_code
from ostrom.storage import Store
from ostrom.training import (
    LocalAlgorithm,
    Model,
    ModelHoldout,
    Start,
    build_model,
    local_algorithm,
    train_cohort,
)
from ostrom.types import Address, IntVector, Update
from ostrom.updates import packing

State: TypeAlias = Mapping[str, IntVector]

WIRE = "wire."
"""Before the names of what a compression keeps, beside the local algorithm's own."""

SEED_BITS = 256

Working: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Says that something takes long while it lasts, such as `Board.working`."""


def _quietly(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def start_of(store: Store, state: TaskState, spec: Spec) -> Start:
    """What the current round starts from: the parent model and the server step's state.

    Raises:
        StoreError: the model is not to be had, or it is not the one that the chain names.
    """
    model = load_model(store, parent_of_round(state), spec)
    server = {name[6:]: part for name, part in model.items() if name.startswith("state.")}
    return Start(model["parameters"], server, state.number)


def own_state(state: State) -> State:
    """What the local algorithm keeps, without the compression's part.

    >>> own_state({"control": 1, "wire.residual": 2})
    {'control': 1}
    """
    return {name: part for name, part in state.items() if not name.startswith(WIRE)}


def pack_update(spec: Spec, update: Update, before: State) -> tuple[Update, State]:
    """The update as the spec's compression sends it, and what the compression held back.

    Args:
        update: what the local algorithm made.
        before: what the trainer kept from its last round; of it, the names with `WIRE` count.

    Returns:
        The update that everybody will decode, and the entries to keep, named with `WIRE`.

    Raises:
        InputError: the update does not fit the spec.
    """
    packed = packing(spec)
    if packed.text == "none":
        return update, {}
    held = {name[len(WIRE) :]: part for name, part in before.items() if name.startswith(WIRE)}
    words, kept = packed.encode(update.values, held)
    sent = Update(packed.decode(words), update.samples, words)
    return sent, {WIRE + name: part for name, part in kept.items()}


@dataclass(frozen=True, eq=False)
class Learner:
    """A spec's model and local algorithm with one party's examples, which fit them."""

    spec: Spec
    model: Model
    algorithm: LocalAlgorithm
    data: Dataset

    @classmethod
    def of(cls, spec: Spec, data: Dataset) -> Learner:
        """Build what the spec names, and compare it with what the spec says of it.

        Raises:
            InputError: this version knows no such mechanism, builds another one under that name, or
                the examples do not fit.
        """
        model = build_model(spec.model, shape=spec.shape, classes=spec.classes)
        algorithm = local_algorithm(spec.algorithm)
        if model.parameters != spec.parameters or algorithm.layout(model) != spec.layout:
            raise InputError(
                f"the spec's {spec.model} with {spec.algorithm} has another layout than this "
                "version's: install the version of ostrom that the task was made with"
            )
        return cls(spec, model, algorithm, fitted(data, spec))


def fitted(data: Dataset, spec: Spec) -> Dataset:
    """The examples with the task's number of classes.

    Raises:
        InputError: no examples, or examples of another shape, or of more classes than the task has.
    """
    if len(data) == 0:
        raise InputError(f"{data.name} holds no examples: a node needs at least one")
    if data.shape != spec.shape:
        raise InputError(
            f"{data.name} has examples of shape {data.shape}, the task needs {spec.shape}: give "
            "data that were prepared for this task"
        )
    if data.classes > spec.classes:
        raise InputError(
            f"{data.name} has labels up to {data.classes - 1}, the task has {spec.classes} classes "
            f"(0 to {spec.classes - 1})"
        )
    return replace(data, classes=spec.classes)


def own_data(name: str, spec: Spec) -> Dataset:
    """A party's examples by name or path, all of them, with the task's number of classes.

    A CSV file and a folder of images number their own labels, so that with a class missing they
    would mean others than everybody else; such data are refused.

    Raises:
        InputError: the data cannot be read or do not fit the task.

    >>> from ostrom.spec import example
    >>> len(own_data("digits", example()))
    1797
    """
    data = load_dataset(name).train
    numbers_itself = name not in NAMED and Path(name).suffix != ".npz"
    if numbers_itself and data.classes < spec.classes:
        raise InputError(
            f"{name} holds {data.classes} of the task's {spec.classes} classes, so its labels "
            "cannot be told apart from others: give an .npz file with the task's own label "
            "numbers, or a folder with an empty sub-folder for each class that is missing"
        )
    return fitted(data, spec)


def train_callable(
    spec: Spec,
    data: Dataset,
    store: Store,
    states: Path,
    *,
    me: Address,
    seed: Callable[[], int] = lambda: secrets.randbits(SEED_BITS),
    working: Working = _quietly,
) -> Train:
    """How `node.trainer` trains: on the round's parent model, with fresh randomness of its own.

    What the trainer keeps is on the disk before the update is handed out. A round goes on from the
    last one of which the chain shows this trainer's update: what was never sent never happened.

    Args:
        spec: the task's.
        data: the trainer's examples.
        store: holds the task's models.
        states: a folder for what the trainer keeps between rounds.
        me: the trainer's account.
        seed: makes the randomness of one round's training, `SEED_BITS` bits.
        working: says that training goes on.

    Returns:
        (state) -> update. It raises StoreError while the model is not to be had.

    Raises:
        InputError: spec and data do not fit; later, training that diverges or a damaged state.
    """
    learner, kept = Learner.of(spec, data), Kept(states)

    def train(state: TaskState) -> Update:
        start = start_of(store, state, spec)
        sent = [n for n, one in state.rounds.items() if n < state.number and me in one.reveals]
        base = max((n for n in kept.rounds() if n in sent), default=None)
        before: State = {} if base is None else kept.load(base)
        with working(f"training round {state.number}"):
            ((made, after),) = train_cohort(
                learner.model,
                learner.algorithm,
                start,
                [learner.data],
                [seed()],
                [own_state(before)],
            )
            update, held = pack_update(spec, made, before)
        kept.save(state.number, {**after, **held}, base=base)
        return update

    return train


def holdout_of(
    spec: Spec, data: Dataset, *, workers: int = 1, working: Working = _quietly
) -> ModelHoldout:
    """What a validator rates models with: its own examples and `workers` threads.

    Raises:
        InputError: spec and data do not fit, or the spec pins other code than what is installed.
    """
    if spec.code != installed_code():
        raise InputError(
            f"the task's results are made by code {spec.code[:16]}, installed is "
            f"{installed_code()[:16]}: install the version of ostrom that the task was made with"
        )
    learner = Learner.of(spec, data)
    return ModelHoldout(learner.model, learner.data, workers)
