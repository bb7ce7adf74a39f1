"""Multinomial naive Bayes over counted tokens, with fitted priors and one added to every count.

Class k has D_k documents, N_k tokens and c_ki of them token i; with V features
score_k = L(D_k) + sum_i n_i (L(c_ki + 1) - L(N_k + V)), where n_i says how often token i occurs and
L is `ostrom.onchain.logarithm`. A class without documents is never predicted.

Threats: a text so long that a product of likelihoods is 0 (sums of logarithms cannot underflow); a
contribution that makes the model agree with it (`agrees` takes it out exactly). Not answered: many
contributions that agree with each other.

McCallum and Nigam: A Comparison of Event Models for Naive Bayes Text Classification (1998).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ostrom.onchain.features import Counted, Integers, decode_counts
from ostrom.onchain.logarithm import log2_fixed, log2_small
from ostrom.onchain.models.count_words import (
    COUNT_MAX,
    Table,
    dump_table,
    load_table,
    tokens_a_word,
)
from ostrom.onchain.models.model import UPDATE, best, check_no_update, check_size, frozen, grown
from ostrom.onchain.models.sketches import sketch_tokens

DOCUMENTS_MAX = (1 << 24) - 1
TOKENS_BITS = 40
TOKENS_MAX = (1 << TOKENS_BITS) - 1
_LANE_BITS = 64


@dataclass(frozen=True, eq=False)
class NaiveBayesState:
    """`documents` D (K,), `tokens` N (K,), `counts` c (K, V), all int64.

    `packed` tokens share a word of the contract's storage.
    """

    documents: Integers
    tokens: Integers
    counts: Integers
    packed: int


@dataclass(frozen=True)
class NaiveBayes:
    """See the module."""

    def start(self, classes: int, features: int) -> NaiveBayesState:
        """A state that counted nothing."""
        check_size(classes, features)
        none = frozen(np.zeros(classes, dtype=np.int64))
        counts = frozen(np.zeros((classes, features), dtype=np.int64))
        return NaiveBayesState(none, none, counts, tokens_a_word(classes))

    def classes(self, state: NaiveBayesState) -> int:
        """How many labels there are."""
        return len(state.counts)

    def features(self, state: NaiveBayesState) -> int:
        """How many tokens there are."""
        return int(state.counts.shape[1])

    def scores(self, state: NaiveBayesState, x: bytes) -> list[int | None]:
        """log2 of share and likelihood of every class, times 2^32; None without documents."""
        sample = decode_counts(x, self.features(state))
        return self._scores(state, sample, state.counts[:, sample.tokens])

    def predict(self, state: NaiveBayesState, x: bytes) -> int:
        """The label of the highest score."""
        return best(self.scores(state, x))

    def learn(self, state: NaiveBayesState, x: bytes, label: int) -> tuple[NaiveBayesState, int]:
        """Counts the sample; the memo is 1."""
        check_no_update(label, self.classes(state))
        tokens, times = decode_counts(x, self.features(state))
        counts = state.counts.copy()
        counts[label, tokens] = np.minimum(counts[label, tokens] + times, COUNT_MAX)
        after = replace(
            state,
            documents=_added(state.documents, label, 1, DOCUMENTS_MAX),
            tokens=_added(state.tokens, label, int(times.sum()), TOKENS_MAX),
            counts=frozen(counts),
        )
        return after, 1

    def agrees(self, state: NaiveBayesState, x: bytes, label: int, memo: int) -> bool:
        """Whether the counts without the contribution's own predict its label."""
        check_no_update(label, self.classes(state))
        sample = decode_counts(x, self.features(state))
        here = state.counts[:, sample.tokens]
        if memo:
            here[label] = np.maximum(here[label] - sample.counts, 0)
            total = int(sample.counts.sum())
            state = replace(
                state,
                documents=_added(state.documents, label, -1, DOCUMENTS_MAX),
                tokens=_added(state.tokens, label, -total, TOKENS_MAX),
            )
        return best(self._scores(state, sample, here)) == label

    def sketch(self, x: bytes) -> int:
        """64 bits by the tokens."""
        return sketch_tokens(decode_counts(x, UPDATE).tokens)

    def widen(
        self, state: NaiveBayesState, *, classes: int = 0, features: int = 0
    ) -> NaiveBayesState:
        """The state with more labels and tokens, whose counts are 0."""
        check_size(self.classes(state) + classes, self.features(state) + features)
        return replace(
            state,
            documents=frozen(np.pad(state.documents, (0, classes))),
            tokens=frozen(np.pad(state.tokens, (0, classes))),
            counts=grown(state.counts, rows=classes, columns=features),
        )

    def dump(self, state: NaiveBayesState) -> bytes:
        """The words of the contract's storage: a class's lane is D (24 bits) | N (40)."""
        totals = zip(state.documents.tolist(), state.tokens.tolist())
        lanes = [documents << TOKENS_BITS | tokens for documents, tokens in totals]
        return dump_table(Table(state.counts, lanes, state.packed), lane_bits=_LANE_BITS)

    def load(self, data: bytes) -> NaiveBayesState:
        """The state that such words hold."""
        counts, lanes, packed = load_table(data, lane_bits=_LANE_BITS)
        documents = np.array([lane >> TOKENS_BITS for lane in lanes], dtype=np.int64)
        tokens = np.array([lane & TOKENS_MAX for lane in lanes], dtype=np.int64)
        return NaiveBayesState(frozen(documents), frozen(tokens), counts, packed)

    def _scores(self, state: NaiveBayesState, sample: Counted, here: Integers) -> list[int | None]:
        """The scores where the sample's tokens have the counts `here` (K, n)."""
        total, features = int(sample.counts.sum()), self.features(state)
        gains: list[int] = (log2_small(here + 1) @ sample.counts).tolist()
        return [
            log2_fixed(documents) + gain - total * log2_fixed(tokens + features)
            if documents
            else None
            for documents, tokens, gain in zip(
                state.documents.tolist(), state.tokens.tolist(), gains
            )
        ]


def _added(values: Integers, label: int, change: int, most: int) -> Integers:
    """The values with one changed, held between 0 and `most`."""
    after = values.copy()
    after[label] = min(max(int(after[label]) + change, 0), most)
    return frozen(after)


def naive_bayes() -> NaiveBayes:
    """Multinomial naive Bayes.

    >>> from ostrom.onchain.features import encode_counts
    >>> model = naive_bayes()
    >>> state, memo = model.learn(model.start(2, 1_000), encode_counts({7: 2}), 1)
    >>> memo, model.predict(state, encode_counts({7: 1})), model.agrees(
    ...     state, encode_counts({7: 2}), 1, memo)
    (1, 1, False)
    """
    return NaiveBayes()
