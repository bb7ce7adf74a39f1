"""The fields of a message: how each is written, read and described. One table serves all three.

A field has exactly one way to be written, so that equal messages are equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostrom.codec import INTEGER_MAX, Document, address_bytes, checksum_address, is_address
from ostrom.types import Address, Digest

_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)
_AMOUNT = re.compile("0|[1-9][0-9]{0,77}", re.ASCII)
_AMOUNT_MAX = (1 << 256) - 1


@dataclass(frozen=True)
class Field:
    """One kind of field.

    `read` gives None for what the field cannot hold; `meaning` says in words what it can.
    `schema` says the same in JSON Schema (https://json-schema.org/draft/2020-12/schema).
    """

    meaning: str
    schema: Mapping[str, Any]
    read: Callable[[Document], Any]
    write: Callable[[Any], Document]


def number(least: int, most: int) -> Field:
    """An integer from `least` to `most`.

    >>> number(27, 28).read(27), number(27, 28).read(True), number(27, 28).read(29)
    (27, None, None)
    """

    def read(value: Document) -> int | None:
        return value if type(value) is int and least <= value <= most else None

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Field(f"an integer of {least} to {most}", schema, read, int)


def _read_digest(value: Document) -> Digest | None:
    return bytes.fromhex(value) if isinstance(value, str) and _DIGEST.fullmatch(value) else None


def _read_address(value: Document) -> Address | None:
    if not isinstance(value, str) or not is_address(value):
        return None
    return Address(value) if checksum_address(address_bytes(Address(value))) == value else None


def _read_amount(value: Document) -> int | None:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        return None
    return int(value) if int(value) <= _AMOUNT_MAX else None


NUMBER = number(0, INTEGER_MAX)
ROUND = number(1, (1 << 32) - 1)
BYTE = number(0, 255)

DIGEST = Field(
    "64 lower-case hexadecimal digits",
    {"type": "string", "pattern": f"^{_DIGEST.pattern}$"},
    _read_digest,
    bytes.hex,
)
"""32 bytes."""

ADDRESS = Field(
    "an address with its EIP-55 checksum",
    {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
    _read_address,
    str,
)

AMOUNT = Field(
    "a decimal string of 0 to 2**256 - 1",
    {"type": "string", "pattern": f"^({_AMOUNT.pattern})$"},
    _read_amount,
    str,
)
"""Money exceeds what JSON's integers hold."""
