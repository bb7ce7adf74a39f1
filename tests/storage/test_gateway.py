"""The gateway over real HTTP on loopback: hostile requests first, then the specification.

https://specs.ipfs.tech/http-gateways/trustless-gateway/
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.codec import sha256
from ostrom.storage import (
    DirectoryStore,
    MemoryStore,
    Store,
    cid_from_digest,
    cid_of,
    codec_of,
    digest_of,
)
from ostrom.storage.car import decode_car, load_car
from ostrom.storage.gateway import gateway, gateway_routes
from ostrom.types import Cid

TINY = "tiny-256b-3"
CONTENT = bytes((31 * i + 7) % 251 for i in range(251)) * 10
RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"
ABSENT = cid_of(b"absent")
STORE = MemoryStore(TINY)
CID = STORE.put(CONTENT)
LIMIT = 1 << 20

Serve = Callable[[Any], str]


class Served:
    """A store of small blocks behind a gateway, and a client of it."""

    def __init__(self, url: str, store: MemoryStore) -> None:
        self.store = store
        self.root = store.put(CONTENT)
        self.leaf = cid_of(CONTENT[:256], TINY)
        self.client = httpx.Client(base_url=url, trust_env=False)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={"Accept": "*/*", **headers})

    def car(self, query: str) -> list[Cid]:
        response = self.get(f"/ipfs/{self.root}?format=car&{query}")
        assert response.status_code == 200
        car = decode_car(io.BytesIO(response.content), block_bytes=LIMIT, total_bytes=LIMIT)
        assert car.roots == (self.root,)
        return [cid for cid, _ in car.blocks]


@pytest.fixture(scope="module")
def served(running: Callable[[Any], Any]) -> Iterator[Served]:
    store = MemoryStore(TINY)
    with running(gateway(store)) as url:
        one = Served(url, store)
        yield one
        one.client.close()


HOSTILE_PATHS = {
    "the root": ("/", 404),
    "no name": ("/ipfs/", 400),
    "nothing after ipfs": ("/ipfs", 400),
    "a listing": ("/ipfs/?format=raw", 400),
    "a file of the system": ("/ipfs/../../etc/passwd", 400),
    "dots": ("/ipfs/..", 400),
    "encoded dots": ("/ipfs/%2e%2e%2f%2e%2e%2fetc%2fpasswd?format=raw", 400),
    "doubly encoded dots": ("/ipfs/%252e%252e%252fetc?format=raw", 400),
    "an encoded slash": ("/ipfs/{leaf}%2f..%2f..?format=raw", 404),
    "a shard of the store": ("/ipfs/a/{leaf}?format=raw", 400),
    "a backslash": ("/ipfs/..%5c..%5cetc?format=raw", 400),
    "a NUL": ("/ipfs/{leaf}%00?format=raw", 400),
    "a line break": ("/ipfs/{leaf}%0d%0aSet-Cookie:%20a=b?format=raw", 404),
    "bytes that are no UTF-8": ("/ipfs/%ff%fe%80?format=raw", 400),
    "markup": ("/ipfs/%3Cscript%3Ealert(1)%3C/script%3E?format=raw", 400),
    "a huge CID": ("/ipfs/b" + "a" * 20_000 + "?format=raw", 400),
    "a CIDv0": ("/ipfs/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH?format=raw", 400),
    "upper case": ("/ipfs/BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU", 400),
    "another codec": ("/ipfs/bafyrei" + "a" * 52 + "?format=raw", 400),
    "another identity CID": ("/ipfs/bafkqaca?format=raw", 400),
    "ipns": ("/ipns/example.org?format=raw", 404),
    "the RPC of Kubo": ("/api/v0/id", 404),
    "a path below a block": ("/ipfs/{leaf}/a?format=raw", 404),
    "a path below a file": ("/ipfs/{root}/a/b?format=car", 404),
    "a slash at the end": ("/ipfs/{leaf}/?format=raw", 404),
    "another host in the path": ("//evil.example/ipfs/{leaf}?format=raw", 404),
    "an unknown format": ("/ipfs/{leaf}?format=tar", 406),
    "HTML": ("/ipfs/{leaf}?format=html", 406),
    "a huge format": ("/ipfs/{leaf}?format=" + "x" * 10_000, 406),
    "no format": ("/ipfs/{leaf}", 400),
    "an empty format": ("/ipfs/{leaf}?format=", 406),
    "an unknown scope": ("/ipfs/{root}?format=car&dag-scope=everything", 400),
    "letters as bytes": ("/ipfs/{root}?format=car&entity-bytes=a:b", 400),
    "one number as bytes": ("/ipfs/{root}?format=car&entity-bytes=5", 400),
    "huge numbers": ("/ipfs/{root}?format=car&entity-bytes=" + "9" * 1000 + ":*", 400),
    "bytes behind the end": ("/ipfs/{root}?format=car&entity-bytes=2510:*", 400),
    "CAR version 2": ("/ipfs/{root}?format=car&car-version=2", 406),
    "an unknown order": ("/ipfs/{root}?format=car&car-order=bfs", 406),
    "unknown dups": ("/ipfs/{root}?format=car&car-dups=maybe", 406),
    "absent": (f"/ipfs/{ABSENT}?format=raw", 404),
    "absent, as CAR": (f"/ipfs/{ABSENT}?format=car", 404),
}


@pytest.mark.parametrize(("path", "status"), HOSTILE_PATHS.values(), ids=list(HOSTILE_PATHS))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_hostile_request_gets_a_status_and_one_clear_line(
    served: Served, method: str, path: str, status: int
) -> None:
    target = path.format(leaf=served.leaf, root=served.root)
    answer_status, headers, body = raw_request(served.client.base_url, method, target)
    assert answer_status == status
    assert "set-cookie" not in headers
    assert "location" not in headers
    if method == "HEAD":
        assert body == b""
    else:
        text = body.decode("ascii")
        assert text.strip().isprintable()
        assert len(text) < 300
        assert text.count("\n") <= 1
        assert headers["content-type"].startswith("text/plain")


def raw_request(
    url: httpx.URL, method: str, target: str, *lines: str
) -> tuple[int, dict[str, str], bytes]:
    """One request as it is written here: clients would clean the path."""
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        head = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *lines]
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        data = b""
        while part := connection.recv(65536):
            data += part
    top, _, body = data.partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_nothing_can_be_changed(served: Served, method: str) -> None:
    response = served.client.request(method, f"/ipfs/{served.leaf}?format=raw")
    assert response.status_code == 405


def test_a_service_worker_is_refused(served: Served) -> None:
    response = served.get(f"/ipfs/{served.leaf}?format=raw", **{"Service-Worker": "script"})
    assert response.status_code == 400


ACCEPTS = {
    "raw": (RAW, 200, RAW),
    "CAR": (CAR, 200, f"{CAR}; version=1; order=dfs; dups=n"),
    "CAR with duplicates": (f"{CAR};version=1;order=dfs;dups=y", 200, "dups=y"),
    "CAR in quotes": (f'{CAR}; version="1"', 200, "version=1"),
    "a preference": (f"{CAR};q=0.5, {RAW};q=0.9", 200, RAW),
    "the other preference": (f"{RAW};q=0.1, {CAR}", 200, CAR),
    "what cannot be served, then raw": (f"text/html, {RAW};q=0.1", 200, RAW),
    "CAR version 2, then 1": (f"{CAR};version=2, {CAR};version=1;q=0.5", 200, "version=1"),
    "upper case": (RAW.upper(), 200, RAW),
    "only what cannot be served": ("text/html", 406, "text/plain"),
    "only CAR version 2": (f"{CAR};version=2", 406, "text/plain"),
    "an unknown order": (f"{CAR};order=bfs", 406, "text/plain"),
    "raw refused": (f"{RAW};q=0", 400, "text/plain"),
    "anything": ("*/*", 400, "text/plain"),
    "nothing": ("", 400, "text/plain"),
    "nonsense": (";;;,,,=;q=x", 400, "text/plain"),
    "a thousand types": ("a/b," * 1000, 406, "text/plain"),
}


@pytest.mark.parametrize(("accept", "status", "kind"), ACCEPTS.values(), ids=list(ACCEPTS))
def test_the_form_is_chosen_from_what_is_accepted(
    served: Served, accept: str, status: int, kind: str
) -> None:
    response = served.get(f"/ipfs/{served.root}", Accept=accept)
    assert response.status_code == status
    assert kind in response.headers["content-type"]
    assert ("content-location" in response.headers) == (status == 200)


def test_the_query_has_precedence_over_what_is_accepted(served: Served) -> None:
    response = served.get(f"/ipfs/{served.leaf}?format=raw", Accept=CAR)
    assert response.headers["content-type"] == RAW
    assert "content-location" not in response.headers


def test_the_content_location_gives_the_same_bytes(served: Served) -> None:
    first = served.get(f"/ipfs/{served.root}?entity-bytes=300:-900", Accept=f"{CAR};dups=y")
    location = first.headers["content-location"]
    second = served.get(location)
    assert second.content == first.content
    assert second.headers["etag"] == first.headers["etag"]


RANGES = {
    "some": ("bytes=2-5", 206, (2, 6)),
    "one byte": ("bytes=0-0", 206, (0, 1)),
    "from the middle": ("bytes=200-", 206, (200, 256)),
    "beyond the end": ("bytes=250-9999", 206, (250, 256)),
    "the end": ("bytes=-10", 206, (246, 256)),
    "more than there is": ("bytes=-9999", 206, (0, 256)),
    "behind the end": ("bytes=256-", 416, None),
    "nothing": ("bytes=-0", 416, None),
    "backwards": ("bytes=5-2", 200, (0, 256)),
    "two": ("bytes=0-1,4-5", 200, (0, 256)),
    "a thousand": ("bytes=" + ",".join(["0-1"] * 1000), 200, (0, 256)),
    "words": ("bytes=a-b", 200, (0, 256)),
    "no ends": ("bytes=-", 200, (0, 256)),
    "another unit": ("lines=0-1", 200, (0, 256)),
    "a huge number": ("bytes=" + "9" * 5000 + "-", 200, (0, 256)),
    "a negative number": ("bytes=--5", 200, (0, 256)),
    "Arabic digits": ("bytes=\u0661-\u0662", 200, (0, 256)),
}


@pytest.mark.parametrize(("header", "status", "span"), RANGES.values(), ids=list(RANGES))
def test_a_range_of_a_raw_block(
    served: Served, header: str, status: int, span: tuple[int, int] | None
) -> None:
    path = f"/ipfs/{served.leaf}?format=raw"
    response = served.client.get(path, headers=[(b"Range", header.encode())])
    assert response.status_code == status
    if span is None:
        assert response.headers["content-range"] == "bytes */256"
        return
    assert response.content == CONTENT[:256][slice(*span)]
    if status == 206:
        assert response.headers["content-range"] == f"bytes {span[0]}-{span[1] - 1}/256"


def test_a_range_of_another_version_gives_the_whole_block(served: Served) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": '"other"'}
    response = served.get(f"/ipfs/{served.leaf}?format=raw", **headers)
    assert (response.status_code, len(response.content)) == (200, 256)


def test_a_known_etag_is_answered_without_the_block(served: Served) -> None:
    for query in ("format=raw", "format=car", "format=car&dag-scope=block"):
        path = f"/ipfs/{served.root}?{query}"
        tag = served.get(path).headers["etag"]
        for header in (tag, f'"x", W/{tag}', "*"):
            response = served.get(path, **{"If-None-Match": header})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == tag
        assert served.get(path, **{"If-None-Match": '"x"'}).status_code == 200
    absent = served.get(f"/ipfs/{ABSENT}?format=raw", **{"If-None-Match": "*"})
    assert absent.status_code == 404


def test_different_answers_have_different_etags(served: Served) -> None:
    queries = [
        "format=raw",
        "format=car",
        "format=car&dag-scope=block",
        "format=car&dag-scope=entity",
        "format=car&entity-bytes=0:9",
        "format=car&entity-bytes=0:*",
        "format=car&car-dups=y",
    ]
    tags = {served.get(f"/ipfs/{served.root}?{q}").headers["etag"] for q in queries}
    assert len(tags) == len(queries)


def test_only_if_cached_is_refused_with_412_for_what_is_not_here(served: Served) -> None:
    headers = {"Cache-Control": "only-if-cached"}
    assert served.get(f"/ipfs/{ABSENT}?format=raw", **headers).status_code == 412
    assert served.get(f"/ipfs/{served.leaf}?format=raw", **headers).status_code == 200


def test_a_raw_block_has_the_headers_of_the_specification(served: Served) -> None:
    response = served.get(f"/ipfs/{served.leaf}?format=raw")
    assert response.content == CONTENT[:256]
    assert dict(response.headers) | {"date": "", "server": ""} == {
        "date": "",
        "server": "",
        "content-type": RAW,
        "content-length": "256",
        "content-disposition": f'attachment; filename="{served.leaf}.bin"',
        "etag": f'"{served.leaf}.raw"',
        "cache-control": "public, max-age=29030400, immutable",
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        "vary": "Accept",
    }


def test_a_car_has_the_headers_of_the_specification(served: Served) -> None:
    headers = served.get(f"/ipfs/{served.root}?format=car").headers
    assert headers["content-type"] == f"{CAR}; version=1; order=dfs; dups=n"
    assert headers["content-disposition"] == f'attachment; filename="{served.root}.car"'
    assert headers["cache-control"] == "public, max-age=29030400, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["accept-ranges"] == "none"


def test_head_ignores_a_range(served: Served) -> None:
    path = f"/ipfs/{served.leaf}?format=raw"
    response = served.client.head(path, headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.headers["content-length"]) == (200, "256")


@pytest.mark.parametrize("query", ["format=raw", "format=car", "format=car&entity-bytes=0:1"])
def test_head_says_what_get_says_without_a_body(served: Served, query: str) -> None:
    path = f"/ipfs/{served.root}?{query}"
    got, head = served.get(path), served.client.head(path)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    ignored = {"date", "content-length", "transfer-encoding"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }
    assert head.headers.get("content-length") != "0"
    if query == "format=raw":
        assert head.headers["content-length"] == got.headers["content-length"]


def test_the_probe_is_answered(served: Served) -> None:
    raw = served.get("/ipfs/bafkqaaa?format=raw")
    assert (raw.status_code, raw.content) == (200, b"")
    car = served.get("/ipfs/bafkqaaa?format=car")
    assert car.content.hex() == "19a265726f6f747381d82a450001550000" + b"gversion\1".hex()
    assert served.client.head("/ipfs/bafkqaaa?format=raw").status_code == 200


def test_a_car_holds_the_blocks_of_its_scope(served: Served) -> None:
    assert served.car("dag-scope=block") == [served.root]
    whole = served.car("dag-scope=all")
    assert sorted(whole) == list(served.store.cids())
    assert served.car("dag-scope=entity") == served.car("entity-bytes=0:*") == whole
    part = served.car("entity-bytes=0:255")
    assert part == whole[:4]
    assert served.car("entity-bytes=-1:*")[-1] == whole[-1]
    assert served.car("entity-bytes=300:200") == [served.root]
    assert served.car("entity-bytes=2500:99999")[-1] == whole[-1]


def test_duplicates_are_sent_when_they_are_asked_for(serve: Serve) -> None:
    store = MemoryStore(TINY)
    root = store.put(bytes(256 * 9))
    url = serve(gateway(store))
    counts = []
    for dups in "ny":
        response = httpx.get(f"{url}/ipfs/{root}?format=car&car-dups={dups}", trust_env=False)
        car = decode_car(io.BytesIO(response.content), block_bytes=LIMIT, total_bytes=LIMIT)
        counts.append(len(list(car.blocks)))
    assert counts == [3, 1 + 3 + 9]


def test_a_store_is_copied_through_a_car(served: Served) -> None:
    response = served.get(f"/ipfs/{served.root}?format=car")
    copy = MemoryStore(TINY)
    assert load_car(copy, io.BytesIO(response.content), total_bytes=LIMIT) == (served.root,)
    assert copy.get(served.root, max_bytes=LIMIT) == CONTENT


def test_no_damaged_block_is_ever_served(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(TINY)
    root = store.put(CONTENT)
    url = serve(gateway(store))
    with httpx.Client(base_url=url, trust_env=False) as client:
        for cid, block in list(store._blocks.items()):
            for wrong in (b"", block[:-1], block + b"\0", bytes((block[0] ^ 1,)) + block[1:]):
                store._blocks[cid] = wrong
                caplog.clear()
                response = client.get(f"/ipfs/{cid}?format=raw")
                assert response.status_code == 500
                assert "damaged" in response.text
                assert cid in caplog.text
                with pytest.raises(httpx.HTTPError):
                    complete_car(client, root)
            store._blocks[cid] = block
        assert complete_car(client, root)


def complete_car(client: httpx.Client, root: Cid) -> bytes:
    response = client.get(f"/ipfs/{root}?format=car")
    response.raise_for_status()
    return response.content


def test_a_missing_block_cuts_a_car_off(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(TINY)
    root = store.put(CONTENT)
    del store._blocks[cid_of(CONTENT[256:512], TINY)]
    url = serve(gateway(store))
    with pytest.raises(httpx.RemoteProtocolError), caplog.at_level(logging.ERROR):
        httpx.get(f"{url}/ipfs/{root}?format=car", trust_env=False)
    assert "cuts off" in caplog.text


def test_a_foreign_node_is_served_raw_and_not_as_a_car(serve: Serve) -> None:
    store = MemoryStore(TINY)
    node = b"\x0a\x02\x08\x01"
    cid = cid_from_digest(sha256(node), "dag-pb")
    store.write_block(cid, node)
    url = serve(gateway(store))
    assert httpx.get(f"{url}/ipfs/{cid}?format=raw", trust_env=False).content == node
    response = httpx.get(f"{url}/ipfs/{cid}?format=car", trust_env=False)
    assert (response.status_code, "layout" in response.text) == (404, True)


def test_no_answer_tells_where_the_store_lies(serve: Serve, tmp_path: Any) -> None:
    store = DirectoryStore(tmp_path, profile=TINY, durable=False)
    root = store.put(CONTENT)
    (tmp_path / root[-2] / root).write_bytes(b"damaged")
    url = serve(gateway(store))
    for name in (root, ABSENT):
        for query in ("format=raw", "format=car"):
            response = httpx.get(f"{url}/ipfs/{name}?{query}", trust_env=False)
            assert response.status_code in (404, 500)
            assert str(tmp_path) not in response.text + str(response.headers)


def test_denied_content_is_gone(serve: Serve) -> None:
    store = MemoryStore(TINY)
    root, other = store.put(CONTENT), store.put(b"alice")
    url = serve(gateway(store, denied=lambda cid: cid == root))
    for query in ("format=raw", "format=car"):
        assert httpx.get(f"{url}/ipfs/{root}?{query}", trust_env=False).status_code == 410
    assert httpx.get(f"{url}/ipfs/{other}?format=raw", trust_env=False).status_code == 200


def test_a_bomb_of_few_blocks_is_not_unfolded(serve: Serve) -> None:
    store = MemoryStore(TINY)
    root = store.put(bytes(256 * 3**7))
    url = serve(gateway(store, car_bytes_max=10_000))
    assert len(list(store.cids())) < 10
    for query in ("format=car&car-dups=y", "format=car", "format=car&entity-bytes=0:*"):
        assert httpx.get(f"{url}/ipfs/{root}?{query}", trust_env=False).status_code == 413
    part = httpx.get(f"{url}/ipfs/{root}?format=car&entity-bytes=0:999", trust_env=False)
    assert part.status_code == 200
    assert httpx.get(f"{url}/ipfs/{root}?format=raw", trust_env=False).status_code == 200


def test_too_many_cars_at_once_are_refused_and_blocks_are_not(serve: Serve) -> None:
    store = Paused()
    root = store.put(CONTENT)
    url = serve(gateway(store, cars_max=1))
    store.gate.clear()
    with httpx.Client(base_url=url, trust_env=False) as client:
        with client.stream("GET", f"/ipfs/{root}?format=car") as stream:
            assert stream.status_code == 200
            assert store.waiting.wait(10)
            refused = client.get(f"/ipfs/{root}?format=car")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert client.get(f"/ipfs/{root}?format=raw").status_code == 200
            store.gate.set()
            stream.read()
        assert client.get(f"/ipfs/{root}?format=car").status_code == 200


class Paused(MemoryStore):
    """A store whose leaves wait until a gate opens."""

    def __init__(self) -> None:
        super().__init__(TINY)
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.gate.set()

    def read_block(self, cid: Cid, limit: int) -> bytes:
        if codec_of(cid) == "raw" and not self.gate.is_set():
            self.waiting.set()
            self.gate.wait(10)
        return super().read_block(cid, limit)


def test_clients_that_hang_up_free_their_place(serve: Serve) -> None:
    store = MemoryStore()
    root = store.put(b"".join(i.to_bytes(4, "big") for i in range(4 << 20)))
    url = serve(gateway(store, cars_max=2))
    parts = urlsplit(url)
    for _ in range(5):
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
            connection.sendall(f"GET /ipfs/{root}?format=car HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            connection.recv(1000)
    for _ in range(100):
        response = httpx.head(f"{url}/ipfs/{root}?format=car", trust_env=False)
        assert response.status_code == 200
        answer = httpx.get(f"{url}/ipfs/{root}?format=car", trust_env=False)
        if answer.status_code == 200:
            break
    assert len(answer.content) > 16 << 20


def test_a_car_takes_the_memory_of_a_few_blocks(serve: Serve, tmp_path: Any) -> None:
    store = DirectoryStore(tmp_path, durable=False)
    root = store.put(io.BytesIO(b"".join(i.to_bytes(4, "big") for i in range(8 << 20))))
    url = serve(gateway(store))
    digest_bytes = 0
    tracemalloc.start()
    try:
        with httpx.stream("GET", f"{url}/ipfs/{root}?format=car", trust_env=False) as stream:
            for part in stream.iter_raw(1 << 16):
                digest_bytes += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert digest_bytes > 32 << 20
    assert peak < 12 << 20


def test_routes_can_join_another_application(serve: Serve) -> None:
    from starlette.applications import Starlette

    store: Store = MemoryStore()
    cid = store.put(b"alice")
    url = serve(Starlette(routes=gateway_routes(store)))
    content = httpx.get(f"{url}/ipfs/{cid}?format=raw", trust_env=False).content
    assert sha256(content) == digest_of(cid)


parts = st.sampled_from(
    ["/", "ipfs", "..", "%", "?", CID, ABSENT, "bafkqaaa", "a", "\0", "\n", "\xff", " ", "raw", ":"]
)
texts = st.one_of(
    st.text(max_size=20),
    st.lists(parts, max_size=6).map("".join),
    st.sampled_from(["raw", "car", "0:*", "-1:*", "block", "bytes=0-", RAW, CAR, f"{CAR};dups=y"]),
)
names = st.sampled_from(["format", "dag-scope", "entity-bytes", "car-dups", "car-order", "x"])
headers = st.sampled_from(
    ["accept", "range", "if-none-match", "if-range", "cache-control", "service-worker", "host"]
)


@settings(max_examples=300, deadline=None)
@given(
    path=st.one_of(texts.map("/ipfs/".__add__), texts, st.just(f"/ipfs/{CID}")),
    query=st.lists(st.tuples(names, texts), max_size=4),
    sent=st.lists(st.tuples(headers, texts), max_size=4),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
)
def test_any_request_is_answered_and_none_is_a_failure_of_the_server(
    path: str, query: list[tuple[str, str]], sent: list[tuple[str, str]], method: str
) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "root_path": "",
        "query_string": urlencode(query, errors="replace").encode(),
        "headers": [(k.encode(), v.encode("latin-1", "replace")) for k, v in sent],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    messages = asyncio.run(called(FUZZED, scope))
    start, *bodies = messages
    assert start["status"] in {200, 206, 304, 400, 404, 405, 406, 412, 416}
    for name, value in start["headers"]:
        assert not re.search(rb"[\r\n\0]", name + value)
    if start["status"] >= 400 and method != "HEAD":
        text = b"".join(one.get("body", b"") for one in bodies).decode("ascii")
        assert text.strip().isprintable()


FUZZED = gateway(STORE)


async def called(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that an application sends in answer to one request."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages
