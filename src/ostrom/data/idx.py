"""The idx format of MNIST: a magic number, big-endian sizes, then bytes.

http://yann.lecun.com/exdb/mnist/ (the page that defines it).
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ostrom.errors import DatasetError

UNSIGNED_BYTE = 8


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in an idx file of unsigned bytes, gzipped or not.

    Raises:
        DatasetError: the file is not idx, or is cut short.
    """
    data = path.read_bytes()
    try:
        return parse_idx(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (DatasetError, OSError, EOFError) as error:
        raise DatasetError(f"{path}: {error}") from None


def parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """The array that idx bytes hold.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])).tolist()
    [7, 8, 9]
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE:
        raise DatasetError("not an idx file of unsigned bytes")
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise DatasetError("the idx header is cut short")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    if math.prod(shape) != len(data) - header:
        raise DatasetError(f"the idx header promises {shape} bytes, {len(data) - header} follow")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
