"""Documents that say where a node is; strangers write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.codec import encode_document, sha256
from ostrom.errors import InputError
from ostrom.storage.addresses import is_refused
from ostrom.storage.contacts import CONTACT_BYTES_MAX, FORMAT, Contact

GOOD = b'{"format":"ostrom/contact/1","urls":["http://node.example:8550"]}'


def document(**fields: object) -> bytes:
    return encode_document({"format": FORMAT, "urls": ["http://a.example"], **fields})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"http://a.example"',
        GOOD + b" ",
        GOOD[:-1],
        b"\xff" * 10,
        b'{"urls":["http://a.example"],"format":"ostrom/contact/1"}',
        encode_document({"format": FORMAT}),
        encode_document({"format": "ostrom/contact/2", "urls": ["http://a.example"]}),
        document(urls=[]),
        document(urls="http://a.example"),
        document(urls=[7]),
        document(urls=[None]),
        document(urls={"a": "http://a.example"}),
        document(urls=[f"http://{i}.a.example" for i in range(5)]),
        document(urls=["http://a.example", "http://a.example"]),
        document(urls=["HTTP://a.example"]),
        document(urls=["http://a.example/"]),
        document(urls=["http://a.example:80"]),
        document(urls=["ftp://a.example"]),
        document(urls=["http://user:pass@a.example"]),
        document(urls=["http://a.example/?x=1"]),
        document(urls=["http://0x7f000001"]),
        document(urls=["http://a.example/" + "x" * 300]),
        document(more=1),
        b"[" * 1_000 + b"]" * 1_000,
    ],
)
def test_what_is_no_contact_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError) as raised:
        Contact.decode(data)
    assert "\n" not in str(raised.value)


def test_a_long_document_is_not_even_parsed() -> None:
    with pytest.raises(InputError, match="at most"):
        Contact.decode(b" " * (CONTACT_BYTES_MAX + 1))


def test_a_contact_is_named_by_the_digest_of_its_one_form() -> None:
    contact = Contact.of(["HTTP://Node.example:8550/"])
    assert contact.encode() == GOOD
    assert contact.digest == sha256(GOOD)
    assert Contact.decode(GOOD) == contact


@given(st.lists(st.integers(1024, 65535), min_size=1, max_size=4, unique=True))
def test_any_contact_is_read_as_it_was_written(ports: list[int]) -> None:
    contact = Contact.of([f"http://127.0.0.1:{port}" for port in ports])
    assert Contact.decode(contact.encode()) == contact
    assert len(contact.encode()) < CONTACT_BYTES_MAX


@given(st.binary(max_size=200))
def test_any_bytes_are_a_contact_or_refused(data: bytes) -> None:
    with suppress(InputError):
        assert Contact.decode(data).encode() == data


@pytest.mark.parametrize(
    ("url", "private", "public"),
    [
        ("http://127.0.0.1:8550", False, True),
        ("http://10.1.2.3", False, True),
        ("http://169.254.169.254", True, True),
        ("http://[::1]:8550", False, True),
        ("http://8.8.8.8", False, False),
        ("http://peer.example", False, False),
    ],
)
def test_addresses_that_show_what_they_are_are_refused_unresolved(
    url: str, private: bool, public: bool
) -> None:
    assert is_refused(url, allow_private=True) is private
    assert is_refused(url, allow_private=False) is public
