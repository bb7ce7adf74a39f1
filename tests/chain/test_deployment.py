from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostrom.chain.artifacts import artifact, is_code_of
from ostrom.chain.contracts import Registry, Training
from ostrom.chain.deployment import Deployment, deploy, deploy_allow_list
from ostrom.errors import LedgerError


def test_a_missing_address_is_refused(network: Any) -> None:
    addresses = network.at.addresses
    del addresses["models"]
    with pytest.raises(LedgerError, match="'models' is missing"):
        Deployment.at(addresses)


def test_an_address_without_the_contract_is_refused(network: Any) -> None:
    for wrong in (network.alice.address, network.at.models.address):
        elsewhere = replace(network.at, training=Training(wrong))
        with pytest.raises(LedgerError, match=f"{wrong} on chain 1337 is not the Training"):
            elsewhere.watch(network.ledger)


def test_contracts_of_two_networks_do_not_mix(network: Any) -> None:
    treasury = network.alice.address
    other = deploy(network.ledger, network.owner, treasury=treasury, bond_delay=1)
    mixed = replace(network.at, registry=Registry(other.registry.address))
    with pytest.raises(LedgerError, match="is not the"):
        mixed.watch(network.ledger)


@pytest.mark.parametrize("field", ["models", "registry", "training"])
def test_changed_or_cut_code_is_found(network: Any, field: str) -> None:
    contract = getattr(network.at, field)
    name, code = type(contract).__name__, network.ledger.code(contract.address)
    assert is_code_of(name, code)
    for cut in (b"", code[:-1], code[1:], code + b"\0", artifact(name).bytecode):
        assert not is_code_of(name, cut)
    for spot in (0, 1, 100, len(code) - 1):
        bad = bytearray(code)
        bad[spot] ^= 1
        assert not is_code_of(name, bytes(bad))


def test_addresses_round_trip_through_a_document(network: Any) -> None:
    assert Deployment.at(network.at.addresses) == network.at


def test_the_owner_holds_the_supply_and_the_contracts_are_connected(network: Any) -> None:
    at, ledger = network.at, network.ledger
    assert at.token.balance_of(ledger, network.owner.address) == 10**27
    names = {e.event.name for e in ledger.events(0, ledger.block_number)}
    assert {"LockerEnabled", "PublisherEnabled", "TokenEnabled"} <= names


def test_an_allow_list_admits_whom_its_owner_adds(network: Any) -> None:
    rule = deploy_allow_list(network.ledger, network.owner)
    alice = network.alice.address
    network.ledger.send(rule.add([alice]), network.owner)
    assert rule.is_member(network.ledger, bytes(32), account=alice)
    network.ledger.send(rule.remove([alice]), network.owner)
    assert not rule.is_member(network.ledger, bytes(32), account=alice)
