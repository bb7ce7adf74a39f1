"""A pool of worker processes that outlives a round. Importing this does not import torch.

Tasks are mechanism texts and arrays between our own processes; nothing received is ever unpickled.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from ostrom.errors import InputError, OstromError

T = TypeVar("T")

_pools: dict[int, ProcessPoolExecutor] = {}


def warm(workers: int) -> None:
    """Start the worker processes now, so that their imports overlap with other work."""
    if workers > 1:
        with _uninterrupted():
            for _ in range(workers):
                _pool(workers).submit(_import_training)


def run_all(
    work: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    *,
    threads: bool = False,
) -> list[T]:
    """`work(*task)` for every task, in order; one worker runs them here.

    Several workers are processes, or threads of this process on one torch thread each.

    Raises:
        InputError: the worker processes cannot start.
    """
    if workers == 1 or len(tasks) == 1:
        return [work(*task) for task in tasks]
    if threads:
        from ostrom.training.threads import threads as pool_of

        with pool_of(workers) as pool:
            return list(pool.map(lambda task: work(*task), tasks))
    try:
        return _gather(work, tasks, workers)
    except BrokenProcessPool:
        close(workers)
        raise InputError(
            "a worker process ended: in a script, put the call under "
            "`if __name__ == '__main__':`; or run with one worker"
        ) from None
    except OstromError:
        raise
    except BaseException:
        close(workers)
        raise


def close(workers: int | None = None) -> None:
    """End the pool of that size (all pools without one), at once."""
    for size in [workers] if workers else list(_pools):
        pool = _pools.pop(size, None)
        if pool is not None:
            processes = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            pool.shutdown(wait=True)


def _gather(work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], workers: int) -> list[T]:
    with _uninterrupted():
        futures: list[Future[T]] = [_pool(workers).submit(work, *task) for task in tasks]
    try:
        return [future.result() for future in futures]
    except OstromError:
        for future in futures:
            future.cancel()
        raise


def _pool(workers: int) -> ProcessPoolExecutor:
    if workers not in _pools:
        context = get_context("spawn")
        _pools[workers] = ProcessPoolExecutor(workers, context, initializer=_begin)
    return _pools[workers]


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes started here inherit a blocked Ctrl-C: only the parent acts on it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(0)


def _import_training() -> None:
    import ostrom.training.cohort  # noqa: F401
