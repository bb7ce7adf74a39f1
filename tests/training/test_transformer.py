"""The transformer: what it refuses, and that it learns a language as a federation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.func import vmap

from ostrom.data.text import GRAMMAR, VOCABULARY, load_sentences, words
from ostrom.errors import InputError
from ostrom.tensors import add_saturating, quantise
from ostrom.training import Start, build_model, evaluate, local_algorithm, train_cohort


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("transformer", ()),
        ("transformer", (8, 8)),
        ("transformer", (1025,)),
        ("transformer(width=0)", (8,)),
        ("transformer(blocks=0)", (8,)),
        ("transformer(heads=0)", (8,)),
        ("transformer(width=30)", (8,)),
        ("transformer(depth=3)", (8,)),
    ],
)
def test_refuses_what_cannot_be_built(text: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="transformer"):
        build_model(text, shape=shape, classes=10)


@pytest.mark.parametrize("x", [np.full((2, 8), 10, np.uint8), np.zeros((2, 8), np.float32)])
def test_refuses_what_is_no_token(x: npt.NDArray[np.uint8]) -> None:
    model = build_model("transformer", shape=(8,), classes=10)
    with pytest.raises(InputError, match="tokens"):
        model.prepare(x)


def test_the_place_of_a_word_matters() -> None:
    model = build_model("transformer", shape=(4,), classes=9)
    x = model.prepare(np.array([[1, 2, 3, 4], [2, 1, 3, 4]], np.uint8))
    logits = model.logits(torch.from_numpy(model.initial(0)), x)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


def test_many_trainers_at_once_see_what_each_sees_alone() -> None:
    model = build_model("transformer(blocks=1,width=8)", shape=(4,), classes=9)
    params = torch.from_numpy(np.stack([model.initial(seed) for seed in (1, 2)]))
    x = torch.arange(24).reshape(2, 3, 4) % 9
    together = vmap(model.logits)(params, x)
    for i in range(2):
        assert torch.allclose(together[i], model.logits(params[i], x[i]), atol=1e-5)


def test_the_text_follows_from_its_seed_and_uses_every_word() -> None:
    text = words(20_000, seed=1)
    assert text == words(20_000, seed=1)
    assert text != words(20_000, seed=2)
    assert set(text) == set(range(len(VOCABULARY)))
    assert not set(VOCABULARY) & set(GRAMMAR)


def test_every_sentence_agrees_in_number() -> None:
    text = [VOCABULARY[word] for word in words(5_000, seed=1)]
    follows = set(pairwise(text))
    assert ("dog", "sees") in follows
    assert ("dogs", "see") in follows
    assert not follows & {("dog", "see"), ("dogs", "sees"), ("cat", "know"), ("cats", "knows")}


def test_a_federation_learns_far_more_than_how_often_each_word_comes() -> None:
    source = load_sentences()
    assert source.test is not None
    often = np.bincount(source.train.y, minlength=source.train.classes) / len(source.train)
    unigram = float(-(often[often > 0] * np.log(often[often > 0])).sum())
    model = build_model("transformer", shape=source.train.shape, classes=source.train.classes)
    algorithm, start = local_algorithm("fedavg"), quantise(model.initial(0))
    parts = [source.train.subset(np.arange(i, 6_000, 2)) for i in range(2)]
    for number in (1, 2):
        seeds = [2 * number, 2 * number + 1]
        trained = train_cohort(model, algorithm, Start(start, round=number), parts, seeds)
        delta = sum(update.values.astype(np.int64) for update, _ in trained) // len(trained)
        start = add_saturating(start, np.asarray(delta))
    assert evaluate(model, start, source.test).loss < unigram - 1
