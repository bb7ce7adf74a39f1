"""The multi-class perceptron with a reference class, plain or averaged, in exact integers.

Label 0 is the reference and has no weights. For k = 1 .. K - 1, s_k = b_k * one + sum_i w_ki x_i,
and s_0 = 0; the highest score wins. A mistake adds x to the row of the true label and takes it from
the row of the predicted one, the biases by `one`; weights saturate at their width.

The averaged perceptron predicts by sbar_k = c s_k(w) - s_k(u), where u gets c times each change
of w and c counts the contributions from 1: the sum of all weights since the start, without
keeping it.

A contribution's own influence on the scores of its own x is n2 = sum_i x_i^2 + one^2 a row
(averaged: times the contributions since), which `agrees` takes out. What saturation cut off is
ignored there: it only makes `agrees` stricter.

Threat: own bad data makes the model agree with it; out, by `agrees`. Not answered: two
contributions of one person that carry each other.

Freund and Schapire: Large Margin Classification Using the Perceptron Algorithm (1999).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ostrom.errors import InputError
from ostrom.onchain.features import (
    INT16_MAX,
    Entries,
    Integers,
    decode_row,
    decode_tokens,
    decode_update,
)
from ostrom.onchain.models.model import UPDATE, best, check_label, check_size, frozen, grown
from ostrom.onchain.models.perceptron_words import PerceptronState, dump_rows, load_rows
from ostrom.onchain.models.sketches import sketch_row, sketch_tokens

COUNT_MAX = (1 << 31) - 1
BIAS_MAX = (1 << 31) - 1
WIDTHS = (8, 16, 32)


class _Sample(NamedTuple):
    """Where a sample has values, (n,), and the values (n,); the bias comes first."""

    places: Integers
    values: Integers

    @property
    def square(self) -> int:
        return int(self.values @ self.values)


@dataclass(frozen=True)
class Perceptron:
    """See the module. `sparse` says what `x` is: a set of tokens, else a row of numbers."""

    sparse: bool
    one: int
    bits: int
    averaged: bool

    def __post_init__(self) -> None:
        if self.bits not in WIDTHS:
            raise InputError(f"weights have 8, 16 or 32 bits, not {self.bits}")
        if not 1 <= self.one <= INT16_MAX:
            raise InputError(f"one lies between 1 and {INT16_MAX}, {self.one} does not")

    def start(self, classes: int, features: int) -> PerceptronState:
        """A state whose weights are all 0."""
        check_size(classes, features)
        weights = frozen(np.zeros((classes, 1 + features), dtype=np.int64))
        past = frozen(weights.astype(object)) if self.averaged else None
        return PerceptronState(weights, past)

    def classes(self, state: PerceptronState) -> int:
        """How many labels there are."""
        return len(state.weights)

    def features(self, state: PerceptronState) -> int:
        """How many features there are."""
        return int(state.weights.shape[1]) - 1

    def predict(self, state: PerceptronState, x: bytes) -> int:
        """The label of the highest score."""
        return best(self._final_scores(state, self._sample(state, x)))

    def learn(self, state: PerceptronState, x: bytes, label: int) -> tuple[PerceptronState, int]:
        """Corrects a mistake, or adds an update of the weights.

        The memo is 0 if nothing changed, else 1 + the predicted label (1 for an update), with c in
        bits 8 and up of an averaged one's.
        """
        if label == UPDATE:
            return self._learn_update(state, x)
        check_label(label, self.classes(state))
        sample = self._sample(state, x)
        guess = best(_scores(state.weights, sample))
        after = self._counted(state)
        if guess == label:
            return after, 0
        rows = [(row, sign) for row, sign in ((label, 1), (guess, -1)) if row > 0]
        places = np.concatenate([sample.places] * len(rows))
        labels = np.repeat([row for row, _ in rows], len(sample.places))
        changes = np.concatenate([sign * sample.values for _, sign in rows])
        changed = self._changed(state, Entries(labels, places, changes))
        return replace(changed, count=after.count), self._memo(state, 1 + guess)

    def agrees(self, state: PerceptronState, x: bytes, label: int, memo: int) -> bool:
        """Whether the scores without the contribution's own part make its label win."""
        if label == UPDATE:
            return self._agrees_with_update(state, x, memo)
        check_label(label, self.classes(state))
        sample = self._sample(state, x)
        scores = self._final_scores(state, sample)
        if memo:
            own = sample.square * self._age(state, memo)
            for row, sign in ((label, -1), ((memo & 255) - 1, 1)):
                scores[row] += sign * own if row > 0 else 0
        return best(scores) == label

    def sketch(self, x: bytes) -> int:
        """64 bits by the tokens, or by the signs of the values."""
        if self.sparse:
            return sketch_tokens(decode_tokens(x, UPDATE))
        return sketch_row(decode_row(x, max(1, len(x) // 2)))

    def widen(
        self, state: PerceptronState, *, classes: int = 0, features: int = 0
    ) -> PerceptronState:
        """The state with more labels and features, whose weights are 0."""
        check_size(self.classes(state) + classes, self.features(state) + features)
        weights = grown(state.weights, rows=classes, columns=features)
        past = None
        if state.past is not None:
            past = grown(state.past, rows=classes, columns=features)
        return replace(state, weights=weights, past=past)

    def dump(self, state: PerceptronState) -> bytes:
        """The words of the contract's storage."""
        return dump_rows(state, self.bits)

    def load(self, data: bytes) -> PerceptronState:
        """The state that such words hold."""
        return load_rows(data, bits=self.bits, averaged=self.averaged)

    def _sample(self, state: PerceptronState, x: bytes) -> _Sample:
        features = self.features(state)
        if self.sparse:
            tokens = decode_tokens(x, features)
            places = np.concatenate(([0], tokens + 1))
            return _Sample(places, np.where(places == 0, self.one, 1))
        row = decode_row(x, features)
        return _Sample(np.arange(1 + features), np.concatenate(([self.one], row)))

    def _final_scores(self, state: PerceptronState, sample: _Sample) -> list[int]:
        scores = _scores(state.weights, sample)
        if state.past is None:
            return scores
        past = _scores(state.past, sample)
        return [state.count * score - other for score, other in zip(scores, past)]

    def _learn_update(self, state: PerceptronState, x: bytes) -> tuple[PerceptronState, int]:
        return self._changed(state, self._entries(state, x)), self._memo(state, 1)

    def _agrees_with_update(self, state: PerceptronState, x: bytes, memo: int) -> bool:
        """Whether the update points where the weights without it do."""
        labels, places, changes = self._entries(state, x)
        here = state.weights[labels, places]
        own = changes * self._age(state, memo) if memo else 0
        if state.past is not None:
            here = state.count * here.astype(object) - state.past[labels, places]
        rest: npt.NDArray[Any] = (here - own).astype(object)
        return bool(changes.astype(object) @ rest > 0)

    def _entries(self, state: PerceptronState, x: bytes) -> Entries:
        return decode_update(x, classes=self.classes(state), features=self.features(state))

    def _changed(self, state: PerceptronState, entries: Entries) -> PerceptronState:
        """The weights after a change, saturated; u gets c times what really changed."""
        labels, places, changes = entries
        weights, before = state.weights.copy(), state.weights[labels, places]
        limits = np.where(places == 0, BIAS_MAX, (1 << (self.bits - 1)) - 1)
        weights[labels, places] = after = np.clip(before + changes, -limits, limits)
        past = state.past
        if past is not None:
            past = past.copy()
            past[labels, places] += state.count * (after - before).astype(object)
            past = frozen(past)
        return replace(state, weights=frozen(weights), past=past)

    def _counted(self, state: PerceptronState) -> PerceptronState:
        if not self.averaged:
            return state
        if state.count >= COUNT_MAX:
            raise InputError("this model has learnt as often as its counter can say")
        return replace(state, count=state.count + 1)

    def _memo(self, state: PerceptronState, low: int) -> int:
        return low | state.count << 8 if self.averaged else low

    def _age(self, state: PerceptronState, memo: int) -> int:
        """How often the contribution's change counts in the final scores."""
        return state.count - (memo >> 8) if self.averaged else 1


def _scores(weights: npt.NDArray[Any], sample: _Sample) -> list[int]:
    scores: list[int] = (weights[:, sample.places] @ sample.values).tolist()
    return scores


def sparse_perceptron(*, bits: int = 8, averaged: int = 0) -> Perceptron:
    """A perceptron over sets of tokens, with weights of 8, 16 or 32 bits.

    >>> from ostrom.onchain.features import encode_tokens
    >>> model = sparse_perceptron()
    >>> state, memo = model.learn(model.start(2, 1_000), encode_tokens([3, 14]), 1)
    >>> memo, model.predict(state, encode_tokens([14, 15]))
    (1, 1)
    """
    return Perceptron(sparse=True, one=1, bits=bits, averaged=_flag(averaged))


def dense_perceptron(*, one: int = 256, bits: int = 32, averaged: int = 0) -> Perceptron:
    """A perceptron over rows of numbers; `one` is what the quantiser makes of 1.0.

    >>> from ostrom.onchain.features import encode_row
    >>> model = dense_perceptron()
    >>> state, memo = model.learn(model.start(3, 2), encode_row([512, -256]), 2)
    >>> state.weights[2].tolist()
    [256, 512, -256]
    """
    return Perceptron(sparse=False, one=one, bits=bits, averaged=_flag(averaged))


def _flag(value: int) -> bool:
    if value not in (0, 1):
        raise InputError(f"averaged is 0 or 1, not {value}")
    return bool(value)
