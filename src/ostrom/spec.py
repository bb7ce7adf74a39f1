"""The spec: the canonical document that says what every party of a task computes.

A task's parameters hold the spec's digest, so nobody can change it later. It names the model, the
local algorithm, the aggregation pipeline, the checks, the scorer and the incentive by canonical
text, and pins the code that settles rounds by hash: what is named must be installed locally, and
nothing is ever loaded from the chain or the store.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ostrom.codec import Document, decode_document, encode_document, sha256
from ostrom.errors import InputError

EXACT_CODE = (
    "codec",
    "growing",
    "mechanisms",
    "protocol",
    "tensors",
    "aggregation",
    "compression",
    "faults",
    "incentives",
    "updates",
    "verification",
    "participation",
    "targets",
    "records",
    "settlement",
)
"""The modules and packages that a validator recomputes a round with."""


UPDATE_LENGTH_MAX = 1 << 31

Shape = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1 << 31)], ...], Field(min_length=1, max_length=4)
]


class Spec(BaseModel):
    """What a task computes.

    `shape` is one sample's shape, `parameters` the length of the model vector; an update holds
    tensors of the shapes in `layout`, one after the other, as `dtype`. `validators_bps` is the
    validators' share of a round's budget.

    >>> Spec.decode(example().encode()) == example()
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["ostrom/spec/1"] = "ostrom/spec/1"
    model: str
    shape: Shape
    classes: int = Field(ge=2, le=100_000)
    parameters: int = Field(ge=1, le=1 << 31)
    layout: tuple[Shape, ...] = Field(min_length=1, max_length=256)
    dtype: Literal["int32", "int64"] = "int32"
    fraction_bits: int = Field(default=20, ge=0, le=30)
    algorithm: str
    aggregation: str
    checks: str = "range(abs=64)|norm(max=100)|duplicate"
    scorer: str = "leave_one_out"
    incentive: str = "proportional"
    compression: str = "none"
    participation: str = "all"
    target: str = "none"
    privacy: str = "none"
    samples_max: int = Field(default=1_000_000, ge=1, le=1 << 30)
    validators_bps: int = Field(default=1_000, ge=0, le=10_000)
    code: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _bound_update(self) -> Spec:
        if self.update_length > UPDATE_LENGTH_MAX:
            raise ValueError(f"layout: an update has at most {UPDATE_LENGTH_MAX} integers")
        return self

    @property
    def update_length(self) -> int:
        """The number of integers in an update."""
        return sum(math.prod(shape) for shape in self.layout)

    def encode(self) -> bytes:
        """The canonical document."""
        return encode_document(self.model_dump(mode="json"))

    @classmethod
    def decode(cls, data: bytes) -> Spec:
        """Read a spec.

        Raises:
            CodecError: the bytes are no canonical document.
            InputError: the document is no spec that this version understands.
        """
        document: Document = decode_document(data)
        try:
            return cls.model_validate(_tuples(document))
        except ValidationError as error:
            raise InputError(f"not a spec: {first_line(error)}") from None


def _tuples(document: Document) -> Document:
    """The document with tuples for the lists in its fields, as a frozen spec holds them."""
    if not isinstance(document, dict):
        return document
    return {name: _tuple(value) for name, value in document.items()}


def _tuple(value: Document) -> Document:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def first_line(error: ValidationError) -> str:
    """The first fault that pydantic found, in one line: which field, and what is wrong."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"]) or "document"
    return f"{place}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


@cache
def installed_code() -> str:
    """The sha2-256, in hexadecimal, over the sources that settle a round on this machine."""
    root = resources.files("ostrom")
    hashes: list[str] = []
    for name in EXACT_CODE:
        place = root / name
        files = sorted(place.iterdir(), key=lambda f: f.name) if place.is_dir() else []
        for file in files or [root / f"{name}.py"]:
            if file.name.endswith(".py"):
                hashes.append(f"{name}/{file.name}:{sha256(file.read_bytes()).hex()}")
    return sha256("\n".join(hashes).encode()).hex()


def example() -> Spec:
    """A small spec, for documentation and tests."""
    return Spec(
        model="logistic",
        shape=(8, 8),
        classes=10,
        parameters=650,
        layout=((10, 64), (10,)),
        algorithm="fedavg(epochs=1)",
        aggregation="mean",
        code=installed_code(),
    )
