from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ostrom.errors import LedgerError
from ostrom.node.relay.http import Limits, relay_app
from ostrom.node.relay.openapi import ANSWERS
from ostrom.node.relay.sources import Sources, source_of

JSON = {"Content-Type": "application/json"}


def test_a_message_is_taken_once_and_known_afterwards(town: Any, serve: Any) -> None:
    data = town.commit(town.trainers[0])
    with serve(town, town.relay()) as url, httpx.Client(base_url=url, trust_env=False) as client:
        answers = [client.post("/v1/commit", content=data, headers=JSON) for _ in range(3)]
        status = client.get("/v1/status").json()
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert all(answer.headers["content-type"] == "application/json" for answer in answers)
    assert answers[0].json() == {"line": f"taken: commit of {town.trainers[0].address}"}
    assert status["waiting"] == {"commit": 1, "reveal": 0}
    assert (status["phase"], status["round"], status["task"]) == ("COMMIT", 1, town.task_id.hex())


def test_one_message_on_a_hundred_connections_is_accepted_exactly_once(
    town: Any, serve: Any, tmp_path: Path
) -> None:
    data = town.commit(town.trainers[0])
    relay = town.relay(tmp_path / "book")
    with serve(town, relay) as url, ThreadPoolExecutor(100) as pool:

        def offer(_: int) -> int:
            with httpx.Client(trust_env=False, timeout=60) as client:
                return client.post(f"{url}/v1/commit", content=data, headers=JSON).status_code

        found = sorted(pool.map(offer, range(100)))
    assert found == [200] * 99 + [202]


def test_what_is_wrong_with_a_request_is_said_in_one_line(town: Any, serve: Any) -> None:
    data = town.commit(town.trainers[0])
    many = {f"x-{i}": "y" * 100 for i in range(90)}
    cases: list[tuple[int, dict[str, Any]]] = [
        (415, {"content": data}),
        (415, {"content": data, "headers": {"Content-Type": "text/plain"}}),
        (415, {"content": data, "headers": {"Content-Type": "application/json; charset=latin-1"}}),
        (415, {"content": data, "headers": JSON | {"Content-Encoding": "gzip"}}),
        (413, {"content": b" " * 2_049, "headers": JSON}),
        (413, {"content": iter([b" " * 1_000] * 3), "headers": JSON}),
        (413, {"content": b" " * 10_000_000, "headers": JSON}),
        (431, {"content": data, "headers": JSON | many}),
        (400, {"content": b"", "headers": JSON}),
        (400, {"content": town.reveal(town.trainers[0]), "headers": JSON}),
    ]
    relay = town.relay()
    with serve(town, relay) as url:
        for status, request in cases:
            with httpx.Client(trust_env=False) as client:
                try:
                    answer = client.post(f"{url}/v1/commit", **request)
                except httpx.WriteError:
                    # The relay closes before it has read ten megabytes.
                    assert status == 413
                    continue
                assert answer.status_code == status, request
                assert one_line(answer)
    assert relay.waiting(town.state) == {"commit": 0, "reveal": 0}


def test_other_routes_and_methods_are_refused_in_json(town: Any, serve: Any) -> None:
    with serve(town, town.relay()) as url, httpx.Client(base_url=url, trust_env=False) as client:
        assert one_line(client.get("/")) == "Not Found"
        assert client.get("/v1/commit").status_code == 405
        assert client.delete("/v1/status").status_code == 405
        assert client.post("/v1/join", content=b"{}", headers=JSON).status_code == 404
        assert client.post("/v1/../v1/commit/", content=b"{}", headers=JSON).status_code in (
            307,
            404,
        )


def test_a_body_that_drips_is_cut_off_and_nobody_waits_for_it(town: Any, serve: Any) -> None:
    data = town.commit(town.trainers[0])
    with serve(town, town.relay(), Limits(body_seconds_max=0.3)) as url:
        address = urlsplit(url)
        assert address.port
        drips = [socket.create_connection(("127.0.0.1", address.port)) for _ in range(20)]
        head = (
            "POST /v1/commit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        for drip in drips:
            drip.sendall(head.encode() + data[:10])
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert client.post("/v1/commit", content=data, headers=JSON).status_code == 202
        begin = time.monotonic()
        for drip in drips:
            drip.settimeout(5)
            answer = drip.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 408")
            drip.close()
        assert time.monotonic() - begin < 3


def test_only_so_many_are_let_in_at_once(town: Any, serve: Any) -> None:
    data = town.commit(town.trainers[0])
    with serve(town, town.relay(), Limits(body_seconds_max=2, requests_max=3)) as url:
        port = urlsplit(url).port
        assert port
        drips = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for drip in drips:
            drip.sendall(
                b"POST /v1/commit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 9\r\n\r\n{"
            )
        with httpx.Client(base_url=url, trust_env=False) as client:
            until(lambda: client.post("/v1/commit", content=b"{}", headers=JSON).status_code == 503)
            for drip in drips:
                drip.close()
            until(lambda: client.post("/v1/commit", content=data, headers=JSON).status_code == 202)


def test_one_source_cannot_ask_for_ever(town: Any, serve: Any) -> None:
    limits = Limits(source_burst=5, source_per_second=0.001, counts_loopback=True)
    with (
        serve(town, town.relay(), limits) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        found = [
            client.post("/v1/commit", content=b"{}", headers=JSON).status_code for _ in range(8)
        ]
        assert client.get("/v1/status").status_code == 429
    assert found == [400] * 5 + [429] * 3


def test_this_machine_and_a_proxy_on_it_are_not_counted(town: Any, serve: Any) -> None:
    limits = Limits(source_burst=1, source_per_second=0.001)
    with (
        serve(town, town.relay(), limits) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        assert {client.get("/v1/status").status_code for _ in range(5)} == {200}


def test_sources_are_counted_apart_and_their_number_has_a_bound() -> None:
    meter = Sources(per_second=1, burst=3, sources_max=100)
    assert [meter.admits("a", 0) for _ in range(4)] == [True, True, True, False]
    assert meter.admits("b", 0)
    assert meter.admits("a", 1)
    assert not meter.admits("a", 1)
    assert not meter.admits("c", 1, cost=4)
    assert meter.admits("c", 1, cost=3)
    for number in range(10_000):
        meter.admits(str(number), 1)
    assert len(meter) == 100
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff")
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("fe80::1%eth0") == "fe80::"
    assert source_of("nonsense") == ""


def test_a_chain_that_cannot_be_asked_is_no_refusal(town: Any, serving: Any) -> None:
    def look() -> Any:
        raise LedgerError("cannot reach the node\nat all")

    relay = town.relay()
    with serving(relay_app(relay, look)) as url, httpx.Client(base_url=url, trust_env=False) as ask:
        answer = ask.post("/v1/commit", content=town.commit(town.trainers[0]), headers=JSON)
        assert (answer.status_code, one_line(answer)) == (503, "cannot reach the node at all")
        assert ask.get("/v1/status").status_code == 503


def test_the_interface_is_described_and_every_answer_named(town: Any, serve: Any) -> None:
    with serve(town, town.relay(admits=True)) as url:
        document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    assert document["openapi"].startswith("3.1")
    kinds = {"commit", "reveal", "join", "registration"}
    assert set(document["paths"]) == {
        *(f"/v1/{kind}" for kind in kinds),
        "/v1/status",
        "/openapi.json",
    }
    for kind in kinds:
        post = document["paths"][f"/v1/{kind}"]["post"]
        assert set(post["responses"]) == {str(status) for status in ANSWERS}
        schema = document["components"]["schemas"][kind]
        assert schema["required"][0] == "kind"
        assert not schema["additionalProperties"]


def one_line(answer: httpx.Response) -> str:
    """The line of a refusal, which is short, printable and alone."""
    (line,) = json.loads(answer.content).values()
    assert isinstance(line, str)
    assert 0 < len(line) <= 240
    assert line.isascii()
    assert line.isprintable()
    return line


def until(done: Any) -> None:
    for _ in range(100):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it does not come true")
