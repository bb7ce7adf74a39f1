from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostrom.chain.wallet import simulation_key
from ostrom.errors import LedgerError
from ostrom.node.relay import Relay, admissions
from ostrom.node.relay.messages import decode_message, encode_message
from ostrom.types import Phase, Role

MALLORY = simulation_key(0, "mallory")


@pytest.fixture
def young(new_town: Any) -> Any:
    """Nobody has registered or joined yet, besides the validator."""
    return new_town(4, joined=False)


def test_trainers_without_ether_register_join_and_begin(young: Any) -> None:
    relay = young.relay(admits=True)
    for key in young.trainers:
        assert young.offer(relay, young.registration(key)).status == 202
    assert young.carry(relay) == [1, 1, 1, 1]
    for key in young.trainers:
        assert young.offer(relay, young.join(key)).status == 202
    assert young.carry(relay) == [4]
    assert young.state.phase == Phase.COMMIT
    assert relay.due(young.state, young.now) == []
    nonce = young.ledger._machine.nonce
    assert [nonce(key.address) for key in young.trainers] == [0] * 4
    alice = young.trainers[0]
    assert young.offer(relay, young.join(alice)).status == 200
    young.commit_all(relay)


def test_a_join_before_the_registration_is_refused(young: Any) -> None:
    found = young.offer(young.relay(admits=True), young.join(young.trainers[0]))
    assert (found.status, "TrainingRoleMissing" in found.line) == (403, True)


def test_a_wish_of_another_late_or_for_another_role_is_refused(young: Any) -> None:
    relay, alice = young.relay(admits=True), young.trainers[0]
    for data, status in (
        (young.registration(alice, signer=MALLORY), 403),
        (young.registration(alice, roles=Role.VALIDATOR), 403),
        (young.registration(alice, roles=Role.TRAINER | Role.SPONSOR), 403),
        (young.registration(alice, deadline=young.now - 1), 410),
        (young.registration(alice, nonce=1), 403),
        (young.registration(MALLORY), 403),
        (young.join(alice, signer=MALLORY), 403),
        (young.join(alice, role=Role.VALIDATOR), 403),
        (young.join(alice, deadline=young.now - 1), 410),
        (young.join(alice, stake=99), 403),
    ):
        assert young.offer(relay, data).status == status
    assert young.carry(relay) == []


def test_a_wish_with_changed_terms_is_refused(young: Any) -> None:
    relay, alice = young.relay(admits=True), young.trainers[0]
    for data, changes in (
        (young.registration(alice), {"metadata": b"\x01" * 32}),
        (young.registration(alice), {"deadline": young.now + 9}),
        (young.join(alice), {"deadline": young.now + 9}),
        (young.join(alice), {"account": MALLORY.address}),
    ):
        changed = encode_message(replace(decode_message(data), **changes))
        assert young.offer(relay, changed).status == 403


def test_who_does_not_hold_the_stake_costs_the_relay_nothing(young: Any) -> None:
    relay = young.relay(admits=True)
    found = young.offer(relay, young.registration(MALLORY))
    assert (found.status, "stake" in found.line) == (403, True)
    alice = young.trainers[0]
    young.offer(relay, young.registration(alice))
    # The stake moves on to the next account before anything was sent: alice is dropped.
    young.send(young.at.token.transfer(MALLORY.address, 100), alice)
    assert young.carry(relay) == []
    assert relay.waiting(young.state)["registration"] == 0


def test_an_account_is_registered_once_and_not_again_for_nothing(young: Any) -> None:
    relay, alice = young.relay(admits=True), young.trainers[0]
    first = young.registration(alice)
    assert young.offer(relay, first).status == 202
    assert young.offer(relay, first).status == 200
    assert young.carry(relay) == [1]
    young.send(young.at.registry.register(Role(0), bytes(32)), alice)
    assert young.carry(relay) == []
    assert young.offer(relay, young.registration(alice, nonce=1)).status == 409
    assert young.carry(relay) == []


def test_a_newer_wish_replaces_one_that_waits(young: Any) -> None:
    relay, alice = young.relay(admits=True), young.trainers[0]
    young.offer(relay, young.registration(alice))
    young.carry(relay)
    first = young.join(alice)
    young.ledger.advance_time(1)
    second = young.join(alice)
    assert first != second
    assert [young.offer(relay, data).status for data in (first, second, second)] == [202, 202, 200]
    assert relay.waiting(young.state)["join"] == 1


def test_joins_go_when_the_seats_are_full_or_after_a_while(young: Any) -> None:
    relay = young.relay(admits=True)
    alice, bob = young.trainers[:2]
    for key in (alice, bob):
        young.offer(relay, young.registration(key))
    young.carry(relay)
    young.offer(relay, young.join(alice))
    assert young.carry(relay) == []
    young.ledger.advance_time(59)
    young.offer(relay, young.join(bob))
    assert young.carry(relay) == []
    young.ledger.advance_time(1)
    assert young.carry(relay) == [2]
    assert young.state.accounts(Role.TRAINER) == tuple(
        sorted((alice.address, bob.address), key=str.lower)
    )


def test_a_join_that_was_skipped_is_not_paid_for_twice(young: Any) -> None:
    relay = young.relay(admits=True)
    for key in young.trainers:
        young.offer(relay, young.registration(key))
    young.carry(relay)
    for key in young.trainers:
        young.offer(relay, young.join(key))
    (batch,) = relay.due(young.state, young.now)
    alice = young.trainers[0]
    young.send(young.at.token.transfer(MALLORY.address, 100), alice)
    receipt = young.send(batch.call, young.carrier)
    # Even where nobody tells the relay what became of it, the chain shows that it was mined.
    young.ledger.advance_time(61)
    assert relay.due(young.state, young.now) == []
    relay.mined(batch.key, receipt.events)
    assert len(young.state.accounts(Role.TRAINER)) == 3
    assert young.offer(relay, young.join(alice)).status == 409


def test_a_batch_of_joins_that_no_one_can_carry_is_given_up(young: Any) -> None:
    relay = young.relay(admits=True)
    for key in young.trainers:
        young.offer(relay, young.registration(key))
    young.carry(relay)
    for key in young.trainers:
        young.offer(relay, young.join(key))
    (batch,) = relay.due(young.state, young.now)
    young.ledger.advance_time(30)
    assert relay.due(young.state, young.now) == [batch]
    for key in young.trainers:
        young.send(young.at.token.transfer(MALLORY.address, 100), key)
    young.ledger.advance_time(30)
    assert relay.due(young.state, young.now) == []


def test_a_relay_carries_no_more_than_it_pays_for(young: Any) -> None:
    relay = young.relay(admits=True)
    keys = [simulation_key(1, str(number)) for number in range(9)]
    for key in keys:
        young.send(young.at.token.transfer(key.address, 100), young.owner)
    found = [young.offer(relay, young.registration(key)).status for key in keys]
    assert found == [202] * 8 + [429]


def test_a_chain_that_cannot_be_asked_refuses_nobody(young: Any) -> None:
    def ask(call: Any) -> Any:
        raise LedgerError("no answer")

    lanes = admissions(
        young.place, ask=ask, registry=young.at.registry, token=young.at.token.address
    )
    book = young.book()
    deaf = Relay(young.place, young.task_id, book=book, lanes=lanes)
    alice = young.trainers[0]
    assert young.offer(deaf, young.registration(alice)).status == 503
    assert young.offer(deaf, young.join(alice)).status == 503
    hearing = Relay(
        young.place, young.task_id, book=book, lanes=young.relay(admits=True)._lanes.values()
    )
    assert young.offer(hearing, young.registration(alice)).status == 202
    assert deaf.due(young.state, young.now) == []
    assert young.carry(hearing) == [1]
