"""Algorithms that keep something: exact bookkeeping, and what it is good for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from ostrom.aggregation import pipeline
from ostrom.data import Dataset, load_dataset
from ostrom.errors import InputError
from ostrom.tensors import FRACTION_BITS, add_saturating, dequantise, quantise
from ostrom.training import Start, State, build_model, evaluate, local_algorithm, train_cohort
from ostrom.training.stateful import body_length

DIGITS = load_dataset("digits").train.subset(np.arange(400))
MODEL = build_model("logistic", shape=(8, 8), classes=10)
MLP = build_model("mlp(hidden=16)", shape=(8, 8), classes=10)
UNIT = float(1 << FRACTION_BITS)
LOW = DIGITS.subset(np.flatnonzero(DIGITS.y < 5))
HIGH = DIGITS.subset(np.flatnonzero(DIGITS.y >= 5))
SKEWED = [LOW, HIGH]


def rounds(
    algorithm: str, number: int, data: list[Dataset] = SKEWED, model: object = MODEL
) -> tuple[np.ndarray, dict, list[State]]:
    """Rounds with equal votes: the last parameters, the server's state, the trainers' states."""
    chosen = local_algorithm(algorithm)
    step = chosen.server(model)
    rule = pipeline(f"mean(weights=equal)|{step}" if step else "mean(weights=equal)")
    parameters, server, states = quantise(model.initial(0)), {}, [{} for _ in data]
    for i in range(1, number + 1):
        seeds = [100 * i + j for j in range(len(data))]
        made = train_cohort(model, chosen, Start(parameters, server, i), data, seeds, states)
        states = [state for _, state in made]
        rows = np.stack([update.values for update, _ in made])
        delta, server = rule.aggregate(rows, np.ones(len(data), np.int64), server)
        parameters = add_saturating(parameters, delta)
    return parameters, dict(server), states


def slope(parameters: np.ndarray) -> float:
    """The length of the gradient of the mean of both trainers' losses."""
    weights = torch.from_numpy(dequantise(parameters)).requires_grad_()
    loss = sum(
        functional.cross_entropy(
            MODEL.logits(weights, MODEL.prepare(one.x)), torch.from_numpy(one.y)
        )
        for one in SKEWED
    )
    (gradient,) = torch.autograd.grad(loss / 2, weights)
    return float(gradient.norm())


def test_personal_head_refuses_a_model_of_one_layer() -> None:
    with pytest.raises(InputError, match="two layers"):
        rounds("personal_head", 1)


def test_a_scaffold_control_is_the_sum_of_the_changes_that_were_sent() -> None:
    chosen, state, sent = local_algorithm("scaffold(lr=0.3)"), {}, 0
    server = {"control": np.arange(MODEL.parameters, dtype=np.int64)}
    for i in range(3):
        start = Start(quantise(MODEL.initial(0)), server, i + 1)
        update, state = chosen(MODEL, start, LOW, np.random.default_rng(i), state)
        sent = sent + update.values[MODEL.parameters :].astype(np.int64)
        assert np.array_equal(state["control"], sent)


def test_the_servers_control_is_the_mean_of_the_trainers_but_for_rounding() -> None:
    _, server, states = rounds("scaffold(batch=50,lr=0.2)", 5)
    mean = np.mean([state["control"].astype(np.int64) for state in states], axis=0)
    assert np.abs(server["control"] - mean).max() <= 0.5 * 5


def test_a_first_control_is_the_gradient_that_the_trainer_saw() -> None:
    text = f"scaffold(batch={len(LOW)},lr=0.1)"
    start = Start(quantise(MODEL.initial(0)))
    update, state = local_algorithm(text)(MODEL, start, LOW, np.random.default_rng(0), {})
    moved = update.values[: MODEL.parameters]
    assert np.abs(state["control"] + moved / 0.1).max() <= 1


@pytest.mark.parametrize("corrected", ["scaffold", "feddyn"])
def test_corrections_end_where_all_data_together_would_and_fedavg_does_not(corrected: str) -> None:
    settings = "batch=400,epochs=30,lr=1,momentum=0"
    free = slope(rounds(f"fedavg({settings})", 25)[0])
    held = slope(rounds(f"{corrected}({settings})", 25)[0])
    assert held < 0.5 * free


def test_feddyn_keeps_the_exact_sum_of_what_it_sent() -> None:
    chosen, state, sent = local_algorithm("feddyn(lr=0.1)"), {}, 0
    for i in range(3):
        start = Start(quantise(MODEL.initial(0)), {}, i + 1)
        update, state = chosen(MODEL, start, HIGH, np.random.default_rng(i), state)
        sent = sent + update.values.astype(np.int64)
    assert np.array_equal(state["moved"], sent)


@pytest.mark.parametrize("head_epochs", [0, 2])
def test_a_personal_head_never_leaves_and_serves_its_trainer_better(head_epochs: int) -> None:
    text = f"personal_head(batch=16,epochs=3,head_epochs={head_epochs},lr=0.1)"
    parameters, _, states = rounds(text, 6, model=MLP)
    place = body_length(MLP)
    assert np.array_equal(parameters[place:], quantise(MLP.initial(0))[place:])
    personal = local_algorithm(text).personal
    for data, state in zip(SKEWED, states):
        own = personal(MLP, parameters, state)
        assert np.array_equal(own[:place], parameters[:place])
        assert evaluate(MLP, own, data).accuracy > 0.9 > evaluate(MLP, parameters, data).accuracy


def test_a_head_trained_alone_leaves_the_body_and_a_body_trained_alone_leaves_the_head() -> None:
    both, apart = (
        rounds(f"personal_head(head_epochs={n})", 1, data=[LOW], model=MLP)[2][0]["head"]
        for n in (0, 1)
    )
    assert not np.array_equal(both, apart)
    assert len(apart) == MLP.parameters - body_length(MLP)


def test_ditto_sends_what_fedavg_sends_and_keeps_a_model_that_fits_better() -> None:
    settings = "batch=16,epochs=3,lr=0.1"
    parameters, _, states = rounds(f"ditto({settings},proximity=0.1)", 4, model=MLP)
    assert np.array_equal(parameters, rounds(f"fedavg({settings})", 4, model=MLP)[0])
    personal = local_algorithm("ditto").personal
    for data, state in zip(SKEWED, states):
        own = evaluate(MLP, personal(MLP, parameters, state), data)
        assert own.loss < evaluate(MLP, parameters, data).loss


def test_a_stronger_pull_keeps_dittos_own_model_nearer() -> None:
    start, far = quantise(MLP.initial(0)), []
    for proximity in (0, 5):
        chosen = local_algorithm(f"ditto(proximity={proximity})")
        _, state = chosen(MLP, Start(start), LOW, np.random.default_rng(0), {})
        far.append(np.linalg.norm(state["model"] - start))
    assert far[1] < 0.8 * far[0]


def test_momentum_at_the_trainer_outlives_the_round() -> None:
    chosen = local_algorithm(f"momentum_sgd(batch={len(LOW)},beta=0.75,lr=0.5)")
    start = Start(quantise(MODEL.initial(0)))
    first, state = chosen(MODEL, start, LOW, np.random.default_rng(0), {})
    second, _ = chosen(MODEL, start, LOW, np.random.default_rng(1), state)
    assert np.abs(second.values - first.values * 1.75).max() <= 2
    assert np.abs(first.values + state["momentum"] * 0.5).max() <= 1


def test_dilocos_optimiser_goes_on_where_it_stopped() -> None:
    chosen = local_algorithm(f"diloco(batch={len(LOW)},lr=0.01,steps=4)")
    whole = local_algorithm(f"diloco(batch={len(LOW)},lr=0.01,steps=8)")
    start = quantise(MODEL.initial(0))
    first, state = chosen(MODEL, Start(start), LOW, np.random.default_rng(0), {})
    second, kept = chosen(MODEL, Start(start + first.values), LOW, np.random.default_rng(1), state)
    wanted, _ = whole(MODEL, Start(start), LOW, np.random.default_rng(0), {})
    assert np.abs(first.values + second.values - wanted.values).max() / UNIT < 1e-4
    assert kept["steps"].tolist() == [8]


def test_fednova_weighs_a_trainer_by_its_data_and_not_by_its_steps() -> None:
    # One trainer takes twenty steps, the other one: fedavg follows the first alone.
    busy, idle = LOW.subset(np.tile(np.arange(10), 20)), HIGH.subset(np.arange(10))
    votes = [
        rounds(f"{name}(batch=10,lr=0.01,momentum=0)", 1, data=[busy, idle])[0]
        for name in ("fednova", "fedavg")
    ]
    alone = [
        rounds("fedavg(batch=10,lr=0.01,momentum=0)", 1, data=[one])[0] for one in (busy, idle)
    ]
    nova, average = (vote - quantise(MODEL.initial(0)) for vote in votes)
    towards = alone[1] / np.linalg.norm(alone[1])
    assert float(average @ towards) < 0 < float(nova @ towards)


def test_fednova_among_equals_is_fedavg() -> None:
    halves = [DIGITS.subset(np.arange(i, 400, 2)) for i in range(2)]
    nova, average = (
        rounds(f"{name}(epochs=2)", 1, data=halves)[0] for name in ("fednova", "fedavg")
    )
    assert np.abs(nova - average).max() <= 8


@pytest.mark.parametrize(("text", "like"), [("fedrs(alpha=1)", "fedavg"), ("fedlc(tau=0)", None)])
def test_classes_that_a_trainer_lacks_are_pushed_down_less(text: str, like: str | None) -> None:
    place = MODEL.parameters - 10
    plain = rounds("fedavg", 1, data=[LOW])[0]
    made = rounds(text, 1, data=[LOW])[0]
    if like:
        assert np.array_equal(made, plain)
        half = rounds("fedrs(alpha=0.5)", 1, data=[LOW])[0]
        assert plain[place + 5 :].mean() < half[place + 5 :].mean() < 0
    else:
        assert not made[place + 5 :].any()
        assert (plain[place + 5 :] < 0).all()


def test_fedlc_gives_rare_classes_the_wider_margin() -> None:
    few = LOW.subset(np.concatenate([np.flatnonzero(LOW.y == 0)[:2], np.flatnonzero(LOW.y == 1)]))
    plain, calibrated = (rounds(f"fedlc(tau={tau})", 3, data=[few])[0] for tau in (0, 2))
    rare = few.subset(np.arange(2))
    assert evaluate(MODEL, calibrated, rare).loss < evaluate(MODEL, plain, rare).loss
