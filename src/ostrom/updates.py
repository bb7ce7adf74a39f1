"""The update file: what a trainer puts into the store, and what everyone reads from it.

It holds one tensor, "update": the update's integers as they are, or packed by the compression that
the spec names. Either way the integers that are aggregated, and whose chunk root is revealed, are
exactly those that unpacking gives.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ostrom.compression import Compression, compression
from ostrom.spec import Spec
from ostrom.tensors import Layout, decode_tensors, encode_tensors
from ostrom.types import IntVector, Update


@lru_cache(maxsize=16)
def packing(spec: Spec) -> Compression:
    """The compression that the spec names.

    Raises:
        InputError: there is no such compression.

    >>> from ostrom.spec import example
    >>> packing(example()).words
    650
    """
    return compression(spec.compression, layout=spec.layout)


def encode_update(update: Update) -> bytes:
    """The file of an update; its packed words where it has them.

    >>> len(encode_update(Update(np.zeros(650, dtype=np.int32), samples=1)))
    2672
    """
    return encode_tensors({"update": update.values if update.words is None else update.words})


def decode_update(content: bytes, spec: Spec) -> IntVector:
    """The integers of an update file, (update_length,) as the spec's dtype.

    Raises:
        TensorError: the bytes are not the canonical file of such an update.
    """
    return packing(spec).decode(decode_tensors(content, expect=_layout(spec))["update"])


@lru_cache(maxsize=16)
def update_file_size(spec: Spec) -> int:
    """The bytes of an update file; the spec fixes them, and with them the CID's codec.

    >>> from ostrom.spec import example
    >>> update_file_size(example())
    2672
    """
    dtype, shape = _layout(spec)["update"]
    return len(encode_tensors({"update": np.zeros(shape, dtype=dtype)}))


def _layout(spec: Spec) -> Layout:
    packed = packing(spec)
    dtype = np.dtype(spec.dtype if packed.text == "none" else "int32")
    return {"update": (dtype, (packed.words,))}
