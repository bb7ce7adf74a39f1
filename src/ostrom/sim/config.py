"""What a simulated federation is made of, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ostrom.errors import InputError
from ostrom.mechanisms import format_mechanisms, only, parse_mechanisms
from ostrom.sim.behaviours import parse_attack
from ostrom.spec import first_line
from ostrom.verification.shapley import EXACT_MAX

POOL = 10_000 * 10**18
TRAINER_STAKE = 100 * 10**18
VALIDATOR_STAKE = 1_000 * 10**18
NUMBER_MAX = (1 << 53) - 1
"""The largest integer that a run's document holds."""


CLIENTS_MAX = 50_000
"""A round's record names every trainer and has at most 16 MiB."""

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "mnist": {"model": "federated_net", "algorithm": "fedavg(epochs=2)"},
    "sentences": {"model": "transformer", "algorithm": "fedavg"},
    "": {"model": "mlp", "algorithm": "fedavg(batch=16,epochs=5,lr=0.1)"},
}
"""What a data set suggests where the user leaves a field open."""

ALGORITHM_RECIPES: Mapping[str, Mapping[str, Any]] = {
    "ridge": {"model": "ridge_features", "aggregation": "sum", "rounds": 1},
    "ridge_tuning": {"model": "ridge_features", "aggregation": "sum"},
    "natural": {"aggregation": "sum"},
    "scaffold": {"aggregation": "mean(weights=equal)"},
    "feddyn": {"aggregation": "mean(weights=equal)"},
}
"""What a local algorithm asks for, before the data set."""


class RunConfig(BaseModel):
    """A federation: its data, its parties, its mechanisms and its seed.

    `skew` is a partition text such as `emphasis(share=0.9)`; `start` is the folder of a run whose
    model this one goes on from; `target` stops the rounds early; `attack` names behaviours such as
    `sign_flip(trainers=2)|silent_validator`; `samples` caps the training images, `holdout` the
    images that each validator scores with; `workers` is the number of training processes and never
    changes the bytes of a run. Model, algorithm, aggregation and rounds follow data set and
    algorithm where they are left open.

    >>> RunConfig(algorithm="ridge").model
    'ridge_features'
    >>> RunConfig(dataset="digits", clients=5).rounds
    10
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = "mnist"
    clients: int = Field(default=10, ge=1, le=CLIENTS_MAX)
    skew: str = "emphasis(share=0.9)"
    rounds: int = Field(default=10, ge=1, le=10_000)
    model: str
    algorithm: str
    aggregation: str = "mean"
    scorer: str = "leave_one_out"
    incentive: str = "proportional"
    validators: int = Field(default=4, ge=1, le=64)
    holdout: int = Field(default=500, ge=1, le=NUMBER_MAX)
    compression: str = "none"
    participation: str = "all"
    target: str = "none"
    start: str | None = None
    attack: str = "none"
    seed: int = Field(default=1, ge=0, le=NUMBER_MAX)
    workers: int | None = Field(default=None, ge=1, le=256)
    samples: int | None = Field(default=None, ge=1, le=NUMBER_MAX)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, fields: Any) -> Any:
        """Fill open fields from the recipes."""
        if not isinstance(fields, Mapping):
            return fields
        by_data = RECIPES.get(str(fields.get("dataset", "mnist")), RECIPES[""])
        algorithm = str(fields.get("algorithm", ""))
        by_algorithm = ALGORITHM_RECIPES.get(algorithm.split("(")[0].strip(), {})
        return {**by_data, **by_algorithm, **fields}

    @field_validator(
        "skew",
        "model",
        "algorithm",
        "aggregation",
        "scorer",
        "incentive",
        "compression",
        "participation",
        "target",
        "attack",
    )
    @classmethod
    def _canonical(cls, text: str) -> str:
        return format_mechanisms(parse_mechanisms(text))

    def model_post_init(self, _: object) -> None:
        """Refuse what no task could hold."""
        parse_attack(self.attack, self.clients, self.validators)
        if only(self.scorer).name == "exact_shapley" and self.clients > EXACT_MAX:
            raise InputError(
                f"exact_shapley takes at most {EXACT_MAX} clients, not {self.clients}: "
                "use gtg_shapley"
            )

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> RunConfig:
        """A config from plain fields.

        Raises:
            InputError: the first field that cannot be, in one line.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InputError(first_line(error)) from None
