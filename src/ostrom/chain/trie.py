"""A Merkle Patricia trie in memory that rehashes only what changed (Ethereum's yellow paper, D).

Keys are keccak-256 digests of what they stand for, so all paths have 64 nibbles and no path is the
beginning of another: a branch never holds a value. Nodes are changed in place; a root names the
newest contents and no older ones are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ostrom.chain.rlp import rlp_list, rlp_string
from ostrom.codec import keccak
from ostrom.types import Digest

_EMPTY = b"\x80"

BLANK_ROOT: Digest = keccak(_EMPTY)
"""The root of a trie that holds nothing."""


@dataclass
class _Leaf:
    path: bytes
    value: bytes
    reference: bytes = b""


@dataclass
class _Fork:
    children: list[_Node | None] = field(default_factory=lambda: [None] * 16)
    reference: bytes = b""


@dataclass
class _Stem:
    path: bytes
    child: _Fork
    reference: bytes = b""


_Node: TypeAlias = _Leaf | _Fork | _Stem


class Trie:
    """A trie from any bytes to non-empty bytes.

    >>> trie = Trie()
    >>> trie.put(b"alice", b"1")
    >>> trie.put(b"alice", b"")
    >>> trie.root() == BLANK_ROOT
    True
    """

    def __init__(self) -> None:
        self._top: _Node | None = None

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key's value; an empty value removes the key."""
        path = _nibbles(keccak(key))
        self._top = _put(self._top, path, value) if value else _remove(self._top, path)

    def root(self) -> Digest:
        """The digest of all that the trie holds."""
        if self._top is None:
            return BLANK_ROOT
        reference = _reference(self._top)
        return reference[1:] if len(reference) == 33 else keccak(reference)


_DIGITS = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))
_LETTERS = bytes.maketrans(bytes(range(16)), b"0123456789abcdef")


def _nibbles(key: bytes) -> bytes:
    return key.hex().encode().translate(_DIGITS)


def _common(one: bytes, other: bytes) -> int:
    count = 0
    for a, b in zip(one, other):
        if a != b:
            break
        count += 1
    return count


def _put(node: _Node | None, path: bytes, value: bytes) -> _Node:
    if node is None:
        return _Leaf(path, value)
    node.reference = b""
    if isinstance(node, _Fork):
        node.children[path[0]] = _put(node.children[path[0]], path[1:], value)
        return node
    shared = _common(node.path, path)
    if isinstance(node, _Leaf) and shared == len(path):
        node.value = value
        return node
    if isinstance(node, _Stem) and shared == len(node.path):
        _put(node.child, path[shared:], value)
        return node
    fork, rest = _Fork(), node.path[shared + 1 :]
    if isinstance(node, _Leaf):
        fork.children[node.path[shared]] = _Leaf(rest, node.value)
    else:
        fork.children[node.path[shared]] = _Stem(rest, node.child) if rest else node.child
    fork.children[path[shared]] = _Leaf(path[shared + 1 :], value)
    return _Stem(path[:shared], fork) if shared else fork


def _remove(node: _Node | None, path: bytes) -> _Node | None:
    if node is None or isinstance(node, _Leaf):
        return node if node is not None and node.path != path else None
    node.reference = b""
    if isinstance(node, _Fork):
        node.children[path[0]] = _remove(node.children[path[0]], path[1:])
        left = [(at, child) for at, child in enumerate(node.children) if child is not None]
        return node if len(left) > 1 else _joined(bytes(left[0][:1]), left[0][1])
    if not path.startswith(node.path):
        return node
    child = _remove(node.child, path[len(node.path) :])
    return None if child is None else _joined(node.path, child)


def _joined(path: bytes, child: _Node) -> _Node:
    """`child` below a path, in the one form that a trie has for it."""
    if isinstance(child, _Leaf):
        return _Leaf(path + child.path, child.value)
    if isinstance(child, _Stem):
        return _Stem(path + child.path, child.child)
    return _Stem(path, child)


def _reference(node: _Node | None) -> bytes:
    """How a parent names a node: its encoding if that is short, else its digest."""
    if node is None:
        return _EMPTY
    if not node.reference:
        encoded = _encoded(node)
        node.reference = encoded if len(encoded) < 32 else b"\xa0" + keccak(encoded)
    return node.reference


def _encoded(node: _Node) -> bytes:
    if isinstance(node, _Fork):
        return rlp_list([*map(_reference, node.children), _EMPTY])
    if isinstance(node, _Leaf):
        return rlp_list([rlp_string(_packed(node.path, 2)), rlp_string(node.value)])
    return rlp_list([rlp_string(_packed(node.path, 0)), _reference(node.child)])


def _packed(path: bytes, flag: int) -> bytes:
    """A path as bytes, with its kind and whether its length is odd in front."""
    odd = len(path) % 2
    whole = bytes([flag + 1]) + path if odd else bytes([flag, 0]) + path
    return bytes.fromhex(whole.translate(_LETTERS).decode())
