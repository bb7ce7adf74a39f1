"""The wrappers on the embedded chain, with real signatures; `test_differential` has the rest."""

from __future__ import annotations

import pytest
from tests.onchain.setting import CAT, DOG, MODEL, trainer
from tests.onchain.worlds import KEYS

from ostrom.chain.embedded import EmbeddedLedger
from ostrom.errors import ContractError, InputError
from ostrom.onchain.contracts import DepositRefundTake, ModelContract
from ostrom.onchain.data import Sample
from ostrom.onchain.deployment import (
    deploy_deposit_refund_take,
    deploy_market,
    deploy_model,
    deploy_points,
)
from ostrom.onchain.deposit_refund_take import DAY, Rules
from ostrom.onchain.market_contract import MarketPhase
from ostrom.onchain.models import SparseCentroid
from ostrom.onchain.replay import contributions, replay, state_at, watch

OWNER, ALICE, BOB = KEYS["owner"], KEYS["alice"], KEYS["bob"]
START = trainer().model_state
RULES = Rules(base=1)


@pytest.fixture
def ledger() -> EmbeddedLedger:
    return EmbeddedLedger()


@pytest.fixture
def model(ledger: EmbeddedLedger) -> ModelContract:
    deployed = deploy_model(ledger, OWNER, MODEL, state=START, encoder="hashing(features=10)")
    watch(ledger, deployed)
    return deployed


@pytest.fixture
def deposits(ledger: EmbeddedLedger, model: ModelContract) -> DepositRefundTake:
    deployed = deploy_deposit_refund_take(ledger, OWNER, model, rules=RULES)
    watch(ledger, deployed)
    return deployed


def test_a_model_without_a_contract_cannot_be_deployed(ledger: EmbeddedLedger) -> None:
    class Unknown(SparseCentroid):
        pass

    with pytest.raises(InputError, match="has no contract"):
        deploy_model(ledger, OWNER, Unknown(), state=START, encoder="")


def test_a_deployed_model_is_what_it_was_loaded_with(
    ledger: EmbeddedLedger, model: ModelContract
) -> None:
    assert model.state(ledger) == MODEL.dump(START)
    assert (model.classes(ledger), model.features(ledger)) == (2, 10)
    assert model.encoder(ledger) == "hashing(features=10)"
    assert [model.predict(ledger, x) for x in (CAT, DOG)] == [0, 1]
    assert model.agrees(ledger, Sample(CAT, 0), memo=0)


def test_a_trainer_is_bound_to_its_model_and_takes_nothing_without_money(
    ledger: EmbeddedLedger, model: ModelContract, deposits: DepositRefundTake
) -> None:
    assert (model.trainer(ledger), deposits.model(ledger)) == (deposits.address, model.address)
    with pytest.raises(ContractError, match="DepositTooLow"):
        ledger.send(deposits.add(Sample(CAT, 0), 0), ALICE)


def test_the_model_at_any_block_comes_from_events_alone(
    ledger: EmbeddedLedger, model: ModelContract
) -> None:
    points = deploy_points(ledger, OWNER, model)
    watch(ledger, points)
    blank, blocks, states = MODEL.start(2, 10), [], []
    for key, sample in ((ALICE, Sample(CAT, 0)), (BOB, Sample(DOG, 0)), (ALICE, Sample(DOG, 1))):
        blocks.append(ledger.send(points.add(sample), key).block)
        states.append(model.state(ledger))
    ledger.send(model.add_features(7), OWNER)
    for block, words in zip(blocks, states):
        assert MODEL.dump(state_at(ledger, MODEL, start=blank, block=block)) == words
    events = ledger.events(0, ledger.block_number)
    assert MODEL.dump(replay(MODEL, blank, events)) == model.state(ledger)
    given = [one for _, one in contributions(events)]
    assert [one.contributor for one in given] == [ALICE.address, BOB.address, ALICE.address]
    ledger.advance_time(DAY)
    ledger.send(points.validate(given[0]), BOB)
    assert points.account_of(ledger, ALICE.address).validated == 1
    assert points.badges(ledger, ALICE.address).quantity == 0
    assert [line.account for line in points.leaderboard(ledger, 0, count=9)] == [ALICE.address]
    with pytest.raises(ContractError, match="PointsModelDisagrees"):
        ledger.send(points.validate(given[1]), BOB)


def test_a_new_market_has_no_phase(ledger: EmbeddedLedger, model: ModelContract) -> None:
    market = deploy_market(ledger, OWNER, model)
    assert market.market(ledger).phase == MarketPhase.NONE
    assert market.claim_count(ledger) == 0
