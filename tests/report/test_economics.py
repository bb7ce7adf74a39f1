from __future__ import annotations

from typing import Any

import pytest

from ostrom.errors import InputError
from ostrom.report.economics import TOKEN, Costs, economics


def trainer(behaviour: str, payout: float, **fields: Any) -> dict[str, Any]:
    plain = {"samples": 100, "slashed": "0", "strikes": 0}
    return {"behaviour": behaviour, "payout": str(int(payout * TOKEN)), **plain, **fields}


def summary(*trainers: dict[str, Any], rounds: int = 10) -> dict[str, Any]:
    return {"trainers": list(trainers), "rounds": [{"round": n + 1} for n in range(rounds)]}


@pytest.mark.parametrize("costs", [{"example": -1.0}, {"capital": -1.0}, {"example": float("nan")}])
def test_negative_costs_are_refused(costs: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Costs(**costs)


def test_a_run_without_an_honest_trainer_is_refused() -> None:
    with pytest.raises(InputError):
        economics(summary(trainer("zeros", 1)))


def test_an_honest_account_is_the_mean_of_all_honest_trainers() -> None:
    run = summary(trainer("honest", 10), trainer("honest", 30, samples=300), trainer("zeros", 0))
    honest, zeros = economics(run, Costs(example=0.005, capital=0.001))
    assert (honest.seats, honest.income, honest.examples, honest.stake) == (1, 20, 2_000, 100)
    assert honest.cost == pytest.approx(10 + 1)
    assert honest.net == pytest.approx(9)
    assert honest.on_cost == pytest.approx(9 / 111)
    assert zeros.examples == 0
    assert zeros.cost == pytest.approx(1)


def test_break_even_is_the_price_at_which_both_gain_the_same() -> None:
    run = summary(trainer("honest", 20), trainer("lazy", 8))
    _, lazy = economics(run)
    assert lazy.break_even is not None
    honest, lazy = economics(run, Costs(example=lazy.break_even))
    assert honest.net == pytest.approx(lazy.net)
    assert honest.net < economics(run)[0].net


def test_who_works_as_much_and_earns_less_never_gains() -> None:
    assert economics(summary(trainer("honest", 20), trainer("label_flip", 1)))[1].break_even is None


def test_who_earns_more_gains_at_any_price() -> None:
    assert economics(summary(trainer("honest", 20), trainer("zeros", 21)))[1].break_even == 0


def test_what_was_slashed_is_a_loss_and_who_is_expelled_works_no_longer() -> None:
    gone = trainer("late_reveal", 0, slashed=str(100 * TOKEN), strikes=3)
    honest, late = economics(summary(trainer("honest", 20), gone), Costs(example=0.01))
    assert (late.lost, late.examples) == (100, 300)
    assert late.net < -100
    assert honest.examples == 1_000


def test_seats_of_one_behaviour_are_one_party_with_all_their_stakes() -> None:
    seats = [trainer("sybil", 5, samples=40) for _ in range(3)]
    _, sybil = economics(summary(trainer("honest", 20), *seats))
    assert (sybil.seats, sybil.income, sybil.stake, sybil.examples) == (3, 15, 300, 1_200)
