"""The gates that cut a network: what passes, what is refused, what comes late; and who was away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.soak.cut import PHASES, SCENARIOS, Cut, cut_off
from tests.soak.gate import Gate

from ostrom.network.plan import Choices, Plan
from ostrom.types import Phase


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=[one], daemon=True).start()

        def answer(one: socket.socket) -> None:
            with one:
                while data := one.recv(100):
                    one.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def call(gate: Gate, seconds: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=seconds)


@pytest.mark.parametrize("silent", [False, True])
def test_a_healed_gate_lets_everything_through(echo: int, silent: bool) -> None:
    with Gate(echo, silent=silent) as gate, call(gate) as one:
        one.sendall(b"hello")
        assert one.recv(100) == b"hello"


def test_a_refusing_gate_ends_what_is_open_and_takes_nothing_new(echo: int) -> None:
    with Gate(echo, silent=False) as gate, call(gate) as before:
        before.sendall(b"hello")
        assert before.recv(100) == b"hello"
        gate.cut()
        assert ends(before)
        assert is_refused(gate)
        gate.heal()
        with call(gate) as after:
            after.sendall(b"again")
            assert after.recv(100) == b"again"
        assert gate.stopped >= 1


def ends(one: socket.socket) -> bool:
    """True if the other side has ended the connection."""
    try:
        one.sendall(b"x")
        return one.recv(100) == b""
    except ConnectionError:
        return True


def is_refused(gate: Gate) -> bool:
    try:
        with call(gate) as one:
            return ends(one)
    except OSError:
        return True


def test_what_meets_a_silent_gate_arrives_once_it_is_healed(echo: int) -> None:
    with Gate(echo, silent=True) as gate, call(gate) as before:
        before.sendall(b"hello")
        assert before.recv(100) == b"hello"
        gate.cut()
        before.settimeout(0.2)
        before.sendall(b"late")
        with pytest.raises(TimeoutError):
            before.recv(100)
        with call(gate, 0.2) as during:
            during.sendall(b"later")
            with pytest.raises(TimeoutError):
                during.recv(100)
            gate.heal()
            for one, words in ((before, b"late"), (during, b"later")):
                one.settimeout(5)
                assert one.recv(100) == words


def test_a_seed_draws_two_halves_of_all_nodes(tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = Plan(tmp_path_factory.getbasetemp(), Choices(trainers=3, validators=4))
    names = {one.name for one in plan.nodes}
    for scenario in SCENARIOS:
        drawn = [Cut.drawn(seed, scenario, plan) for seed in range(40)]
        assert drawn == [Cut.drawn(seed, scenario, plan) for seed in range(40)]
        assert {one.phase for one in drawn} == set(PHASES)
        assert {one.silent for one in drawn} == {True, False}
        for one in drawn:
            first, second = one.halves
            assert first | second == names
            assert abs(len(first) - len(second)) == len(names) % 2
            assert one.lost == (second if scenario.loses_chain else frozenset())
            assert one.severs(min(first), min(second))
            assert not one.severs(min(first), max(first))


@pytest.mark.parametrize(
    ("here", "there", "lost", "away"),
    [
        ("abc", "d", "", "d"),
        ("a", "bcd", "", "a"),
        ("ab", "cd", "", ""),
        ("ab", "cd", "cd", "cd"),
        ("abc", "d", "abc", "abc"),
    ],
)
def test_who_has_no_chain_or_no_quorum_was_away(
    here: str, there: str, lost: str, away: str
) -> None:
    way = Cut((frozenset(here), frozenset(there)), frozenset(lost), Phase.COMMIT, 0.0, True)
    assert cut_off(way, dict.fromkeys("abcd", 1_000), 6_667) == set(away)
