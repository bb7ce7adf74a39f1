"""What every reference model must do. A newcomer adds one line to `CASES` and passes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ostrom.errors import InputError
from ostrom.onchain.features import encode_counts, encode_row, encode_tokens, encode_update
from ostrom.onchain.models import MODELS, UPDATE, Model, model

FEATURES = 40
Draw = Callable[[random.Random, int], bytes]


def tokens(rng: random.Random, features: int) -> bytes:
    return encode_tokens(rng.sample(range(features), rng.choice([0, 1, 5, 20])))


def counts(rng: random.Random, features: int) -> bytes:
    found = rng.sample(range(features), rng.choice([0, 1, 5, 20]))
    return encode_counts({token: rng.choice([1, 1, 2, 255]) for token in found})


def rows(rng: random.Random, features: int) -> bytes:
    most = rng.choice([3, 300, 32_767])
    return encode_row([rng.randint(-most, most) for _ in range(features)])


@dataclass(frozen=True)
class Case:
    """A model by its text, what draws a sample for it, and what it is known to refuse."""

    text: str
    draw: Draw
    bad: str
    takes_updates: bool = False
    labelled: bool = True

    @property
    def model(self) -> Model[Any]:
        return model(self.text)

    def start(self, classes: int = 3) -> Any:
        """A state; k-means begins with centres."""
        if self.labelled:
            return self.model.start(classes, FEATURES)
        centres = np.random.default_rng(classes).integers(-300, 300, (classes, FEATURES))
        return self.model.at(centres)  # type: ignore[attr-defined]

    def label(self, rng: random.Random, classes: int = 3) -> int:
        return rng.randrange(classes) if self.labelled else 0


CASES = [
    Case("sparse_perceptron(bits=8)", tokens, "00050004", takes_updates=True),
    Case("sparse_perceptron(averaged=1,bits=16)", tokens, "00", takes_updates=True),
    Case("dense_perceptron(bits=16,one=7)", rows, "00", takes_updates=True),
    Case("dense_perceptron(averaged=1,bits=32)", rows, "", takes_updates=True),
    Case("naive_bayes", counts, "000500"),
    Case("centroid", rows, "00"),
    Case("sparse_centroid", tokens, "0028"),
    Case("k_means", rows, "", labelled=False),
]
NAMES = [case.text for case in CASES]


def grown_state(case: Case, rng: random.Random, steps: int = 30) -> tuple[Any, list[Any]]:
    """A state after some contributions, and these: x, label, memo."""
    state, done = case.start(), []
    for _ in range(steps):
        x, label = case.draw(rng, FEATURES), case.label(rng)
        state, memo = case.model.learn(state, x, label)
        done.append((x, label, memo))
    return state, done


def test_every_model_of_the_catalogue_is_here() -> None:
    assert {name.split("(")[0] for name in NAMES} == set(MODELS)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_samples_that_the_contract_refuses_are_refused_everywhere(case: Case) -> None:
    state, bad = case.start(), bytes.fromhex(case.bad)
    for verb in (
        lambda: case.model.predict(state, bad),
        lambda: case.model.learn(state, bad, 0),
        lambda: case.model.agrees(state, bad, 0, 0),
    ):
        with pytest.raises(InputError):
            verb()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("label", [-1, 3, 65_534])
def test_an_unknown_label_is_refused(case: Case, label: int) -> None:
    state, x = case.start(), case.draw(random.Random(0), FEATURES)
    with pytest.raises(InputError, match="a label is 0 to"):
        case.model.learn(state, x, label)
    with pytest.raises(InputError, match="a label is 0 to"):
        case.model.agrees(state, x, label, 0)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_updates_are_for_models_that_take_them(case: Case) -> None:
    state, x = case.start(), encode_update({(1, 0): 5})
    if case.takes_updates:
        assert case.model.learn(state, x, UPDATE)[1] & 255 == 1
        return
    with pytest.raises(InputError, match="no updates"):
        case.model.learn(state, x, UPDATE)
    with pytest.raises(InputError, match="no updates"):
        case.model.agrees(state, x, UPDATE, 0)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize(("classes", "features"), [(0, 5), (256, 5), (3, 0), (3, 65_536)])
def test_a_size_that_no_contract_can_have_is_refused(
    case: Case, classes: int, features: int
) -> None:
    with pytest.raises(InputError, match="a model has"):
        case.model.start(classes, features)
    with pytest.raises(InputError, match="a model has"):
        case.model.widen(case.start(), classes=253, features=0)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_learning_leaves_the_state_before_as_it_was(case: Case, seed: int) -> None:
    rng = random.Random(seed)
    state, _ = grown_state(case, rng, steps=5)
    before = case.model.dump(state)
    after, _ = case.model.learn(state, case.draw(rng, FEATURES), case.label(rng))
    assert case.model.dump(state) == before
    for array in vars(after).values():
        if isinstance(array, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("seed", range(10))
def test_a_state_comes_back_from_its_words(case: Case, seed: int) -> None:
    rng = random.Random(seed)
    state, _ = grown_state(case, rng, steps=seed)
    words = case.model.dump(state)
    again = case.model.load(words)
    assert len(words) % 32 == 0
    assert case.model.dump(again) == words
    for _ in range(5):
        x, label = case.draw(rng, FEATURES), case.label(rng)
        assert case.model.predict(again, x) == case.model.predict(state, x)
        state, memo = case.model.learn(state, x, label)
        again, same = case.model.learn(again, x, label)
        assert memo == same
    assert case.model.dump(again) == case.model.dump(state)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_words_that_are_no_state_are_refused(case: Case) -> None:
    words = case.model.dump(grown_state(case, random.Random(1))[0])
    for bad in (b"", words[:-1], words[:-32], words + bytes(32), bytes(len(words)), b"\xff" * 32):
        with pytest.raises(InputError):
            case.model.load(bad)


@pytest.mark.parametrize(
    "text", ["sparse_perceptron(bits=8)", "naive_bayes", "centroid", "sparse_centroid"]
)
@pytest.mark.parametrize("seed", range(20))
def test_agreement_is_that_of_the_model_before_the_contribution(text: str, seed: int) -> None:
    case, rng = CASES[NAMES.index(text)], random.Random(seed)
    state, _ = grown_state(case, rng, steps=20)
    x, label = case.draw(rng, FEATURES), case.label(rng)
    after, memo = case.model.learn(state, x, label)
    before = case.model.predict(state, x) == label
    assert case.model.agrees(after, x, label, memo) == before
    assert case.model.agrees(after, x, label, 0) == (case.model.predict(after, x) == label)


@pytest.mark.parametrize("text", [name for name in NAMES if name != "naive_bayes"])
@pytest.mark.parametrize("seed", range(5))
def test_features_that_no_sample_has_change_no_judgement(text: str, seed: int) -> None:
    # Naive Bayes smooths over all features, so that its scores move a little.
    case = CASES[NAMES.index(text)]
    state, done = grown_state(case, random.Random(seed))
    wide = case.model.widen(state, features=9)
    assert case.model.features(wide) == FEATURES + 9
    assert [case.model.agrees(wide, *one) for one in done] == [
        case.model.agrees(state, *one) for one in done
    ]


@pytest.mark.parametrize("text", [name for name in NAMES if "perceptron" not in name])
@pytest.mark.parametrize("seed", range(5))
def test_labels_that_no_sample_has_change_no_judgement(text: str, seed: int) -> None:
    # A perceptron's new label scores 0, and others may be below.
    case = CASES[NAMES.index(text)]
    state, done = grown_state(case, random.Random(seed))
    wide = case.model.widen(state, classes=2)
    assert case.model.classes(wide) == case.model.classes(state) + 2
    assert [case.model.agrees(wide, *one) for one in done] == [
        case.model.agrees(state, *one) for one in done
    ]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_growing_at_once_or_in_steps_is_the_same(case: Case) -> None:
    state, _ = grown_state(case, random.Random(2))
    once = case.model.widen(state, classes=3, features=10)
    steps = case.model.widen(case.model.widen(state, features=10), classes=3)
    assert case.model.dump(once) == case.model.dump(steps)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_sketch_has_64_bits_and_no_regard_for_the_label(case: Case) -> None:
    rng = random.Random(3)
    sketches = {case.model.sketch(case.draw(rng, FEATURES)) for _ in range(30)}
    assert len(sketches) > 5
    assert all(0 <= one < 1 << 64 for one in sketches)


@pytest.mark.parametrize("text", [case.text for case in CASES if case.labelled])
def test_a_model_without_knowledge_predicts_the_lowest_label(text: str) -> None:
    case = CASES[NAMES.index(text)]
    assert case.model.predict(case.start(), case.draw(random.Random(4), FEATURES)) == 0
