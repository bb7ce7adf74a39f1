"""A server that follows the documentation of Kubo's RPC, over real HTTP; it is not Kubo.

https://docs.ipfs.tech/reference/kubo/rpc/, the commands that `KuboStore` uses. As in Kubo, blocks
are known by their hash: `refs/local` names them all as raw, and a block is there under both codecs.
"""

from __future__ import annotations

import hashlib
import json
from email.parser import BytesParser
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ostrom.storage import cid_from_digest, codec_of, digest_of, is_cid
from ostrom.storage.unixfs import decode_node


class Rpc:
    """The blocks and pins of a node, and the requests it got."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.pins: set[str] = set()
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.foreign = ["QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", "bafkqaaa"]

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/api/v0/{command:path}", self.answer, methods=["GET", "POST"])]
        )

    async def answer(self, request: Request) -> Response:
        command, query = request.path_params["command"], dict(request.query_params)
        self.requests.append((command, query, dict(request.headers)))
        if request.method != "POST":
            return Response("405 - Method Not Allowed", status_code=405)
        handler = getattr(self, command.replace("/", "_"), None)
        if handler is None:
            return Response("404 page not found\n", status_code=404)
        return handler(query, await request.body(), request.headers.get("content-type", ""))

    def block_put(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        data = first_part(body, kind)
        if data is None:
            return failure('argument "data" is required')
        if len(data) > 1 << 20 and query.get("allow-big-block") != "true":
            return failure("produced block is over 1MiB: big blocks can't be exchanged with peers")
        digest = hashlib.sha256(data).digest()
        self.blocks[digest] = data
        key = cid_from_digest(digest, query.get("cid-codec", "raw"))  # type: ignore[arg-type]
        return JSONResponse({"Key": key, "Size": len(data)})

    def block_get(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        block = self.blocks.get(digest_of(query["arg"]))
        return absent(query["arg"]) if block is None else Response(block)

    def block_stat(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        block = self.blocks.get(digest_of(query["arg"]))
        if block is None:
            return absent(query["arg"])
        return JSONResponse({"Key": query["arg"], "Size": len(block)})

    def refs_local(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        names = [*self.foreign, *(cid_from_digest(digest) for digest in self.blocks)]
        lines = (json.dumps({"Ref": name, "Err": ""}) + "\n" for name in names)
        return StreamingResponse(lines, media_type="application/json")

    def pin_add(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        missing = self._missing(query["arg"])
        if missing:
            return failure(
                f"pin: block was not found locally (offline): ipld: could not find {missing}"
            )
        self.pins.add(query["arg"])
        return JSONResponse({"Pins": [query["arg"]]})

    def pin_rm(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        if query["arg"] not in self.pins:
            return failure("not pinned or pinned indirectly")
        self.pins.remove(query["arg"])
        return JSONResponse({"Pins": [query["arg"]]})

    def version(self, query: dict[str, str], body: bytes, kind: str) -> Response:
        return JSONResponse({"Version": "0.0.0-documentation"})

    def _missing(self, cid: str) -> str | None:
        block = self.blocks.get(digest_of(cid))
        if block is None:
            return cid
        if codec_of(cid) == "raw":
            return None
        return next(filter(None, (self._missing(x.cid) for x in decode_node(block, cid))), None)  # type: ignore[arg-type]


def failure(message: str) -> Response:
    return JSONResponse({"Message": message, "Code": 0, "Type": "error"}, status_code=500)


def absent(cid: str) -> Response:
    if not is_cid(cid):
        return failure(f'invalid path "{cid}"')
    return failure(f"block was not found locally (offline): ipld: could not find {cid}")


def first_part(body: bytes, kind: str) -> bytes | None:
    """The first file of a multipart body."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message: Any = BytesParser().parsebytes(head + body)
    if not message.is_multipart():
        return None
    boundary = message.get_boundary().encode()
    section = body.split(b"--" + boundary)[1]
    return section.split(b"\r\n\r\n", 1)[1][:-2]
