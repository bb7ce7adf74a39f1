"""`lora`: low-rank updates that a low-rank compression sends almost for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.compression import compression
from ostrom.data import load_dataset
from ostrom.data.text import load_sentences
from ostrom.errors import InputError
from ostrom.tensors import add_saturating, quantise
from ostrom.training import Model, Start, build_model, evaluate, local_algorithm
from ostrom.types import IntVector

DIGITS = load_dataset("digits").train.subset(np.arange(300))


def train(text: str, *, model: Model, number: int = 1) -> IntVector:
    start = Start(quantise(model.initial(1)), round=number)
    update, _ = local_algorithm(text)(model, start, DIGITS, np.random.default_rng(0), {})
    return update.values


def ranks(model: Model, update: IntVector) -> list[int]:
    """The numerical rank of every matrix of an update; rounding to integers is no rank."""
    sizes = np.cumsum([int(np.prod(shape)) for shape in model.tensors.values()])
    parts = np.split(update.astype(np.float64), sizes[:-1])
    shaped = zip(parts, model.tensors.values())
    matrices = [part.reshape(shape[0], -1) for part, shape in shaped if len(shape) > 1]
    return [int(np.linalg.matrix_rank(matrix, tol=50.0)) for matrix in matrices]


@pytest.mark.parametrize(
    "text",
    ["lora(rank=0)", "lora(rank=1.5)", "lora(lr=0)", "lora(alpha=2)", "lora(schedule=never)"],
)
def test_refuses_what_cannot_be_trained(text: str) -> None:
    with pytest.raises(InputError):
        local_algorithm(text)


def test_training_that_diverges_says_so() -> None:
    model = build_model("mlp", shape=(8, 8), classes=10)
    with pytest.raises(InputError, match="learning rate"):
        train("lora(lr=1000)", model=model)


@pytest.mark.parametrize("name", ["mlp(hidden=32)", "federated_net(hidden=24,width=4)"])
def test_an_update_has_the_rank_it_says(name: str) -> None:
    model = build_model(name, shape=(8, 8), classes=10)
    assert set(ranks(model, train("lora(rank=2)", model=model))) == {2}
    assert min(ranks(model, train("fedavg", model=model))) > 2


def test_every_round_has_a_subspace_of_its_own() -> None:
    model = build_model("mlp(hidden=32)", shape=(8, 8), classes=10)
    first, second = (train("lora(rank=2)", model=model, number=number) for number in (1, 2))
    assert set(ranks(model, first.astype(np.int64) + second)) == {4}


def test_low_rank_factors_bring_its_update_back() -> None:
    model = build_model("mlp(hidden=32)", shape=(8, 8), classes=10)
    update = train("lora(rank=2)", model=model)
    packing = compression("low_rank(rank=2)", layout=tuple(model.tensors.values()))
    back = packing.decode(packing.encode(update, {})[0])
    assert packing.words < model.parameters / 5
    assert np.linalg.norm(back - update) < 1e-3 * np.linalg.norm(update)


def test_a_language_model_learns_from_a_twentieth_of_the_bytes() -> None:
    source = load_sentences()
    assert source.test is not None
    model = build_model("transformer", shape=source.train.shape, classes=source.train.classes)
    packing = compression("low_rank(rank=4)|int8", layout=tuple(model.tensors.values()))
    algorithm, params = local_algorithm("lora(rank=4)"), quantise(model.initial(0))
    before = evaluate(model, params, source.test).loss
    for number in (1, 2):
        data = source.train.subset(np.arange(5_000 * (number - 1), 5_000 * number))
        rng = np.random.default_rng(number)
        update, _ = algorithm(model, Start(params, round=number), data, rng, {})
        params = add_saturating(params, packing.decode(packing.encode(update.values, {})[0]))
    assert 20 * packing.words < model.parameters
    assert evaluate(model, params, source.test).loss < before / 1.7
