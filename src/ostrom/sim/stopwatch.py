"""Where a run's seconds go."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage. Stages nest: an inner stage's time is not counted in the outer one.

    Only the main thread's time counts: what others do, it waits for.

    >>> watch = Stopwatch()
    >>> with watch.stage("chain"):
    ...     pass
    >>> sorted(watch.take())
    ['chain']
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time, less that of stages inside it, as `name`."""
        if threading.current_thread() is not threading.main_thread():
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
        seconds = dict(self._seconds)
        self._seconds.clear()
        return seconds
