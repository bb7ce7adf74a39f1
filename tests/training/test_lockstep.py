"""The loop that all descents share, against descents written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from ostrom.data import load_dataset
from ostrom.errors import InputError
from ostrom.tensors import FRACTION_BITS, dequantise, quantise
from ostrom.training import Model, Start, build_model, local_algorithm, train_cohort
from ostrom.training.descent import AdamW, Descent
from ostrom.training.lockstep import plan

DIGITS = load_dataset("digits").train.subset(np.arange(60))
MODELS = ["mlp(hidden=6)", "federated_net(dropout=0,hidden=6,width=2)"]
UNIT = float(1 << FRACTION_BITS)
every_model = pytest.mark.parametrize("text", MODELS)


def net(text: str) -> Model:
    return build_model(text, shape=(8, 8), classes=10)


def changed(model: Model, algorithm: str) -> np.ndarray:
    start = Start(quantise(model.initial(0)))
    update, _ = local_algorithm(algorithm)(model, start, DIGITS, np.random.default_rng(3), {})
    return update.values / UNIT


def descend(model: Model, optimiser: type, steps: int, **settings: float) -> np.ndarray:
    """Full batches through one of torch's own optimisers."""
    start = torch.from_numpy(dequantise(quantise(model.initial(0))))
    weights = start.clone().requires_grad_()
    chosen = optimiser([weights], **settings)
    for _ in range(steps):
        chosen.zero_grad()
        logits = model.logits(weights, model.prepare(DIGITS.x))
        functional.cross_entropy(logits, torch.from_numpy(DIGITS.y)).backward()
        chosen.step()
    return (weights - start).detach().numpy()


def test_refuses_settings_out_of_range() -> None:
    for wrong in ({"lr": float("nan")}, {"momentum": -0.1}, {"proximal": -1}, {"batch": 0}):
        with pytest.raises(InputError):
            Descent(**wrong)
    with pytest.raises(InputError, match="beta1"):
        AdamW(beta1=1.0)


def test_refuses_a_state_too_few() -> None:
    model = net(MODELS[0])
    with pytest.raises(InputError, match="one state"):
        train_cohort(
            model,
            local_algorithm("scaffold"),
            Start(quantise(model.initial(0))),
            [DIGITS] * 2,
            [1, 2],
            [{}],
        )


@every_model
def test_momentum_is_that_of_torch(text: str) -> None:
    made = changed(net(text), "fedavg(batch=60,epochs=5,lr=0.1,momentum=0.5)")
    wanted = descend(net(text), torch.optim.SGD, 5, lr=0.1, momentum=0.5)
    assert np.abs(made - wanted).max() < 2e-5


@every_model
def test_diloco_takes_the_steps_of_torchs_adamw(text: str) -> None:
    made = changed(net(text), "diloco(batch=60,lr=0.01,steps=6,weight_decay=0.1)")
    settings = {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1}
    wanted = descend(net(text), torch.optim.AdamW, 6, **settings)
    assert np.abs(made - wanted).max() < 2e-4


def test_steps_go_on_into_new_epochs_and_stop_in_the_middle_of_one() -> None:
    rng = np.random.default_rng(0)
    batches = list(Descent(batch=4, steps=4).batches(10, rng))
    assert [len(one) for one in batches] == [4, 4, 2, 4]
    assert sorted(np.concatenate(batches[:3])) == list(range(10))


@pytest.mark.parametrize("settings", [{"epochs": 3}, {"steps": 5}, {"batch": 50}, {"steps": 1}])
def test_a_plan_holds_the_batches_of_every_trainer(settings: dict) -> None:
    descent, sizes = Descent(**{"batch": 4, **settings}), [11, 8, 3]
    made = plan(descent, sizes, [np.random.default_rng(i) for i in range(3)])
    for i, size in enumerate(sizes):
        place = sum(sizes[:i])
        batches = list(descent.batches(size, np.random.default_rng(i)))
        assert len(batches) == descent.steps_for(size) == sum(one > i for one in made.active)
        for step, batch in enumerate(batches):
            held = made.shares[step, i] > 0
            assert (made.rows[step, i][held] - place).tolist() == batch.tolist()
            assert made.shares[step, i].sum() == pytest.approx(1)


@every_model
def test_a_steady_gradient_moves_a_model_as_far_as_the_weight_of_gradients_says(text: str) -> None:
    # A tiny learning rate leaves the gradient as it was.
    model = net(text)
    once = descend(model, torch.optim.SGD, 1, lr=0.002, momentum=0.0)
    many = descend(model, torch.optim.SGD, 4, lr=0.0005, momentum=0.5)
    reach = Descent(momentum=0.5).weight_of_gradients(4)
    assert reach == 1 + 1.5 + 1.75 + 1.875
    assert np.abs(many - once * reach * 0.0005 / 0.002).max() < 2e-5
