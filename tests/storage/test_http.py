"""Reading blocks from gateways that lie, break off, drip, redirect or say nothing."""

from __future__ import annotations

import gzip
import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound, StoreError
from ostrom.storage import MemoryStore, cid_of
from ostrom.storage.dag import open_content
from ostrom.storage.gateway import gateway
from ostrom.storage.http import GatewayFetch, GatewaySource
from ostrom.types import Cid

TINY = "tiny-256b-3"
BLOCK = bytes(range(256))
CID = cid_of(BLOCK)
LIMIT = 256

Reply = Callable[[socket.socket], None]
AnswerWith = Callable[[Reply], str]


def says(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> Reply:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    head = "\r\n".join([*lines, "", ""]).encode()
    return lambda connection: connection.sendall(head + body)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")


def endless_without_length(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"y" * 8000 + b"\r\n")


def endless_hints(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def dripping(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 256\r\n\r\n")
    for byte in BLOCK:
        time.sleep(0.05)
        connection.sendall(bytes((byte,)))


def dripping_headers(connection: socket.socket) -> None:
    for byte in itertools.cycle(b"HTTP/1.1 200 OK\r\nX: y"):
        time.sleep(0.05)
        connection.sendall(bytes((byte,)))


def silent(connection: socket.socket) -> None:
    time.sleep(2)


def nothing(connection: socket.socket) -> None:
    """The connection closes at once."""


def raw(data: bytes) -> Reply:
    return lambda connection: connection.sendall(data)


FAULTS: dict[str, tuple[Reply, type[StoreError]]] = {
    "wrong bytes": (says("200 OK", bytes(256)), CorruptContent),
    "one flipped bit": (says("200 OK", b"\1" + BLOCK[1:]), CorruptContent),
    "no bytes": (says("200 OK"), CorruptContent),
    "half a block that says so": (says("200 OK", BLOCK[:128]), CorruptContent),
    "half a block": (says("200 OK", BLOCK[:128], length=256), StoreError),
    "more bytes": (says("200 OK", BLOCK + b"\0"), ContentTooLarge),
    "a huge length": (says("200 OK", BLOCK, length=1 << 62), ContentTooLarge),
    "a negative length": (says("200 OK", BLOCK, length=-1), StoreError),
    "two lengths": (says("200 OK", BLOCK, "Content-Length: 3"), StoreError),
    "an endless stream": (endless, ContentTooLarge),
    "an endless stream without length": (endless_without_length, ContentTooLarge),
    "endless headers": (endless_headers, StoreError),
    "endless hints": (endless_hints, StoreError),
    "a drip": (dripping, StoreError),
    "a drip of headers": (dripping_headers, StoreError),
    "silence": (silent, StoreError),
    "nothing": (nothing, StoreError),
    "a compressed bomb": (
        says("200 OK", gzip.compress(bytes(1 << 20))[:200], "Content-Encoding: gzip"),
        StoreError,
    ),
    "part of it": (says("206 Partial Content", BLOCK[:9]), StoreError),
    "no content": (says("204 No Content"), StoreError),
    "a failure": (says("500 Internal Server Error", BLOCK), StoreError),
    "an upgrade": (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), StoreError),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n" * 10), StoreError),
    "HTTP/0.9": (raw(BLOCK), StoreError),
    "escape codes": (raw(b"HTTP/1.1 \x1b[2J\x1b[31m OK\r\n\r\n"), StoreError),
    "absent": (says("404 Not Found"), NotFound),
    "gone": (says("410 Gone"), NotFound),
}


@pytest.fixture
def fetch() -> Iterator[GatewayFetch]:
    one = GatewayFetch(allow_private=True, seconds_max=0.5)
    yield one
    one.close()


@pytest.mark.parametrize(("reply", "error"), FAULTS.values(), ids=list(FAULTS))
def test_a_faulty_gateway_gives_one_line_within_the_time(
    answer_with: AnswerWith, fetch: GatewayFetch, reply: Reply, error: type[StoreError]
) -> None:
    url = answer_with(reply)
    start = time.monotonic()
    with pytest.raises(StoreError) as caught:
        fetch(url, CID, LIMIT)
    assert time.monotonic() - start < 5
    assert type(caught.value) is error
    message = str(caught.value)
    assert message.startswith(url)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(answer_with: AnswerWith, fetch: GatewayFetch, status: int) -> None:
    asked = threading.Event()

    def target(connection: socket.socket) -> None:
        asked.set()
        says("200 OK", BLOCK)(connection)

    url = answer_with(says(f"{status} Elsewhere", b"", f"Location: {answer_with(target)}/x"))
    with pytest.raises(StoreError, match=str(status)):
        fetch(url, CID, LIMIT)
    assert not asked.is_set()


def test_an_endless_stream_takes_little_memory(
    answer_with: AnswerWith, fetch: GatewayFetch
) -> None:
    url = answer_with(endless)
    tracemalloc.start()
    try:
        for _ in range(3):
            with pytest.raises(ContentTooLarge):
                fetch(url, CID, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_nobody_at_the_port_is_a_store_error(fetch: GatewayFetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StoreError, match="cannot be read"):
        fetch(f"http://127.0.0.1:{port}", CID, LIMIT)


def test_a_private_address_is_refused_without_a_connection(answer_with: AnswerWith) -> None:
    asked = threading.Event()
    url = answer_with(lambda connection: asked.set())
    strict = GatewayFetch(seconds_max=0.5)
    with pytest.raises(InputError, match="private"):
        strict(url, CID, LIMIT)
    with pytest.raises(InputError, match="private"):
        strict(url.replace("127.0.0.1", "localhost"), CID, LIMIT)
    strict.close()
    assert not asked.is_set()


def test_a_name_that_changes_its_address_is_connected_where_it_was_checked(
    answer_with: AnswerWith,
) -> None:
    """DNS rebinding: the first answer is harmless, the second leads inside. There is no second."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    url = answer_with(says("200 OK", BLOCK))
    one = GatewayFetch(allow_private=True, seconds_max=1, resolve=rebinding)
    assert one(url.replace("127.0.0.1", "peer.example"), CID, LIMIT) == BLOCK
    assert asked == ["peer.example"]
    with pytest.raises(InputError, match="no peer can be"):
        one(url.replace("127.0.0.1", "peer.example"), CID, LIMIT)
    one.close()


def test_another_address_of_a_name_is_tried_when_the_first_does_not_answer(
    answer_with: AnswerWith,
) -> None:
    url = answer_with(says("200 OK", BLOCK)).replace("127.0.0.1", "peer.example")
    found = ["::1", "127.0.0.77", "127.0.0.1"]
    one = GatewayFetch(allow_private=True, seconds_max=5, resolve=lambda host, port: found)
    assert one(url, CID, LIMIT) == BLOCK
    one.close()


def test_the_environment_names_no_proxy(
    answer_with: AnswerWith, fetch: GatewayFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(answer_with(says("200 OK", BLOCK)), CID, LIMIT) == BLOCK


def test_a_block_comes_from_a_gateway_and_connections_are_kept(
    serve: Callable[[Any], str], fetch: GatewayFetch
) -> None:
    store = MemoryStore(TINY)
    root = store.put(BLOCK * 30)
    url = serve(gateway(store))
    for cid in store.cids():
        assert sha256(fetch(url, cid, 400)) == sha256(store.read_block(cid, 400))
    with pytest.raises(NotFound, match=url):
        fetch(url, cid_of(b"absent"), LIMIT)
    assert len(fetch._pool.connections) == 1
    with pytest.raises(ContentTooLarge):
        fetch(url, root, 10)


def test_content_is_read_from_a_source(serve: Callable[[Any], str]) -> None:
    store = MemoryStore(TINY)
    content = BLOCK * 30
    root = store.put(content)
    source = GatewaySource(serve(gateway(store)) + "/", allow_private=True)
    size, leaves = open_content(source, root, profile=store.layout, max_bytes=1 << 20)
    assert (size, b"".join(leaves)) == (len(content), content)
    source.close()


def test_many_threads_share_one_fetch(serve: Callable[[Any], str]) -> None:
    store = MemoryStore(TINY)
    store.put(bytes(i * j % 251 for i in range(256) for j in range(40)))
    url = serve(gateway(store))
    one = GatewayFetch(allow_private=True)
    got: list[tuple[Cid, bytes]] = []

    def work() -> None:
        got.extend((cid, one(url, cid, 400)) for cid in store.cids())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.close()
    assert len(got) == 8 * len(list(store.cids()))
    assert all(store.read_block(cid, 400) == block for cid, block in got)


@pytest.fixture
def https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A gateway under TLS whose certificate names peer.example; who connects trusts it."""
    if shutil.which("openssl") is None:  # pragma: no cover
        pytest.skip("needs the command openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", "/CN=peer.example", "-addext", "subjectAltName=DNS:peer.example"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *name, *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names: list[str] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda socket, name, context: names.append(str(name))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_once, args=(listener, context), daemon=True)
        thread.start()
        yield f"https://peer.example:{listener.getsockname()[1]}", names
        thread.join(timeout=10)


def answer_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    listener.settimeout(5)
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            says("200 OK", BLOCK)(secure)
    except OSError:
        connection.close()


def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_certificate_is_checked_for_the_name_not_for_the_address(https: Any) -> None:
    url, names = https
    one = GatewayFetch(allow_private=True, seconds_max=5, resolve=to_loopback)
    assert one(url, CID, LIMIT) == BLOCK
    assert names == ["peer.example"]
    one.close()


def test_a_certificate_for_another_name_is_refused(https: Any) -> None:
    url, _ = https
    one = GatewayFetch(allow_private=True, seconds_max=5, resolve=to_loopback)
    with pytest.raises(StoreError, match="certificate"):
        one(url.replace("peer.example", "bank.example"), CID, LIMIT)
    one.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    https: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    url, _ = https
    one = GatewayFetch(allow_private=True, seconds_max=5, resolve=to_loopback)
    with pytest.raises(StoreError, match="certificate"):
        one(url, CID, LIMIT)
    one.close()
