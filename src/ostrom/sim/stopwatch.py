"""Where a run's seconds go."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage. Stages nest: an inner stage's time is not counted in the outer one.

    Only the time of the thread that made it counts: what others do, that one waits for. What no
    stage covers is "other", so that the stages sum to the time that went by.

    >>> watch = Stopwatch()
    >>> with watch.stage("chain"):
    ...     pass
    >>> sorted(watch.take())
    ['chain', 'other']
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._owner = threading.get_ident()
        self._since = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time, less that of stages inside it, as `name`."""
        if threading.get_ident() != self._owner:
            yield
            return
        self._inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self._seconds[name] += elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed

    def take(self) -> dict[str, float]:
        """The seconds since the last call, by stage."""
        now = time.perf_counter()
        covered = sum(self._seconds.values())
        seconds = {**self._seconds, "other": max(0.0, now - self._since - covered)}
        self._seconds.clear()
        self._since = now
        return seconds
