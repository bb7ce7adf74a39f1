from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.chain.wallet import commit_digest, recover, simulation_key
from ostrom.codec import decode_document, encode_document
from ostrom.errors import CodecError
from ostrom.node.relay.fields import ADDRESS, AMOUNT, DIGEST, Field
from ostrom.node.relay.messages import (
    FORMS,
    KINDS,
    MESSAGE_BYTES_MAX,
    CommitMessage,
    Message,
    decode_message,
    encode_message,
    kind_of,
    signature_of,
)
from ostrom.node.relay.openapi import message_schema

ADDRESSES = st.integers(0, 50).map(lambda i: simulation_key(0, str(i)).address)


def values(field: Field) -> st.SearchStrategy[Any]:
    """Everything that a field can hold."""
    if field is DIGEST:
        return st.binary(min_size=32, max_size=32)
    if field is ADDRESS:
        return ADDRESSES
    if field is AMOUNT:
        return st.integers(0, 2**256 - 1)
    return st.integers(field.schema["minimum"], field.schema["maximum"])


def messages() -> st.SearchStrategy[Message]:
    return st.one_of(
        st.builds(KINDS[kind], **{name: values(field) for name, field in form.items()})
        for kind, form in FORMS.items()
    )


@given(messages())
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_and_written_again_alike(message: Message) -> None:
    data = encode_message(message)
    assert decode_message(data) == message
    assert len(data) <= MESSAGE_BYTES_MAX
    document = decode_document(data)
    assert set(document) == set(message_schema(kind_of(message))["properties"])


@given(messages(), st.data())
@settings(max_examples=500, deadline=None)
def test_a_changed_byte_is_another_message_or_none(message: Message, data: Any) -> None:
    written = encode_message(message)
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.integers(1, 255))
    changed = written[:place] + bytes([written[place] ^ other]) + written[place + 1 :]
    try:
        found = decode_message(changed)
    except CodecError:
        return
    assert found != message
    assert encode_message(found) == changed


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_too_many_or_too_few_is_named(kind: str) -> None:
    document = example(kind)
    for name in document:
        less = {key: value for key, value in document.items() if key != name}
        with pytest.raises(CodecError, match="kind is one of" if name == "kind" else name):
            decode_message(encode_document(less))
    with pytest.raises(CodecError, match="no field 'extra'"):
        decode_message(encode_document(document | {"extra": 1}))


WRONG: list[Any] = [
    None,
    True,
    False,
    -1,
    1 << 53,
    1.5,
    "",
    "0",
    "x",
    [],
    {},
    "00" * 32,
    "0x" + "ab" * 20,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_another_type_is_named_with_what_it_must_be(kind: str) -> None:
    document = example(kind)
    for name, field in FORMS[kind].items():
        for value in WRONG:
            if field.read(value) is not None:
                continue
            try:
                data = encode_document(document | {name: value})
            except CodecError:
                continue
            with pytest.raises(CodecError, match=f"the field {name} of a {kind} must be"):
                decode_message(data)


def test_one_message_has_one_form() -> None:
    data = encode_document(example("commit"))
    for other in (
        data.replace(b":", b": "),
        data + b"\n",
        data.replace(b'"round":1', b'"round":1.0'),
        data.replace(b'"round":1', b'"round":1,"round":1'),
        data.replace(b"ab", b"AB"),
        b"\xef\xbb\xbf" + data,
    ):
        assert other != data
        with pytest.raises(CodecError):
            decode_message(other)


def test_an_address_without_its_checksum_is_refused() -> None:
    document = example("commit")
    with pytest.raises(CodecError, match="trainer"):
        decode_message(encode_document(document | {"trainer": document["trainer"].lower()}))


def test_a_number_beyond_its_field_cannot_be_written() -> None:
    message = decode_message(encode_document(example("commit")))
    with pytest.raises(CodecError, match="chain"):
        encode_message(CommitMessage(**(vars(message) | {"chain": -1})))


def test_the_signature_of_a_message_is_that_of_its_account(town: Any) -> None:
    for key in town.trainers:
        message = decode_message(town.commit(key))
        assert isinstance(message, CommitMessage)
        digest = commit_digest(
            town.place.domain, town.task_id, round=1, commitment=message.commitment
        )
        assert recover(digest, signature_of(message)) == key.address


def example(kind: str) -> dict[str, Any]:
    """A well-formed document of a kind, with arbitrary content."""
    made = {
        name: "ab" * 32
        if field is DIGEST
        else simulation_key(0, "alice").address
        if field is ADDRESS
        else "1"
        if field is AMOUNT
        else max(1, field.schema["minimum"])
        for name, field in FORMS[kind].items()
    }
    return {"kind": kind, **made}
