"""Models: what they refuse, and that a flat vector is all their state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import vmap

from ostrom.errors import InputError
from ostrom.training import MODELS, build_model

SHAPES = {
    "logistic": (3,),
    "mlp": (8, 8),
    "federated_net": (28, 28),
    "lenet": (28, 28),
    "ridge_features": (8, 8, 3),
    "transformer": (8,),
}
TEXTS = {"ridge_features": "ridge_features(features=20)"}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("transformer", (8, 8)),
        ("mlp(width=3)", (8, 8)),
        ("mlp(hidden=0)", (8, 8)),
        ("mlp(hidden=1.5)", (8, 8)),
        ("federated_net", (64,)),
        ("federated_net", (7, 7)),
        ("federated_net(dropout=1)", (8, 8)),
        ("lenet", (15, 15)),
        ("lenet(gain=0)", (28, 28)),
        ("ridge_features", (64,)),
        ("ridge_features(features=1)", (8, 8)),
        ("ridge_features(seed=-1)", (8, 8)),
    ],
)
def test_refuses_what_cannot_be_built(text: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        build_model(text, shape=shape, classes=10)


def test_refuses_a_single_class() -> None:
    with pytest.raises(InputError, match="2 classes"):
        build_model("mlp", shape=(8, 8), classes=1)


@pytest.mark.parametrize("name", MODELS)
def test_its_text_builds_the_same_model_again(name: str) -> None:
    model = build_model(TEXTS.get(name, name), shape=SHAPES[name], classes=4)
    again = build_model(model.text, shape=model.shape, classes=4)
    assert (again.text, dict(again.tensors)) == (model.text, dict(model.tensors))
    assert np.array_equal(model.initial(3), again.initial(3))
    assert model.initial(3).shape == (model.parameters,)


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_one_logit_for_each_class(name: str) -> None:
    model = build_model(TEXTS.get(name, name), shape=SHAPES[name], classes=4)
    x = model.prepare(np.zeros((5, *model.shape), np.uint8))
    logits = model.logits(torch.from_numpy(model.initial(0)), x)
    assert tuple(logits.shape) == (5, 4)


@pytest.mark.parametrize("name", ["logistic", "mlp"])
def test_small_models_work_under_vmap(name: str) -> None:
    model = build_model(name, shape=(3,), classes=4)
    params = torch.from_numpy(np.stack([model.initial(seed) for seed in (1, 2)]))
    x = torch.ones(2, 5, 3)
    together = vmap(model.logits)(params, x)
    for i in range(2):
        assert torch.allclose(together[i], model.logits(params[i], x[i]), atol=1e-6)


def test_the_papers_net_has_its_layers_and_about_eighty_thousand_parameters() -> None:
    model = build_model("federated_net", shape=(28, 28), classes=10)
    assert {name.split(".")[0] for name in model.tensors} == {"conv1", "conv2", "fc1", "fc2"}
    assert model.parameters == 79_242


def test_dropout_comes_from_the_callers_generator_alone() -> None:
    model = build_model("federated_net(dropout=0.5)", shape=(8, 8), classes=3)
    params, x = torch.from_numpy(model.initial(0)), torch.rand(4, 8, 8, 1)

    def run(seed: int) -> torch.Tensor:
        return model.logits(params, x, generator=torch.Generator().manual_seed(seed))

    before = torch.random.get_rng_state()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(model.logits(params, x), model.logits(params, x))
    assert torch.equal(before, torch.random.get_rng_state())
