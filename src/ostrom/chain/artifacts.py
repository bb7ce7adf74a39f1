"""The compiled contracts: how calls, answers, events and errors are written as bytes.

Solidity ABI specification: https://docs.soliditylang.org/en/v0.8.28/abi-spec.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError

from ostrom import types
from ostrom.chain.ledger import CONSTRUCTOR, Call
from ostrom.codec import checksum_address, keccak
from ostrom.errors import CONTRACT_ERRORS, ContractError, LedgerError, describe
from ostrom.types import Event, OtherEvent, Phase, Result, Role, TaskParams

OF_TASKS = ("Token", "AllowList", "Registry", "ModelRegistry", "Training")
"""Contracts of the round protocol: their events are types of their own."""

CONTRACTS = (
    *OF_TASKS,
    "SparsePerceptron",
    "DensePerceptron",
    "NaiveBayes",
    "NearestCentroid",
    "SparseNearestCentroid",
    "KMeans",
    "DepositRefundTake",
    "Points",
    "Sponsor",
    "Market",
    "Recovery",
)
"""The others are the coupled mode's: models that learn in a contract, and who pays for data."""

_Parameter = Mapping[str, Any]
"""A parameter as an ABI lists it: its name, type, and components if it is a struct."""

_ENUMS: dict[str, Any] = {"role": Role, "phase": Phase}
_STRUCTS: dict[str, Any] = {"params": TaskParams, "result": Result}

_ERROR_STRING = keccak(b"Error(string)")[:4]
_PANIC = keccak(b"Panic(uint256)")[:4]
_HOLE = b"\x7f" + bytes(32)
_INVALID = 0xFE
"""solc puts this opcode between the code that creates and the code that is created."""


@dataclass(frozen=True)
class Signature:
    """A function, event or error: its name, its parameters and what it returns."""

    name: str
    inputs: tuple[_Parameter, ...]
    outputs: tuple[_Parameter, ...] = ()

    @property
    def text(self) -> str:
        """The canonical signature, such as `advance(bytes32)`."""
        return f"{self.name}({','.join(abi_type(p) for p in self.inputs)})"


@dataclass(frozen=True)
class Artifact:
    """A compiled contract. Functions by name, events by first topic, errors by selector."""

    name: str
    bytecode: bytes
    functions: Mapping[str, Signature]
    events: Mapping[bytes, Signature]
    errors: Mapping[bytes, Signature]


@cache
def artifact(name: str) -> Artifact:
    """The contract of that name as the package ships it."""
    text = resources.files("ostrom.chain").joinpath("abi", f"{name}.json").read_text("utf-8")
    return read_artifact(name, json.loads(text))


def read_artifact(name: str, data: Mapping[str, Any]) -> Artifact:
    """An artifact from solc's output: `abi` and `bytecode` in hexadecimal."""
    found: dict[str, list[Signature]] = {"function": [], "event": [], "error": []}
    for entry in data["abi"]:
        kind = "function" if entry["type"] == CONSTRUCTOR else entry["type"]
        inputs, outputs = tuple(entry.get("inputs", ())), tuple(entry.get("outputs", ()))
        if kind in found:
            found[kind].append(Signature(entry.get("name", CONSTRUCTOR), inputs, outputs))
    return Artifact(
        name=name,
        bytecode=bytes.fromhex(data["bytecode"].removeprefix("0x")),
        functions={CONSTRUCTOR: Signature(CONSTRUCTOR, ())}
        | {each.name: each for each in found["function"]},
        events={keccak(each.text.encode()): each for each in found["event"]},
        errors={keccak(each.text.encode())[:4]: each for each in found["error"]},
    )


def abi_type(parameter: _Parameter) -> str:
    """The canonical type of a parameter, structs written out as tuples."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(abi_type(each) for each in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


@cache
def _selector(contract: str, function: str) -> bytes:
    return keccak(_function(contract, function).text.encode())[:4]


def _function(contract: str, function: str) -> Signature:
    try:
        return artifact(contract).functions[function]
    except KeyError:
        raise LedgerError(f"the contract {contract} has no function {function}") from None


def encode_call(call: Call) -> bytes:
    """The calldata of a call, or the creation code of a constructor.

    Raises:
        LedgerError: the arguments do not fit the function.
    """
    function = _function(call.contract, call.function)
    if len(call.args) != len(function.inputs):
        raise LedgerError(f"{function.text} takes {len(function.inputs)} arguments")
    try:
        values = [_written(p, value) for p, value in zip(function.inputs, call.args)]
        body = abi_encode([abi_type(p) for p in function.inputs], values)
    except (EncodingError, TypeError, ValueError) as error:
        raise LedgerError(f"cannot encode the arguments of {function.text}: {error}") from None
    if call.function == CONSTRUCTOR:
        return artifact(call.contract).bytecode + body
    return _selector(call.contract, call.function) + body


def decode_answer(call: Call, data: bytes) -> Any:
    """What a view returned: a value, a tuple of several, or a dict for a struct.

    Raises:
        LedgerError: the bytes do not fit the function, as when no contract is at the address.
    """
    outputs = _function(call.contract, call.function).outputs
    values = _decode(outputs, data, f"{call.contract}.{call.function} at {call.address}")
    return values[0] if len(values) == 1 else values


def decode_log(contract: str, topics: Sequence[bytes], data: bytes) -> Event:
    """The event that a log of `contract` holds.

    Raises:
        LedgerError: the contract has no such event.
    """
    event = artifact(contract).events.get(topics[0] if topics else b"")
    if event is None:
        raise LedgerError(f"{contract} logged an event that its ABI does not hold")
    indexed = [p for p in event.inputs if p["indexed"]]
    other = [p for p in event.inputs if not p["indexed"]]
    values = _decode(indexed, b"".join(topics[1:]), event.text) + _decode(other, data, event.text)
    found = {p["name"]: value for p, value in zip(indexed + other, values)}
    return _event(contract, event.name, {p["name"]: found[p["name"]] for p in event.inputs})


def decode_refusal(data: bytes) -> ContractError:
    """The error that reverted a call, from its return data.

    >>> str(decode_refusal(b""))
    'the contract refused the call without a reason'
    """
    selector, body = data[:4], data[4:]
    if not data:
        return ContractError("the contract refused the call without a reason")
    for name in CONTRACTS:
        error = artifact(name).errors.get(selector)
        if error is not None:
            values = _decode(error.inputs, body, error.text)
            keys = [snake_case(p["name"]) or f"argument_{i}" for i, p in enumerate(error.inputs)]
            return _refusal(error.name, dict(zip(keys, values)))
    if selector == _ERROR_STRING:
        (reason,) = abi_decode(["string"], body)
        return ContractError(f"the contract refused: {reason}")
    if selector == _PANIC:
        return ContractError(f"the contract panicked with code 0x{body.hex().lstrip('0') or '0'}")
    return ContractError(f"the contract refused with unknown data 0x{data[:36].hex()}")


def is_code_of(contract: str, code: bytes) -> bool:
    """True if `code` at an address is that of the named contract, its immutables aside.

    Answers to the threat of another contract behind a familiar interface. What the immutables hold
    is not checked: ask the views. The creation code must end with the code it creates, which holds
    for all contracts but the token.
    """
    start = len(artifact(contract).bytecode) - len(code)
    if not code or start <= 0 or artifact(contract).bytecode[start - 1] != _INVALID:
        return False
    return _fills(artifact(contract).bytecode[start:], code)


def _fills(template: bytes, code: bytes) -> bool:
    """True if `code` is `template` with its holes, pushes of 32 zero bytes, filled in."""
    at = 0
    for piece in template.split(_HOLE):
        if at and code[at - len(_HOLE)] != _HOLE[0]:
            return False
        if code[at : at + len(piece)] != piece:
            return False
        at += len(piece) + len(_HOLE)
    return at - len(_HOLE) == len(code)


def snake_case(name: str) -> str:
    """A Solidity name as Python writes it.

    >>> snake_case("chunkRoot"), snake_case("_owner")
    ('chunk_root', 'owner')
    """
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().strip("_")


def _refusal(name: str, arguments: Mapping[str, object]) -> ContractError:
    shown = {key: _shown(value) for key, value in arguments.items()}
    return CONTRACT_ERRORS.get(name, ContractError)(describe(name, shown), arguments)


def _shown(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    word = value.rstrip(b"\0")
    return word.decode() if word.isalnum() and len(word) < len(value) else f"0x{value.hex()}"


def _event(contract: str, name: str, arguments: Mapping[str, Any]) -> Event:
    plain = {snake_case(key): value for key, value in arguments.items()}
    event_class: Any = getattr(types, name, None)
    if event_class is None or contract not in OF_TASKS:
        return OtherEvent(contract, name, plain)
    for key in _ENUMS.keys() & plain.keys():
        plain[key] = _ENUMS[key](plain[key])
    for key in _STRUCTS.keys() & plain.keys():
        plain[key] = _STRUCTS[key](**plain[key])
    return cast(Event, event_class(**plain))


def _decode(parameters: Sequence[_Parameter], data: bytes, where: str) -> tuple[Any, ...]:
    try:
        values = abi_decode([abi_type(p) for p in parameters], data)
    except DecodingError as error:
        raise LedgerError(f"{where} gave bytes that do not decode: {error}") from None
    return tuple(_read(p, value) for p, value in zip(parameters, values))


def _read(parameter: _Parameter, value: Any) -> Any:
    """A decoded value as Python likes it: checksummed addresses, dicts for structs."""
    kind = parameter["type"]
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return tuple(_read(inner, each) for each in value)
    if kind == "tuple":
        components = parameter["components"]
        return {snake_case(c["name"]): _read(c, each) for c, each in zip(components, value)}
    return checksum_address(bytes.fromhex(value[2:])) if kind == "address" else value


def _written(parameter: _Parameter, value: Any) -> Any:
    """A value as the ABI encoder takes it: tuples for structs, byte strings of exact length."""
    kind = parameter["type"]
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_written(inner, each) for each in value]
    if kind == "tuple":
        components = parameter["components"]
        names = [snake_case(c["name"]) for c in components]
        parts = [getattr(value, name) for name in names] if is_dataclass(value) else list(value)
        if len(parts) != len(components):
            raise ValueError(f"a struct of {len(components)} fields, not {len(parts)}")
        return tuple(_written(c, part) for c, part in zip(components, parts))
    if kind == "bytes32" and len(value) != 32:
        raise ValueError(f"a digest has 32 bytes, not {len(value)}")
    return value
