"""The store in a Kubo node, against a server that follows the documentation of its RPC."""

from __future__ import annotations

import importlib.util
import io
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import ContentTooLarge, CorruptContent, InputError, NotFound, StoreError
from ostrom.storage import cid_from_digest, cid_of, codec_of, digest_of
from ostrom.storage.kubo import KuboStore

TINY = "tiny-256b-3"
CONTENT = bytes((31 * i + 7) % 251 for i in range(251)) * 10
LIMIT = 1 << 20


def load_rpc() -> Any:
    """The module beside this one; the tests are no package."""
    spec = importlib.util.spec_from_file_location("rpc", Path(__file__).with_name("rpc.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("rpc", module)
    spec.loader.exec_module(module)
    return module


Rpc = load_rpc().Rpc


@pytest.fixture
def rpc() -> Any:
    return Rpc()


@pytest.fixture
def store(rpc: Any, serve: Callable[[Any], str]) -> Iterator[KuboStore]:
    one = KuboStore(serve(rpc.app()), profile=TINY, seconds_max=5)
    yield one
    one.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:5001",
        "/ip4/127.0.0.1/tcp/5001",
        "ftp://127.0.0.1:5001",
        "http://",
        "http://127.0.0.1:5001/api/v0",
        "http://127.0.0.1:5001/?a=b",
        "http://127.0.0.1:5001/#a",
        "http://alice:secret@127.0.0.1:5001",
        "http://127.0.0.1:99999",
        "http://[::1",
    ],
)
def test_what_is_no_address_of_an_rpc_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="cannot use the address") as caught:
        KuboStore(url)
    assert len(str(caught.value)) < 200


def test_nobody_at_the_address_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = KuboStore(f"http://127.0.0.1:{port}", seconds_max=2)
    for act in (
        lambda: store.put(b"alice"),
        lambda: store.get(cid_of(b"alice"), max_bytes=10),
        lambda: store.has(cid_of(b"alice")),
        lambda: list(store.cids()),
        lambda: store.pin(cid_of(b"alice")),
    ):
        with pytest.raises(StoreError, match="ipfs daemon"):
            act()
    store.close()


def says(body: bytes, status: str = "200 OK", length: int | None = None) -> Any:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"a" * 65536)


ANSWERS = {
    "text": says(b"hello"),
    "a list": says(b"[1, 2]"),
    "deep nesting": says(b"[" * 60_000),
    "nothing": says(b""),
    "half": says(b'{"Key": "', length=100),
    "another key": says(b'{"Key": "QmX"}'),
    "no key": says(b"{}"),
    "a number as key": says(b'{"Key": 5}'),
    "escape codes": says(b'{"Message": "\\u001b[2J owned\\n"}', "500 Internal Server Error"),
    "a failure without JSON": says(b"oops", "502 Bad Gateway"),
    "a redirect": says(b"", "307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/"),
    "forbidden": says(b"403 - Forbidden", "403 Forbidden"),
    "an endless answer": endless,
    "silence": lambda connection: connection.recv(1),
}


@pytest.mark.parametrize("reply", ANSWERS.values(), ids=list(ANSWERS))
def test_a_strange_answer_to_a_put_is_one_line(answer_with: Any, reply: Any) -> None:
    store = KuboStore(answer_with(reply), seconds_max=0.5)
    with pytest.raises(StoreError) as caught:
        store.put(b"alice")
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 400
    store.close()


@pytest.mark.parametrize("reply", [endless, says(b'{"Ref": "a"}\n[]\n'), says(b"x\n")])
def test_a_strange_list_is_refused(answer_with: Any, reply: Any) -> None:
    store = KuboStore(answer_with(reply), seconds_max=0.5)
    with pytest.raises(StoreError):
        list(store.cids())
    store.close()


def test_an_endless_block_is_cut_at_the_limit(answer_with: Any) -> None:
    store = KuboStore(answer_with(endless), seconds_max=2)
    assert len(store.read_block(cid_of(b"alice"), 1000)) == 1001
    with pytest.raises(CorruptContent):
        store.get(cid_of(b"alice"), max_bytes=LIMIT * 2)
    store.close()


def test_absent_content_is_not_found(store: KuboStore) -> None:
    cid = cid_of(b"absent")
    assert not store.has(cid)
    with pytest.raises(NotFound, match=cid):
        store.get(cid, max_bytes=10)
    with pytest.raises(NotFound, match=cid):
        store.pin(cid)
    assert store.unpin(cid) is False


def test_damage_in_the_node_is_found(store: KuboStore, rpc: Any) -> None:
    root = store.put(CONTENT[:600])
    for digest, block in list(rpc.blocks.items()):
        for wrong in (block[:-1], block + b"\0", bytes((block[0] ^ 1,)) + block[1:]):
            rpc.blocks[digest] = wrong
            with pytest.raises(CorruptContent):
                store.get(root, max_bytes=LIMIT)
        rpc.blocks[digest] = block
    assert store.get(root, max_bytes=LIMIT) == CONTENT[:600]


def test_a_missing_block_is_named(store: KuboStore, rpc: Any) -> None:
    root = store.put(CONTENT)
    leaf = cid_of(CONTENT[:256], TINY)
    del rpc.blocks[digest_of(leaf)]
    with pytest.raises(NotFound, match=leaf):
        store.get(root, max_bytes=LIMIT)
    with pytest.raises(NotFound, match=leaf):
        store.pin(root)


@pytest.mark.parametrize("size", [0, 1, 256, 257, 769, 2304, 2305])
def test_what_was_put_comes_back_and_is_pinned(store: KuboStore, rpc: Any, size: int) -> None:
    cid = store.put(CONTENT[:size])
    assert cid == cid_of(CONTENT[:size], TINY)
    assert store.has(cid)
    assert store.get(cid, max_bytes=size) == CONTENT[:size]
    assert rpc.pins == {cid}
    if size:
        with pytest.raises(ContentTooLarge):
            store.get(cid, max_bytes=size - 1)
    assert store.unpin(cid) is True
    assert store.unpin(cid) is False


def test_a_block_of_a_mebibyte_is_accepted(rpc: Any, serve: Callable[[Any], str]) -> None:
    store = KuboStore(serve(rpc.app()))
    data = CONTENT * 500
    cid = store.put(io.BytesIO(data))
    assert store.get(cid, max_bytes=len(data)) == data
    assert max(map(len, rpc.blocks.values())) == 1 << 20
    store.close()


def test_a_store_that_does_not_pin_pins_nothing(rpc: Any, serve: Callable[[Any], str]) -> None:
    store = KuboStore(serve(rpc.app()), pin=False)
    store.put(CONTENT)
    assert rpc.pins == set()
    store.close()


def test_every_block_is_listed_once_under_its_hash(store: KuboStore, rpc: Any) -> None:
    root = store.put(CONTENT)
    listed = list(store.cids())
    assert len(listed) == len(set(listed)) == len(rpc.blocks)
    assert {digest_of(cid) for cid in listed} == set(rpc.blocks)
    assert {codec_of(cid) for cid in listed} == {"raw"}
    assert cid_from_digest(digest_of(root)) in listed


def test_the_node_is_asked_as_its_documentation_says(rpc: Any, serve: Callable[[Any], str]) -> None:
    store = KuboStore(serve(rpc.app()), authorization="Bearer token")
    cid = store.put(b"alice")
    store.get(cid, max_bytes=10)
    store.has(cid)
    asked = [(command, query) for command, query, _ in rpc.requests]
    assert asked == [
        ("block/put", {"cid-codec": "raw", "mhtype": "sha2-256", "pin": "false"}),
        ("pin/add", {"arg": cid, "recursive": "true"}),
        ("block/get", {"arg": cid, "offline": "true"}),
        ("block/stat", {"arg": cid, "offline": "true"}),
    ]
    assert all(headers["authorization"] == "Bearer token" for _, _, headers in rpc.requests)
    store.close()


def test_a_node_may_ask_the_network_for_a_limited_time(
    rpc: Any, serve: Callable[[Any], str]
) -> None:
    store = KuboStore(serve(rpc.app()), offline=False, seconds_max=7)
    store.get(store.put(b"alice"), max_bytes=10)
    query = next(query for command, query, _ in rpc.requests if command == "block/get")
    assert (query["offline"], query["timeout"]) == ("false", "7s")
    store.close()
