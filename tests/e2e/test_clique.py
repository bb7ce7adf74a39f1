"""A federation on a chain of three validators, one of which dies in mid-round and comes back.

The chain is EthereumJS under Clique; the nodes are processes; the audit passes from each of the
chain's validators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostrom.chain.wallet import Key
from ostrom.network.clique import Clique, Genesis
from ostrom.network.local import LocalNetwork
from ostrom.network.outcome import all_paid, conclude
from ostrom.network.plan import Choices, Plan, make_plan
from ostrom.network.processes import wait_until

SIGNERS = 3
COINS = 10**24
ROUND_SECONDS_MAX = 180
CHOICES = Choices(trainers=2, validators=3, rounds=2, phase_seconds=90, confirmations=2)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path / "network", CHOICES)


@pytest.fixture
def chain(tmp_path: Path, plan: Plan) -> Iterator[Clique]:
    secrets = [bytes([i + 1]) * 32 for i in range(SIGNERS)]
    signers = tuple(Key(secret).address for secret in secrets)
    genesis = Genesis(20_260, signers, {plan.sponsor.address: COINS})
    with Clique.create(tmp_path / "chain", genesis, secrets) as made:
        yield made


@pytest.fixture
def network(plan: Plan, chain: Clique) -> Iterator[LocalNetwork]:
    choices = plan.choices.model_copy(update={"rpc": ",".join(chain.urls)})
    with LocalNetwork(Plan(plan.folder, choices), print) as made:
        yield made


def reaches(network: LocalNetwork, where: Callable[[int, str], bool], seconds_max: float) -> bool:
    """True once some node sees the task in a round and phase for which `where` holds."""
    return wait_until(
        lambda: any(
            where(view.status["round"], view.status["phase"])
            for view in network.views()
            if "phase" in view.status
        ),
        seconds_max,
    )


def test_a_chain_loses_a_validator_in_mid_round_and_nothing_else(
    chain: Clique, network: LocalNetwork
) -> None:
    network.start()
    assert reaches(network, lambda number, phase: (number, phase) >= (1, "REVEAL"), 300)
    victim = chain.sealers[0]
    assert victim.process is not None
    victim.process.kill()
    before = max(one.head()[0] for one in chain.sealers[1:])
    assert wait_until(lambda: chain.sealers[1].head()[0] >= before + 5, 60)
    chain.start_one(victim)

    assert wait_until(lambda: network.over, 2 * ROUND_SECONDS_MAX), network.broken()
    launched = network.launched
    assert launched is not None
    assert wait_until(lambda: all_paid(network.rpc, launched.deployed, launched.task_id), 60)
    assert network.broken() == []

    assert wait_until(lambda: chain.common_height() > before, 60)
    nodes = [view.url for view in network.views()]
    for url in chain.urls:
        outcome = conclude(network.plan, launched, rpc=[url], nodes=nodes)
        assert outcome.audit.passed, outcome.audit.divergence
        assert outcome.rounds_settled == CHOICES.rounds
        assert outcome.accuracy is not None
        assert outcome.accuracy > 0.5
        assert outcome.claimed == outcome.paid > 0
