from __future__ import annotations

from typing import Any

import pytest

from ostrom.errors import InputError
from ostrom.evidence import target_reached
from ostrom.node.trainer import contributes
from ostrom.records import decode_record
from ostrom.settlement import consensus_metric
from ostrom.targets import target, to_metric
from ostrom.types import Phase

SPEC = {"target": "accuracy(at_least=0.9)"}


@pytest.mark.parametrize(
    "text",
    ["loss", "accuracy", "accuracy(at_least=0)", "accuracy(at_least=97)", "none(at_least=1)"],
)
def test_a_target_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        target(text)


def test_a_metric_is_rounded_so_that_it_never_claims_too_much() -> None:
    assert to_metric(0.8999999) < (target("accuracy(at_least=0.9)") or 0) == 900_000


def test_without_a_target_nobody_measures(play: Any) -> None:
    record = decode_record(play.play_round().record)
    assert record["metric"] is None
    assert not target_reached(play.store, play.state, play.spec)


def test_below_the_target_everybody_goes_on(new_play: Any, small_spec: Any) -> None:
    play = new_play(spec=small_spec(**SPEC)).begin()
    assert decode_record(play.play_round(metric=899_999).record)["metric"] == 899_999
    play.start(Phase.COMMIT)
    assert all(contributes(a, play.spec, play.store, play.state) for a in play.trainers)


def test_once_it_is_reached_nobody_trains_any_more(new_play: Any, small_spec: Any) -> None:
    play = new_play(spec=small_spec(**SPEC)).begin()
    play.play_round(metric=900_000)
    play.start(Phase.COMMIT)
    assert target_reached(play.store, play.state, play.spec)
    assert not any(contributes(a, play.spec, play.store, play.state) for a in play.trainers)


def test_one_validator_alone_cannot_end_a_task(play: Any) -> None:
    vera, viktor, vinh = play.validators
    claims = {vera: 1_000_000, viktor: 500_000, vinh: 510_000}
    assert consensus_metric(play.state, claims) == 510_000
    assert consensus_metric(play.state, {}) is None
