"""One torch thread while numbers are made: same seed, same bytes, whatever the machine's cores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on a single thread inside the block.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads(workers: int) -> ThreadPoolExecutor:
    """A pool of Python threads that compute side by side, each of them on one torch thread.

    How many threads torch uses is a property of the thread that asks: every new one must be told.
    """
    return ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
