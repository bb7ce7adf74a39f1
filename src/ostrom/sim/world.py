"""All that a config determines before the first block: data, parties, model and spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ostrom.aggregation import pipeline
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import sha256
from ostrom.data import Dataset, Share, Split, deal, load_dataset, split
from ostrom.errors import InputError
from ostrom.incentives import incentive
from ostrom.sim.config import RunConfig
from ostrom.spec import Spec, installed_code
from ostrom.tensors import FRACTION_BITS, quantise
from ostrom.training import Model, build_model, local_algorithm, losses
from ostrom.types import Address, Digest, IntVector
from ostrom.verification import scorer
from ostrom.verification.scorers import Parameters, Value


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
    initial: IntVector
    parts: Split
    shares: tuple[Share, ...]
    holdouts: tuple[Dataset, ...]
    keys: Keys

    @property
    def trainers(self) -> dict[Address, int]:
        """Each trainer's index by its address."""
        return {key.address: i for i, key in enumerate(self.keys.trainers)}

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
    shares = deal(config.skew, parts, n=config.clients, rng=stream())
    shape, classes = parts.train.shape, parts.train.classes
    model = build_model(config.model, shape=shape, classes=classes)
    return World(
        config=config,
        spec=_spec(config, model),
        model=model,
        initial=quantise(model.initial(config.seed)),
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


def _spec(config: RunConfig, model: Model) -> Spec:
    algorithm = local_algorithm(config.algorithm)
    incentive(config.incentive)
    scorer(config.scorer)
    whole = algorithm.dtype == "int64"
    return Spec(
        model=model.text,
        shape=model.shape,
        classes=model.classes,
        parameters=model.parameters,
        update_length=algorithm.length(model),
        dtype="int64" if whole else "int32",
        fraction_bits=FRACTION_BITS,
        algorithm=algorithm.text,
        aggregation=pipeline(_aggregation(config, model)).text,
        # Statistics grow with the data; only a change of the model has a natural bound.
        checks="duplicate" if whole else "range(abs=64)|norm(max=100)|duplicate",
        scorer=config.scorer,
        incentive=config.incentive,
        code=installed_code(),
    )


def _aggregation(config: RunConfig, model: Model) -> str:
    """The pipeline's text; summed statistics are solved for the model that they belong to."""
    if not config.algorithm.startswith("ridge") or "ridge_solve" in config.aggregation:
        return config.aggregation
    features = model.parameters // model.classes
    return f"{config.aggregation}|ridge_solve(classes={model.classes},features={features})"


def holdout_value(model: Model, holdout: Dataset, *, workers: int) -> Value:
    """How a validator rates models: minus their mean loss on its own holdout."""

    def value(parameters: Parameters) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return -losses(model, parameters, holdout, workers=workers)

    return value
