"""Every reference model beside its contract: random verbs, the same answers and the same words.

What the contract refuses, the reference refuses. Both start empty and grow on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.onchain.machine import RevmLedger

from ostrom.chain.artifacts import decode_answer, encode_call
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.wallet import Key
from ostrom.errors import ContractError, InputError
from ostrom.onchain.features import encode_counts, encode_row, encode_tokens, encode_update
from ostrom.onchain.models import UPDATE, KMeans, Model, Perceptron, model

STEPS = 40
ALICE = Key(bytes(31) + b"\1")
REFUSED = "refused"

CONTRACTS = {
    "sparse_perceptron": ("SparsePerceptron", "tokens"),
    "dense_perceptron": ("DensePerceptron", "row"),
    "naive_bayes": ("NaiveBayes", "counts"),
    "centroid": ("NearestCentroid", "row"),
    "sparse_centroid": ("SparseNearestCentroid", "tokens"),
    "k_means": ("KMeans", "row"),
}

TEXTS = [
    *(f"sparse_perceptron(averaged={a},bits={bits})" for a in (0, 1) for bits in (8, 16, 32)),
    *(f"dense_perceptron(averaged={a},bits={bits},one={one})"
      for a in (0, 1) for bits, one in ((8, 1), (16, 256), (32, 32_767))),
    "naive_bayes", "centroid", "sparse_centroid", "k_means", "k_means(limit=70000)",
]  # fmt: skip


class Answering(RevmLedger):
    """A ledger that also tells what a function returned that changes something."""

    def answer(self, call: Call, key: Key) -> Any:
        try:
            answer = self._evm.message_call(key.address, call.address, encode_call(call))
        except RuntimeError as error:
            if not str(error).startswith("Revert"):
                raise
            return REFUSED
        return decode_answer(call, bytes(answer))


@dataclass
class Pair:
    """A model, its state, and the contract; `memos` is what was learnt."""

    text: str
    rng: Random
    model: Model[Any] = field(init=False)
    state: Any = field(init=False)
    older: list[Any] = field(default_factory=list)
    memos: list[tuple[bytes, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.rng
        self.name, self.kind = CONTRACTS[self.text.split("(")[0]]
        self.model = model(self.text)
        classes = rng.choice([2, 2, 3, 5, 10, 17])
        features = rng.choice([1, 3, 7, 8, 9, 30] if self.kind == "row" else [1, 8, 9, 64, 100])
        self.state = self.model.start(classes, features)
        self.ledger = Answering(ALICE)
        self.address = NOWHERE
        created = self.send(CONSTRUCTOR, *self.shape(classes, features), "an encoder").created
        assert created is not None
        self.address = created
        if isinstance(self.model, KMeans):
            centres = np.array([[rng.randint(-300, 300) for _ in range(features)]
                                for _ in range(classes)])  # fmt: skip
            self.state = self.model.at(centres, weight=rng.choice([1, 3]))
            self.send("load", 0, self.model.dump(self.state))
        self.send("bind", ALICE.address)

    def shape(self, classes: int, features: int) -> tuple[Any, ...]:
        one = self.model
        if isinstance(one, Perceptron):
            return ((classes, features, one.one, one.bits, one.averaged),)
        return (classes, features, one.limit) if isinstance(one, KMeans) else (classes, features)

    @property
    def classes(self) -> int:
        return self.model.classes(self.state)

    @property
    def features(self) -> int:
        return self.model.features(self.state)

    def send(self, function: str, *args: Any) -> Any:
        return self.ledger.send(Call(self.name, self.address, function, args), ALICE)

    def ask(self, function: str, *args: Any) -> Any:
        return self.ledger.call(Call(self.name, self.address, function, args))

    def draw(self) -> tuple[bytes, int]:
        """A sample and its label; some updates, some junk."""
        rng, label = self.rng, self.rng.randrange(self.classes)
        label = 0 if isinstance(self.model, KMeans) else label
        if isinstance(self.model, Perceptron) and rng.random() < 0.15:
            places = [(rng.randrange(1, self.classes), rng.randint(0, self.features))
                      for _ in range(rng.choice([1, 2, 6]))]  # fmt: skip
            changes = (-1, 1, 5, -300, 32_767, -32_768)
            return encode_update({place: rng.choice(changes) for place in places}), UPDATE
        if rng.random() < 0.07:
            bad = (b"", b"\0", b"\0\5\0\5", b"\0\1\0", bytes(2 * self.features + 2))
            return rng.choice((*bad, rng.randbytes(10))), label
        if rng.random() < 0.05:
            return self.sample(), rng.choice((self.classes, self.classes + 1, UPDATE))
        return self.sample(), label

    def sample(self) -> bytes:
        rng = self.rng
        if self.kind == "row":
            most = rng.choice([5, 300, 32_767])
            length = max(1, self.features - rng.choice([0, 0, 0, 2]))
            return encode_row([rng.randint(-most, most) for _ in range(length)])
        found = rng.sample(range(self.features), min(self.features, rng.choice([0, 1, 5, 20])))
        if self.kind == "tokens":
            return encode_tokens(found)
        return encode_counts({token: rng.choice([1, 1, 2, 255]) for token in found})

    def learn(self) -> None:
        x, label = self.draw()
        before = self.model.dump(self.state)
        learnt = either(lambda: self.model.learn(self.state, x, label))
        call = Call(self.name, self.address, "learn", (x, label))
        answer = either(lambda: self.ledger.answer(call, ALICE))
        if learnt == REFUSED or answer == REFUSED:
            assert learnt == answer
            assert either(lambda: self.ask("learnWith", before, x, label)) == REFUSED
            return
        self.state, memo = learnt
        assert memo == answer
        assert self.ask("learnWith", before, x, label) == self.model.dump(self.state)
        self.memos.append((x, label, memo))

    def predict(self) -> None:
        x, words = self.draw()[0], self.model.dump(self.state)
        expected = either(lambda: self.model.predict(self.state, x))
        assert either(lambda: self.ask("predict", x)) == expected
        assert either(lambda: self.ask("predictWith", words, x)) == expected

    def judge(self) -> None:
        x, label = self.draw()
        memo = 0
        if self.memos and self.rng.random() < 0.85:
            x, label, memo = self.rng.choice(self.memos)
        expected = either(lambda: self.model.agrees(self.state, x, label, memo))
        assert either(lambda: self.ask("agrees", x, label, memo)) == expected

    def sketch(self) -> None:
        x = self.sample()
        assert self.ask("sketch", x) == self.model.sketch(x)
        if isinstance(self.model, KMeans):
            assert self.ask("outlierScore", x) == self.model.outlier_score(self.state, x)

    def check(self) -> None:
        words = self.model.dump(self.state)
        assert self.ask("state") == words
        assert self.model.dump(self.model.load(words)) == words
        self.older.append(self.state)

    def grow(self) -> None:
        classes, features = self.rng.choice([(1, 0), (0, 1), (0, 9), (3, 0)])
        self.send("addClasses", classes) if classes else self.send("addFeatures", features)
        self.state = self.model.widen(self.state, classes=classes, features=features)
        self.check()

    def roll_back(self) -> None:
        if not self.older:
            return
        old = self.rng.choice(self.older)
        words = self.ask("widen", self.model.dump(old))
        more = self.classes - self.model.classes(old), self.features - self.model.features(old)
        self.state = self.model.widen(old, classes=more[0], features=more[1])
        assert words == self.model.dump(self.state)
        self.send("load", 0, words)
        self.memos = [(x, label, 0) for x, label, _ in self.memos]


def either(action: Callable[[], Any]) -> Any:
    """What the action gives, or that it was refused."""
    try:
        return action()
    except (ContractError, InputError):
        return REFUSED


VERBS = (
    [Pair.learn] * 20 + [Pair.predict] * 8 + [Pair.judge] * 8
    + [Pair.sketch, Pair.sketch, Pair.check, Pair.check, Pair.grow, Pair.roll_back]
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(2))
def test_a_model_and_its_contract_agree_in_every_answer_and_word(text: str, seed: int) -> None:
    rng = Random(f"{text} {seed}")
    pair = Pair(text, rng)
    for _ in range(STEPS):
        rng.choice(VERBS)(pair)
    pair.check()
