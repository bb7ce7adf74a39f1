from __future__ import annotations

from typing import Any

import pytest

from ostrom.errors import InputError
from ostrom.node.trainer import contributes
from ostrom.participation import participation
from ostrom.types import Phase

CROWD = [f"trainer {i}" for i in range(40)]


@pytest.mark.parametrize(
    "text", ["half", "uniform", "uniform(share=0)", "uniform(share=1.1)", "all(share=1)", "all|all"]
)
def test_a_draw_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        participation(text)


def test_everybody_trains_by_default(play: Any) -> None:
    assert participation("all")(play.state) == set(play.trainers)


def test_a_share_of_the_trainers_is_drawn_and_rounded_up(new_play: Any) -> None:
    play = new_play(CROWD).begin()
    assert len(participation("uniform(share=0.1)")(play.state)) == 4
    assert len(participation("uniform(share=0.11)")(play.state)) == 5
    assert participation("uniform(share=1)")(play.state) == set(play.trainers)


def test_every_round_draws_anew_and_everyone_is_drawn_in_the_end(new_play: Any) -> None:
    play = new_play(CROWD, rounds=60).begin()
    draws = []
    for _ in range(60):
        draws.append(participation("uniform(share=0.2)")(play.state))
        play.void().start(Phase.COMMIT) if play.number < 60 else None
    assert len(set(draws)) > 50
    assert set().union(*draws) == set(play.trainers)


def test_the_draw_does_not_change_when_somebody_leaves(new_play: Any) -> None:
    from ostrom import types as t

    play = new_play(CROWD).begin()
    before = participation("uniform(share=0.5)")(play.state)
    play.tell(t.Left(play.id, next(a for a in play.trainers if a not in before)))
    assert participation("uniform(share=0.5)")(play.state) == before


def test_who_was_not_drawn_does_not_train_and_is_refused_without_a_strike(
    new_play: Any, small_spec: Any
) -> None:
    spec = small_spec(participation="uniform(share=0.3)")
    play = new_play(spec=spec).begin()
    (drawn,) = participation(spec.participation)(play.state)
    wanted = {a: contributes(a, spec, play.store, play.state) for a in play.trainers}
    assert [a for a, wants in wanted.items() if wants] == [drawn]
    outcome = play.to_attest().outcome()
    rows = {row["trainer"]: row for row in _record(outcome)["updates"]}
    assert {a: row["check"] for a, row in rows.items()} == {
        a: "" if a == drawn else "drawn" for a in play.trainers
    }
    assert not outcome.balances.strikes
    assert set(outcome.balances.payouts) <= {drawn, *play.validators}


def _record(outcome: Any) -> Any:
    from ostrom.records import decode_record

    return decode_record(outcome.record)
