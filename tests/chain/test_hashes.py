"""What Python hashes is what the contracts hash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostrom.chain import hashes
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import registry_domain, simulation_key, token_domain, training_domain
from ostrom.types import Opening, Result, TaskParams

few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
digests = st.binary(min_size=32, max_size=32)
amounts = st.integers(0, 2**256 - 1)
rounds = st.integers(0, 2**32 - 1)
addresses = st.sampled_from([simulation_key(1, str(i)).address for i in range(9)])
params = st.builds(
    TaskParams,
    sponsor=addresses,
    token=addresses,
    pool=amounts,
    trainer_stake=amounts,
    validator_stake=amounts,
    rounds=rounds,
    max_trainers=rounds,
    quorum_bps=st.integers(0, 2**16 - 1),
    join_time=rounds,
    commit_time=rounds,
    reveal_time=rounds,
    score_time=rounds,
    score_reveal_time=rounds,
    attest_time=rounds,
    membership=addresses,
    validators=st.lists(addresses, max_size=5).map(tuple),
    spec=digests,
    model=digests,
    model_root=digests,
    salt=digests,
)
openings = st.builds(Opening, digests, digests, st.integers(0, 2**64 - 1), digests)
results = st.builds(Result, digests, digests, digests, digests, amounts, digests)


@pytest.fixture
def ask(network: Any) -> Any:
    training = network.at.training.address
    return lambda function, *args: network.ledger.call(Call("Training", training, function, args))


@few
@given(params)
def test_a_task_id_is_the_contracts(ask: Any, params: TaskParams) -> None:
    assert hashes.task_id_of(params) == ask("taskIdOf", params)


@few
@given(digests, amounts, addresses, openings)
def test_an_update_commitment_is_the_contracts(
    ask: Any, task: bytes, round: int, trainer: Any, opening: Opening
) -> None:
    ours = hashes.update_commitment(task, round, trainer=trainer, opening=opening)
    assert ours == ask("updateCommitment", task, round, trainer, opening)


@few
@given(digests, amounts, addresses, digests, digests)
def test_a_score_commitment_is_the_contracts(
    ask: Any, task: bytes, round: int, validator: Any, scores: bytes, salt: bytes
) -> None:
    ours = hashes.score_commitment(task, round, validator=validator, scores=scores, salt=salt)
    assert ours == ask("scoreCommitment", task, round, validator, scores, salt)


@few
@given(digests, amounts, results)
def test_a_result_digest_is_the_contracts(
    ask: Any, task: bytes, round: int, result: Result
) -> None:
    assert hashes.result_digest(task, round, result=result) == ask(
        "resultDigest", task, round, result
    )


def test_domain_separators_are_the_contracts(network: Any) -> None:
    at, ledger = network.at, network.ledger
    training = training_domain(ledger.chain_id, at.training.address)
    registry = registry_domain(ledger.chain_id, at.registry.address)
    token = token_domain(ledger.chain_id, at.token.address)
    for domain, call in (
        (training, Call("Training", at.training.address, "domainSeparator")),
        (registry, Call("Registry", at.registry.address, "domainSeparator")),
        (token, Call("Token", at.token.address, "DOMAIN_SEPARATOR")),
    ):
        assert domain.separator == ledger.call(call)
