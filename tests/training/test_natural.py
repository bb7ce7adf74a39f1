"""Statistics for a natural-gradient step: what is refused, and that skew changes nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from ostrom.aggregation import pipeline
from ostrom.aggregation.kronecker import HEADER, mean_loss, parameters, read_layers, unpack
from ostrom.data import Dataset, load_dataset, partition
from ostrom.errors import InputError
from ostrom.tensors import add_saturating, dequantise, quantise
from ostrom.training import Model, Start, build_model, evaluate, local_algorithm, train_cohort
from ostrom.training.natural import layers_of, natural

DIGITS = load_dataset("digits").train
SMALL = DIGITS.subset(np.arange(120))
IMAGES = Dataset(
    "images", np.random.default_rng(0).integers(0, 256, (12, 16, 16), dtype=np.uint8),
    np.arange(12) % 10, 10,
)  # fmt: skip


def sums(
    model: Model, data: Dataset, *, share: float = 1.0, seed: int = 0
) -> npt.NDArray[np.int64]:
    start = Start(quantise(model.initial(1)))
    update, state = natural(share=share)(model, start, data, np.random.default_rng(seed), {})
    assert state == {}
    return np.asarray(update.values, dtype=np.int64)


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_refuses_a_share_that_is_none(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        natural(share=share)


@pytest.mark.parametrize("text", ["ridge_features(features=20)", "transformer"])
def test_refuses_models_of_other_layers(text: str) -> None:
    shape = (8,) if text == "transformer" else (8, 8)
    with pytest.raises(InputError, match="logistic, mlp, lenet"):
        natural().length(build_model(text, shape=shape, classes=10))


def test_refuses_a_padded_convolution() -> None:
    model = build_model("federated_net(hidden=4,width=2)", shape=(8, 8), classes=10)
    with pytest.raises(InputError, match="padding"):
        sums(model, SMALL)


def test_loss_and_gradient_are_those_of_autograd() -> None:
    model = build_model("lenet", shape=(16, 16), classes=10)
    found = sums(model, IMAGES)
    weights = torch.from_numpy(dequantise(quantise(model.initial(1)))).requires_grad_()
    logits = model.logits(weights, model.prepare(IMAGES.x))
    loss = functional.cross_entropy(logits, torch.from_numpy(IMAGES.y), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, weights)
    values = found / 2**20
    assert values[0] == pytest.approx(loss.item(), rel=1e-5)
    assert values[1:3].tolist() == [12, 12]
    assert values[HEADER : HEADER + model.parameters] == pytest.approx(
        gradient.numpy(), rel=1e-3, abs=1e-4
    )


def test_the_input_factor_of_a_layer_is_its_inputs_second_moment() -> None:
    model = build_model("mlp(hidden=5)", shape=(8, 8), classes=10)
    found = unpack(sums(model, SMALL), layers_of(model))
    x = np.column_stack([model.prepare(SMALL.x).numpy(), np.ones(len(SMALL))])
    assert found.inputs[0] == pytest.approx(x.T @ x / len(x), abs=1e-4)
    assert found.outputs[1].shape == (10, 10)
    assert np.linalg.eigvalsh(found.outputs[1]).min() > -1e-6


def test_a_convolutions_factors_sum_over_its_windows() -> None:
    model = build_model("lenet", shape=(16, 16), classes=10)
    found = unpack(sums(model, IMAGES), layers_of(model))
    windows = 12 * 12
    assert found.inputs[0][-1, -1] == pytest.approx(windows)
    assert found.inputs[0].shape == (26, 26)
    assert found.inputs[1].shape == (151, 151)


def test_the_output_factor_is_near_the_softmaxs_own_curvature() -> None:
    model = build_model("logistic", shape=(8, 8), classes=10)
    found = unpack(sums(model, DIGITS), layers_of(model))
    assert found.outputs[0] == pytest.approx((np.eye(10) - 0.1) / 10, abs=0.02)


def test_a_share_of_the_examples_carries_the_factors_and_all_carry_the_gradient() -> None:
    model = build_model("mlp(hidden=5)", shape=(8, 8), classes=10)
    some, whole = sums(model, SMALL, share=0.25), sums(model, SMALL)
    stop = HEADER + model.parameters
    assert (some[2] >> 20, whole[2] >> 20) == (30, 120)
    assert some[:2] / 2**20 == pytest.approx(whole[:2] / 2**20)
    assert np.abs(some[HEADER:stop] - whole[HEADER:stop]).max() < 64
    factors = [unpack(one, layers_of(model)).inputs[0] for one in (some, whole)]
    assert factors[0] == pytest.approx(factors[1], abs=0.2)


def test_the_server_step_knows_the_layers() -> None:
    model = build_model("lenet", shape=(28, 28), classes=10)
    text = natural().server(model)
    assert text == "natural_step(layers=6x25-16x150-120x256-84x120-10x84)"
    layers = read_layers(text.split("=")[1][:-1])
    assert parameters(layers) == model.parameters
    assert pipeline(f"sum|{text}").initial_state(natural().length(model))


@pytest.mark.parametrize("dealt", ["classes(k=1)", "classes(k=2)", "iid"])
def test_sums_over_trainers_do_not_depend_on_who_holds_what(dealt: str) -> None:
    model = build_model("mlp(hidden=5)", shape=(8, 8), classes=10)
    parts = partition(dealt, DIGITS.y, 10, np.random.default_rng(0))
    total = np.sum([sums(model, DIGITS.subset(part)) for part in parts], axis=0)
    whole, stop = sums(model, DIGITS), HEADER + model.parameters
    assert np.abs(total[:stop] - whole[:stop]).max() < 1000
    added, found = (unpack(one, layers_of(model)) for one in (total, whole))
    assert added.inputs[0] == pytest.approx(found.inputs[0], abs=1e-4)


def test_trainers_of_one_digit_each_learn_all_digits() -> None:
    model = build_model("mlp(hidden=16)", shape=(8, 8), classes=10)
    algorithm = local_algorithm("natural(share=1)")
    pipe = pipeline(f"sum|{algorithm.server(model)}")
    parts = partition("classes(k=1)", DIGITS.y, 10, np.random.default_rng(0))
    data = [DIGITS.subset(part) for part in parts]
    params, state = quantise(model.initial(0)), pipe.initial_state(algorithm.length(model))
    losses = []
    for number in range(1, 16):
        made = train_cohort(model, algorithm, Start(params, state, number), data, range(10))
        rows = np.stack([update.values for update, _ in made])
        losses.append(mean_loss(rows.sum(axis=0)))
        delta, state = pipe.aggregate(rows, np.array([len(part) for part in parts]), state)
        params = add_saturating(params, delta)
    assert losses[0] > 2.2
    assert min(losses) < 0.15
    assert evaluate(model, params, DIGITS).accuracy > 0.93
