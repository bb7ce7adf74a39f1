"""What every local algorithm must do; a newcomer is added to TABLE."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.aggregation import pipeline
from ostrom.data import Dataset, load_dataset
from ostrom.errors import InputError
from ostrom.tensors import add_saturating, decode_tensors, encode_tensors, quantise
from ostrom.training import (
    LOCAL_ALGORITHMS,
    LocalAlgorithm,
    Model,
    Start,
    State,
    build_model,
    evaluate,
    local_algorithm,
    train_cohort,
)
from ostrom.types import Update

DIGITS = load_dataset("digits").train.subset(np.arange(300))
NOTHING: State = {}
NET = "federated_net(hidden=8,width=2)"
TABLE = [
    ("fedavg", "logistic"),
    ("fedavg(epochs=2,momentum=0)", "federated_net"),
    ("fedprox(mu=0.1)", "mlp(hidden=16)"),
    ("fednova(epochs=2)", "mlp(hidden=16)"),
    ("scaffold(epochs=2)", "mlp(hidden=16)"),
    ("scaffold", NET),
    ("feddyn(alpha=0.05)", "mlp(hidden=16)"),
    ("fedlc(tau=0.5)", "mlp(hidden=16)"),
    ("fedrs(alpha=0.5)", NET),
    ("momentum_sgd(lr=0.5,steps=4)", "mlp(hidden=16)"),
    ("diloco(lr=0.01,steps=10)", "mlp(hidden=16)"),
    ("diloco(steps=3)", NET),
    ("personal_head(epochs=2)", "mlp(hidden=16)"),
    ("personal_head(head_epochs=1)", NET),
    ("ditto(proximity=0.5)", "mlp(hidden=16)"),
    ("lora(rank=2)", "mlp(hidden=16)"),
    ("lora(rank=1)", NET),
    ("ridge", "ridge_features(features=40)"),
    ("ridge_tuning", "ridge_features(features=40)"),
    ("natural(share=0.5)", "mlp(hidden=16)"),
]
SMALL = [
    (algorithm, model)
    for algorithm, model in TABLE
    if model.startswith(("mlp", "log")) and local_algorithm(algorithm).descent
]
every = pytest.mark.parametrize(("algorithm", "model"), TABLE)
every_small = pytest.mark.parametrize(("algorithm", "model"), SMALL)


def build(algorithm: str, model: str) -> tuple[LocalAlgorithm, Model]:
    return local_algorithm(algorithm), build_model(model, shape=(8, 8), classes=10)


def train(
    algorithm: str, model: str, *, seed: int = 0, data: Dataset = DIGITS, state: State = NOTHING
) -> tuple[Update, State]:
    chosen, net = build(algorithm, model)
    start = Start(quantise(net.initial(1)))
    return chosen(net, start, data, np.random.default_rng(seed), state)


def run(algorithm: str, model: str, *, seed: int = 0, data: Dataset = DIGITS) -> Update:
    return train(algorithm, model, seed=seed, data=data)[0]


def test_the_table_holds_every_local_algorithm() -> None:
    assert {text.split("(")[0] for text, _ in TABLE} == set(LOCAL_ALGORITHMS)


@pytest.mark.parametrize(
    "text",
    ["sgd", "fedavg(rate=1)", "fedavg(lr=0)", "fedavg(epochs=0)", "fedavg(batch=0)",
     "fedavg(momentum=1)", "fedprox(mu=-1)", "fedavg|fedavg", "fedavg(schedule=sometimes)",
     "fedavg(schedule=cosine)", "fedavg(schedule=step-5-2)", "feddyn(alpha=0)", "fedlc(tau=-1)",
     "fedrs(alpha=2)", "momentum_sgd(steps=0)", "momentum_sgd(epochs=2)", "momentum_sgd(beta=1)",
     "diloco(weight_decay=-1)", "diloco(steps=0)", "personal_head(head_epochs=-1)",
     "ditto(proximity=-1)", "natural(share=0)"],
)  # fmt: skip
def test_refuses_what_names_no_algorithm(text: str) -> None:
    with pytest.raises(InputError):
        local_algorithm(text)


@every
def test_refuses_no_data(algorithm: str, model: str) -> None:
    with pytest.raises(InputError, match="at least one example"):
        run(algorithm, model, data=DIGITS.subset(np.zeros(0, np.int64)))


@every
def test_refuses_parameters_of_another_model(algorithm: str, model: str) -> None:
    chosen, net = build(algorithm, model)
    with pytest.raises(InputError, match="parameters"):
        chosen(net, Start(np.zeros(7, np.int32)), DIGITS, np.random.default_rng(0), {})


@pytest.mark.parametrize("model", ["federated_net", "mlp"])
def test_training_that_diverges_says_so(model: str) -> None:
    with pytest.raises(InputError, match="learning rate"):
        run("fedavg(lr=1000000)", model)


@every
def test_its_text_builds_the_same_algorithm_again(algorithm: str, model: str) -> None:
    text = local_algorithm(algorithm).text
    assert local_algorithm(text).text == text
    assert np.array_equal(run(text, model).values, run(algorithm, model).values)


@every
def test_an_update_has_the_declared_length_and_type_and_counts_its_samples(
    algorithm: str, model: str
) -> None:
    chosen, net = build(algorithm, model)
    update = run(algorithm, model)
    assert update.values.shape == (chosen.length(net),)
    assert update.values.dtype == chosen.dtype
    assert update.samples == len(DIGITS)


@every
def test_the_same_seed_gives_the_same_bytes(algorithm: str, model: str) -> None:
    assert np.array_equal(
        run(algorithm, model, seed=4).values, run(algorithm, model, seed=4).values
    )


@every
def test_the_callers_arrays_stay_as_they_were(algorithm: str, model: str) -> None:
    chosen, net = build(algorithm, model)
    start, images = quantise(net.initial(1)), DIGITS.x.copy()
    before = start.copy()
    _, state = chosen(net, Start(start), DIGITS, np.random.default_rng(0), {})
    kept = {name: part.copy() for name, part in state.items()}
    chosen(net, Start(start), DIGITS, np.random.default_rng(0), state)
    assert np.array_equal(start, before)
    assert np.array_equal(DIGITS.x, images)
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


@every
def test_a_trainer_that_stored_its_state_goes_on_as_if_it_had_never_stopped(
    algorithm: str, model: str
) -> None:
    _, state = train(algorithm, model)
    stored = decode_tensors(encode_tensors(state)) if state else {}
    again, kept = train(algorithm, model, state=stored)
    direct, wanted = train(algorithm, model, state=state)
    assert np.array_equal(again.values, direct.values)
    assert kept.keys() == wanted.keys() == state.keys()
    assert all(np.array_equal(kept[name], wanted[name]) for name in wanted)


@every
def test_its_server_step_turns_a_mean_update_into_a_change_of_the_model(
    algorithm: str, model: str
) -> None:
    chosen, net = build(algorithm, model)
    step = chosen.server(net)
    whole = pipeline(
        "|".join(["sum" if chosen.dtype == "int64" else "mean", *([step] * bool(step))])
    )
    update = run(algorithm, model)
    delta, state = whole.aggregate(update.values[None], np.array([update.samples]), {})
    assert delta.shape == (net.parameters,)
    whole.aggregate(update.values[None], np.array([update.samples]), state)


@every_small
def test_a_cohort_learns_in_one_call_what_its_trainers_learn_alone(
    algorithm: str, model: str
) -> None:
    chosen, net = build(algorithm, model)
    start = Start(quantise(net.initial(1)))
    data = [DIGITS.subset(np.arange(n)) for n in (30, 90, 64, 7)]
    once = train_cohort(net, chosen, start, data, range(4))
    states = [state for _, state in once]
    twice = train_cohort(net, chosen, start, data, range(4), states, workers=2)
    for i, (update, state) in enumerate(twice):
        alone, kept = chosen(net, start, data[i], np.random.default_rng(i), states[i])
        assert np.abs(update.values - alone.values).max() <= 64
        assert state.keys() == kept.keys()


@every_small
def test_fifteen_rounds_of_three_trainers_learn_the_digits(algorithm: str, model: str) -> None:
    chosen, net = build(algorithm, model)
    step = chosen.server(net)
    rule = pipeline(f"mean(weights=equal)|{step}" if step else "mean")
    parameters, server = quantise(net.initial(1)), {}
    data = [DIGITS.subset(np.arange(i, 300, 3)) for i in range(3)]
    states: list[State] = [{}] * 3
    before = evaluate(net, parameters, DIGITS).loss
    for number in range(1, 16):
        start = Start(parameters, server, number)
        made = train_cohort(net, chosen, start, data, [10 * number + i for i in range(3)], states)
        states = [state for _, state in made]
        rows = np.stack([update.values for update, _ in made])
        delta, server = rule.aggregate(rows, np.array([100] * 3), server)
        parameters = add_saturating(parameters, delta)
    own = chosen.personal(net, parameters, states[0]) if chosen.personal else parameters
    assert evaluate(net, own, data[0]).loss < 0.8 * before
