"""What a node computes with its own data, and what it keeps of it between rounds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ostrom.data import Dataset, load_dataset
from ostrom.errors import InputError, NotFound, StoreError
from ostrom.node.kept import Kept
from ostrom.node.learning import (
    WIRE,
    Learner,
    fitted,
    holdout_of,
    own_data,
    own_state,
    pack_update,
    start_of,
    train_callable,
)
from ostrom.node.looking import Ending, diagnose
from ostrom.spec import Spec, example
from ostrom.storage import MemoryStore
from ostrom.tensors import chunk_root
from ostrom.training import build_model, local_algorithm, train_cohort
from ostrom.types import Phase, Update

CLASSES, SHAPE = 3, (4,)
MODEL = build_model("logistic", shape=SHAPE, classes=CLASSES)


def spec_of(algorithm: str = "fedavg(batch=8)", compression: str = "none", **more: Any) -> Spec:
    made = local_algorithm(algorithm)
    fields = {
        "shape": SHAPE,
        "classes": CLASSES,
        "parameters": MODEL.parameters,
        "layout": made.layout(MODEL),
        "algorithm": made.text,
        "compression": compression,
    }
    return example().model_copy(update=fields | more)


def examples(count: int = 40, seed: int = 0) -> Dataset:
    """Examples whose label is the largest of the first three features."""
    x = np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)
    return Dataset("mine", x, np.argmax(x[:, :CLASSES], axis=1).astype(np.int64), CLASSES)


@pytest.fixture
def task(new_play: Any) -> Callable[[Spec], Any]:
    """A task of that spec, in the commit phase of its first round."""

    class Real(new_play):  # type: ignore[misc]
        initial = property(
            lambda self: np.zeros(self.spec.parameters, np.int32), lambda self, value: None
        )

    return lambda spec: Real(spec=spec).begin()


def trains(play: Any, folder: Path, **options: Any) -> Callable[[Any], Update]:
    given = {"me": play.trainers[0], "seed": lambda: 7, **options}
    return train_callable(play.spec, examples(), play.store, folder / "states", **given)


def reveal(play: Any, update: Update) -> None:
    """The first trainer's update is on the chain, and the next round begins without a quorum."""
    alice = play.trainers[0]
    play.content(alice, b"its bytes are no matter here", root=chunk_root(update.values))
    play.commit(alice).start(Phase.REVEAL).reveal(alice)
    play.void().start(Phase.COMMIT)


def miss(play: Any) -> None:
    """Nobody commits; the next round begins."""
    play.void().start(Phase.COMMIT)


# Rejections first.


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"x": np.zeros((0, 4), np.float32), "y": np.zeros(0, np.int64)}, "holds no examples"),
        ({"x": np.zeros((2, 5), np.float32), "y": np.zeros(2, np.int64)}, r"the task needs \(4,\)"),
        ({"classes": 9}, r"labels up to 8, the task has 3 classes \(0 to 2\)"),
    ],
)
def test_data_that_do_not_fit_the_task_are_one_line(change: dict[str, Any], line: str) -> None:
    data = replace(examples(2), **change)
    for use in (fitted, lambda d, s: Learner.of(s, d), lambda d, s: holdout_of(s, d)):
        with pytest.raises(InputError, match=line) as raised:
            use(data, spec_of())
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("change", [{"parameters": 16}, {"layout": ((3, 4),)}, {"shape": (5,)}])
def test_a_spec_of_another_version_is_refused(change: dict[str, Any]) -> None:
    data = examples() if "shape" not in change else replace(examples(), x=np.zeros((40, 5), "f4"))
    with pytest.raises(InputError, match="install the version of ostrom that the task was made"):
        Learner.of(spec_of(**change), data)


@pytest.mark.parametrize("change", [{"model": "oracle"}, {"algorithm": "magic"}])
def test_an_unknown_mechanism_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="choose among"):
        Learner.of(spec_of(algorithm="fedavg").model_copy(update=change), examples())


def test_a_validator_refuses_results_that_other_code_makes() -> None:
    with pytest.raises(InputError, match="the task's results are made by code 0000"):
        holdout_of(spec_of().model_copy(update={"code": "0" * 64}), examples())


def test_no_data_set_is_one_line() -> None:
    with pytest.raises(InputError, match="no data set 'nothing"):
        own_data("nothing.npz", spec_of())


def test_a_file_that_numbers_its_own_labels_must_have_every_class(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("a,b,c,d,label\n1,2,3,4,dog\n1,2,3,4,cat\n")
    with pytest.raises(InputError, match="holds 2 of the task's 3 classes"):
        own_data(str(file), spec_of())
    file.write_text("a,b,c,d,label\n1,2,3,4,dog\n1,2,3,4,cat\n1,2,3,4,ant\n")
    assert own_data(str(file), spec_of()).y.tolist() == [2, 1, 0]


def test_a_folder_may_hold_empty_classes(tmp_path: Path) -> None:
    for name in ("0", "1", "2"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "2" / "a.png")
    spec = spec_of(shape=(8, 8))
    assert own_data(str(tmp_path), spec).y.tolist() == [2]
    (tmp_path / "0").rmdir()
    with pytest.raises(InputError, match="an empty sub-folder for each class that is missing"):
        own_data(str(tmp_path), spec)


def test_an_npz_file_may_lack_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4), np.float32), y=np.array([0, 1]))
    found = own_data(str(tmp_path / "a.npz"), spec_of())
    assert found.classes == CLASSES


def test_without_the_parent_model_training_waits(task: Any, tmp_path: Path) -> None:
    play = task(spec_of())
    play.store = MemoryStore()
    with pytest.raises(NotFound):
        trains(play, tmp_path)(play.state)
    assert Kept(tmp_path / "states").rounds() == []


def test_training_that_diverges_is_one_line(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("fedavg(lr=1e30)"))
    with pytest.raises(InputError, match="lower the learning rate"):
        trains(play, tmp_path)(play.state)


# What it makes.


def test_an_update_is_what_the_simulator_makes_of_the_same_seed(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("scaffold(epochs=2)", "error_feedback|int8"))
    update = trains(play, tmp_path)(play.state)
    start = start_of(play.store, play.state, play.spec)
    algorithm = local_algorithm(play.spec.algorithm)
    ((made, _),) = train_cohort(MODEL, algorithm, start, [examples()], [7], [{}])
    sent, _ = pack_update(play.spec, made, {})
    assert update.values.tolist() == sent.values.tolist()
    assert update.words is not None
    assert update.samples == 40


def test_an_update_makes_the_model_better_on_new_examples(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("fedavg(epochs=20,lr=0.5)"))
    update = trains(play, tmp_path)(play.state)
    held = holdout_of(play.spec, examples(200, seed=9))
    before = np.zeros((1, MODEL.parameters), np.int32)
    assert held.value(before + update.values)[0] > held.value(before)[0] + 0.3
    assert held.accuracy(update.values) > 0.8


def test_randomness_is_fresh_and_secret(task: Any, tmp_path: Path) -> None:
    play = task(spec_of())
    asks = train_callable(play.spec, examples(), play.store, tmp_path, me=play.trainers[0])
    first, second = asks(play.state), asks(play.state)
    assert first.values.tolist() != second.values.tolist()


def test_it_says_that_it_trains(task: Any, tmp_path: Path) -> None:
    said: list[str] = []

    @contextmanager
    def working(on: str) -> Iterator[None]:
        said.append(on)
        yield
        said.append("done")

    play = task(spec_of())
    trains(play, tmp_path, working=working)(play.state)
    assert said == ["training round 1", "done"]


# What it keeps.


def test_the_state_is_on_the_disk_before_the_update_is_handed_out(
    task: Any, tmp_path: Path
) -> None:
    play = task(spec_of("scaffold", "error_feedback|int4"))
    update = trains(play, tmp_path)(play.state)
    kept = Kept(tmp_path / "states").load(1)
    assert set(kept) == {"control", f"{WIRE}residual"}
    # What was sent is what the trainer believes to have sent.
    sent = update.values[MODEL.parameters :] + kept["wire.residual"][MODEL.parameters :]
    assert kept["control"].tolist() == sent.tolist()


def test_the_next_round_goes_on_from_what_the_chain_shows(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("scaffold"))
    reveal(play, trains(play, tmp_path)(play.state))
    # Another process, after a restart.
    again = trains(play, tmp_path)(play.state)
    fresh = trains(play, tmp_path / "other")(play.state)
    assert again.values.tolist() != fresh.values.tolist()
    assert Kept(tmp_path / "states").rounds() == [1, 2]


def test_what_was_never_sent_never_happened(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("scaffold"))
    trains(play, tmp_path)(play.state)
    miss(play)
    again = trains(play, tmp_path)(play.state)
    fresh = trains(play, tmp_path / "other")(play.state)
    assert again.values.tolist() == fresh.values.tolist()
    assert Kept(tmp_path / "states").rounds() == [2]


def test_a_round_that_is_trained_again_starts_from_the_same_state(
    task: Any, tmp_path: Path
) -> None:
    play = task(spec_of("scaffold", "error_feedback|int8"))
    reveal(play, trains(play, tmp_path)(play.state))
    first = trains(play, tmp_path)(play.state)
    second = trains(play, tmp_path)(play.state)
    assert first.values.tolist() == second.values.tolist()


def test_missed_rounds_keep_the_last_state_that_was_sent(task: Any, tmp_path: Path) -> None:
    play = task(spec_of("scaffold"))
    reveal(play, trains(play, tmp_path)(play.state))
    trains(play, tmp_path)(play.state)
    miss(play)
    trains(play, tmp_path)(play.state)
    assert Kept(tmp_path / "states").rounds() == [1, 3]


def test_an_algorithm_that_keeps_nothing_leaves_an_empty_file(task: Any, tmp_path: Path) -> None:
    play = task(spec_of())
    trains(play, tmp_path)(play.state)
    (file,) = (tmp_path / "states").iterdir()
    assert file.name == "00000001.empty.safetensors"
    assert Kept(tmp_path / "states").load(1) == {}


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_a_damaged_state_is_one_line_that_says_what_to_do(
    task: Any, tmp_path: Path, damage: bytes | None
) -> None:
    play = task(spec_of("scaffold"))
    reveal(play, trains(play, tmp_path)(play.state))
    (file,) = (tmp_path / "states").iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data) if damage is None else damage)
    with pytest.raises(InputError, match=r"is lost: .*; remove it to go on without"):
        trains(play, tmp_path)(play.state)
    file.unlink()
    trains(play, tmp_path)(play.state)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_state_and_ends_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    kept, state = Kept(tmp_path), {"control": np.arange(3, dtype=np.int32)}
    kept.save(1, state, base=None)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(StoreError, match="No space left on device") as raised:
            kept.save(2, state, base=1)
    ended = diagnose(raised.value)
    assert ended is not None
    assert ended.ending == Ending.DISK_FULL
    assert kept.rounds() == [1]
    assert kept.load(1)["control"].tolist() == [0, 1, 2]
    kept.save(2, state, base=1)
    assert kept.rounds() == [1, 2]


def test_a_killed_writer_leaves_no_state_that_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.save(1, {"control": np.arange(3, dtype=np.int32)}, base=None)
    (tmp_path / ".00000002.bafy.safetensors").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    assert kept.rounds() == [1]
    with pytest.raises(InputError, match="holds no state of round 2"):
        kept.load(2)


def test_the_states_are_for_their_owner_alone(tmp_path: Path) -> None:
    Kept(tmp_path / "states").save(1, {}, base=None)
    assert (tmp_path / "states").stat().st_mode & 0o077 == 0


def test_what_a_compression_keeps_stays_out_of_the_algorithms_state() -> None:
    one = np.zeros(1, np.int32)
    assert set(own_state({"control": one, f"{WIRE}residual": one})) == {"control"}


def test_without_a_compression_an_update_is_sent_as_it_is() -> None:
    update = Update(np.arange(15, dtype=np.int32), samples=3)
    assert pack_update(spec_of(), update, {"wire.residual": update.values}) == (update, {})


def test_digits_fit_a_task_on_digits() -> None:
    digits = load_dataset("digits").train
    held = holdout_of(example(), digits.subset(np.arange(50)))
    assert held.value(np.zeros((2, 650), np.int32)).shape == (2,)
