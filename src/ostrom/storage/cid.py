"""Content identifiers: what the chain and the store call a piece of content.

A CID here is a CIDv1 (https://github.com/multiformats/cid) of the one kind that Ostrom makes:
base32 in lower case, sha2-256, codec `raw` (a block of plain bytes) or `dag-pb` (a node that links
blocks). Every such CID is 59 characters, so one digest and a codec name it and nothing else does.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Literal, TypeAlias

from ostrom.errors import InputError
from ostrom.types import Cid, Digest

Codec: TypeAlias = Literal["raw", "dag-pb"]

CODEC_CODES: dict[Codec, int] = {"raw": 0x55, "dag-pb": 0x70}
CODEC_NAMES: dict[int, Codec] = {code: name for name, code in CODEC_CODES.items()}

CID_BYTES = 36
_CID_CHARACTERS = 59
_DIGEST_BYTES = 32
_SHA2_256 = bytes((0x12, _DIGEST_BYTES))
_CID_SHAPE = re.compile(r"b[a-z2-7]{58}", re.ASCII)
_SHOWN_CHARACTERS = 64


def parse_cid(text: str) -> Cid:
    """`text` itself if it is a CID that Ostrom makes, so that a CID can also be a file name.

    Raises:
        InputError: anything else: CIDv0, another base, hash or codec, upper case, a path.

    >>> parse_cid("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")[:8]
    'bafkreih'
    >>> parse_cid("../../etc/passwd")
    Traceback (most recent call last):
    ostrom.errors.InputError: not a CID: '../../etc/passwd'; give a CIDv1 in base32, 59 characters
    """
    _checked(text)
    return Cid(text)


@lru_cache(maxsize=1 << 14)
def _checked(text: str) -> bytes:
    """The binary form of a CID; a CID is asked for its parts again and again."""
    if not _CID_SHAPE.fullmatch(text):
        raise InputError(f"not a CID: {_shown(text)}; {_advice(text)}")
    raw = _decoded(text)
    if raw[0] != 1 or raw[1] not in CODEC_NAMES or raw[2:4] != _SHA2_256:
        raise InputError(
            f"cannot use the CID {text}; only CIDv1 of sha2-256 with codec raw or dag-pb is known"
        )
    if _encoded(raw) != text:
        raise InputError(f"not a CID: {_shown(text)}; its last character carries stray bits")
    return raw


def is_cid(text: str) -> bool:
    """True if `parse_cid` accepts `text`.

    >>> is_cid("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
    False
    """
    try:
        parse_cid(text)
    except InputError:
        return False
    return True


def cid_from_digest(digest: Digest, codec: Codec = "raw") -> Cid:
    """The CID of the block whose sha2-256 is `digest` (32 bytes).

    The chain holds only the digest; `codec_for` in `ostrom.storage.dag` tells the codec from the
    content's size.

    Raises:
        InputError: `digest` has not 32 bytes, or the codec is unknown.

    >>> cid_from_digest(bytes(32))[:12]
    'bafkreiaaaaa'
    """
    if len(digest) != _DIGEST_BYTES:
        raise InputError(f"a digest has {_DIGEST_BYTES} bytes, not {len(digest)}")
    if codec not in CODEC_CODES:
        raise InputError(f"unknown codec {codec!r}; choose raw or dag-pb")
    return Cid(_encoded(bytes((1, CODEC_CODES[codec])) + _SHA2_256 + digest))


def digest_of(cid: str) -> Digest:
    """The sha2-256 digest (32 bytes) inside a CID; InputError if it is not one.

    >>> digest_of(cid_from_digest(bytes(range(32)), "dag-pb")) == bytes(range(32))
    True
    """
    return cid_to_bytes(cid)[-_DIGEST_BYTES:]


def codec_of(cid: str) -> Codec:
    """The codec of a CID; InputError if it is not one.

    >>> codec_of("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
    'raw'
    """
    return CODEC_NAMES[cid_to_bytes(cid)[1]]


def cid_to_bytes(cid: str) -> bytes:
    """The binary form of a CID, 36 bytes, as links hold it; InputError if it is not one.

    >>> cid_to_bytes(cid_from_digest(bytes(32)))[:4].hex()
    '01551220'
    """
    return _checked(cid)


def cid_from_bytes(raw: bytes) -> Cid:
    """The CID of a binary form (36 bytes); the inverse of `cid_to_bytes`.

    Raises:
        InputError: not the binary form of a CID that Ostrom makes.

    >>> cid_from_bytes(bytes.fromhex("01551220") + bytes(32)) == cid_from_digest(bytes(32))
    True
    """
    if len(raw) != CID_BYTES:
        raise InputError(f"a binary CID has {CID_BYTES} bytes, not {len(raw)}")
    return parse_cid(_encoded(raw))


def _encoded(raw: bytes) -> str:
    return "b" + base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _decoded(text: str) -> bytes:
    try:
        return base64.b32decode(text[1:].upper() + "======")
    except binascii.Error as error:  # pragma: no cover (the shape was checked)
        raise InputError(f"not a CID: {_shown(text)}; {error}") from None


def _shown(text: str) -> str:
    """A hostile name as one short, printable line."""
    short = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return ascii(short)


def _advice(text: str) -> str:
    if text.startswith("Qm") and len(text) == 46:
        return "this is a CIDv0, convert it to CIDv1 (ipfs cid base32)"
    if len(text) == _CID_CHARACTERS and text != text.lower():
        return "write it in lower case"
    return f"give a CIDv1 in base32, {_CID_CHARACTERS} characters"
