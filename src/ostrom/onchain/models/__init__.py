"""The models of the coupled mode, each the exact reference of a contract.

`model` makes one from its canonical text; a state is frozen, and `learn` returns the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ostrom.mechanisms import bind, only
from ostrom.onchain.models.centroid import Centroid, centroid
from ostrom.onchain.models.k_means import KMeans, k_means
from ostrom.onchain.models.model import UPDATE, Model
from ostrom.onchain.models.naive_bayes import NaiveBayes, naive_bayes
from ostrom.onchain.models.perceptron import Perceptron, dense_perceptron, sparse_perceptron
from ostrom.onchain.models.sparse_centroid import SparseCentroid, sparse_centroid

MODELS: Mapping[str, Callable[..., Model[Any]]] = {
    "sparse_perceptron": sparse_perceptron,
    "dense_perceptron": dense_perceptron,
    "naive_bayes": naive_bayes,
    "centroid": centroid,
    "sparse_centroid": sparse_centroid,
    "k_means": k_means,
}


def model(text: str) -> Model[Any]:
    """The model that a text names, such as `sparse_perceptron(averaged=1,bits=8)`.

    Raises:
        InputError: an unknown name or argument, or one out of range.

    >>> model("dense_perceptron(one=128)").start(3, 4).weights.shape
    (3, 5)
    """
    return bind(MODELS, only(text))()


__all__ = [
    "MODELS",
    "UPDATE",
    "Centroid",
    "KMeans",
    "Model",
    "NaiveBayes",
    "Perceptron",
    "SparseCentroid",
    "centroid",
    "dense_perceptron",
    "k_means",
    "model",
    "naive_bayes",
    "sparse_centroid",
    "sparse_perceptron",
]
