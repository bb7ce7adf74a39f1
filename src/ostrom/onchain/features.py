"""The bytes that a contribution carries, as the contracts read them. All integers are big-endian.

- a set of tokens: 2 bytes each, strictly ascending; may be empty;
- counted tokens: 3 bytes each, the token and how often it occurs (1 to 255), strictly ascending;
- a row of numbers: int16 each, at least one; a row that is too short goes on with zeros;
- an update of weights: 5 bytes an entry, label (uint8), index (uint16; 0 is the bias, i + 1 feature
  i) and change (int16), strictly ascending by label and index; at least one.

Whoever decodes raises InputError where the contract reverts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError

Integers: TypeAlias = npt.NDArray[np.int64]

FEATURES_MAX = 65_535
COUNT_MAX = 255
INT16_MAX = 32_767

_COUNTED = np.dtype([("token", ">u2"), ("count", "u1")])
_ENTRY = np.dtype([("label", "u1"), ("index", ">u2"), ("change", ">i2")])


class Counted(NamedTuple):
    """Tokens (n,) in ascending order and how often each occurs (n,)."""

    tokens: Integers
    counts: Integers


class Entries(NamedTuple):
    """An update of weights: label, index and change of each entry, (n,) each."""

    labels: Integers
    indices: Integers
    changes: Integers


def encode_tokens(tokens: Sequence[int] | Integers) -> bytes:
    """A set of tokens, in whatever order and number they are given.

    Raises:
        InputError: a token below 0 or above 65,534.

    >>> encode_tokens([258, 7, 7]).hex()
    '00070102'
    """
    found = sorted({int(token) for token in tokens})
    _check_range(found, 0, FEATURES_MAX - 1, "a token")
    return np.array(found, dtype=">u2").tobytes()


def decode_tokens(x: bytes, features: int) -> Integers:
    """The tokens (n,) of an encoded set.

    Raises:
        InputError: an odd length, tokens that do not ascend, or one that is no feature.

    >>> decode_tokens(bytes.fromhex("00070102"), 1_000)
    array([  7, 258])
    """
    if len(x) % 2:
        raise InputError(f"tokens have two bytes each, {len(x)} bytes are not a number of tokens")
    tokens = np.frombuffer(x, dtype=">u2").astype(np.int64)
    _check_tokens(tokens, features)
    return tokens


def encode_counts(counts: Mapping[int, int]) -> bytes:
    """Counted tokens; a count above 255 is written as 255.

    Raises:
        InputError: a token below 0 or above 65,534, or a count below 1.

    >>> encode_counts({258: 1, 7: 3}).hex()
    '000703010201'
    """
    _check_range(counts, 0, FEATURES_MAX - 1, "a token")
    if any(count < 1 for count in counts.values()):
        raise InputError("a token that does not occur is left out, not counted 0 times")
    pairs = [(token, min(count, COUNT_MAX)) for token, count in sorted(counts.items())]
    return np.array(pairs, dtype=_COUNTED).tobytes()


def decode_counts(x: bytes, features: int) -> Counted:
    """The tokens and counts of encoded counted tokens.

    Raises:
        InputError: a length that is no multiple of 3, tokens that do not ascend, one that is no
            feature, or a count of 0.

    >>> decode_counts(bytes.fromhex("000703010201"), 1_000).counts
    array([3, 1])
    """
    if len(x) % 3:
        raise InputError(f"counted tokens have three bytes each; {len(x)} is no multiple of 3")
    pairs = np.frombuffer(x, dtype=_COUNTED)
    tokens, counts = pairs["token"].astype(np.int64), pairs["count"].astype(np.int64)
    _check_tokens(tokens, features)
    if not counts.all():
        raise InputError("a token that does not occur is left out, not counted 0 times")
    return Counted(tokens, counts)


def encode_row(values: Sequence[int] | Integers) -> bytes:
    """A row of integers.

    Raises:
        InputError: one that does not fit into 16 bits.

    >>> encode_row([1, -2]).hex()
    '0001fffe'
    """
    row = np.asarray(values, dtype=np.int64)
    _check_range(row.tolist(), -INT16_MAX - 1, INT16_MAX, "a value")
    return row.astype(">i2").tobytes()


def decode_row(x: bytes, features: int) -> Integers:
    """The values (features,) of an encoded row; what it leaves out at its end is 0.

    Raises:
        InputError: no values, an odd length, or more values than features.

    >>> decode_row(bytes.fromhex("0001fffe"), 3)
    array([ 1, -2,  0])
    """
    if len(x) % 2 or not 0 < len(x) <= 2 * features:
        raise InputError(f"a row has 1 to {features} values of two bytes, {len(x)} bytes are not")
    row = np.zeros(features, dtype=np.int64)
    row[: len(x) // 2] = np.frombuffer(x, dtype=">i2")
    return row


def encode_update(changes: Mapping[tuple[int, int], int]) -> bytes:
    """An update of weights: (label, index) -> change; index 0 is the bias, i + 1 is feature i.

    Raises:
        InputError: a label, index or change that does not fit.

    >>> encode_update({(1, 0): -1, (1, 8): 2}).hex()
    '010000ffff0100080002'
    """
    _check_range([label for label, _ in changes], 1, 254, "a label")
    _check_range([index for _, index in changes], 0, FEATURES_MAX, "an index")
    _check_range(changes.values(), -INT16_MAX - 1, INT16_MAX, "a change")
    entries = [(*place, change) for place, change in sorted(changes.items())]
    return np.array(entries, dtype=_ENTRY).tobytes()


def decode_update(x: bytes, *, classes: int, features: int) -> Entries:
    """The entries of an encoded update.

    Raises:
        InputError: no entries or half a one, entries that do not ascend, or a label or feature
            that has no weights (label 0 has none).

    >>> decode_update(bytes.fromhex("010000ffff"), classes=2, features=10).changes
    array([-1])
    """
    if len(x) == 0 or len(x) % 5:
        raise InputError(f"an update has five bytes an entry, at least one; {len(x)} bytes are not")
    entries = np.frombuffer(x, dtype=_ENTRY)
    labels, indices = entries["label"].astype(np.int64), entries["index"].astype(np.int64)
    if (np.diff(labels << 16 | indices) <= 0).any():
        raise InputError("entries must ascend by label and index, each place once")
    if labels.min() < 1 or labels.max() >= classes:
        raise InputError(f"an update's labels are 1 to {classes - 1}; label 0 has no weights")
    if indices.max() > features:
        raise InputError(f"feature {int(indices.max()) - 1} is beyond the {features} features")
    return Entries(labels, indices, entries["change"].astype(np.int64))


def _check_tokens(tokens: Integers, features: int) -> None:
    if (tokens[1:] <= tokens[:-1]).any():
        raise InputError("tokens must ascend, each once")
    if len(tokens) and tokens[-1] >= features:
        raise InputError(f"token {tokens[-1]} is beyond the {features} features")


def _check_range(values: Iterable[int], low: int, high: int, what: str) -> None:
    for value in values:
        if not low <= value <= high:
            raise InputError(f"{what} lies between {low} and {high}: {value} does not")
