"""The relay over HTTP. Everything that arrives is bounded in length, number and time.

| route | takes or gives |
|---|---|
| `POST /v1/commit`, `/v1/reveal`, `/v1/join`, `/v1/registration` | a message, in canonical JSON |
| `GET /v1/status` | what the relay serves and sees |
| `GET /openapi.json` | the interface |

Threat answered: large, slow, many and malformed requests. Not answered: a flood that fills the
line; and headers that arrive slowly are the server's to cut off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostrom.errors import OstromError
from ostrom.node.relay.desk import Relay
from ostrom.node.relay.messages import MESSAGE_BYTES_MAX
from ostrom.node.relay.openapi import openapi
from ostrom.node.relay.receipts import NOT_NOW, TOO_LONG, TOO_MANY, Receipt, receipt
from ostrom.node.relay.sources import Sources, is_loopback, source_of
from ostrom.protocol import TaskState

Look: TypeAlias = Callable[[], tuple[TaskState, int]]
"""The task at the head of the chain, and the head's time; called from any thread."""

ADMISSION_COST = 10
"""Requests that a registration or a join counts for: each asks the chain several times."""

TOO_SLOW, WRONG_TYPE, TOO_MANY_HEADERS = 408, 415, 431


@dataclass(frozen=True)
class Limits:
    """What a relay puts up with."""

    body_seconds_max: float = 5.0
    header_bytes_max: int = 8_192
    requests_max: int = 256
    """At the same time."""
    source_burst: int = 2_000
    source_per_second: float = 100.0
    counts_loopback: bool = False
    """This machine itself, or a proxy on it that speaks for many and counts them."""


def relay_routes(
    relay: Relay,
    look: Look,
    *,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Route]:
    """The relay's routes, to be mounted in any Starlette application.

    Args:
        look: gives the task's state; an error that it raises is answered with 503.
        clock: seconds that only count requests per source; rounds are judged by chain time.
    """
    gate = _Gate(limits or Limits(), clock)
    document = openapi(relay.kinds)

    async def status(request: Request) -> Response:
        refused = gate.crowded(request)
        if refused is not None:
            return _response(refused)
        return await _answered(lambda: JSONResponse(_status(relay, look)))

    async def schema(request: Request) -> Response:
        return JSONResponse(document)

    posts = [
        Route(f"/v1/{kind}", _taking(relay, look, gate=gate, kind=kind), methods=["POST"])
        for kind in relay.kinds
    ]
    return [*posts, Route("/v1/status", status), Route("/openapi.json", schema)]


def relay_app(
    relay: Relay,
    look: Look,
    *,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The routes alone, as an application."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    routes = relay_routes(relay, look, limits=limits, clock=clock)
    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


@dataclass
class _Gate:
    """Counts who is in. The event loop is its only thread."""

    limits: Limits
    clock: Callable[[], float]
    inside: int = 0

    def __post_init__(self) -> None:
        self.sources = Sources(self.limits.source_per_second, self.limits.source_burst)

    def refuse(self, request: Request, kind: str) -> Receipt | None:
        """Why the request's body is not even read."""
        cost = ADMISSION_COST if kind in ("join", "registration") else 1
        return self.crowded(request, cost=cost) or self._bad_headers(request)

    def crowded(self, request: Request, *, cost: int = 1) -> Receipt | None:
        """That its source, or everybody together, asks for too much."""
        source = source_of(request.client.host if request.client else "")
        counted = self.limits.counts_loopback or not is_loopback(source)
        if counted and not self.sources.admits(source, self.clock(), cost=cost):
            return receipt(TOO_MANY, "too many requests: wait a while")
        if self.inside >= self.limits.requests_max:
            return receipt(NOT_NOW, "too many requests at once: try again")
        return None

    def _bad_headers(self, request: Request) -> Receipt | None:
        headers = request.headers
        if (
            sum(len(name) + len(value) for name, value in headers.raw)
            > self.limits.header_bytes_max
        ):
            most = self.limits.header_bytes_max
            return receipt(TOO_MANY_HEADERS, f"all headers together have at most {most} bytes")
        named, _, parameter = headers.get("content-type", "").lower().partition(";")
        plain = parameter.replace(" ", "") in ("", "charset=utf-8")
        if named.strip() != "application/json" or not plain or "content-encoding" in headers:
            return receipt(WRONG_TYPE, "the Content-Type must be application/json, unencoded")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MESSAGE_BYTES_MAX:
            return _too_long()
        return None


def _taking(
    relay: Relay, look: Look, *, gate: _Gate, kind: str
) -> Callable[[Request], Awaitable[Response]]:
    def taken(data: bytes) -> Response:
        state, now = look()
        return _response(relay.accept(data, state, now, kind=kind))

    async def take(request: Request) -> Response:
        refused = gate.refuse(request, kind)
        if refused is not None:
            return _response(refused, close=True)
        gate.inside += 1
        try:
            data = await _body(request, gate.limits)
            if isinstance(data, Receipt):
                return _response(data, close=True)
            return await _answered(lambda: taken(data))
        finally:
            gate.inside -= 1

    return take


async def _body(request: Request, limits: Limits) -> bytes | Receipt:
    """The body, or why it was not read to its end."""
    data = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds_max):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MESSAGE_BYTES_MAX:
                    return _too_long()
    except TimeoutError:
        return receipt(TOO_SLOW, f"the body took more than {limits.body_seconds_max:g} seconds")
    except ClientDisconnect:
        return receipt(TOO_SLOW, "the body has no end")
    return bytes(data)


async def _answered(work: Callable[[], Response]) -> Response:
    """Do the work in a thread: it reads and writes a file, and may ask the chain."""
    try:
        return await run_in_threadpool(work)
    except OstromError as error:
        return _response(receipt(NOT_NOW, str(error)))


def _too_long() -> Receipt:
    return receipt(TOO_LONG, f"a message has at most {MESSAGE_BYTES_MAX} bytes")


def _response(given: Receipt, *, close: bool = False) -> Response:
    name = "line" if given.accepted else "error"
    headers = {"Connection": "close"} if close else None
    return JSONResponse({name: given.line}, given.status, headers=headers)


def _status(relay: Relay, look: Look) -> dict[str, object]:
    state, now = look()
    return {
        "chain": relay.place.chain,
        "training": relay.place.training,
        "task": relay.task_id.hex(),
        "kinds": list(relay.kinds),
        "round": state.number,
        "phase": state.phase.name,
        "deadline": state.deadline,
        "now": now,
        "waiting": relay.waiting(state),
    }
