"""The file that says where a model of the coupled mode lives, and what made it."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ostrom.errors import CodecError, InputError

if TYPE_CHECKING:
    from ostrom.types import Address

FORMAT = "ostrom/collab/1"
TEXT_MAX = 1_000

_Account = Field(pattern=r"^0x[0-9a-fA-F]{40}$")


class Incentive(StrEnum):
    """What makes people give good data."""

    DEPOSIT = "deposit"
    POINTS = "points"
    MARKET = "market"


@dataclass(frozen=True)
class Collab:
    """A model and its trainer on a chain.

    `block` is the first that can hold events of theirs; `kind` and `encoder` are canonical texts;
    `classes` and `features` are those of the deployment.
    """

    chain_id: int
    block: int
    incentive: Incentive
    kind: str
    encoder: str
    classes: int
    features: int
    model: Address
    trainer: Address

    def encode(self) -> bytes:
        """The canonical document."""
        from ostrom.codec import encode_document

        return encode_document(
            {
                "format": FORMAT,
                "chain": self.chain_id,
                "block": self.block,
                "incentive": self.incentive.value,
                "kind": self.kind,
                "encoder": self.encoder,
                "classes": self.classes,
                "features": self.features,
                "model": self.model,
                "trainer": self.trainer,
            }
        )


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal["ostrom/collab/1"]
    chain: int = Field(ge=0)
    block: int = Field(ge=0)
    incentive: Literal["deposit", "points", "market"]
    kind: str = Field(max_length=TEXT_MAX)
    encoder: str = Field(max_length=TEXT_MAX)
    classes: int = Field(ge=1, le=255)
    features: int = Field(ge=1, le=65_535)
    model: str = _Account
    trainer: str = _Account


def read_collab(path: Path) -> Collab:
    """What a file names. Canonical form is not asked for: people may write one.

    Raises:
        InputError: the file cannot be read, or names no such model.
    """
    from ostrom.codec import DOCUMENT_BYTES_MAX, parse_json
    from ostrom.spec import first_line

    try:
        with path.open("rb") as stream:
            found = _File.model_validate(parse_json(stream.read(DOCUMENT_BYTES_MAX)))
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the file that ostrom collab deploy wrote"
        ) from None
    except CodecError:
        raise InputError(f"{path} names no model on a chain: it is not JSON") from None
    except ValidationError as error:
        raise InputError(f"{path} names no model on a chain: {first_line(error)}") from None
    return Collab(
        chain_id=found.chain,
        block=found.block,
        incentive=Incentive(found.incentive),
        kind=found.kind,
        encoder=found.encoder,
        classes=found.classes,
        features=found.features,
        model=_checksummed(found.model),
        trainer=_checksummed(found.trainer),
    )


def write_whole(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file, all of it or nothing; a `secret` one is its owner's alone.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            handle = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666
            )
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _checksummed(text: str) -> Address:
    from ostrom.codec import address_bytes, checksum_address
    from ostrom.types import Address

    return checksum_address(address_bytes(Address(text)))
