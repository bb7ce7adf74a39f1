"""A small language: sentences of a seeded grammar, cut into windows, to learn the next word.

The grammar has agreement in number, verbs that choose their objects, clauses inside clauses and
words that refer back, so that a model which reads the window beats one that counts words. The text
follows from a seed alone; nothing is downloaded.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ostrom.data.datasets import Dataset, Source

WINDOW = 8
"""So many words are read to foretell the next one."""

TRAIN_WINDOWS = 16_000
TEST_WINDOWS = 2_000

GRAMMAR: Mapping[str, Sequence[tuple[int, str]]] = {
    "S": [(4, "ONE DOES ."), (3, "MANY DO ."), (1, "in the PLACE ONE DOES ."),
          (1, "in the PLACE MANY DO ."), (1, "when ONE DOES it IS .")],
    "ONE": [(3, "the N1"), (2, "a N1"), (2, "the ADJ N1"), (1, "every ADJ N1")],
    "MANY": [(3, "the N2"), (2, "many N2"), (2, "two ADJ N2"), (1, "all N2")],
    "DOES": [(3, "V1 OBJECT"), (2, "IS"), (1, "IS NEAR"), (1, "EATS"), (1, "knows that CLAUSE")],
    "DO": [(3, "V2 OBJECT"), (2, "ARE"), (1, "ARE NEAR"), (1, "EAT"), (1, "know that CLAUSE")],
    "CLAUSE": [(1, "ONE DOES"), (1, "MANY DO")],
    "OBJECT": [(2, "ONE"), (2, "MANY"), (1, "the PLACE")],
    "NEAR": [(2, "near the PLACE"), (1, "behind the PLACE"), (1, "with OBJECT")],
    "EATS": [(2, "eats FOOD"), (1, "buys FOOD")],
    "EAT": [(2, "eat FOOD"), (1, "buy FOOD")],
    "FOOD": [(4, "bread"), (2, "red apples"), (1, "fresh fish")],
    "N1": [(6, "dog"), (5, "cat"), (4, "child"), (3, "farmer"), (2, "teacher"), (1, "sailor")],
    "N2": [(6, "dogs"), (5, "cats"), (4, "children"), (3, "farmers"), (2, "teachers"),
           (1, "sailors")],
    "V1": [(4, "sees"), (3, "likes"), (2, "follows"), (1, "finds")],
    "V2": [(4, "see"), (3, "like"), (2, "follow"), (1, "find")],
    "IS": [(3, "sleeps"), (2, "runs"), (2, "waits"), (1, "sings")],
    "ARE": [(3, "sleep"), (2, "run"), (2, "wait"), (1, "sing")],
    "ADJ": [(3, "old"), (3, "small"), (2, "quiet"), (1, "hungry")],
    "PLACE": [(4, "house"), (3, "river"), (2, "garden"), (1, "harbour")],
}  # fmt: skip
"""Symbol -> what it may become, each with its weight; "S" is a sentence."""


def _terminals() -> tuple[str, ...]:
    bodies = (body.split() for options in GRAMMAR.values() for _, body in options)
    return tuple(sorted({word for body in bodies for word in body if word not in GRAMMAR}))


VOCABULARY = _terminals()
"""The words in the order of their numbers."""


def load_sentences(cache: Path | None = None) -> Source:
    """16,000 windows of eight words with the word that follows, and 2,000 of another text.

    Examples are uint8 (8,), numbers of words in `VOCABULARY`; the label is the next word's number.

    >>> source = load_sentences()
    >>> [VOCABULARY[word] for word in source.train.x[0]][:4]
    ['the', 'quiet', 'dog', 'runs']
    >>> len(source.train), source.train.shape, source.train.classes == len(VOCABULARY)
    (16000, (8,), True)
    """
    return Source(windows(TRAIN_WINDOWS, seed=1), windows(TEST_WINDOWS, seed=2))


def windows(count: int, *, seed: int) -> Dataset:
    """The first `count` windows of the text that `seed` makes, one for each place in it.

    >>> data = windows(5, seed=7)
    >>> bool((data.x[1:, -1] == data.y[:-1]).all())
    True
    """
    text = np.array(words(count + WINDOW, seed=seed), dtype=np.uint8)
    x = np.lib.stride_tricks.sliding_window_view(text, WINDOW)[:count].copy()
    return Dataset("sentences", x, text[WINDOW:].astype(np.int64), len(VOCABULARY))


def words(count: int, *, seed: int) -> list[int]:
    """The numbers of the first `count` words of the text that `seed` makes.

    >>> " ".join(VOCABULARY[word] for word in words(6, seed=3))
    'a cat waits . the farmer'
    """
    # Python promises that random() never changes, which numpy does not for its streams.
    rng, numbers = random.Random(seed), {word: i for i, word in enumerate(VOCABULARY)}
    text: list[int] = []
    open_symbols: list[str] = []
    while len(text) < count:
        symbol = open_symbols.pop() if open_symbols else "S"
        if symbol in GRAMMAR:
            open_symbols.extend(reversed(_choose(rng, GRAMMAR[symbol]).split()))
        else:
            text.append(numbers[symbol])
    return text


def _choose(rng: random.Random, options: Sequence[tuple[int, str]]) -> str:
    mark = rng.random() * sum(weight for weight, _ in options)
    for weight, body in options:
        mark -= weight
        if mark < 0:
            return body
    return options[-1][1]
