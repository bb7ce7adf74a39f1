"""A mapping that grows by one entry at the cost of one entry, however large it is.

A state machine that is pure returns a new state for each event and leaves the old one as it was.
Copying a dict for that costs n entries for each of n events; here all versions share one list, and
each of them sees as much of it as it was made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ONE_AT_A_TIME = Lock()


class Growing(Mapping[K, V], Generic[K, V]):
    """An immutable mapping, in order of insertion.

    >>> one = Growing({"alice": 1})
    >>> two = one.put("bob", 2)
    >>> dict(one), dict(two), one == {"alice": 1}
    ({'alice': 1}, {'alice': 1, 'bob': 2}, True)
    """

    __slots__ = ("_count", "_entries", "_keys")

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        """A mapping of its own, with these entries."""
        self._keys: list[K] = list(entries or ())
        # Where each key stands, so that a version does not see what came after it.
        self._entries = {key: (at, (entries or {})[key]) for at, key in enumerate(self._keys)}
        self._count = len(self._keys)

    def put(self, key: K, value: V) -> Growing[K, V]:
        """This mapping with one entry more, or with another value for a key that it has.

        One entry more on the newest version takes constant time; anything else copies.
        """
        # Two threads may grow one version: the second finds it grown, and copies.
        with _ONE_AT_A_TIME:
            if key in self._entries or self._count < len(self._keys):
                return Growing({**self, key: value})
            grown: Growing[K, V] = Growing.__new__(Growing)
            grown._keys, grown._entries, grown._count = self._keys, self._entries, self._count + 1
            self._entries[key] = (self._count, value)
            self._keys.append(key)
            return grown

    def __getitem__(self, key: K) -> V:
        at, value = self._entries[key]
        if at >= self._count:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[K]:
        return islice(self._keys, self._count)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Growing({dict(self)})"


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """`mapping` with one entry more, or with another value for a key that it has.

    >>> dict(put({"alice": 1}, "bob", 2))
    {'alice': 1, 'bob': 2}
    """
    return mapping.put(key, value) if isinstance(mapping, Growing) else {**mapping, key: value}


def without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    """`mapping` without a key, which it need not have.

    >>> without({"alice": 1}, "alice")
    Growing({})
    """
    return Growing({k: v for k, v in mapping.items() if k != key})
