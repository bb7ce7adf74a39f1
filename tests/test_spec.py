from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.codec import encode_document
from ostrom.errors import CodecError, InputError, OstromError
from ostrom.spec import EXACT_CODE, Spec, example, installed_code


def changed(**fields: Any) -> bytes:
    return encode_document(example().model_dump(mode="json") | fields)


BAD: dict[str, dict[str, Any]] = {
    "another format": {"format": "ostrom/spec/2"},
    "an unknown field": {"pickle": "gASV"},
    "a model that is no text": {"model": 1},
    "no shape": {"shape": []},
    "a shape of five dimensions": {"shape": [1] * 5},
    "a shape with a zero": {"shape": [8, 0]},
    "a negative shape": {"shape": [-8, -8]},
    "a shape of texts": {"shape": ["8", "8"]},
    "a shape that is a text": {"shape": "88"},
    "a shape that is an object": {"shape": {"0": 8}},
    "one class": {"classes": 1},
    "a truth for a number": {"classes": True},
    "a text for a number": {"parameters": "650"},
    "no parameters": {"parameters": 0},
    "a model of 2**40": {"parameters": 1 << 40},
    "an update of no length": {"layout": [[0]]},
    "floats": {"dtype": "float32"},
    "31 fraction bits": {"fraction_bits": 31},
    "negative fraction bits": {"fraction_bits": -1},
    "no sample": {"samples_max": 0},
    "validators who take it all and more": {"validators_bps": 10_001},
    "a code that is no hash": {"code": "latest"},
    "a code in upper case": {"code": "A" * 64},
    "a code and a newline": {"code": "a" * 64 + "\n"},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD.keys())
def test_a_document_that_is_no_spec_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="not a spec") as refusal:
        Spec.decode(changed(**fields))
    assert "\n" not in str(refusal.value)
    assert next(iter(fields)) in str(refusal.value)


@pytest.mark.parametrize("document", [None, 1, "spec", [], {}, [["model", "logistic"]]])
def test_any_other_document_is_refused(document: Any) -> None:
    with pytest.raises(InputError, match="not a spec"):
        Spec.decode(encode_document(document))


@pytest.mark.parametrize("data", [b"", b"{", b" {}", example().encode() + b"\n", b"\x80\x04."])
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        Spec.decode(data)


def test_a_spec_without_a_field_that_has_no_default_is_refused() -> None:
    document = example().model_dump(mode="json")
    for name in ("model", "shape", "aggregation", "code"):
        rest = {key: value for key, value in document.items() if key != name}
        with pytest.raises(InputError, match=name):
            Spec.decode(encode_document(rest))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text("ab(1)|", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(Spec.model_fields)), JSON)
def test_no_field_s_value_raises_anything_but_an_error_of_ostrom(name: str, value: Any) -> None:
    try:
        spec = Spec.decode(changed(**{name: value}))
    except OstromError:
        return
    assert Spec.decode(spec.encode()) == spec


@given(
    shape=st.lists(st.integers(1, 99), min_size=1, max_size=4).map(tuple),
    bits=st.integers(0, 30),
    checks=st.sampled_from(["", "duplicate", "range(abs=1)"]),
)
def test_a_spec_survives_and_encodes_to_the_same_bytes(
    shape: tuple[int, ...], bits: int, checks: str
) -> None:
    spec = example().model_copy(update={"shape": shape, "fraction_bits": bits, "checks": checks})
    assert Spec.decode(spec.encode()) == spec
    assert Spec.decode(spec.encode()).encode() == spec.encode()


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        example().incentive = "equal_split"


def test_the_pinned_code_is_a_hash_over_all_that_settles_a_round() -> None:
    assert len(bytes.fromhex(installed_code())) == 32
    assert installed_code() == installed_code.__wrapped__()
    needed = {"codec", "tensors", "aggregation", "incentives", "verification", "settlement"}
    assert needed | {"protocol"} <= set(EXACT_CODE)
