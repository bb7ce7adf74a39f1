"""`load_dataset`: a name, a file or a folder becomes a `Source`."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrom.data.datasets import Dataset, Source
from ostrom.data.mnist import load_mnist
from ostrom.data.text import load_sentences
from ostrom.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm"})


def load_dataset(name_or_path: str, *, cache: Path | None = None) -> Source:
    """Load "mnist", "digits", "sentences", or what a path holds.

    - `.npz`: arrays `x`, `y` and, if there is an official test split, `x_test`, `y_test`;
    - `.csv`: a header line, numbers, the label in the last column (or in one named `label`);
    - a folder of images, `folder/label/*.png`, all of one size (needs Pillow).

    `cache` is where MNIST is looked for and kept. Nothing is ever unpickled.

    Raises:
        DatasetError: no such data set, or it is damaged.

    >>> digits = load_dataset("digits").train
    >>> digits.x.shape, digits.classes
    ((1797, 8, 8), 10)
    """
    if name_or_path in NAMED:
        return NAMED[name_or_path](cache)
    path = Path(name_or_path)
    if path.is_dir():
        return _images(path)
    reader = READERS.get(path.suffix)
    if reader is None or not path.is_file():
        known = ", ".join(NAMED)
        raise DatasetError(
            f"no data set {name_or_path!r}: name one of {known}, or an existing .npz or .csv file "
            "or a folder of images (folder/label/*.png)"
        )
    try:
        return reader(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def load_digits(cache: Path | None = None) -> Source:
    """1,797 images of 8 x 8 pixels: the test part of UCI's "Optical Recognition of Handwritten
    Digits" (Alpaydin and Kaynak, 1998; CC BY 4.0), as scikit-learn ships it. Needs no download.

    Pixels were 0 to 16 and are scaled by 15, so that they use the range of a byte.
    """
    data = resources.files("ostrom.data").joinpath("digits.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        x, y = arrays["x"] * np.uint8(15), arrays["y"].astype(np.int64)
    return Source(Dataset("digits", x, y, 10))


def _npz(path: Path) -> Source:
    # Opened here, because numpy leaves a damaged archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    if not {"x", "y"} <= held.keys():
        raise DatasetError(f"{path} must hold the arrays x and y")
    tested = {"x_test", "y_test"} <= held.keys()
    labels = [_labels(held[name], path) for name in (("y", "y_test") if tested else ("y",))]
    classes = 1 + max(int(part.max(initial=0)) for part in labels)
    train = Dataset(path.stem, _examples(held["x"]), labels[0], classes)
    if not tested:
        return Source(train)
    return Source(train, Dataset(path.stem, _examples(held["x_test"]), labels[1], classes))


def _labels(y: npt.NDArray[Any], path: Path) -> npt.NDArray[np.int64]:
    if y.dtype.kind not in "iu" or y.size == 0:
        raise DatasetError(f"{path}: labels must be integers, at least one")
    return y.astype(np.int64)


def _examples(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return x if x.dtype == np.uint8 else x.astype(np.float32)


def _csv(path: Path) -> Source:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [row for row in csv.reader(file) if row] or [[]]
    if len(header) < 2 or not rows or any(len(row) != len(header) for row in rows):
        raise DatasetError(f"{path} needs a header line and rows with as many values as it")
    label = header.index("label") if "label" in header else len(header) - 1
    names = sorted({row[label] for row in rows}, key=_label_order)
    y = np.array([names.index(row[label]) for row in rows], dtype=np.int64)
    x = np.array([row[:label] + row[label + 1 :] for row in rows], dtype=np.float32)
    return Source(Dataset(path.stem, x, y, len(names)))


def _label_order(name: str) -> tuple[float, str]:
    """Numbers in their own order, then words."""
    try:
        return (float(name), name)
    except ValueError:
        return (float("inf"), name)


def _images(folder: Path) -> Source:
    labels = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [
        (index, path)
        for index, label in enumerate(labels)
        for path in sorted(label.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise DatasetError(f"{folder} holds no images: put them into {folder}/label/*.png")
    images = [read_image(path) for _, path in files]
    if len({image.shape for image in images}) > 1:
        raise DatasetError(f"{folder}: all images must have one size and one number of channels")
    y = np.array([index for index, _ in files], dtype=np.int64)
    return Source(Dataset(folder.name, np.stack(images), y, len(labels)))


def read_image(path: Path, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
    """An image file's pixels: (height, width) where it is grey, else (height, width, 3).

    With a `shape` it is converted and scaled to that.

    Raises:
        DatasetError: the file is no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            grey = image.mode in ("1", "L") if shape is None else len(shape) == 2
            plain = image.convert("L" if grey else "RGB")
            if shape is not None:
                plain = plain.resize((shape[1], shape[0]), Image.Resampling.LANCZOS)
            return np.asarray(plain)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} is no image: {error}") from None


NAMED: Mapping[str, Callable[[Path | None], Source]] = {
    "mnist": load_mnist,
    "digits": load_digits,
    "sentences": load_sentences,
}
READERS: Mapping[str, Callable[[Path], Source]] = {".npz": _npz, ".csv": _csv}
