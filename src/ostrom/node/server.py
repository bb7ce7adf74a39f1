"""The node's own HTTP pages, and the routes that its roles add: one server in a thread.

GET /health   200 and one line if the node has seen the chain lately, else 503 and why
GET /status   what the node knows of itself, as JSON
GET /metrics  the same numbers for Prometheus

Threat answered: slow, endless and oversized requests, too many connections. Not answered: who may
ask; it listens on this machine alone unless told otherwise, and nothing it says is secret.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from ostrom.errors import InputError
from ostrom.node.config import Listen
from ostrom.node.metrics import CONTENT_TYPE, Status, exposition

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 128
HEADER_BYTES_MAX = 16 * 1_024
IDLE_SECONDS_MAX = 5
STOP_SECONDS_MAX = 5
START_SECONDS_MAX = 15

PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of the node's own pages."""


@dataclass
class Board:
    """What the looking thread says of itself and the serving thread shows.

    `clock` gives seconds that never go back. The node counts as well while its last good look is at
    most `stale_seconds` old, or while it says that it works on something, for at most
    `work_seconds`.
    """

    clock: Callable[[], float]
    stale_seconds: float = 60.0
    work_seconds: float = 3_600.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _status: Status = field(default_factory=dict)
    _looked: float | None = None
    _fault: str = ""
    _work: tuple[str, float] | None = None

    def looked(self, status: Mapping[str, object]) -> None:
        """A look at the chain went well."""
        with self._lock:
            self._status, self._looked, self._fault = dict(status), self.clock(), ""

    def failed(self, line: str, status: Mapping[str, object] | None = None) -> None:
        """A look failed; the last good one stands until it is too old."""
        with self._lock:
            self._fault = line
            if status is not None:
                self._status = dict(status)

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Say that something takes long, such as training."""
        with self._lock:
            before, self._work = self._work, (on, self.clock())
        try:
            yield
        finally:
            with self._lock:
                self._work = before

    def health(self) -> tuple[bool, str]:
        """True if the node is well, and one line that says why or why not."""
        with self._lock:
            now, fault, work = self.clock(), self._fault, self._work
            age = None if self._looked is None else now - self._looked
        because = f": {fault}" if fault else ""
        if age is not None and age <= self.stale_seconds:
            return True, f"ok: looked at the chain {age:.0f} s ago"
        if work is not None and now - work[1] <= self.work_seconds and not fault:
            return True, f"ok: {work[0]} for {now - work[1]:.0f} s"
        if age is None:
            return False, f"has not seen the chain yet{because}"
        return False, f"the last good look at the chain was {age:.0f} s ago{because}"

    def status(self) -> Status:
        """All of it, with the age of the last good look in seconds, and the health's line."""
        well, line = self.health()
        with self._lock:
            age = None if self._looked is None else self.clock() - self._looked
            shown = {**self._status, "healthy": well, "health": line}
            return shown if age is None else {**shown, "poll_age": round(age, 3)}


def application(board: Board, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The pages as an ASGI application, with the roles' `routes` behind the node's own."""
    numbers = exposition(board.status)

    def health(_: Request) -> Response:
        well, line = board.health()
        return PlainTextResponse(f"{line}\n", 200 if well else 503, PLAIN)

    def status(_: Request) -> Response:
        return JSONResponse(_json(board.status()), headers=PLAIN)

    def metrics(_: Request) -> Response:
        return Response(numbers(), media_type=CONTENT_TYPE, headers=PLAIN)

    own = [Route("/health", health), Route("/status", status), Route("/metrics", metrics)]
    return Starlette(routes=[*own, *routes])


def _json(value: Any) -> Any:
    """What JSON can say: bytes in hexadecimal, amounts beyond 2**53 as text."""
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and abs(value) >= 1 << 53:
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose patience ends: with a request's head, and with the whole exchange."""

    head_seconds_max = 10.0
    exchange_seconds_max = 300.0
    _alarm: asyncio.TimerHandle | None = None
    _waits_for_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first head its time."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Give each head and each exchange its time."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The library's own clock takes over between two requests."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._set(None)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Let a request that is under way end, but not wait for one that does not."""
        super().shutdown()
        self._set(STOP_SECONDS_MAX - 1)

    def _watch(self) -> None:
        """Set the clock when what is waited for changes, and only then: drops do not reset it."""
        waits = self.cycle is None or self.cycle.response_complete
        if self._alarm is None or waits != self._waits_for_head:
            self._waits_for_head = waits
            self._set(self.head_seconds_max if waits else self.exchange_seconds_max)

    def _set(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


class Server:
    """Serves an application from a thread until it is closed.

    >>> import time
    >>> with Server(application(Board(time.monotonic)), Listen("127.0.0.1", 0)) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self, app: Starlette, place: Listen, *, protocol: type[H11Protocol] = PatientProtocol
    ) -> None:
        """Take the port; nothing is served before `start`.

        Raises:
            InputError: the port is taken, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        try:
            self._socket = socket.create_server((place.host, place.port), family=family)
        except OSError as error:
            raise InputError(
                f"cannot listen on {place}: {error.strerror or error}; choose another with --listen"
            ) from None
        self.place = Listen(place.host, self._socket.getsockname()[1])
        self.app = app
        settings = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            timeout_keep_alive=IDLE_SECONDS_MAX,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._up = threading.Event()

    @property
    def url(self) -> str:
        """Where it is served, for this machine."""
        return f"http://{self.place}"

    def add(self, routes: Sequence[BaseRoute]) -> None:
        """Serve these too from now on."""
        self.app.router.routes.extend(routes)

    def start(self) -> None:
        """Serve; the pages are there when this returns."""
        self._thread.start()
        for _ in range(START_SECONDS_MAX * 50):
            if self._server.started or not self._thread.is_alive():
                break
            self._up.wait(0.02)
        if not self._server.started:
            raise InputError(f"the HTTP server did not start on {self.place}")

    def close(self) -> None:
        """Finish the requests that are under way, for some seconds, and let the port go."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2 * STOP_SECONDS_MAX)
        self._socket.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception:  # a thread's error would only be printed
            log.exception("the HTTP server stopped")
