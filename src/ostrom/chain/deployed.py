"""The file that says where a network is: its chain, its contracts, and the block they begin at."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ostrom.chain.deployment import Deployment
from ostrom.codec import (
    DOCUMENT_BYTES_MAX,
    INTEGER_MAX,
    address_bytes,
    checksum_address,
    encode_document,
    parse_json,
)
from ostrom.errors import CodecError, InputError
from ostrom.spec import first_line
from ostrom.types import Address

_Account = Field(pattern=r"^0x[0-9a-fA-F]{40}$")


@dataclass(frozen=True)
class Deployed:
    """A network: `block` is the first that can hold events of its contracts."""

    chain_id: int
    block: int
    contracts: Deployment

    def encode(self) -> bytes:
        """The canonical document."""
        return encode_document(
            {
                "format": "ostrom/deployment/1",
                "chain": self.chain_id,
                "block": self.block,
                "contracts": self.contracts.addresses,
            }
        )


class _Contracts(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    token: str = _Account
    registry: str = _Account
    models: str = _Account
    training: str = _Account


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal["ostrom/deployment/1"]
    chain: int = Field(ge=0, le=INTEGER_MAX)
    block: int = Field(ge=0, le=INTEGER_MAX)
    contracts: _Contracts


def read_deployed(path: Path) -> Deployed:
    """The network that a file names. Canonical form is not asked for: people may write one.

    Raises:
        InputError: the file cannot be read, or names no network.
    """
    try:
        with path.open("rb") as stream:
            found = _File.model_validate(parse_json(stream.read(DOCUMENT_BYTES_MAX)))
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the file that ostrom deploy wrote"
        ) from None
    except CodecError:
        raise InputError(f"{path} names no network: it is not JSON") from None
    except ValidationError as error:
        raise InputError(f"{path} names no network: {first_line(error)}") from None
    addresses = {
        name: checksum_address(address_bytes(Address(text)))
        for name, text in found.contracts.model_dump().items()
    }
    return Deployed(found.chain, found.block, Deployment.at(addresses))


def need_writable(path: Path) -> None:
    """Refuse before anything is paid for, where the file could not be written in the end.

    Raises:
        InputError: that is so.
    """
    probe = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        probe.open("xb").close()
        probe.unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def write_deployed(path: Path, deployed: Deployed) -> None:
    """Write the file, all of it or nothing.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            with temporary.open("xb") as stream:
                stream.write(deployed.encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
