"""Fixed-point tensors: floats to integers and back, safetensors bytes, chunk roots.

Models and updates are flat vectors of signed integers in units of 2**-fraction_bits, so that a sum
has one value on every machine. Files are safetensors (https://github.com/huggingface/safetensors)
in one canonical form: no metadata, int32 and int64 only, the header exactly as the reference
library writes it. An update file holds the tensor "update"; a model file holds "parameters" and,
where the server step keeps state, "state.<name>".

Answers: headers that lie about lengths, JSON bombs, overlapping tensors, two files for one tensor.
Does not answer: integers of the right shape and a bad intent; see `ostrom.verification`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from ostrom.codec import merkle_leaf, merkle_root, parse_json, sha256
from ostrom.errors import CodecError, TensorError
from ostrom.types import Digest, IntVector

FRACTION_BITS = 20
"""The fixed-point unit is 2**-20, about a millionth."""

CHUNK_INTEGERS = 1_024
"""A chunk root's leaf covers this many integers."""

FILE_BYTES_MAX = 1 << 30
HEADER_BYTES_MAX = 1 << 16
TENSORS_MAX = 64
DIMENSIONS_MAX = 4

IntTensor: TypeAlias = npt.NDArray[np.signedinteger[Any]]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
Layout: TypeAlias = Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]
"""What a file must hold: name -> (dtype, shape)."""

_INT32 = np.iinfo(np.int32)
_DTYPES: Mapping[str, np.dtype[Any]] = {"I32": np.dtype("int32"), "I64": np.dtype("int64")}
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")


def quantise(values: npt.ArrayLike, fraction_bits: int = FRACTION_BITS) -> npt.NDArray[np.int32]:
    """Round real numbers to fixed point, halves to even.

    q = round(x * 2**fraction_bits)

    Args:
        values: floats of any shape, in the model's units.
        fraction_bits: how many bits stand behind the binary point, 0 to 30.

    Returns:
        int32 of the same shape, in units of 2**-fraction_bits.

    Raises:
        TensorError: a value is not finite or does not fit into int32.

    >>> quantise([0.5, -1.0, 2.0**-21]).tolist()
    [524288, -1048576, 0]
    """
    scaled = np.asarray(values, dtype=np.float64) * float(1 << fraction_bits)
    rounded = np.rint(scaled)
    # NaN fails both comparisons, so one test refuses NaN, infinities and values out of range.
    if not bool(((rounded >= _INT32.min) & (rounded <= _INT32.max)).all()):
        limit = (1 << 31) / (1 << fraction_bits)
        raise TensorError(f"values must be finite and within +-{limit:g} to fit into int32")
    return rounded.astype(np.int32)


def dequantise(values: IntTensor, fraction_bits: int = FRACTION_BITS) -> npt.NDArray[np.float32]:
    """Read fixed point as real numbers, rounded to the nearest float32.

    x = q / 2**fraction_bits

    Args:
        values: int32 or int64 of any shape, in units of 2**-fraction_bits.
        fraction_bits: as given to `quantise`.

    Returns:
        float32 of the same shape.

    >>> dequantise(np.array([524288, -1048576], dtype=np.int32)).tolist()
    [0.5, -1.0]
    """
    # Division by a power of two is exact in float64, so only the step to float32 rounds.
    return (values.astype(np.float64) / float(1 << fraction_bits)).astype(np.float32)


def add_saturating(parameters: IntVector, delta: IntTensor) -> npt.NDArray[np.int32]:
    """The next model: parameters plus delta, held inside int32.

    p' = min(max(p + delta, -2**31), 2**31 - 1)

    Args:
        parameters: (d,) int32, the current model.
        delta: (d,) or (n, d), int32 or int64, as `Pipeline.aggregate` and `leave_one_out` return.

    Returns:
        int32 of the delta's shape.

    Raises:
        TensorError: the lengths differ.

    >>> add_saturating(np.array([1, 2**31 - 1], dtype=np.int32), np.array([1, 1])).tolist()
    [2, 2147483647]
    """
    if parameters.shape != delta.shape[-1:]:
        raise TensorError(f"a delta of shape {delta.shape} does not fit {parameters.shape}")
    moved = np.empty(delta.shape, dtype=np.int32)
    wide = parameters.astype(np.int64)
    # Row by row, so that the steps between stay in the processor's cache.
    for row, step in zip(np.atleast_2d(moved), np.atleast_2d(delta)):
        # Beyond +-2**32 the outcome is the same, and the sum cannot leave int64.
        sums = np.clip(step.astype(np.int64), -(1 << 32), 1 << 32)
        sums += wide
        row[:] = np.clip(sums, _INT32.min, _INT32.max, out=sums)
    return moved


def encode_tensors(tensors: Mapping[str, IntTensor]) -> bytes:
    """The canonical safetensors bytes of named integer tensors.

    Args:
        tensors: name -> int32 or int64 tensor with one to four dimensions, none of them empty.

    Raises:
        TensorError: a name, dtype or shape that no canonical file may hold.

    >>> data = encode_tensors({"update": np.arange(3, dtype=np.int32)})
    >>> decode_tensors(data)["update"].tolist()
    [0, 1, 2]
    """
    _assert_count(len(tensors))
    plain = {}
    for name in sorted(tensors):
        tensor = tensors[name]
        dtype = np.dtype(f"int{8 * tensor.dtype.itemsize}") if tensor.dtype.kind == "i" else None
        if dtype not in _DTYPES.values():
            raise TensorError(f"tensor {name!r} must be int32 or int64, not {tensor.dtype}")
        _assert_shape(name, list(tensor.shape))
        plain[name] = np.ascontiguousarray(tensor, dtype=dtype)
    return bytes(save(plain))


def decode_tensors(
    data: bytes, expect: Layout | None = None, *, max_bytes: int = FILE_BYTES_MAX
) -> dict[str, IntTensor]:
    """The tensors that `data` canonically encodes; the inverse of `encode_tensors`.

    Everything that the header claims is checked before a tensor is allocated.

    Args:
        data: the file.
        expect: names, dtypes and shapes that the file must hold, all of them and no other.
        max_bytes: refuse longer files.

    Returns:
        name -> int32 or int64 tensor, names sorted.

    Raises:
        TensorError: the bytes are not the canonical encoding of integer tensors, or not `expect`.

    >>> decode_tensors(b"12345678")
    Traceback (most recent call last):
    ostrom.errors.TensorError: the header's length does not fit the file
    """
    if len(data) > max_bytes:
        raise TensorError(f"the file has {len(data)} bytes, allowed are {max_bytes}")
    layout = _read_layout(data)
    if expect is not None:
        _assert_expected(layout, expect)
    try:
        loaded = load(bytes(data))
    except Exception as error:
        raise TensorError(f"not a safetensors file: {error}") from None
    tensors: dict[str, IntTensor] = {name: loaded[name] for name in sorted(loaded)}
    if encode_tensors(tensors) != data:
        raise TensorError("the file is not in canonical form: write it with encode_tensors")
    return tensors


def chunk_root(values: IntVector) -> Digest:
    """The keccak Merkle root of a vector's chunks, so that one chunk alone can be disputed.

    leaf_i = keccak(keccak(i as 32 bytes || chunk i's integers, big-endian two's complement))

    Args:
        values: (d,) int32 or int64; chunks hold 1,024 integers, the last one what is left.

    Returns:
        32 bytes.

    Raises:
        TensorError: not a vector of int32 or int64, or an empty one.

    >>> leaf = merkle_leaf(bytes(32) + bytes([0, 0, 0, 7]))
    >>> chunk_root(np.array([7], dtype=np.int32)) == leaf
    True
    """
    if values.ndim != 1 or not len(values) or values.dtype not in (np.int32, np.int64):
        raise TensorError("a chunk root is of a vector of int32 or int64 with at least one value")
    size = values.dtype.itemsize
    return _root_of(values.astype(f">i{size}").tobytes(), CHUNK_INTEGERS * size)


def _root_of(data: bytes, step: int) -> Digest:
    """The chunk root of big-endian integers, computed once per content.

    Whoever seals, checks or audits an update in one process asks for the same root, and keccak is
    eight times slower than the sha2-256 that recognises the content.
    """
    key = sha256(data), step
    root = _ROOTS.get(key)
    if root is None:
        if len(_ROOTS) >= _ROOTS_MAX:
            _ROOTS.clear()
        root = _ROOTS[key] = _hashed(memoryview(data), step)
    return root


_ROOTS: dict[tuple[Digest, int], Digest] = {}
_ROOTS_MAX = 1 << 16
"""The roots of a large round: some ten megabytes."""


def _hashed(data: memoryview, step: int) -> Digest:
    chunks = (data[start : start + step] for start in range(0, len(data), step))
    # Hashed twice, since a chunk of 32 bytes with its index is as long as an inner node.
    leaves = [merkle_leaf(i.to_bytes(32, "big") + bytes(chunk)) for i, chunk in enumerate(chunks)]
    return merkle_root(leaves)


def _read_layout(data: bytes) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Names, dtypes and shapes as the header claims them, once they account for every byte."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(HEADER_BYTES_MAX, len(data) - 8):
        raise TensorError("the header's length does not fit the file")
    try:
        header = parse_json(data[8 : 8 + length])
    except CodecError as error:
        raise TensorError(f"the header cannot be read: {error}") from None
    if not isinstance(header, dict):
        raise TensorError("the header is not a JSON object")
    _assert_count(len(header))
    spans = {name: _read_entry(name, entry) for name, entry in header.items()}
    end = 0
    for start, stop, *_ in sorted(spans.values(), key=lambda span: span[:2]):
        if start != end:
            raise TensorError("tensors overlap or leave a gap")
        end = stop
    if end != len(data) - 8 - length:
        raise TensorError(f"the tensors end at byte {end} of {len(data) - 8 - length}")
    return {name: (dtype, shape) for name, (_, _, dtype, shape) in spans.items()}


def _read_entry(name: str, entry: object) -> tuple[int, int, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise TensorError(f"tensor {name[:64]!r} needs dtype, shape and data_offsets, only those")
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise TensorError(f"tensor {name[:64]!r} must be I32 or I64")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list):
        raise TensorError(f"tensor {name[:64]!r} has no shape")
    _assert_shape(name, shape)
    if not isinstance(offsets, list) or len(offsets) != 2 or {type(o) for o in offsets} != {int}:
        raise TensorError(f"tensor {name!r} needs two offsets")
    # Python integers do not overflow, however large the claimed dimensions.
    if offsets[0] < 0 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise TensorError(f"the offsets of tensor {name!r} do not fit its shape")
    return offsets[0], offsets[1], dtype, tuple(shape)


def _assert_count(count: int) -> None:
    if not 1 <= count <= TENSORS_MAX:
        raise TensorError(f"a file holds 1 to {TENSORS_MAX} tensors, not {count}")


def _assert_shape(name: str, shape: list[Any]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TensorError(f"a tensor's name is of a-z, 0-9, _ and dots, not {str(name)[:64]!r}")
    if not 1 <= len(shape) <= DIMENSIONS_MAX or any(type(n) is not int or n < 1 for n in shape):
        raise TensorError(f"tensor {name!r} must have 1 to {DIMENSIONS_MAX} dimensions, none empty")


def _assert_expected(
    layout: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], expect: Layout
) -> None:
    if layout.keys() != expect.keys():
        raise TensorError(f"the file must hold {', '.join(sorted(expect))} and nothing else")
    for name, (dtype, shape) in expect.items():
        if layout[name] != (np.dtype(dtype), tuple(shape)):
            found = "{} of shape {}".format(*layout[name])
            raise TensorError(
                f"tensor {name!r} must be {np.dtype(dtype)} of shape {tuple(shape)}, not {found}"
            )
