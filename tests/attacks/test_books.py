"""Whatever the parties do: every round ends, the audit passes and the money adds up."""

from __future__ import annotations

from typing import Any

import pytest

from ostrom.chain.deployment import SUPPLY
from ostrom.sim.config import POOL, TRAINER_STAKE, VALIDATOR_STAKE

FEDERATIONS: list[tuple[str, dict[str, Any]]] = [
    ("none", {}),
    ("drop_out", {}),
    ("late_reveal", {}),
    ("garbage", {}),
    ("copy", {}),
    ("zeros", {}),
    ("sign_flip", {}),
    ("scale(by=1000000)", {}),
    ("silent_validator", {}),
    ("wrong_digest", {}),
    (
        "garbage|copy|zeros|late_reveal|silent_validator|wrong_digest",
        {"clients": 6, "validators": 7},
    ),
    (
        "last_delta|optimal_alie(trainers=2)|lazy|sybil(identities=2)|inflate|lazy_validator",
        {"clients": 8, "validators": 5, "rounds": 3},
    ),
    # Dead or nearly so.
    ("drop_out(trainers=4)", {}),
    ("garbage(trainers=2)", {"clients": 2, "validators": 1, "rounds": 5}),
    ("late_reveal(trainers=2)", {"clients": 2, "validators": 1}),
    ("silent_validator(validators=2)", {}),
    ("silent_validator(validators=4)", {"clients": 2}),
    ("wrong_digest(validators=2)", {"clients": 2}),
    ("none", {"clients": 1, "validators": 1}),
]


@pytest.fixture(scope="module", params=FEDERATIONS, ids=[f"{a} {f or ''}" for a, f in FEDERATIONS])
def run(request: pytest.FixtureRequest, play: Any) -> Any:
    attack, fields = request.param
    return play(attack, **fields)


def test_every_round_settles_or_is_void_and_the_audit_passes(run: Any) -> None:
    rounds = run.runner.state.rounds
    assert run.runner.state.over
    assert list(rounds) == list(range(1, len(rounds) + 1))
    assert all(here.void != (here.settled is not None) for here in rounds.values())
    assert run.report.divergence is None
    assert run.report.passed
    assert run.report.rounds_settled == sum(here.settled is not None for here in rounds.values())


def test_balances_and_refund_are_the_pool_to_the_unit(run: Any) -> None:
    state = run.runner.state
    assert sum(run.balances.payouts.values()) + state.refunded == POOL
    assert sum(run.balances.payouts.values()) == state.allocated
    assert state.claimed == run.balances.payouts


def test_no_honest_party_gets_a_strike(run: Any) -> None:
    struck = {name for name in run.parties if run.strikes(name)}
    assert struck <= run.rogues
    assert all(run.member(name).slashed == 0 for name in set(run.parties) - run.rogues)


def test_every_token_is_where_it_belongs(run: Any) -> None:
    contracts, ledger, state = run.contracts, run.runner.ledger, run.runner.state
    slashed = {name: run.member(name).slashed for name in run.parties}
    stakes = {
        name: TRAINER_STAKE if name.startswith("trainer") else VALIDATOR_STAKE
        for name in run.parties
    }
    for name in run.parties:
        assert run.held(run.names[name]) == run.earned(name)
        bond, _ = contracts.registry.bond_of(
            ledger, contracts.training.address, bond_id=state.task_id, account=run.names[name]
        )
        assert bond == stakes[name] - slashed[name]
    assert run.held(run.names["treasury"]) == sum(slashed.values())
    assert run.held(contracts.registry.address) == sum(stakes.values()) - sum(slashed.values())
    assert run.held(contracts.training.address) == 0
    spent = POOL + sum(stakes.values())
    assert run.held(run.names["sponsor"]) == SUPPLY - spent + state.refunded
    everywhere = [*run.names.values(), contracts.registry.address, contracts.training.address]
    assert sum(run.held(address) for address in everywhere) == SUPPLY


def test_strikes_reach_the_chain(run: Any) -> None:
    for name in run.parties:
        member = run.member(name)
        assert member.strikes == run.strikes(name) <= 3
        assert member.expelled == (member.strikes == 3)
