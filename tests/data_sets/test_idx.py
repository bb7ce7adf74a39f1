"""The idx reader: what it refuses, then what it reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ostrom.data.idx import parse_idx, read_idx
from ostrom.errors import DatasetError

THREE = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG", THREE[:-1], THREE + b"\0", THREE[:6], bytes([0, 0, 13, 1, 0, 0, 0, 0])],
)
def test_refuses_what_is_not_a_whole_idx_file_of_bytes(data: bytes) -> None:
    with pytest.raises(DatasetError):
        parse_idx(data)


def test_refuses_a_gzip_file_that_is_cut_short_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(THREE)[:-9])
    with pytest.raises(DatasetError, match=r"labels\.gz"):
        read_idx(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_plain_and_gzipped_files(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "images"
    path.write_bytes(pack(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])))
    assert np.array_equal(read_idx(path), [[1, 2], [3, 4]])
