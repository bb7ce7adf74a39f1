from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest

from ostrom import types
from ostrom.chain.artifacts import (
    CONTRACTS,
    artifact,
    decode_answer,
    decode_log,
    decode_refusal,
    encode_call,
    snake_case,
)
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.wallet import simulation_key
from ostrom.codec import keccak, words
from ostrom.errors import CONTRACT_ERROR_NAMES, CONTRACT_ERRORS, ContractError, LedgerError
from ostrom.types import OtherEvent

ALICE = simulation_key(0, "alice").address
EVENT_CLASSES = [each for each in get_args(types.Event) if each is not OtherEvent]


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(LedgerError, match="Token has no function mint"):
        encode_call(Call("Token", ALICE, "mint", (1,)))


@pytest.mark.parametrize("args", [(), (ALICE,), (ALICE, 1, 2), (1, ALICE), (ALICE, -1)])
def test_arguments_that_do_not_fit_are_refused(args: tuple[object, ...]) -> None:
    with pytest.raises(LedgerError, match=r"transfer\(address,uint256\)"):
        encode_call(Call("Token", ALICE, "transfer", args))


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33)])
def test_a_digest_of_another_length_is_refused(digest: bytes) -> None:
    with pytest.raises(LedgerError, match="32 bytes"):
        encode_call(Call("Training", ALICE, "advance", (digest,)))


def test_an_answer_from_an_empty_address_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"Token\.balanceOf at 0x"):
        decode_answer(Call("Token", ALICE, "balanceOf", (ALICE,)), b"")


@pytest.mark.parametrize("topics", [[], [bytes(32)]])
def test_a_log_of_an_unknown_event_is_refused(topics: list[bytes]) -> None:
    with pytest.raises(LedgerError, match="Training logged an event"):
        decode_log("Training", topics, b"")


def test_a_log_cut_short_is_refused() -> None:
    topic = keccak(b"Claimed(bytes32,address,uint256,uint256)")
    with pytest.raises(LedgerError, match="do not decode"):
        decode_log("Training", [topic, bytes(32), bytes(32)], bytes(63))


def test_every_error_of_the_contracts_has_exactly_one_class() -> None:
    declared = {each.name for name in CONTRACTS for each in artifact(name).errors.values()}
    assert sorted(declared) == sorted(CONTRACT_ERROR_NAMES)
    assert len(set(CONTRACT_ERROR_NAMES)) == len(CONTRACT_ERROR_NAMES)
    assert all(issubclass(each, ContractError) for each in CONTRACT_ERRORS.values())


def test_every_error_decodes_to_its_class_with_its_arguments() -> None:
    for name in CONTRACTS:
        for selector, error in artifact(name).errors.items():
            plain = [p for p in error.inputs if p["type"] not in ("string", "bytes")]
            body = words(*[1] * len(error.inputs)) if len(plain) == len(error.inputs) else _text()
            found = decode_refusal(selector + body)
            assert type(found) is CONTRACT_ERRORS[error.name]
            assert str(found).startswith(f"the contract refused: {error.name}(")
            assert len(found.arguments) == len(error.inputs)
            assert "\n" not in str(found)


def test_two_contracts_never_give_one_selector_to_two_errors() -> None:
    texts: dict[bytes, str] = {}
    for name in CONTRACTS:
        for selector, error in artifact(name).errors.items():
            assert texts.setdefault(selector, error.text) == error.text


def test_a_revert_string_and_a_panic_say_their_reason() -> None:
    text = keccak(b"Error(string)")[:4] + words(32, 4) + b"help".ljust(32, b"\0")
    assert str(decode_refusal(text)) == "the contract refused: help"
    panic = keccak(b"Panic(uint256)")[:4] + words(0x11)
    assert str(decode_refusal(panic)) == "the contract panicked with code 0x11"


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xde\xad\xbe\xef" + bytes(64)])
def test_a_refusal_that_nobody_knows_is_still_a_contract_error(data: bytes) -> None:
    assert type(decode_refusal(data)) is ContractError


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda each: each.__name__)
def test_every_event_class_has_the_fields_of_its_solidity_event(event_class: Any) -> None:
    declared = [
        event
        for name in ("Training", "ModelRegistry")
        for event in artifact(name).events.values()
        if event.name == event_class.__name__
    ]
    assert len(declared) == 1
    names = [snake_case(p["name"]) for p in declared[0].inputs]
    assert is_dataclass(event_class)
    assert sorted(names) == sorted(field.name for field in fields(event_class))


def test_a_constructor_encodes_to_the_bytecode_and_its_arguments() -> None:
    data = encode_call(Call("AllowList", NOWHERE, CONSTRUCTOR, (ALICE,)))
    assert data == artifact("AllowList").bytecode + words(ALICE)


def _text() -> bytes:
    return words(32, 1) + b"x".ljust(32, b"\0")
