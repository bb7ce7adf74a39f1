"""A network of processes on a chain of its own: it runs, survives, ends, and leaves nothing."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostrom.chain.rpc import RpcLedger
from ostrom.errors import InputError
from ostrom.network.anvil import Anvil
from ostrom.network.local import (
    RUNNING,
    LocalNetwork,
    bring_down,
    looked_after,
    read_running,
    usual_ports,
    wait_for_nodes,
)
from ostrom.network.outcome import all_paid, conclude
from ostrom.network.plan import NODE, Choices, Plan, make_plan, node_text
from ostrom.network.processes import started_at, wait_until

SMALL = Choices(trainers=2, validators=2, rounds=1, phase_seconds=90)
START_SECONDS_MAX, END_SECONDS_MAX = 120, 240


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path / "network", SMALL)


def test_a_missing_chain_program_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTROM_ANVIL", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"OSTROM_ANVIL names .* which is no program"):
        Anvil(tmp_path)


def test_a_folder_is_looked_after_by_one_process(tmp_path: Path) -> None:
    with looked_after(tmp_path), pytest.raises(InputError, match="is up"), looked_after(tmp_path):
        pass


def test_a_damaged_note_of_what_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / RUNNING).write_text('{"children": 3}')
    with pytest.raises(InputError, match="damaged"):
        read_running(tmp_path)


def test_a_sponsor_without_coins_is_told_where_to_send_them(plan: Plan, tmp_path: Path) -> None:
    chain = Anvil(tmp_path / "chain")
    try:
        choices = plan.choices.model_copy(update={"rpc": chain.url})
        poor = LocalNetwork(Plan(plan.folder, choices), print)
        with poor, pytest.raises(InputError, match=f"the sponsor {plan.sponsor.address}"):
            poor.start()
    finally:
        chain.stop()


def test_a_chain_goes_on_where_it_was_stopped(tmp_path: Path, plan: Plan) -> None:
    before = Anvil(tmp_path)
    before.give(plan.sponsor.address, 7)
    before.tick()
    ledger = RpcLedger(before.url)
    assert wait_until(lambda: ledger.block_number >= 3, 30)
    height, clock = ledger.block_number, ledger.now()
    before.stop()
    ledger.close()
    time.sleep(3)
    after = Anvil(tmp_path)
    try:
        ledger = RpcLedger(after.url)
        assert ledger.block_number >= height
        assert ledger.client.balance(plan.sponsor.address) == 7 * 10**18
        after.tick()
        goal = ledger.block_number + 1
        assert wait_until(lambda: ledger.block_number >= goal, 30)
        # Its clock stood still while it was down.
        assert ledger.now() - clock <= ledger.block_number - height + 2
        ledger.close()
    finally:
        after.stop()


def test_ports_stay_what_they_are_while_they_are_free(plan: Plan) -> None:
    first = usual_ports(plan)
    assert len(set(first.values())) == len(plan.nodes)
    for party in plan.nodes:
        text = node_text(plan, party, rpc=(), task="ab" * 32, first_block=0, ports=first)
        (party.folder / NODE).write_text(text)
    assert usual_ports(plan) == first
    with socket.create_server(("127.0.0.1", first["relay"])):
        again = usual_ports(plan)
    assert again["relay"] != first["relay"]
    assert {**again, "relay": 0} == {**first, "relay": 0}


@pytest.fixture
def network(plan: Plan) -> Iterator[LocalNetwork]:
    with looked_after(plan.folder), LocalNetwork(plan, print) as made:
        yield made


def test_a_network_loses_a_node_ends_and_leaves_nothing(network: LocalNetwork, plan: Plan) -> None:
    network.start()
    assert wait_for_nodes(network, START_SECONDS_MAX), network.broken()
    noted = read_running(plan.folder)
    assert noted is not None
    assert noted.alive
    assert set(noted.children) == {"chain", *(one.name for one in plan.nodes)}

    victim = plan.parties("validator")[0]
    network.processes[victim.name].kill()
    assert [line.split()[0] for line in network.broken()] == [victim.name]
    network.start_node(victim)

    assert wait_until(lambda: network.over, END_SECONDS_MAX), network.views()
    assert wait_until(lambda: _has_found_all(network), START_SECONDS_MAX), network.views()
    for view in network.views():
        assert view.status["contact"] == ("" if view.party.name == "relay" else "registered")
        assert view.status["last_act"] != "" or not view.party.name.startswith("validator")
    launched = network.launched
    assert launched is not None
    assert wait_until(lambda: all_paid(network.rpc, launched.deployed, launched.task_id), 60)
    outcome = conclude(
        plan, launched, rpc=network.rpc, nodes=[view.url for view in network.views()]
    )
    assert outcome.audit.passed, outcome.audit.divergence
    assert outcome.rounds_settled == 1
    assert outcome.claimed == outcome.paid > 0
    assert outcome.accuracy is not None
    assert outcome.accuracy > 0.3
    json.dumps(outcome.document())

    pids = [one.pid for one in network.processes.values()]
    network.stop()
    assert not any(started_at(pid) for pid in pids)
    assert read_running(plan.folder) is None
    assert bring_down(plan.folder) == 0


def _has_found_all(network: LocalNetwork) -> bool:
    """Settings name the relay alone: the other peers are those of the Registry."""
    return all(
        view.status["peers_registered"] == (4 if view.party.name == "relay" else 3)
        for view in network.views()
    )
