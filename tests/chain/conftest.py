"""A deployed network in this process, and the people who use it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.chain.wallet import Key, simulation_key


@dataclass(frozen=True)
class Network:
    ledger: EmbeddedLedger
    owner: Key
    at: Deployment
    alice: Key = field(default_factory=lambda: simulation_key(0, "alice"))
    bob: Key = field(default_factory=lambda: simulation_key(0, "bob"))
    mallory: Key = field(default_factory=lambda: simulation_key(0, "mallory"))


@pytest.fixture
def network() -> Network:
    ledger, owner = EmbeddedLedger(), simulation_key(0, "owner")
    treasury = simulation_key(0, "treasury").address
    return Network(ledger, owner, deploy(ledger, owner, treasury=treasury, bond_delay=3600))
