from __future__ import annotations

import pytest
from tests.onchain.machine import RevmLedger
from tests.onchain.worlds import KEYS

from ostrom.chain.wallet import Key
from ostrom.errors import InputError
from ostrom.onchain.data import Sample, Stream, load_stream
from ostrom.onchain.deployment import deploy_deposit_refund_take, deploy_model
from ostrom.onchain.market_simulation import simulate_market
from ostrom.onchain.models import model
from ostrom.onchain.records import Contribution
from ostrom.onchain.simulate import DEPLOYER, Run, simulate, warm_state
from ostrom.types import Address

CENTROID = model("centroid")


@pytest.fixture(scope="module")
def stream() -> Stream:
    pytest.importorskip("sklearn")
    return load_stream("breast_cancer", seed=1)


@pytest.fixture(scope="module")
def run(stream: Stream) -> Run[object]:
    start = warm_state(CENTROID, stream)
    return simulate(CENTROID, stream, start, crowd={"good": 4, "flooder": 2}, seed=1)


def test_a_crowd_needs_somebody_honest_and_known_behaviours(stream: Stream) -> None:
    start = warm_state(CENTROID, stream)
    with pytest.raises(InputError, match="somebody honest"):
        simulate(CENTROID, stream, start, crowd={"flooder": 1})
    with pytest.raises(InputError, match="no behaviour saint"):
        simulate(CENTROID, stream, start, crowd={"saint": 1})


def test_the_honest_earn_and_the_malicious_pay(run: Run[object]) -> None:
    for agent in run.agents:
        assert (run.net(agent) > 0) is not agent.behaviour.is_malicious


def test_money_is_neither_made_nor_lost(run: Run[object]) -> None:
    nets = sum(run.net(agent) for agent in run.agents)
    assert nets + run.state.account(DEPLOYER).balance == 0
    assert run.state.owed == sum(run.paid.values())


def test_the_contract_gives_the_same_balances(run: Run[object], stream: Stream) -> None:
    """The first acts of a run, sent to a chain; keys stand in for the addresses."""
    owner, *people = (*KEYS.values(), Key(bytes(31) + b"\x63"))
    ledger = RevmLedger(owner, *people)
    start = warm_state(CENTROID, stream)
    deployed = deploy_model(ledger, owner, CENTROID, state=start, encoder=stream.encoder.text)
    trainer = deploy_deposit_refund_take(ledger, owner, deployed, rules=run.state.rules)
    keys = {DEPLOYER: owner} | {a.address: key for a, key in zip(run.agents, people)}
    given: dict[int, Contribution] = {}
    worth = dict.fromkeys(keys, 0)
    acts = run.acts[:400]
    for act in acts:
        ledger.time, key = act.time, keys[act.who]
        before = trainer.balance_of(ledger, key.address)
        if act.name == "add":
            sample = Sample(act.one.features, act.one.label)
            assert trainer.deposit(ledger) == act.amount
            ledger.send(trainer.add(sample, act.amount), key)
            given[act.one.nonce] = Contribution(
                sample.x, sample.label, act.time, key.address, act.one.nonce
            )
        else:
            ledger.send(getattr(trainer, act.name)(given[act.one.nonce]), key)
            worth[act.who] += trainer.balance_of(ledger, key.address) - before
    assert sum(worth.values()) > 0
    for who, amount in credits(run, len(acts)).items():
        assert worth[who] == amount


def credits(run: Run[object], acts: int) -> dict[Address, int]:
    """What the simulation credited in its first acts."""
    found: dict[Address, int] = {}
    for act in run.acts[:acts]:
        if act.name != "add":
            found[act.who] = found.get(act.who, 0) + act.amount
    return found


def test_a_market_pays_the_honest_out_of_its_bounty(stream: Stream) -> None:
    start = CENTROID.start(stream.classes, stream.features)
    market = simulate_market(
        CENTROID, stream, start, crowd={"good": 5, "flooder": 2}, each=8, seed=1
    )
    honest = [agent for agent in market.agents if not agent.behaviour.is_malicious]
    liars = [agent for agent in market.agents if agent.behaviour.is_malicious]
    assert sum(map(market.net, honest)) > 0 >= sum(map(market.net, liars))
    assert market.after > market.before
    assert market.settlement.end.rest >= 0
