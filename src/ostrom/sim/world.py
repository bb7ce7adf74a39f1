"""All that a config determines before the first block: data, parties, model and spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import sha256
from ostrom.data import Dataset, Share, Split, deal, load_dataset, split
from ostrom.errors import InputError
from ostrom.node.specs import build_spec
from ostrom.sim.adversary import parties, seat
from ostrom.sim.behaviours import parse_attack
from ostrom.sim.config import RunConfig
from ostrom.sim.heads import head_tensors
from ostrom.spec import Spec
from ostrom.tensors import quantise
from ostrom.training import Model, build_model
from ostrom.types import Address, Digest, IntVector


@dataclass(frozen=True)
class Keys:
    """The parties' keys, in their order."""

    sponsor: Key
    relay: Key
    trainers: tuple[Key, ...]
    validators: tuple[Key, ...]


@dataclass(frozen=True)
class World:
    """A federation that is ready to start. The same config gives the same world."""

    config: RunConfig
    spec: Spec
    model: Model
    parts: Split
    shares: tuple[Share, ...]
    holdouts: tuple[Dataset, ...]
    keys: Keys

    @cached_property
    def trainers(self) -> dict[Address, int]:
        """Each trainer's index by its address."""
        return {key.address: i for i, key in enumerate(self.keys.trainers)}

    def initial(self) -> dict[str, IntVector]:
        """The first model's tensors: fresh, or the head of the run that this one goes on from.

        Raises:
            InputError: that run is not there, or has another model.
        """
        if self.config.start is None:
            return {"parameters": quantise(self.model.initial(self.config.seed))}
        return head_tensors(Path(self.config.start), self.spec)

    def secret(self, *words: object) -> Digest:
        """32 bytes that follow from the seed: salts and training seeds of a simulation."""
        return sha256(f"ostrom simulation {self.config.seed} {words}".encode())

    def training_seed(self, number: int, index: int) -> int:
        """The seed of one trainer's local training in one round."""
        return int.from_bytes(self.secret("train", number, index)[:8], "big")


def build_world(config: RunConfig) -> World:
    """Load the data, deal them, and derive everything else from the seed.

    Raises:
        InputError: unknown names, or too few data for so many parties.
    """
    stream = partial(np.random.default_rng, np.random.SeedSequence(config.seed))
    parts = _capped(split(load_dataset(config.dataset), stream()), config.samples)
    casting = parse_attack(config.attack, config.clients, config.validators)
    dealt = deal(config.skew, parts, n=parties(casting, config.clients), rng=stream())
    shares = seat(casting, dealt, clients=config.clients, seed=config.seed)
    shape, classes = parts.train.shape, parts.train.classes
    model = build_model(config.model, shape=shape, classes=classes)
    return World(
        config=config,
        spec=build_spec(config, model),
        model=model,
        parts=parts,
        shares=tuple(shares),
        holdouts=_holdouts(parts.dev, config),
        keys=build_keys(config),
    )


def _capped(parts: Split, samples: int | None) -> Split:
    if samples is None:
        return parts
    train = parts.train.subset(np.arange(min(samples, len(parts.train))))
    return Split(train, parts.dev, parts.local_test, parts.test)


def _holdouts(dev: Dataset, config: RunConfig) -> tuple[Dataset, ...]:
    """Every validator's own part of the holdout data."""
    parties = config.validators
    if len(dev) < parties:
        raise InputError(f"{len(dev)} holdout examples are too few for {parties} validators")
    parts = np.array_split(np.arange(len(dev)), parties)
    return tuple(dev.subset(part[: config.holdout]) for part in parts)


def build_keys(config: RunConfig) -> Keys:
    """The keys that a simulation of that seed uses; whoever knows the seed knows them."""
    key: Callable[[str], Key] = partial(simulation_key, config.seed)
    return Keys(
        sponsor=key("sponsor"),
        relay=key("relay"),
        trainers=tuple(key(f"trainer-{i}") for i in range(config.clients)),
        validators=tuple(key(f"validator-{i}") for i in range(config.validators)),
    )
