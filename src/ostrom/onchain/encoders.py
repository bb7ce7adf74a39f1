"""Feature encoders: what makes the bytes of a contribution of text or of numbers.

A contract names its encoder by a canonical text, so that everybody makes the same bytes:

- `hashing(counted=0,features=1000,limit=20)`: a word's token is its hash modulo `features`;
- `vocabulary(cid=bafk...,counted=0,limit=20)`: a word's token is its line in a list of words, the
  most frequent first, that lies under this CID; other words are left out;
- `quantise(limit=2047,scale=256)`: a number times `scale`, rounded, at most `limit` from 0; with
  `ranges=bafk...` its column's centre is taken off and it is divided by its column's spread first.

`counted` is 1 for models that count (naive Bayes); `limit` keeps the tokens that come first in a
text, 0 keeps all. Words are runs of letters and digits in lower case.

Threat: two who encode differently, so that honest data looks bad; the list is named by its digest.
Not answered: words chosen to collide under `hashing`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ostrom.codec import decode_document, encode_document, keccak, sha256
from ostrom.errors import CodecError, InputError
from ostrom.mechanisms import Argument, Mechanism, bind, only
from ostrom.onchain.features import (
    FEATURES_MAX,
    INT16_MAX,
    encode_counts,
    encode_row,
    encode_tokens,
)
from ostrom.storage.cid import cid_from_digest, codec_of
from ostrom.storage.store import Store
from ostrom.types import Cid

CONTENT_BYTES_MAX = 1 << 20
"""A list or table is one block, so that its digest alone is its name."""

LIMIT = 20
"""The tokens of a contribution for which the contracts' gas is stated."""

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a text in their order.

    >>> words_of("Krum's 2nd rule, n_f")
    ['krum', 's', '2nd', 'rule', 'n', 'f']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Hashing:
    """A token for every word, by its keccak-256 modulo `features`. See the module."""

    features: int
    counted: bool = False
    limit: int = LIMIT

    def __post_init__(self) -> None:
        _check_features(self.features)
        _check_limit(self.limit)

    @property
    def text(self) -> str:
        """The canonical text."""
        return _text("hashing", counted=self.counted, features=self.features, limit=self.limit)

    def encode(self, text: str) -> bytes:
        """The features of a text.

        >>> len(Hashing(1_000).encode("a bird in the hand")) // 2
        5
        """
        tokens = [int.from_bytes(keccak(word.encode())) % self.features for word in words_of(text)]
        return _encode(tokens, self.counted, self.limit)


@dataclass(frozen=True)
class Vocabulary:
    """A token for every word of a list, its place there. See the module."""

    words: tuple[str, ...]
    counted: bool = False
    limit: int = LIMIT

    def __post_init__(self) -> None:
        _check_features(len(self.words))
        _check_limit(self.limit)
        for word in self.words:
            if words_of(word) != [word]:
                raise InputError(f"a vocabulary holds words in lower case, {word[:40]!r} is none")
        if len(set(self.words)) < len(self.words):
            raise InputError("a vocabulary holds each word once")

    @classmethod
    def of(
        cls, texts: Iterable[str], *, size: int = 1_000, counted: bool = False, limit: int = LIMIT
    ) -> Vocabulary:
        """The `size` most frequent words, the most frequent first, then by alphabet.

        >>> Vocabulary.of(["to be or not to be", "be quick"], size=3).words
        ('be', 'to', 'not')
        """
        counts = Counter(chain.from_iterable(map(words_of, texts)))
        order = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(order[:size]), counted, limit)

    @property
    def features(self) -> int:
        """How many tokens there are."""
        return len(self.words)

    @property
    def content(self) -> bytes:
        """The list as it is stored: a word a line, UTF-8."""
        return "".join(f"{word}\n" for word in self.words).encode()

    @property
    def text(self) -> str:
        """The canonical text."""
        cid = _cid(self.content)
        return _text("vocabulary", cid=cid, counted=self.counted, limit=self.limit)

    def encode(self, text: str) -> bytes:
        """The features of a text.

        >>> Vocabulary(("the", "cat", "dog")).encode("The dog, the cow").hex()
        '00000002'
        """
        table = self._tokens
        tokens = [table[word] for word in words_of(text) if word in table]
        return _encode(tokens, self.counted, self.limit)

    @cached_property
    def _tokens(self) -> Mapping[str, int]:
        return {word: token for token, word in enumerate(self.words)}


@dataclass(frozen=True)
class Quantise:
    """Integers for numbers. `centre` and `spread` are a number a column, or both empty."""

    scale: int
    limit: int = INT16_MAX
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.scale <= INT16_MAX or not 1 <= self.limit <= INT16_MAX:
            raise InputError(f"scale and limit of quantise lie between 1 and {INT16_MAX}")
        if len(self.centre) != len(self.spread):
            raise InputError("quantise needs a centre and a spread for each column")
        if not np.isfinite([*self.centre, *self.spread]).all() or min(self.spread, default=1) <= 0:
            raise InputError("centres are finite numbers, spreads are above 0")

    @classmethod
    def of(cls, rows: npt.ArrayLike, *, scale: int = 256, reach: int = 8) -> Quantise:
        """By the mean and standard deviation of each column of `rows` (n, f), up to `reach` of it.

        >>> Quantise.of([[0.0, 5.0], [2.0, 5.0]]).encode([2.0, 5.0]).hex()
        '01000000'
        """
        table = np.asarray(rows, dtype=np.float64)
        spread = table.std(axis=0)
        centre, spread = table.mean(axis=0), np.where(spread > 0, spread, 1.0)
        return cls(scale, min(scale * reach, INT16_MAX), tuple(centre.tolist()),
                   tuple(spread.tolist()))  # fmt: skip

    @property
    def content(self) -> bytes:
        """Centres and spreads as they are stored: a canonical document with decimal strings."""
        table = {"centre": list(map(repr, self.centre)), "spread": list(map(repr, self.spread))}
        return encode_document(table)

    @property
    def text(self) -> str:
        """The canonical text."""
        ranges = {"ranges": _cid(self.content)} if self.centre else {}
        return _text("quantise", limit=self.limit, scale=self.scale, **ranges)

    def encode(self, row: npt.ArrayLike) -> bytes:
        """The features of a row of numbers.

        Raises:
            InputError: it is no row of finite numbers, or of another length than the ranges.

        >>> Quantise(scale=100).encode([0.5, -1]).hex()
        '0032ff9c'
        """
        values = np.asarray(row, dtype=np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise InputError("quantise takes a row of finite numbers")
        if self.centre and len(values) != len(self.centre):
            raise InputError(f"a row has {len(self.centre)} numbers here, not {len(values)}")
        with np.errstate(over="ignore"):  # infinity is beyond the limit, too
            if self.centre:
                values = (values - np.array(self.centre)) / np.array(self.spread)
            whole = np.clip(np.rint(values * self.scale), -self.limit, self.limit)
        return encode_row(whole.astype(np.int64))


Encoder: TypeAlias = Hashing | Vocabulary | Quantise


def encoder(text: str, store: Store | None = None) -> Encoder:
    """The encoder that a contract's text names; `store` has the list or table it refers to.

    Raises:
        InputError: an unknown name or argument, or content that is no such list.
        StoreError: the store does not have the content, or it is damaged or too large.

    >>> encoder("hashing(features=4096)").text
    'hashing(counted=0,features=4096,limit=20)'
    """
    return bind(ENCODERS, only(text), {"store": store})()


def _hashing(*, features: int, counted: int = 0, limit: int = LIMIT) -> Encoder:
    return Hashing(features, _flag(counted), limit)


def _vocabulary(*, cid: str, store: Store | None, counted: int = 0, limit: int = LIMIT) -> Encoder:
    lines = _decoded(_fetched(cid, store)).split("\n")
    if lines.pop():
        raise InputError(f"the vocabulary {cid} does not end with a line break")
    return Vocabulary(tuple(lines), _flag(counted), limit)


def _quantise(
    *, scale: int, store: Store | None, limit: int = INT16_MAX, ranges: str = ""
) -> Encoder:
    if not ranges:
        return Quantise(scale, limit)
    content = _fetched(ranges, store)
    try:
        table = decode_document(content)
        centre, spread = (tuple(map(float, table[key])) for key in ("centre", "spread"))
    except (CodecError, KeyError, TypeError, ValueError):
        raise InputError(f"{ranges} holds no centres and spreads") from None
    return Quantise(scale, limit, centre, spread)


ENCODERS: Mapping[str, Callable[..., Encoder]] = {
    "hashing": _hashing,
    "vocabulary": _vocabulary,
    "quantise": _quantise,
}


def _encode(tokens: Sequence[int], counted: bool, limit: int) -> bytes:
    counts = Counter(tokens)  # in the order of first occurrence
    kept = list(islice(counts, limit or None))
    return encode_counts({t: counts[t] for t in kept}) if counted else encode_tokens(kept)


def _fetched(cid: str, store: Store | None) -> bytes:
    if codec_of(cid) != "raw":
        raise InputError(f"{cid} is a tree of blocks: a list or table for an encoder is one block")
    if store is None:
        raise InputError(f"this encoder needs the content of {cid}: give a store that has it")
    return store.get(cid, max_bytes=CONTENT_BYTES_MAX)


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("a vocabulary is UTF-8 text, one word a line") from None


def _cid(content: bytes) -> Cid:
    return cid_from_digest(sha256(content))


def _text(name: str, **arguments: Argument) -> str:
    plain = {key: int(v) if isinstance(v, bool) else v for key, v in arguments.items()}
    return Mechanism(name, plain).text


def _flag(value: int) -> bool:
    if value not in (0, 1):
        raise InputError(f"counted is 0 or 1, not {value}")
    return bool(value)


def _check_features(features: int) -> None:
    if not 1 <= features <= FEATURES_MAX:
        raise InputError(f"an encoder has 1 to {FEATURES_MAX:,} features, not {features:,}")


def _check_limit(limit: int) -> None:
    if limit < 0:
        raise InputError("an encoder's limit is a number of tokens, or 0 for all")
