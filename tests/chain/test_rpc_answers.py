"""Answers of any shape: read, or refused in one line."""

from __future__ import annotations

import copy
import json
import random
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.chain import answers
from ostrom.chain.refusals import TooLong, Unreachable
from ostrom.chain.transport import Transport
from ostrom.codec import address_bytes, checksum_address, keccak

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HASH = "0x" + "ab" * 32
BLOCK: dict[str, Any] = {
    "number": "0x10",
    "hash": HASH,
    "parentHash": "0x" + "cd" * 32,
    "timestamp": "0x5",
    "gasLimit": "0x1c9c380",
    "baseFeePerGas": "0x7",
    "logsBloom": "0x" + "00" * 256,
    "transactions": [HASH],
}
LOG: dict[str, Any] = {
    "address": "0x" + "11" * 20,
    "topics": [HASH],
    "data": "0x00",
    "blockNumber": "0x10",
    "blockHash": HASH,
    "logIndex": "0x0",
    "transactionHash": HASH,
    "removed": False,
}
RECEIPT: dict[str, Any] = {
    "transactionHash": HASH,
    "blockNumber": "0x10",
    "blockHash": HASH,
    "status": "0x1",
    "gasUsed": "0x5208",
    "contractAddress": None,
    "logs": [LOG],
}
READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "header": (answers.header, BLOCK),
    "logs": (answers.logs, [LOG, {**LOG, "logIndex": "0x1"}]),
    "receipt": (answers.maybe_receipt, RECEIPT),
    "receipts": (answers.receipts_of, [RECEIPT]),
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
) | st.sampled_from(["0x", "0x0", "0xzz", "0x" + "f" * 64, "0x" + "f" * 65, "0x\u0661", HASH, "10"])


@pytest.mark.parametrize("kind", READERS)
def test_what_fits_is_read(kind: str) -> None:
    read, good = READERS[kind]
    assert read(good)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=300, deadline=None)
@given(junk=JUNK, seed=st.integers(0, 2**32))
def test_a_damaged_answer_is_refused_in_one_line(kind: str, junk: Any, seed: int) -> None:
    read, good = READERS[kind]
    damaged = spoil(copy.deepcopy(good), junk, random.Random(seed))
    said = ""
    try:
        read(damaged)
    except Unreachable as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    "field", [each for each in BLOCK if each not in ("baseFeePerGas", "logsBloom", "transactions")]
)
def test_a_block_without_what_is_needed_is_refused(field: str) -> None:
    with pytest.raises(Unreachable, match="gave None where"):
        answers.header({key: value for key, value in BLOCK.items() if key != field})


def test_logs_are_put_in_order_and_twice_the_same_place_is_refused() -> None:
    shuffled = [{**LOG, "logIndex": hex(index)} for index in (2, 0, 1)]
    assert [log.index for log in answers.logs(shuffled)] == [0, 1, 2]
    with pytest.raises(Unreachable, match="two logs 0 of block 16"):
        answers.logs([LOG, LOG])
    with pytest.raises(Unreachable, match="two blocks of the number 16"):
        answers.logs([LOG, {**LOG, "logIndex": "0x1", "blockHash": "0x" + "ee" * 32}])
    assert answers.logs([{**LOG, "removed": True}]) == []


def test_a_bloom_filter_holds_what_was_put_in() -> None:
    address = checksum_address(bytes.fromhex("095e7baea6a6c7c4c2dfeb977efac326af552d87"))
    bloom = bytearray(256)
    digest = keccak(address_bytes(address))
    for at in (0, 2, 4):
        bit = int.from_bytes(digest[at : at + 2], "big") & 2047
        bloom[255 - bit // 8] |= 1 << bit % 8
    assert answers.bloom_holds(bytes(bloom), address_bytes(address))
    assert not answers.bloom_holds(bytes(bloom), b"another")
    assert not answers.may_log(bytes(bloom), address, [b"topic"])


@pytest.mark.parametrize(
    ("head", "body", "kind"),
    [
        (OK + b"Content-Length: 99999999999999\r\n\r\n", b"{", TooLong),
        (OK + b"\r\n", b"x" * 300_000, TooLong),
        (OK + CHUNKED + b"ffffffffff\r\n", b"x" * 300_000, TooLong),
        (OK + CHUNKED + b"zz\r\n", b"", Unreachable),
        (OK + b"X: y\r\n" * 101 + b"\r\n", b"{}", Unreachable),
        (OK + b"\r\n", b"[" * 100_000, Unreachable),
        (OK + b"\r\n", b"\xff\xfe", Unreachable),
        (OK + b"\r\n", b"[]", Unreachable),
        (b"SSH-2.0-OpenSSH\r\n", b"", Unreachable),
        (b"", b"", Unreachable),
    ],
)
def test_a_server_that_is_no_node_is_refused(
    head: bytes, body: bytes, kind: type[Unreachable]
) -> None:
    with server(head + body) as url, pytest.raises(kind) as caught:
        Transport(url, seconds_max=5, bytes_max=1_000).ask("eth_chainId")
    assert "\n" not in str(caught.value)


def test_a_chunked_answer_is_read() -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "result": "0x1"}).encode()
    half = len(text) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text[:half], text[half:]))
    with server(OK + CHUNKED + chunks + b"0\r\n\r\n") as url:
        assert Transport(url).ask("eth_chainId") == "0x1"


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Something that answers these bytes to whoever connects."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            # The client goes away when it has heard enough.
            with suppress(ConnectionError):
                self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as one:
        one.daemon_threads = True
        threading.Thread(target=one.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{one.server_address[1]}"
        one.shutdown()


def spoil(value: Any, junk: Any, dice: random.Random) -> Any:
    """The value with one place of it, at whatever depth, replaced by junk."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(sorted(value))
        return {**value, key: spoil(value[key], junk, dice)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        at = dice.randrange(len(value))
        return [*value[:at], spoil(value[at], junk, dice), *value[at + 1 :]]
    return junk
