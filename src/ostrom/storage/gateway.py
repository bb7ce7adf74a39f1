"""A store over HTTP: an IPFS trustless gateway, read-only, that serves no unverified byte.

Spec: https://specs.ipfs.tech/http-gateways/trustless-gateway/. Any IPFS client can fetch from it.
It needs the extra `node` (starlette), and a server such as uvicorn:

    uvicorn.run(gateway(DirectoryStore("store")), host="127.0.0.1", port=8080)

A request takes the memory of one block, a CAR stream of one block and the names of those sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ostrom.errors import CorruptContent, NotFound, StoreError
from ostrom.storage.car import encode_car, encode_probe
from ostrom.storage.cid import codec_of
from ostrom.storage.dag import block_bytes_max, verify_block
from ostrom.storage.requests import (
    PROBE,
    CarRequest,
    RawRequest,
    Refusal,
    matches_tag,
    read_path,
    read_range,
    read_request,
)
from ostrom.storage.store import Store
from ostrom.storage.walk import Tree, open_tree
from ostrom.types import Cid

CAR_BYTES_MAX = 1 << 34
"""What one CAR may hold unless the caller says otherwise: 16 GiB."""

CARS_MAX = 32
"""How many CARs are streamed at once unless the caller says otherwise."""

_IMMUTABLE = "public, max-age=29030400, immutable"
_LOG = logging.getLogger(__name__)


def gateway(
    store: Store,
    *,
    car_bytes_max: int = CAR_BYTES_MAX,
    cars_max: int = CARS_MAX,
    denied: Callable[[Cid], bool] = lambda cid: False,
) -> Starlette:
    """An application that answers GET and HEAD of `/ipfs/{cid}` from `store`.

    `denied`: content that this gateway will not serve (410 Gone).

    Threat answered: damaged blocks, path tricks, huge names and ranges, bombs of small blocks that
    unfold into a huge CAR, many streams at once.
    Not answered: who may read: whoever reaches the port reads what it can name; nothing is listed.

    >>> from ostrom.storage import MemoryStore
    >>> [route.path for route in gateway(MemoryStore()).routes]
    ['/ipfs/{rest:path}', '/ipfs']
    """
    serves = _Gateway(store, car_bytes_max, threading.BoundedSemaphore(cars_max), denied)
    app = Starlette(routes=serves.routes())
    app.router.redirect_slashes = False
    return app


def gateway_routes(
    store: Store,
    *,
    car_bytes_max: int = CAR_BYTES_MAX,
    cars_max: int = CARS_MAX,
    denied: Callable[[Cid], bool] = lambda cid: False,
) -> list[Route]:
    """The routes of `gateway`, for an application that serves more than the store."""
    limit = threading.BoundedSemaphore(cars_max)
    return _Gateway(store, car_bytes_max, limit, denied).routes()


@dataclass(frozen=True)
class _Gateway:
    store: Store
    car_bytes_max: int
    cars: threading.BoundedSemaphore = field(repr=False)
    denied: Callable[[Cid], bool] = field(repr=False)

    def routes(self) -> list[Route]:
        # Starlette runs a plain function in a thread, so that a slow disk stops no other request.
        return [
            Route("/ipfs/{rest:path}", self.answer, methods=["GET"]),
            Route("/ipfs", self.answer, methods=["GET"]),
        ]

    def answer(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Refusal as refusal:
            return _refused(refusal)
        except NotFound:
            # The store's own words would tell strangers where it lies on the disk.
            cached = "only-if-cached" in request.headers.get("cache-control", "").lower()
            return _refused(
                Refusal(412 if cached else 404, "the content is not here; ask another gateway")
            )
        except StoreError as error:
            _LOG.error("the gateway cannot serve %s: %s", request.url.path[:128], error)
            return _refused(Refusal(500, "the content is damaged here or unreadable"))

    def _answer(self, request: Request) -> Response:
        if request.headers.get("service-worker", "").lower() == "script":
            raise Refusal(400, "a gateway serves no script for a service worker")
        name, has_path = read_path(request.path_params.get("rest", ""))
        wanted = read_request(request.query_params, request.headers.get("accept"))
        if has_path:
            raise Refusal(404, f"{name} is a file, nothing is below it; leave out the path")
        headers = _headers(request, name, wanted)
        if name == PROBE:
            return _probe(request, wanted, headers)
        cid = Cid(name)
        if self.denied(cid):
            raise Refusal(410, f"this gateway does not serve {cid}")
        if matches_tag(request.headers.get("if-none-match"), wanted.tag(cid)):
            return self._unchanged(cid, headers)
        if isinstance(wanted, RawRequest):
            return self._raw(request, cid, headers)
        return self._car(request, cid, wanted, headers)

    def _unchanged(self, cid: Cid, headers: dict[str, str]) -> Response:
        if not self.store.has_block(cid):
            raise NotFound(f"no block {cid}")
        kept = {k: v for k, v in headers.items() if k not in ("Content-Type", "Accept-Ranges")}
        return Response(status_code=304, headers=kept)

    def _raw(self, request: Request, cid: Cid, headers: dict[str, str]) -> Response:
        limit = block_bytes_max(self.store.layout)
        block = verify_block(cid, self.store.read_block(cid, limit), limit)
        tag = headers["ETag"]
        whole = request.method == "HEAD" or request.headers.get("if-range", tag) != tag
        span = None if whole else read_range(request.headers.get("range"), len(block))
        status = 200
        if span is not None:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{len(block)}"
            block, status = block[span[0] : span[1]], 206
        headers["Content-Length"] = str(len(block))
        body = b"" if request.method == "HEAD" else block
        return Response(body, status_code=status, headers=headers)

    def _car(
        self, request: Request, cid: Cid, wanted: CarRequest, headers: dict[str, str]
    ) -> Response:
        tree = self._tree(cid)
        start, stop = wanted.span(tree.size)
        if wanted.entity is not None and start >= tree.size > 0:
            raise Refusal(400, f"{cid} has {tree.size} bytes; entity-bytes starts behind them")
        if wanted.scope != "block" and wanted.entity is None and tree.total > self.car_bytes_max:
            raise Refusal(413, f"{cid} exceeds what one CAR may hold here; ask for raw blocks")
        if stop - start > self.car_bytes_max:
            raise Refusal(413, "these bytes exceed what one CAR may hold here; ask for fewer")
        if request.method == "HEAD":
            # A stream of nothing: its length is not known, and 0 would be wrong.
            return StreamingResponse(iter(()), headers=headers)
        if not self.cars.acquire(blocking=False):
            raise Refusal(503, "too many CARs are being sent; try again", {"Retry-After": "1"})
        blocks = tree.blocks(span=(start, max(stop, start)), once=not wanted.dups)
        return _CarResponse(self.cars, encode_car([cid], blocks), headers)

    def _tree(self, cid: Cid) -> Tree:
        try:
            return open_tree(self.store.read_block, cid, profile=self.store.layout)
        except CorruptContent:
            if codec_of(cid) == "raw":
                raise
            limit = block_bytes_max(self.store.layout)
            verify_block(cid, self.store.read_block(cid, limit), limit)
            raise Refusal(
                404, f"{cid} is no file of the layout that is served here; ask for its raw block"
            ) from None


class _CarResponse(StreamingResponse):
    """A CAR on its way. A block that turns out missing or damaged cuts it off: the status is sent
    already, so the client learns it from a body that does not end."""

    def __init__(
        self, cars: threading.BoundedSemaphore, parts: Iterator[bytes], headers: dict[str, str]
    ) -> None:
        super().__init__(parts, headers=headers)
        self.cars = cars

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except* StoreError as group:
            _LOG.error("the gateway cuts off a CAR of %s: %s", scope["path"][:128], group)
        finally:
            self.cars.release()


def _headers(request: Request, name: str, wanted: RawRequest | CarRequest) -> dict[str, str]:
    extension = "bin" if wanted.format == "raw" else "car"
    headers = {
        "Content-Type": wanted.content_type,
        "Content-Disposition": f'attachment; filename="{name}.{extension}"',
        "ETag": wanted.tag(name),
        "Cache-Control": _IMMUTABLE,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes" if wanted.format == "raw" else "none",
        "Vary": "Accept",
    }
    if "format" not in request.query_params:
        headers["Content-Location"] = f"/ipfs/{name}?{wanted.query}"
    return headers


def _probe(request: Request, wanted: RawRequest | CarRequest, headers: dict[str, str]) -> Response:
    body = b"" if wanted.format == "raw" else encode_probe()
    headers["Content-Length"] = str(len(body))
    return Response(b"" if request.method == "HEAD" else body, headers=headers)


def _refused(refusal: Refusal) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **refusal.headers}
    return PlainTextResponse(f"{refusal}\n", status_code=refusal.status, headers=headers)
