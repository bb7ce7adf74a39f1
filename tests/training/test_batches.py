"""The three ways to many trainers' gradients agree, and take the terms that algorithms set."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ostrom.training import build_model
from ostrom.training.batches import Batch, layered, looped, mapped, way_of

SHAPE, CLASSES, TRAINERS = (3, 2), 4, 3
TERMS = {
    "plain": (None, None),
    "scaled": (torch.rand(TRAINERS, CLASSES), None),
    "offset": (None, torch.randn(TRAINERS, CLASSES)),
    "both": (torch.rand(TRAINERS, CLASSES), torch.randn(TRAINERS, CLASSES)),
}


def batch(scales: torch.Tensor | None, offsets: torch.Tensor | None) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((TRAINERS, 5, 6), generator=generator)
    y = torch.randint(CLASSES, (TRAINERS, 5), generator=generator)
    shares = torch.tensor([[0.2] * 5, [0.5, 0.5, 0, 0, 0], [0.25] * 4 + [0]])
    return Batch(x, y, shares, scales, offsets)


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("text", ["logistic", "mlp(hidden=5)"])
def test_all_ways_give_one_gradient(text: str, terms: str) -> None:
    model = build_model(text, shape=SHAPE, classes=CLASSES)
    weights = torch.randn((TRAINERS, model.parameters), generator=torch.Generator().manual_seed(1))
    before = torch.randn((TRAINERS, model.parameters), generator=torch.Generator().manual_seed(2))
    made = []
    for way in (layered, mapped, looped):
        into = before.clone()
        way(model, weights.clone(), into)(batch(*TERMS[terms]), (0.5, 2.0))
        made.append(into)
    assert torch.allclose(made[0], made[2], atol=1e-5)
    assert torch.allclose(made[1], made[2], atol=1e-5)
    assert not torch.allclose(made[0], before, atol=1e-2)


def test_convolutions_have_one_gradient_too() -> None:
    model = build_model("federated_net(dropout=0,hidden=4,width=2)", shape=(8, 8), classes=CLASSES)
    weights = torch.randn((TRAINERS, model.parameters), generator=torch.Generator().manual_seed(1))
    plain = batch(None, None)
    pictures = replace(plain, x=torch.rand((TRAINERS, 5, 8, 8, 1)))
    made = []
    for way in (mapped, looped):
        made.append(torch.zeros_like(weights))
        way(model, weights, made[-1])(pictures, (0.0, 1.0))
    assert torch.allclose(made[0], made[1], atol=1e-5)


def test_the_way_follows_from_the_model() -> None:
    assert way_of(build_model("mlp", shape=(8, 8), classes=10)) is layered
    assert way_of(build_model("federated_net", shape=(8, 8), classes=10)) is looped
    still = "federated_net(dropout=0)"
    assert way_of(build_model(still, shape=(8, 8), classes=10)) is mapped
    assert way_of(build_model(still, shape=(28, 28), classes=10)) is looped
