"""How much one source may ask for: a bucket of requests per source, refilled steadily.

GCRA, the leaky bucket as a meter (ITU-T I.371): per source one number is kept, when its bucket
would be full again. Where there are too many sources, those that have been quiet for longest are
forgotten, so memory has a bound whoever asks.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from threading import Lock

SOURCES_MAX = 4_096
"""Sources that are remembered."""


@dataclass
class Sources:
    """A meter: `burst` requests at once and `per_second` in the long run, for each source."""

    per_second: float
    burst: int
    sources_max: int = SOURCES_MAX
    _full_at: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def admits(self, source: str, now: float, *, cost: int = 1) -> bool:
        """Count a request by `source` at `now` (seconds of any steady clock); False if too many.

        One that makes more work than others costs as much as several.

        >>> meter = Sources(per_second=1, burst=2)
        >>> [meter.admits("10.0.0.1", 0.0) for _ in range(3)], meter.admits("10.0.0.1", 1.0)
        ([True, True, False], True)
        """
        with self._lock:
            full_at = max(self._full_at.get(source, now), now) + cost / self.per_second
            if full_at - now > self.burst / self.per_second + 1e-9:
                return False
            self._full_at[source] = full_at
            self._full_at.move_to_end(source)
            while len(self._full_at) > self.sources_max:
                self._full_at.popitem(last=False)
            return True

    def __len__(self) -> int:
        return len(self._full_at)


def source_of(host: str) -> str:
    """What counts as one source: an IPv4 address, or the network of an IPv6 address (/64).

    >>> source_of("10.0.0.1"), source_of("2001:db8::1"), source_of("::ffff:10.0.0.1")
    ('10.0.0.1', '2001:db8::', '10.0.0.1')
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))


def is_loopback(source: str) -> bool:
    """True for this machine itself.

    >>> is_loopback(source_of("127.0.0.1")), is_loopback(source_of("::1")), is_loopback("10.0.0.1")
    (True, True, False)
    """
    return source in ("::", "::1") or source.startswith("127.")
