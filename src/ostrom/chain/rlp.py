"""RLP, Ethereum's encoding of byte strings and lists (yellow paper, B): writing only."""

from __future__ import annotations


def rlp_string(data: bytes) -> bytes:
    """RLP of a byte string (yellow paper, B).

    >>> rlp_string(b"dog")
    b'\\x83dog'
    """
    if len(data) == 1 and data[0] < 0x80:
        return data
    return _headed(data, 0x80)


def rlp_integer(value: int) -> bytes:
    """RLP of a number that is not negative.

    >>> rlp_integer(1024)
    b'\\x82\\x04\\x00'
    """
    return rlp_string(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rlp_list(items: list[bytes]) -> bytes:
    """RLP of a list whose items are encoded already.

    >>> rlp_list([rlp_string(b"cat"), rlp_string(b"dog")])
    b'\\xc8\\x83cat\\x83dog'
    """
    return _headed(b"".join(items), 0xC0)


def _headed(body: bytes, kind: int) -> bytes:
    if len(body) < 56:
        return bytes([kind + len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([kind + 55 + len(length)]) + length + body
