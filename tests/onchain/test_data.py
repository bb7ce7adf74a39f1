"""The tasks of the coupled mode."""

from __future__ import annotations

import hashlib
from importlib import resources

import pytest

from ostrom.errors import InputError
from ostrom.onchain.data import accuracy, learn_all, load_stream
from ostrom.onchain.models import model

SIZES = {
    "passages": (210, 1_882, 523, 1_000, 2),
    "digits": (144, 1_294, 359, 64, 10),
    "breast_cancer": (46, 410, 113, 30, 2),
}


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match="choose among breast_cancer, digits, passages"):
        load_stream("imdb", seed=0)


@pytest.mark.parametrize("name", SIZES)
def test_a_task_is_cut_into_warm_start_arrivals_and_test(name: str) -> None:
    if name == "breast_cancer":
        pytest.importorskip("sklearn.datasets")
    stream = load_stream(name, seed=3)
    sizes = (len(stream.warm), len(stream.arrivals), len(stream.test))
    assert (*sizes, stream.features, stream.classes) == SIZES[name]
    assert load_stream(name, seed=3) == stream
    assert load_stream(name, seed=4).arrivals != stream.arrivals


def test_the_passages_are_those_that_were_measured() -> None:
    data = resources.files("ostrom.onchain").joinpath("passages.tsv.xz").read_bytes()
    assert hashlib.sha256(data).hexdigest()[:16] == "b541c94ce0e4869d"
    assert len(data) < 200_000


def test_the_licences_of_the_passages_lie_beside_them() -> None:
    text = resources.files("ostrom.onchain").joinpath("passages.LICENCES.txt").read_text("utf-8")
    assert "NetworkX Developers" in text
    assert "SymPy Development Team" in text


def test_contributions_of_passages_have_at_most_twenty_tokens() -> None:
    stream = load_stream("passages", seed=0)
    assert max(len(sample.x) for sample in stream.arrivals) == 40
    assert sum(len(sample.x) == 40 for sample in stream.arrivals) > 400


@pytest.mark.parametrize(
    ("task", "name", "least"),
    [
        ("passages", "sparse_perceptron(averaged=1)", 87),
        ("passages(counted=1)", "naive_bayes", 89),
        ("digits", "dense_perceptron(averaged=1)", 91),
        ("digits", "centroid", 86),
    ],
)
def test_contributions_teach_a_model(task: str, name: str, least: float) -> None:
    stream, rule = load_stream(task, seed=1), model(name)
    state = learn_all(rule, rule.start(stream.classes, stream.features), stream.warm)
    warm = accuracy(rule, state, stream.test)
    after = accuracy(rule, learn_all(rule, state, stream.arrivals), stream.test)
    assert after >= max(least, warm)
