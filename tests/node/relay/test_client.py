from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ostrom.errors import CodecError, InputError
from ostrom.node.relay.client import RelayClient


@contextmanager
def answering(answer: bytes, *, drip: float = 0) -> Iterator[str]:
    """A server on loopback that gives everybody these bytes, all at once or one by one."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(2)
                try:
                    peer.recv(65_536)
                    parts = [answer[i : i + 1] for i in range(len(answer))] if drip else [answer]
                    for part in parts:
                        peer.sendall(part)
                        if stop.wait(drip):
                            return
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
        assert not thread.is_alive()


def http(status: str, body: bytes, *, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


def nowhere() -> str:
    """A URL at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8551",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#x",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://127.0.0.1/\n",
        "http://127.0.0.1/\x00",
    ],
)
def test_what_is_no_url_of_a_relay_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="not the URL of a relay"):
        RelayClient([url])


def test_a_client_without_a_relay_is_refused() -> None:
    with pytest.raises(InputError, match="at least one relay"):
        RelayClient([])


def test_what_is_no_message_is_not_sent() -> None:
    with pytest.raises(CodecError):
        RelayClient([nowhere()]).offer(b"{}")


def test_the_next_relay_is_asked_where_one_is_down_or_nonsensical(town: Any, serve: Any) -> None:
    data = town.commit(town.trainers[0])
    with (
        answering(http("200 OK", b"<html>hello</html>")) as page,
        answering(http("500 Oops", b'{"error":"broken"}')) as broken,
        serve(town, town.relay()) as good,
    ):
        client = RelayClient([nowhere(), page, broken, good])
        assert client.offer(data).status == 202
        assert client.offer(data, first=3).status == 200
        alone = RelayClient([nowhere(), page, broken]).offer(data)
        assert (alone.status, alone.accepted) == (503, False)


def test_a_refusal_that_says_why_is_kept_and_the_others_are_still_asked(
    town: Any, serve: Any
) -> None:
    data = town.commit(town.trainers[0], 2)
    with serve(town, town.relay()) as good:
        found = RelayClient([nowhere(), good, nowhere()]).offer(data)
        assert (found.status, "too early" in found.line) == (409, True)
    right = town.commit(town.trainers[0])
    with (
        answering(http("403 No", b'{"error":"I do not like you"}')) as liar,
        serve(town, town.relay()) as good,
    ):
        assert RelayClient([liar, good]).offer(right).status == 202


def test_a_redirect_is_not_followed(town: Any, serve: Any) -> None:
    relay, data = town.relay(), town.commit(town.trainers[0])
    with serve(town, relay) as good:
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            more = f"Location: {good}/v1/commit\r\n"
            with answering(http(status, b'{"line":"there"}', more=more)) as elsewhere:
                found = RelayClient([elsewhere]).offer(data)
                assert (found.status, "does not answer like a relay" in found.line) == (503, True)
    assert relay.waiting(town.state)["commit"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"line":1}',
        b'{"line":null}',
        b"[" * 4_000,
        b'{"line":"' + b"x" * 5_000 + b'"}',
        b"\xff\xfe",
    ],
)
def test_an_answer_of_another_shape_is_no_receipt(town: Any, body: bytes) -> None:
    with answering(http("202 Accepted", body)) as url:
        assert RelayClient([url]).offer(town.commit(town.trainers[0])).status == 503


def test_an_answer_is_made_one_printable_line(town: Any) -> None:
    body = b'{"error":"no\\u001b[31m\\nway \\u202e' + b"y" * 900 + b'"}'
    with answering(http("400 Bad", body)) as url:
        found = RelayClient([url]).offer(town.commit(town.trainers[0]))
    assert found.status == 400
    assert len(found.line) <= 240
    assert found.line.isascii()
    assert found.line.isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        http("202 Accepted", b'{"line":"taken"}'),
        b"HTTP/1.1 202 Accepted\r\nContent-Type: " + b"x" * 3_000,
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500,
    ],
)
def test_a_relay_that_drips_cannot_hold_anybody(town: Any, answer: bytes) -> None:
    data = town.commit(town.trainers[0])
    with answering(answer, drip=0.05) as url:
        client = RelayClient([url], seconds_max=0.5)
        begin = time.monotonic()
        assert client.offer(data).status == 503
        assert time.monotonic() - begin < 2


def test_an_endless_answer_is_cut_off(town: Any) -> None:
    head = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"
    with answering(head + (b"ffff\r\n" + b"x" * 65_535 + b"\r\n") * 200) as url:
        found = RelayClient([url]).offer(town.commit(town.trainers[0]))
    assert found.status == 503


def test_no_proxy_of_the_environment_is_used(
    town: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nowhere())
    with serve(town, town.relay()) as url:
        assert RelayClient([url]).offer(town.commit(town.trainers[0])).status == 202
