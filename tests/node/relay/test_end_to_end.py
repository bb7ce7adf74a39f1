"""Twenty trainers without ether, one relay behind real HTTP, two rounds on real contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostrom.node.relay import must_send_directly
from ostrom.node.relay.client import RelayClient
from ostrom.types import Phase, Role


def test_twenty_trainers_commit_and_reveal_in_one_transaction_each_time(
    new_town: Any, serve: Any, tmp_path: Path
) -> None:
    town = new_town(20, joined=False)
    relay = town.relay(tmp_path / "book.sqlite", admits=True)
    with serve(town, relay) as url:
        client = RelayClient([url])
        for make, expected in (
            (town.registration, [1] * 20),
            (town.join, [20]),
            (town.commit, [20]),
            (town.reveal, [20]),
        ):
            for key in town.trainers:
                assert client.offer(make(key)).status == 202
                assert client.offer(make(key)).status == 200
            sent: list[int] = []
            while len(sent) < len(expected):
                sent += town.carry(relay)
            assert sent == expected
    state = town.state
    assert state.phase == Phase.SCORE
    assert len(state.accounts(Role.TRAINER)) == 20
    assert {
        a: town.commitment(k) for k in town.trainers for a in [k.address]
    } == state.round.commits
    for key in town.trainers:
        seen, opening = state.round.reveals[key.address], town.opening(key)
        assert (seen.update, seen.samples) == (opening.update, opening.samples)
    nonce = town.ledger._machine.nonce
    assert [nonce(key.address) for key in town.trainers] == [0] * 20


def test_where_a_relay_carries_nothing_everybody_still_takes_part(
    new_town: Any, serve: Any
) -> None:
    town = new_town(5)
    censor = town.relay()
    with serve(town, censor) as url:
        client = RelayClient([url])
        for key in town.trainers:
            assert client.offer(town.commit(key)).accepted
    offered = town.now
    for part in (0.2, 0.45):
        town.sleep_until(part)
        assert not any(
            must_send_directly(town.state, town.now, key.address, offered_at=offered)
            for key in town.trainers
        )
    town.sleep_until(0.51)
    for key in town.trainers:
        assert must_send_directly(town.state, town.now, key.address, offered_at=offered)
        hidden = town.commitment(key)
        town.send(town.at.training.commit(town.task_id, 1, commitment=hidden), key)
        assert not must_send_directly(town.state, town.now, key.address, offered_at=offered)
    assert town.state.phase == Phase.REVEAL


def test_half_through_the_relay_and_half_directly_is_as_good(new_town: Any) -> None:
    town = new_town(6)
    relay = town.relay()
    for key in town.trainers[:3]:
        town.offer(relay, town.commit(key))
    for key in town.trainers[3:]:
        hidden = town.commitment(key)
        town.send(town.at.training.commit(town.task_id, 1, commitment=hidden), key)
    assert town.carry(relay) == [3]
    assert town.state.phase == Phase.REVEAL
    for key in town.trainers[::2]:
        town.offer(relay, town.reveal(key))
    for key in town.trainers[1::2]:
        town.send(town.at.training.reveal(town.task_id, 1, opening=town.opening(key)), key)
    assert town.carry(relay) == [3]
    assert town.state.phase == Phase.SCORE
    town.next_round()
    town.commit_all(relay)
