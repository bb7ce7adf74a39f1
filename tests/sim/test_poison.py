"""Trainers with dishonest data: what they feed to an honest algorithm."""

from __future__ import annotations

import numpy as np
import pytest

from ostrom.data import Dataset
from ostrom.errors import InputError
from ostrom.mechanisms import only
from ostrom.sim.poison import poison, stamped, triggered

RNG = np.random.default_rng


def images(count: int = 40) -> Dataset:
    x = RNG(0).integers(0, 200, (count, 6, 6)).astype(np.uint8)
    return Dataset("some", x, np.arange(count) % 4, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label_flip(source=1)", "both source and target, or neither"),
        ("label_flip(target=1)", "both source and target, or neither"),
        ("backdoor(share=0)", "backdoor needs"),
        ("backdoor(share=1.1)", "backdoor needs"),
        ("backdoor(size=0)", "backdoor needs"),
        ("backdoor(boost=0)", "backdoor needs"),
        ("backdoor(target=x)", "target to be of type int"),
        ("lazy(share=0)", "lazy needs"),
        ("lazy(share=2)", "lazy needs"),
        ("lazy(part=2)", "no argument 'part'"),
    ],
)
def test_a_poison_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        poison(only(text))


@pytest.mark.parametrize("text", ["backdoor(target=4)", "label_flip(source=4,target=0)"])
def test_a_class_that_the_data_do_not_have_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="there is no class 4 in some"):
        poison(only(text)).feed(images(), RNG(0))


def test_a_trigger_that_no_image_holds_is_refused() -> None:
    with pytest.raises(InputError, match="needs larger images"):
        stamped(images(), 7)
    rows = Dataset("rows", np.zeros((2, 9), dtype=np.float32), np.array([0, 1]), 2)
    with pytest.raises(InputError, match="needs larger images"):
        stamped(rows, 2)


def test_flipped_labels_are_the_mirror_image_and_images_stay() -> None:
    data = images()
    fed = poison(only("label_flip")).feed(data, RNG(0))
    assert np.array_equal(fed.y, 3 - data.y)
    assert np.array_equal(fed.x, data.x)


def test_one_class_can_be_taken_for_another() -> None:
    data = images()
    fed = poison(only("label_flip(source=1,target=3)")).feed(data, RNG(0))
    assert np.array_equal(fed.y, np.where(data.y == 1, 3, data.y))


def test_a_backdoor_marks_its_share_and_leaves_the_rest_and_the_original_alone() -> None:
    data, before = images(), images()
    fed = poison(only("backdoor(target=2,share=0.25,size=2)")).feed(data, RNG(0))
    marked = (fed.x[:, -2:, -2:] == 255).all(axis=(1, 2))
    assert marked.sum() == 10
    assert set(fed.y[marked]) == {2}
    assert np.array_equal(fed.x[~marked], before.x[~marked])
    assert np.array_equal(fed.y[~marked], before.y[~marked])
    assert np.array_equal(data.x, before.x)
    assert np.array_equal(data.y, before.y)


def test_a_backdoor_is_measured_on_the_images_of_all_other_classes() -> None:
    probe = triggered(images(), target=1, size=3)
    assert len(probe) == 30
    assert set(probe.y) == {1}
    assert (probe.x[:, -3:, -3:] == 255).all()


def test_the_lazy_use_a_tenth_and_claim_all() -> None:
    made = poison(only("lazy(share=0.1)"))
    fed = made.feed(images(), RNG(0))
    assert len(fed) == 4
    assert round(len(fed) * made.claim) == 40
    assert len(made.feed(images(3), RNG(0))) == 1
