"""What every local algorithm must do; a newcomer is added to TABLE."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.data import Dataset, load_dataset
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import LOCAL_ALGORITHMS, LocalAlgorithm, Model, build_model, local_algorithm
from ostrom.types import Update

DIGITS = load_dataset("digits").train.subset(np.arange(300))
TABLE = [
    ("fedavg", "logistic"),
    ("fedavg(epochs=2,momentum=0)", "federated_net"),
    ("fedprox(mu=0.1)", "mlp(hidden=16)"),
    ("ridge", "ridge_features(features=40)"),
]
every = pytest.mark.parametrize(("algorithm", "model"), TABLE)


def build(algorithm: str, model: str) -> tuple[LocalAlgorithm, Model]:
    return local_algorithm(algorithm), build_model(model, shape=(8, 8), classes=10)


def run(algorithm: str, model: str, *, seed: int = 0, data: Dataset = DIGITS) -> Update:
    chosen, net = build(algorithm, model)
    start = quantise(net.initial(1))
    update, state = chosen(net, start, data, np.random.default_rng(seed), {})
    assert state == {}
    return update


def test_the_table_holds_every_local_algorithm() -> None:
    assert {text.split("(")[0] for text, _ in TABLE} == set(LOCAL_ALGORITHMS)


@pytest.mark.parametrize(
    "text",
    ["sgd", "fedavg(rate=1)", "fedavg(lr=0)", "fedavg(epochs=0)", "fedavg(batch=0)",
     "fedavg(momentum=1)", "fedprox(mu=-1)", "fedavg|fedavg"],
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
        chosen(net, np.zeros(7, np.int32), DIGITS, np.random.default_rng(0), {})


def test_training_that_diverges_says_so() -> None:
    with pytest.raises(InputError, match="learning rate"):
        run("fedavg(lr=1000000)", "federated_net")


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
    chosen(net, start, DIGITS, np.random.default_rng(0), {})
    assert np.array_equal(start, before)
    assert np.array_equal(DIGITS.x, images)


def test_a_proximal_term_keeps_the_update_smaller() -> None:
    free, held = (run(f"fedprox(mu={mu})", "logistic").values for mu in (0, 5))
    assert np.linalg.norm(held) < 0.8 * np.linalg.norm(free)
