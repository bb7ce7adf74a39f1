"""The node's own pages over real connections: what they say, and who cannot hold them up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ostrom.errors import InputError
from ostrom.node.config import Listen
from ostrom.node.server import (
    CONNECTIONS_MAX,
    HEADER_BYTES_MAX,
    Board,
    PatientProtocol,
    Server,
    application,
)

HERE = Listen("127.0.0.1", 0)
HEAD_SECONDS, EXCHANGE_SECONDS = 0.4, 1.2


class Hurried(PatientProtocol):
    """As the node's, for tests that cannot wait."""

    head_seconds_max = HEAD_SECONDS
    exchange_seconds_max = EXCHANGE_SECONDS


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock, stale_seconds=60, work_seconds=600)


def endless(_: Request) -> Response:
    def parts() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    return StreamingResponse(parts())


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def server(board: Board) -> Iterator[Server]:
    routes = [Route("/endless", endless), Route("/length", length, methods=["POST"])]
    with Server(application(board, routes), HERE, protocol=Hurried) as running:
        yield running


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", trust_env=False, verify=False)


def connected(server: Server) -> socket.socket:
    made = socket.create_connection((server.place.host, server.place.port), timeout=10)
    return made


def seconds_until_closed(connection: socket.socket) -> float:
    """How long the server keeps a connection; what it says is thrown away."""
    began = time.monotonic()
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


def test_a_node_that_never_saw_the_chain_is_not_well(board: Board, server: Server) -> None:
    answer = get(server, "/health")
    assert (answer.status_code, answer.text) == (503, "has not seen the chain yet\n")
    board.failed("cannot reach the node")
    assert get(server, "/health").text == "has not seen the chain yet: cannot reach the node\n"


def test_health_ends_a_while_after_the_last_good_look(
    board: Board, clock: Clock, server: Server
) -> None:
    board.looked({"round": 1})
    clock.now += 60
    answer = get(server, "/health")
    assert (answer.status_code, answer.text) == (200, "ok: looked at the chain 60 s ago\n")
    board.failed("no answer")
    assert get(server, "/health").status_code == 200
    clock.now += 1
    answer = get(server, "/health")
    assert answer.status_code == 503
    assert answer.text == "the last good look at the chain was 61 s ago: no answer\n"
    board.looked({})
    assert get(server, "/health").status_code == 200


def test_who_trains_is_well_but_not_for_ever(board: Board, clock: Clock) -> None:
    board.looked({})
    clock.now += 100
    assert board.health()[0] is False
    with board.working("training round 3"):
        clock.now += 600
        assert board.health() == (True, "ok: training round 3 for 600 s")
        clock.now += 1
        assert board.health()[0] is False
    assert board.health()[0] is False


def test_work_does_not_hide_a_fault(board: Board) -> None:
    with board.working("training round 1"):
        board.failed("the chain is gone")
        assert board.health() == (False, "has not seen the chain yet: the chain is gone")


def test_work_that_fails_is_over(board: Board, clock: Clock) -> None:
    board.looked({})
    with pytest.raises(ValueError), board.working("training"):
        raise ValueError
    clock.now += 100
    assert board.health()[0] is False


def test_the_status_is_json_with_health_and_age(board: Board, clock: Clock, server: Server) -> None:
    board.looked({"round": 2, "raw": b"\xab", "balance": 10**24, "refused": ("a",), "none": None})
    clock.now += 2.5
    answer = get(server, "/status")
    assert answer.json() == {
        "round": 2,
        "raw": "ab",
        "balance": str(10**24),
        "refused": ["a"],
        "none": None,
        "healthy": True,
        "health": "ok: looked at the chain 2 s ago",
        "poll_age": 2.5,
    }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_the_metrics_are_those_of_the_status(board: Board, server: Server) -> None:
    board.looked({"round": 2})
    answer = get(server, "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "ostrom_task_round 2.0" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/health/", 404),
        ("POST", "/health", 405),
        ("PUT", "/status", 405),
    ],
)
def test_there_is_nothing_else(server: Server, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{server.url}{path}", trust_env=False, verify=False)
    assert answer.status_code in (status, 307)


def test_routes_can_be_added_while_it_runs(server: Server) -> None:
    assert get(server, "/later").status_code == 404
    server.add([Route("/later", lambda _: PlainTextResponse("here"))])
    assert get(server, "/later").text == "here"


def test_a_port_that_is_taken_is_one_line(server: Server) -> None:
    with pytest.raises(
        InputError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"
    ):
        Server(application(Board(time.monotonic)), server.place)
    with pytest.raises(InputError, match=r"cannot listen on 192\.0\.2\.1:8550"):
        Server(application(Board(time.monotonic)), Listen("192.0.2.1", 8550))


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.url == f"http://127.0.0.1:{server.place.port}"
    assert server.place.loopback


def test_it_stops_with_slow_clients_and_lets_the_port_go(board: Board) -> None:
    server = Server(application(board, [Route("/endless", endless)]), HERE)
    server.start()
    with connected(server) as idle, connected(server) as slow:
        slow.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.recv(10)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 12
        idle.close()
    with Server(application(board), server.place) as again:
        assert get(again, "/health").status_code == 503


def test_a_head_that_never_ends_is_cut_off(server: Server) -> None:
    with connected(server) as silent:
        assert HEAD_SECONDS / 2 < seconds_until_closed(silent) < HEAD_SECONDS + 2
    with connected(server) as slow:
        began, open_ = time.monotonic(), True
        slow.sendall(b"GET /health HTTP/1.1\r\n")
        while open_ and time.monotonic() - began < 5:
            time.sleep(0.05)
            try:
                slow.sendall(b"X-A: b\r\n")
            except OSError:
                open_ = False
        assert not open_
        assert time.monotonic() - began < HEAD_SECONDS + 2


def test_a_body_that_never_ends_is_cut_off(server: Server) -> None:
    with connected(server) as slow:
        slow.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        assert seconds_until_closed(slow) < EXCHANGE_SECONDS + 2


def test_a_reader_that_never_reads_is_cut_off(server: Server) -> None:
    with connected(server) as lazy:
        lazy.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(EXCHANGE_SECONDS + 0.5)
        assert seconds_until_closed(lazy) < 2


def test_a_second_request_on_a_connection_has_its_own_time(server: Server) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(4):
            assert client.get(f"{server.url}/metrics").status_code == 200
            time.sleep(HEAD_SECONDS * 0.6)


def test_an_oversized_head_is_refused(server: Server) -> None:
    answer = b""
    with connected(server) as rude:
        rude.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (2 * HEADER_BYTES_MAX))
        rude.settimeout(5)
        try:
            while part := rude.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_silent_connections_do_not_keep_others_out_for_long(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX + 20):
            stack.enter_context(connected(server))
        time.sleep(HEAD_SECONDS + 0.6)
        assert get(server, "/metrics").status_code == 200


def test_many_ask_at_once(board: Board, server: Server) -> None:
    answers: list[int] = []

    def ask() -> None:
        for _ in range(10):
            board.looked({"round": 1})
            answers.append(get(server, "/status").status_code)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 100


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_the_server_lives(server: Server, raw: bytes) -> None:
    with connected(server) as rude:
        rude.sendall(raw)
        seconds_until_closed(rude)
    assert get(server, "/metrics").status_code == 200
