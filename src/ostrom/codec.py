"""Canonical forms: hashes, documents, Merkle trees.

This is the only module that hashes bytes.

Documents are canonical JSON, the part of RFC 8785 (JCS, https://www.rfc-editor.org/rfc/rfc8785)
that needs no floats: objects with sorted keys, arrays, strings, integers within +-(2**53 - 1),
booleans and null, no white space, UTF-8. One value has one encoding, so a digest names a value.
Amounts of money exceed 2**53 and are written as decimal strings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, TypeAlias

from Crypto.Hash import keccak as _keccak

from ostrom.errors import CodecError
from ostrom.types import Address, Digest

Document: TypeAlias = Any
"""What JSON can say without floats."""

DOCUMENT_BYTES_MAX = 1 << 20
"""One raw block, so that a document's digest alone names its CID; records may be longer."""

INTEGER_MAX = (1 << 53) - 1

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
DEPTH_MAX = 32


def sha256(data: bytes | memoryview) -> Digest:
    """The sha2-256 digest of `data` (FIPS 180-4).

    >>> sha256(b"").hex()[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(data).digest()


def keccak(data: bytes | memoryview) -> Digest:
    """The keccak-256 digest of `data`, as the EVM computes it (not SHA3-256).

    >>> keccak(b"").hex()[:16]
    'c5d2460186f7233c'
    """
    return _keccak.new(digest_bits=256, data=bytes(data)).digest()


@lru_cache(maxsize=1 << 15)
def checksum_address(raw: bytes) -> Address:
    """The EIP-55 text of a 20-byte account (https://eips.ethereum.org/EIPS/eip-55).

    >>> checksum_address(bytes.fromhex("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
    """
    if len(raw) != 20:
        raise CodecError(f"an address has 20 bytes, not {len(raw)}")
    text = raw.hex()
    nibbles = keccak(text.encode()).hex()
    return Address("0x" + "".join(c.upper() if n > "7" else c for c, n in zip(text, nibbles)))


def is_address(text: str) -> bool:
    """True if `text` is 0x and 40 hexadecimal digits, in whatever case.

    >>> is_address("0x" + "11" * 20), is_address("alice")
    (True, False)
    """
    return _ADDRESS.fullmatch(text) is not None


def address_bytes(address: Address) -> bytes:
    """The 20 bytes of an account.

    >>> address_bytes(Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")).hex()[:8]
    '5aaeb605'
    """
    if not is_address(address):
        raise CodecError(
            f"not an address: {ascii(address)[:64]}; give 0x and 40 hexadecimal digits"
        )
    return bytes.fromhex(address[2:])


def encode_document(value: Document, *, max_bytes: int = DOCUMENT_BYTES_MAX) -> bytes:
    """The canonical bytes of a document.

    Raises:
        CodecError: a float, a large integer, a non-string key, or more than `max_bytes`.

    >>> encode_document({"b": [1, True, None], "a": "ø"})
    b'{"a":"\\xc3\\xb8","b":[1,true,null]}'
    """
    _assert_plain(value, DEPTH_MAX)
    try:
        text = json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"))
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CodecError(f"a string holds a lone surrogate: {error}") from None
    if len(data) > max_bytes:
        raise CodecError(f"a document has at most {max_bytes} bytes, not {len(data)}")
    return data


def decode_document(data: bytes, *, max_bytes: int = DOCUMENT_BYTES_MAX) -> Document:
    """The document that `data` canonically encodes; the inverse of `encode_document`.

    Raises:
        CodecError: the bytes are not JSON or not the canonical encoding of their value.

    >>> decode_document(b'{"a":1}')
    {'a': 1}
    """
    if len(data) > max_bytes:
        raise CodecError(f"a document has at most {max_bytes} bytes, not {len(data)}")
    value = parse_json(data)
    if encode_document(value, max_bytes=max_bytes) != data:
        raise CodecError("the document is not in canonical form (sorted keys, no white space)")
    return value


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string, also one without an end, so that no byte is looked at twice; or a bracket."""


def parse_json(data: bytes) -> Document:
    """The value of JSON text, canonical or not, that nests at most `DEPTH_MAX` deep.

    The depth is counted first: Python's parser recurses on the C stack, and whoever raised the
    recursion limit, as an EVM in the same process does, would die of a stranger's brackets.

    Raises:
        CodecError: it is not JSON, or nests too deep.

    >>> parse_json(b'{"a": [1.5]}')
    {'a': [1.5]}
    """
    tokens = (token[:1] for token in _TOKEN.findall(data))
    steps = (1 if token in b"[{" else -1 for token in tokens if token != b'"')
    if max(accumulate(steps), default=0) > DEPTH_MAX:
        raise CodecError(f"a document nests at most {DEPTH_MAX} deep")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not a JSON document: {error}") from None


def _assert_plain(value: Document, depth: int) -> None:
    if depth < 0:
        raise CodecError(f"a document nests at most {DEPTH_MAX} deep")
    if value is None or isinstance(value, (bool, str)):
        return
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise CodecError("an integer exceeds 2**53 - 1: write it as a decimal string")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise CodecError(f"a key must be a string, not {key!r}")
            _assert_plain(inner, depth - 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _assert_plain(inner, depth - 1)
    else:
        raise CodecError(f"a document cannot hold a {type(value).__name__}: {value!r}")


def _sorted(value: Document) -> Document:
    """RFC 8785 sorts keys by their UTF-16 code units."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return {key: _sorted(value[key]) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_sorted(inner) for inner in value]
    return value


def merkle_leaf(encoded: bytes) -> Digest:
    """A leaf as OpenZeppelin's trees hash it: twice, so that no inner node passes for a leaf."""
    return keccak(keccak(encoded))


def merkle_levels(leaves: Sequence[Digest]) -> list[list[Digest]]:
    """All levels of the keccak tree over `leaves`, leaves first, root last.

    Pairs are hashed in sorted order, as OpenZeppelin's `MerkleProof` expects; a level's odd last
    node moves up unchanged. No leaves give a root of 32 zero bytes.
    """
    level = list(leaves) or [bytes(32)]
    levels = [level]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [keccak(min(p) + max(p)) if len(p) == 2 else p[0] for p in pairs]
        levels.append(level)
    return levels


def merkle_root(leaves: Sequence[Digest]) -> Digest:
    """The root of the tree over `leaves`.

    >>> merkle_root([merkle_leaf(b"only")]) == merkle_leaf(b"only")
    True
    """
    return merkle_levels(leaves)[-1][0]


def merkle_proof(leaves: Sequence[Digest], index: int) -> list[Digest]:
    """The sibling hashes from leaf `index` to the root.

    >>> tree = [merkle_leaf(bytes([i])) for i in range(5)]
    >>> all(merkle_verify(tree[i], merkle_proof(tree, i), merkle_root(tree)) for i in range(5))
    True
    """
    return merkle_path(merkle_levels(leaves), index)


def merkle_path(levels: Sequence[Sequence[Digest]], index: int) -> list[Digest]:
    """`merkle_proof` for who needs many of one tree: `levels` as `merkle_levels` gives them.

    >>> tree = [merkle_leaf(bytes([i])) for i in range(5)]
    >>> merkle_path(merkle_levels(tree), 4) == merkle_proof(tree, 4)
    True
    """
    proof = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index //= 2
    return proof


def merkle_verify(leaf: Digest, proof: Sequence[Digest], root: Digest) -> bool:
    """True if `proof` leads from `leaf` to `root`."""
    for sibling in proof:
        leaf = keccak(min(leaf, sibling) + max(leaf, sibling))
    return leaf == root


def words(*values: int | bytes | Address) -> bytes:
    """`abi.encode` of static values: one 32-byte word each (Solidity ABI specification).

    Integers and addresses are padded on the left; byte strings must have 32 bytes.

    >>> words(1, bytes(32)).hex()[60:68]
    '00010000'
    """
    return b"".join(_word(value) for value in values)


def _word(value: int | bytes | Address) -> bytes:
    if isinstance(value, int):
        if not 0 <= value < 1 << 256:
            raise CodecError("a word holds an integer of 0 to 2**256 - 1")
        return value.to_bytes(32, "big")
    if isinstance(value, str):
        return address_bytes(value).rjust(32, b"\0")
    if len(value) != 32:
        raise CodecError(f"a word has 32 bytes, not {len(value)}")
    return value
