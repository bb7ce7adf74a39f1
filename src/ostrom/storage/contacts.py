"""Contacts: where an account's node is reached, as a document whose digest the account registers.

The chain holds 32 bytes for each account; the document that they name is content like any other, so
nobody can change it and anybody may hand it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ostrom.codec import decode_document, encode_document
from ostrom.errors import CodecError, InputError
from ostrom.storage.addresses import parse_url
from ostrom.storage.cid import digest_of
from ostrom.storage.dag import cid_of
from ostrom.types import Cid, Digest

FORMAT = "ostrom/contact/1"
CONTACT_BYTES_MAX = 2_048
URLS_MAX = 4


@dataclass(frozen=True)
class Contact:
    """Where one node is reached. `urls` are in their one form, the one that it goes by first.

    Threat answered: documents that are large, malformed, or name what is no peer's address.
    Not answered: an address where another's node is, or nobody's; what it gives is verified anyway.

    >>> contact = Contact.of(["http://Node.example:8550/"])
    >>> contact.encode()
    b'{"format":"ostrom/contact/1","urls":["http://node.example:8550"]}'
    >>> Contact.decode(contact.encode()) == contact
    True
    """

    urls: tuple[str, ...]

    @classmethod
    def of(cls, urls: Sequence[str]) -> Contact:
        """A contact with these addresses, as people write them.

        Raises:
            InputError: none or more than four, twice the same, or one that is no peer's.
        """
        if not 1 <= len(urls) <= URLS_MAX:
            raise InputError(f"a contact has 1 to {URLS_MAX} addresses, not {len(urls)}")
        found = tuple(str(parse_url(url)) for url in urls)
        if len(set(found)) != len(found):
            raise InputError("a contact names each address once")
        return cls(found)

    @classmethod
    def decode(cls, data: bytes) -> Contact:
        """The contact that these bytes are, which a stranger wrote.

        Raises:
            InputError: they are not the canonical form of any.
        """
        try:
            found = decode_document(data, max_bytes=CONTACT_BYTES_MAX)
        except CodecError as error:
            raise InputError(f"no contact: {error}") from None
        urls = found.get("urls") if isinstance(found, dict) else None
        if not isinstance(urls, list) or found != {"format": FORMAT, "urls": urls}:
            raise InputError(f"no contact: it is no {FORMAT} with addresses alone")
        if not all(isinstance(url, str) for url in urls):
            raise InputError("no contact: an address is a text")
        made = cls.of(urls)
        if made.urls != tuple(urls):
            raise InputError("no contact: an address is not in its one form")
        return made

    def encode(self) -> bytes:
        """The canonical document."""
        document = {"format": FORMAT, "urls": list(self.urls)}
        return encode_document(document, max_bytes=CONTACT_BYTES_MAX)

    @property
    def cid(self) -> Cid:
        """The document's CID."""
        return cid_of(self.encode())

    @property
    def digest(self) -> Digest:
        """What the account registers: the sha2-256 of the document."""
        return digest_of(self.cid)
