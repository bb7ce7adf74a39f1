from __future__ import annotations

import json
import random
import sys
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ostrom.codec import keccak, merkle_proof, merkle_root, merkle_verify
from ostrom.errors import TensorError
from ostrom.tensors import (
    HEADER_BYTES_MAX,
    add_saturating,
    chunk_root,
    decode_tensors,
    dequantise,
    encode_tensors,
    quantise,
)

UPDATE = np.arange(-4, 4, dtype=np.int32)
LAYOUT = {"update": (np.dtype("int32"), (8,))}


def file_of(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: Any, start: Any, stop: Any, dtype: Any = "I32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


EVIL_FILES = {
    "nothing at all": b"",
    "a length alone": bytes(8),
    "a header longer than the file": (1 << 40).to_bytes(8, "little") + b"{}",
    "a header of 2**64 - 1 bytes": b"\xff" * 8 + b"{}",
    "a header over the cap": file_of(b"{" + b" " * HEADER_BYTES_MAX + b"}", b""),
    "a header that is no JSON": file_of(b"{nonsense}", b""),
    "a header that is not UTF-8": file_of(b"\xff\xfe", b""),
    "a header that is a list": file_of([1], b""),
    "no tensor": file_of({}, b""),
    "ten thousand open brackets": file_of(b"[" * 10_000, b""),
    "nested objects": file_of(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b""),
    "an integer of 60,000 digits": file_of(b'{"a":' + b"9" * 60_000 + b"}", b""),
    "NaN as an offset": file_of(b'{"a":{"dtype":"I32","shape":[1],"data_offsets":[NaN,4]}}', b""),
    "metadata": file_of({"__metadata__": {"a": "b"}, "update": entry([1], 0, 4)}, bytes(4)),
    "floats": file_of({"update": entry([1], 0, 4, "F32")}, bytes(4)),
    "bytes": file_of({"update": entry([4], 0, 4, "U8")}, bytes(4)),
    "a dtype that is a list": file_of({"update": entry([1], 0, 4, ["I32"])}, bytes(4)),
    "an empty tensor": file_of({"update": entry([0], 0, 0)}, b""),
    "a scalar": file_of({"update": entry([], 0, 4)}, bytes(4)),
    "five dimensions": file_of({"update": entry([1] * 5, 0, 4)}, bytes(4)),
    "a negative dimension": file_of({"update": entry([-1, -1], 0, 4)}, bytes(4)),
    "a Boolean dimension": file_of({"update": entry([True], 0, 4)}, bytes(4)),
    "a float dimension": file_of({"update": entry([1.0], 0, 4)}, bytes(4)),
    "a product of 2**64": file_of({"update": entry([1 << 32, 1 << 32], 0, 0)}, b""),
    "a claim of 2**40 values": file_of({"update": entry([1 << 40], 0, 4 << 40)}, bytes(4)),
    "negative offsets": file_of({"update": entry([1], -4, 0)}, b""),
    "Boolean offsets": file_of({"update": entry([1], False, 4)}, bytes(4)),
    "three offsets": file_of(
        {"update": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4, 8]}}, bytes(8)
    ),
    "an unknown field": file_of({"update": {**entry([1], 0, 4), "x": 1}}, bytes(4)),
    "overlapping tensors": file_of({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, bytes(4)),
    "a gap": file_of({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
    "a gap in front": file_of({"update": entry([1], 4, 8)}, bytes(8)),
    "trailing bytes": encode_tensors({"update": UPDATE}) + b"\0",
    "a missing byte": encode_tensors({"update": UPDATE})[:-1],
    "a duplicate key": file_of(
        b'{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}   ',
        bytes(4),
    ),
    "white space": file_of(b'{ "a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "unsorted names": file_of({"b": entry([1], 0, 4), "a": entry([1], 4, 8)}, bytes(8)),
    "65 tensors": file_of({f"t{i}": entry([1], 4 * i, 4 * i + 4) for i in range(65)}, bytes(260)),
    "a name with a slash": file_of({"../evil": entry([1], 0, 4)}, bytes(4)),
    "a lone surrogate": file_of({"\ud800": entry([1], 0, 4)}, bytes(4)),
    "an escaped name": file_of(
        rb'{"\u0061":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}   ', bytes(4)
    ),
}


@pytest.mark.parametrize("name", EVIL_FILES)
def test_an_evil_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(TensorError):
        decode_tensors(EVIL_FILES[name])


@pytest.mark.parametrize(
    "layout",
    [
        {"update": (np.int64, (8,))},
        {"update": (np.int32, (9,))},
        {"update": (np.int32, (2, 4))},
        {"parameters": (np.int32, (8,))},
        {"update": (np.int32, (8,)), "state.momentum": (np.int64, (8,))},
        {},
    ],
)
def test_a_file_that_holds_something_else_than_expected_is_refused(layout: Any) -> None:
    with pytest.raises(TensorError):
        decode_tensors(encode_tensors({"update": UPDATE}), expect=layout)


def test_a_file_longer_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(TensorError, match="allowed are 10"):
        decode_tensors(encode_tensors({"update": UPDATE}), max_bytes=10)


def test_ten_thousand_mutations_give_tensor_errors_and_nothing_else() -> None:
    mallory = random.Random(1)
    two = {"parameters": UPDATE, "state.momentum": UPDATE.astype(np.int64)}
    honest = [encode_tensors({"update": UPDATE}), encode_tensors(two)]
    for _ in range(10_000):
        data = _mutated(bytearray(mallory.choice(honest)), mallory)
        try:
            tensors = decode_tensors(data)
        except TensorError:
            continue
        assert encode_tensors(tensors) == data


def _mutated(data: bytearray, mallory: random.Random) -> bytes:
    for _ in range(mallory.randint(1, 4)):
        place = mallory.randrange(len(data))
        match mallory.randrange(5):
            case 0:
                data[place] ^= 1 << mallory.randrange(8)
            case 1:
                data[place] = mallory.choice(b'{}[]",:0123456789-eE. \\I')
            case 2:
                del data[place : place + mallory.randint(1, 8)]
            case 3:
                data[place:place] = mallory.randbytes(mallory.randint(1, 8))
            case _:
                data[:8] = mallory.randrange(200).to_bytes(8, "little")
        data = data or bytearray(1)
    return bytes(data)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TensorError):
        decode_tensors(data)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"update": np.zeros(0, dtype=np.int32)},
        {"update": np.zeros((), dtype=np.int32)},
        {"update": np.zeros(1, dtype=np.int16)},
        {"update": np.zeros(1, dtype=np.uint32)},
        {"update": np.zeros(1, dtype=np.float32)},
        {"update": np.zeros(1, dtype=bool)},
        {"Update": UPDATE},
        {"": UPDATE},
        {"__metadata__": UPDATE},
    ],
)
def test_what_no_canonical_file_may_hold_is_not_encoded(tensors: Any) -> None:
    with pytest.raises(TensorError):
        encode_tensors(tensors)


integers = hnp.arrays(
    st.sampled_from([np.dtype("int32"), np.dtype("int64")]),
    hnp.array_shapes(max_dims=3, max_side=5),
)


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.]{0,9}", fullmatch=True), integers, min_size=1)
)
def test_decoding_inverts_encoding_and_encoding_again_gives_the_same_bytes(tensors: Any) -> None:
    data = encode_tensors(tensors)
    decoded = decode_tensors(data, {name: (t.dtype, t.shape) for name, t in tensors.items()})
    assert list(decoded) == sorted(tensors)
    for name, tensor in tensors.items():
        assert decoded[name].dtype == tensor.dtype
        assert np.array_equal(decoded[name], tensor)
    assert encode_tensors(decoded) == data == safetensors.numpy.save(tensors)


def test_the_bytes_of_a_file_never_change_between_versions() -> None:
    data = encode_tensors({"update": np.array([1, -2], dtype=np.int32)})
    header = b'{"update":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}'
    padded = header.ljust(-(-len(header) // 8) * 8)
    assert data == len(padded).to_bytes(8, "little") + padded + b"\1\0\0\0\xfe\xff\xff\xff"


def test_memory_layout_and_byte_order_do_not_show_in_a_file() -> None:
    matrix = np.arange(6, dtype=np.int32).reshape(2, 3)
    twins = (matrix, np.asfortranarray(matrix), matrix.astype(">i4"), matrix[::-1][::-1])
    assert len({encode_tensors({"update": twin}) for twin in twins}) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38, 2048.0])
def test_a_value_that_fixed_point_cannot_hold_is_not_quantised(value: float) -> None:
    with pytest.raises(TensorError, match="within"):
        quantise([0.0, value])


def test_quantising_rounds_halves_to_even_and_reaches_the_ends_of_int32() -> None:
    assert quantise([0.5, 1.5, -0.5, -1.5], 0).tolist() == [0, 2, 0, -2]
    assert quantise([-2048.0, 2048 - 2.0**-20]).tolist() == [-(2**31), 2**31 - 1]


@given(hnp.arrays(np.int32, st.integers(1, 50), elements=st.integers(-(2**23), 2**23)))
def test_quantising_inverts_dequantising_where_float32_is_exact(values: Any) -> None:
    assert np.array_equal(quantise(dequantise(values)), values)


def test_adding_a_delta_holds_the_model_inside_int32() -> None:
    ends = np.array([-(2**31), 2**31 - 1, 5], dtype=np.int32)
    huge = np.array([-(2**63), 2**63 - 1, -7], dtype=np.int64)
    assert add_saturating(ends, huge).tolist() == [-(2**31), 2**31 - 1, -2]
    assert add_saturating(ends, np.stack([huge, huge])).tolist() == [[-(2**31), 2**31 - 1, -2]] * 2
    with pytest.raises(TensorError):
        add_saturating(ends, huge[:2])


@pytest.mark.parametrize("values", [UPDATE[:0], UPDATE.reshape(2, 4), UPDATE.astype(np.int16)])
def test_a_chunk_root_is_of_a_vector_of_integers_only(values: Any) -> None:
    with pytest.raises(TensorError):
        chunk_root(values)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("length", [1, 8, 1_023, 1_024, 1_025, 5_000])
def test_one_chunk_alone_can_be_proved_against_the_chunk_root(dtype: Any, length: int) -> None:
    values = np.random.default_rng(length).integers(-(2**31), 2**31, length).astype(dtype)
    size = values.dtype.itemsize
    leaves = []
    for i, start in enumerate(range(0, length, 1024)):
        integers = values[start : start + 1024].tolist()
        chunk = b"".join(v.to_bytes(size, "big", signed=True) for v in integers)
        leaves.append(keccak(keccak(i.to_bytes(32, "big") + chunk)))
    root = chunk_root(values)
    assert root == merkle_root(leaves)
    assert all(merkle_verify(leaf, merkle_proof(leaves, i), root) for i, leaf in enumerate(leaves))


def test_one_changed_integer_or_two_swapped_chunks_change_the_chunk_root() -> None:
    values = np.arange(3_000, dtype=np.int32)
    roots = {chunk_root(values)}
    for place in (0, 1_023, 1_024, 2_999):
        changed = values.copy()
        changed[place] ^= 1
        roots.add(chunk_root(changed))
    roots.add(chunk_root(np.concatenate([values[1024:2048], values[:1024], values[2048:]])))
    assert len(roots) == 6


def test_a_nested_header_is_refused_even_where_an_evm_has_raised_the_recursion_limit() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(TensorError, match="header"):
            decode_tensors((65_536).to_bytes(8, "little") + b"[" * 65_536)
    finally:
        sys.setrecursionlimit(before)
