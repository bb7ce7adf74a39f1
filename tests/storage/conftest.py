"""Real servers on loopback, and a clock that only a test moves."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(name="running", scope="session")
def _running() -> Callable[[Any], AbstractContextManager[str]]:
    """`with running(app) as url`, for fixtures that outlive one test."""
    return running


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The URL of an ASGI application under uvicorn, on a free port of loopback."""
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """`serve(app)` starts a server and returns its URL; all stop with the test."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(running(app))


@pytest.fixture
def answer_with() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """`answer_with(reply)` starts a server of plain sockets: `reply` gets each connection."""
    with ExitStack() as stack:
        yield lambda reply: stack.enter_context(_sockets(reply))


@contextmanager
def _sockets(reply: Callable[[socket.socket], None]) -> Iterator[str]:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=_accept, args=(listener, reply, stop), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join(timeout=10)


def _accept(
    listener: socket.socket, reply: Callable[[socket.socket], None], stop: threading.Event
) -> None:
    workers = []
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        worker = threading.Thread(target=_serve_one, args=(connection, reply), daemon=True)
        worker.start()
        workers.append(worker)
    for worker in workers:
        worker.join(timeout=10)


def _serve_one(connection: socket.socket, reply: Callable[[socket.socket], None]) -> None:
    with connection:
        try:
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request and (part := connection.recv(4096)):
                request += part
            reply(connection)
        except OSError:
            pass
