from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostrom.codec import (
    DEPTH_MAX,
    DOCUMENT_BYTES_MAX,
    INTEGER_MAX,
    address_bytes,
    checksum_address,
    decode_document,
    encode_document,
    is_address,
    keccak,
    merkle_leaf,
    merkle_proof,
    merkle_root,
    merkle_verify,
    sha256,
    words,
)
from ostrom.errors import CodecError, InputError
from ostrom.mechanisms import (
    MECHANISMS_CHARACTERS_MAX,
    Mechanism,
    format_mechanisms,
    parse_mechanisms,
)
from ostrom.types import Address

ALICE = Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner)
    ),
    max_leaves=12,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


# Documents: what is refused

NOT_CANONICAL = {
    "nothing": b"",
    "white space before": b' {"a":1}',
    "white space after": b'{"a":1}\n',
    "white space inside": b'{"a": 1}',
    "white space in a list": b"[1, 2]",
    "unsorted keys": b'{"b":1,"a":2}',
    "a key twice": b'{"a":1,"a":1}',
    "a key twice with another value": b'{"a":2,"a":1}',
    "a float": b"1.5",
    "a whole float": b'{"a":1.0}',
    "an exponent": b"1e3",
    "NaN": b"NaN",
    "infinity": b"[Infinity]",
    "minus infinity": b'{"a":-Infinity}',
    "a float that overflows": b"1e400",
    "minus zero": b"-0",
    "a leading zero": b"01",
    "a plus sign": b"+1",
    "2**53": b"9007199254740992",
    "-2**53": b"-9007199254740992",
    "an integer of 4,000 digits": b"9" * 4_000,
    "an integer of a million digits": b"9" * 1_000_000,
    "an escaped letter": b'"\\u0061"',
    "an escaped slash": b'"\\/"',
    "an escaped letter beyond ASCII": b'"\\u00f8"',
    "an upper-case escape": b'"\\u001F"',
    "a long escape of a newline": b'"\\u000a"',
    "a raw control character": b'"\n"',
    "an escaped lone surrogate": b'"\\ud800"',
    "a lone surrogate as a key": b'{"\\udfff":1}',
    "a lone surrogate in UTF-8": b'"\xed\xa0\x80"',
    "invalid UTF-8": b'"\xff"',
    "an overlong slash": b'"\xc0\xaf"',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32-le"),
    "a trailing comma": b"[1,]",
    "a comment": b"[1]//x",
    "single quotes": b"{'a':1}",
    "two documents": b"1 2",
    "a cut document": b'{"a":[1',
    "deeper than the limit": encode_document(nested(DEPTH_MAX)).replace(b"1", b"[1]"),
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "a deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "more than a mebibyte": b'"' + b"a" * DOCUMENT_BYTES_MAX + b'"',
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_bytes_that_are_not_the_canonical_form_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode_document(data)


NOT_PLAIN: dict[str, Any] = {
    "a float": 0.5,
    "NaN": float("nan"),
    "bytes": b"a",
    "a set": {1},
    "an object": object(),
    "2**53": 1 << 53,
    "-2**53": -(1 << 53),
    "an integer too long to print": 10**5_000,
    "a key that is an integer": {1: 2},
    "a key that is None": {None: 2},
    "a lone surrogate": "\ud800",
    "a lone surrogate as a key": {"\udc00": 1},
    "33 lists": nested(DEPTH_MAX + 1),
    "a mebibyte": "a" * DOCUMENT_BYTES_MAX,
}


@pytest.mark.parametrize("value", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_values_that_no_document_holds_are_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        encode_document(value)


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CodecError, match="deep"):
        encode_document(value)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_codec_error(data: bytes) -> None:
    try:
        value = decode_document(data)
    except CodecError:
        return
    assert encode_document(value) == data


@given(DOCUMENTS, st.data())
def test_one_changed_byte_never_decodes_to_the_same_document(document: Any, data: Any) -> None:
    canonical = encode_document(document)
    place = data.draw(st.integers(0, len(canonical) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(canonical)
    changed[place] ^= other
    with suppress(CodecError):
        # True == 1 in Python, so that the encodings are compared.
        assert encode_document(decode_document(bytes(changed))) != canonical


# Documents: what is kept


@given(DOCUMENTS)
@example({"a": [], "": {}, "ø": "\x00\x7f\u2028"})
def test_a_document_survives_and_encodes_to_the_same_bytes(document: Any) -> None:
    data = encode_document(document)
    assert decode_document(data) == document
    assert encode_document(decode_document(data)) == data
    assert json.loads(data) == document


def test_the_limits_themselves_are_allowed() -> None:
    for value in (nested(DEPTH_MAX), "a" * (DOCUMENT_BYTES_MAX - 2), INTEGER_MAX, -INTEGER_MAX):
        assert decode_document(encode_document(value)) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)))
def test_insertion_order_does_not_show(document: dict[str, int]) -> None:
    backwards = dict(reversed(document.items()))
    assert encode_document(document) == encode_document(backwards)


def test_keys_stand_in_the_order_of_rfc_8785() -> None:
    """The example of section 3.2.3: by UTF-16 code units, so astral characters before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    expected = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(decode_document(encode_document(dict.fromkeys(keys, 0)))) == expected
    assert sorted(keys) != expected


def test_strings_are_escaped_as_rfc_8785_says() -> None:
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    assert encode_document(text) == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


# Hashes


def test_sha256_gives_the_vectors_of_fips_180_4() -> None:
    vectors = {
        b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    }
    for message, digest in vectors.items():
        assert sha256(message).hex() == sha256(memoryview(message)).hex() == digest


def test_keccak_is_the_evm_s_and_not_sha3() -> None:
    vectors = {
        b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
        b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
        b"Transfer(address,address,uint256)": (
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
        ),
    }
    for message, digest in vectors.items():
        assert keccak(message).hex() == keccak(memoryview(message)).hex() == digest


EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("text", EIP_55)
def test_addresses_have_the_checksum_of_eip_55(text: str) -> None:
    assert checksum_address(bytes.fromhex(text[2:])) == text
    assert checksum_address(address_bytes(Address(text))) == text


@pytest.mark.parametrize("size", [0, 19, 21, 32])
def test_an_address_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(CodecError, match="20 bytes"):
        checksum_address(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        *("", "0x", "alice", "11" * 20, "0x" + "11" * 19, "0x" + "11" * 21, "0x" + "zz" * 20),
        *("0x" + "11" * 20 + "\n", "0X" + "11" * 20, "0x" + "\uff11" * 40, "0x" + "1 " * 20),
    ],
)
def test_texts_that_are_no_address_are_refused(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(CodecError, match="not an address"):
        address_bytes(Address(text))


# Mechanism texts

MALFORMED = [
    *("", " ", "|", "median|", "|median", "median||mean", "Median", "1mean", "_mean", "mean)"),
    *("mean(", "mean()x", "mean(f)", "mean(f=)", "mean(=1)", "mean(f=1,)", "mean(,f=1)"),
    *("mean(f=1 2)", "mean(f=1,f=1)", "mean(f=1,f=2)", "mean(F=1)", "mean(f==1)", "mean(f=(1))"),
    *("mean(f=1;g=2)", "mean(f='1')", "mean(f=nan)", "mean(f=inf)", "mean(f=-Infinity)"),
    *("mean(f=1e999)", "mean\x00", "mean mean", "os.system", "mean(f=__import__('os'))"),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_mechanism_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_mechanisms(text)


def test_a_text_that_would_take_minutes_to_read_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=str(MECHANISMS_CHARACTERS_MAX)):
        parse_mechanisms("mean" + " " * 500_000 + "!")


@given(st.text(max_size=30) | st.text("a=1(),| .-", max_size=30))
def test_no_text_raises_anything_but_an_input_error(text: str) -> None:
    try:
        canonical = format_mechanisms(parse_mechanisms(text))
    except InputError:
        return
    assert format_mechanisms(parse_mechanisms(canonical)) == canonical


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
NUMBERS = st.integers(-INTEGER_MAX, INTEGER_MAX) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from(["samples", "equal", "relu", "a-b", "x_1"])
MECHANISMS = st.builds(Mechanism, NAMES, st.dictionaries(NAMES, NUMBERS | WORDS, max_size=4))


@given(st.lists(MECHANISMS, min_size=1, max_size=4))
def test_a_canonical_mechanism_text_reads_back_as_itself(chain: list[Mechanism]) -> None:
    once = parse_mechanisms(format_mechanisms(chain))
    text = format_mechanisms(once)
    assert parse_mechanisms(text) == once
    assert format_mechanisms(parse_mechanisms(text)) == text
    for mine, read in zip(chain, once):
        assert read.name == mine.name
        assert dict(read.arguments) == dict(mine.arguments)


def test_one_number_has_one_text() -> None:
    for text in ("a(x=1)", "a(x=1.0)", "a( x = 01 )", "a(x=+1)", "a(x=1e0)", " a (x=1.000)"):
        assert format_mechanisms(parse_mechanisms(text)) == "a(x=1)"


# Merkle trees


def slow_root(leaves: list[bytes]) -> bytes:
    """OpenZeppelin's rule, level by level, written without a look at the module."""
    if not leaves:
        return bytes(32)
    while len(leaves) > 1:
        above = []
        for left in range(0, len(leaves) - 1, 2):
            above.append(keccak(b"".join(sorted(leaves[left : left + 2]))))
        if len(leaves) % 2:
            above.append(leaves[-1])
        leaves = above
    return leaves[0]


@pytest.mark.parametrize("count", range(41))
def test_the_tree_is_the_slow_one_and_every_leaf_proves_itself_alone(count: int) -> None:
    leaves = [merkle_leaf(bytes([i])) for i in range(count)]
    root = merkle_root(leaves)
    assert root == slow_root(leaves)
    mallory = merkle_leaf(b"mallory")
    for i, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, i)
        assert merkle_verify(leaf, proof, root)
        assert not merkle_verify(mallory, proof, root)
        others = [other for other in leaves if other != leaf and other not in proof]
        assert not any(merkle_verify(other, proof, root) for other in others)
        assert not any(merkle_verify(leaf, proof[:k], root) for k in range(len(proof)))
        assert not merkle_verify(leaf, [*proof, root], root)


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    leaves = [merkle_leaf(bytes([i])) for i in range(4)]
    inner = min(leaves[:2]) + max(leaves[:2])
    right = slow_root(leaves[2:])
    assert merkle_verify(keccak(inner), [right], merkle_root(leaves))
    assert not merkle_verify(merkle_leaf(inner), [right], merkle_root(leaves))


@given(st.lists(st.binary(max_size=3), unique=True, min_size=2, max_size=12), st.data())
def test_another_set_of_leaves_has_another_root(contents: list[bytes], data: Any) -> None:
    leaves = [merkle_leaf(content) for content in contents]
    gone = data.draw(st.integers(0, len(leaves) - 1))
    assert merkle_root(leaves[:gone] + leaves[gone + 1 :]) != merkle_root(leaves)


# Words


@pytest.mark.parametrize("value", [-1, 1 << 256, b"", bytes(31), bytes(33), Address("alice")])
def test_what_is_no_word_is_refused(value: int | bytes | Address) -> None:
    with pytest.raises(CodecError):
        words(value)


def test_words_are_those_of_the_solidity_abi() -> None:
    encoded = words(1, ALICE, b"\xab" * 32, (1 << 256) - 1)
    assert len(encoded) == 128
    assert encoded[:32] == bytes(31) + b"\x01"
    assert encoded[32:64] == bytes(12) + address_bytes(ALICE)
    assert encoded[64:96] == b"\xab" * 32
    assert encoded[96:] == b"\xff" * 32
    assert words() == b""


HOSTILE = {
    "an array in arrays": b"[" * 100_000,
    "an object in objects": b'{"a":' * 100_000,
    "brackets after a string of brackets": b'["' + b"[" * 100 + b'",' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nesting_is_refused_even_where_an_evm_has_raised_the_recursion_limit(name: str) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(CodecError, match="deep"):
            decode_document(HOSTILE[name])
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize("part", [b'"', b'\\"', b'"\\', b"[]", b'"["'])
def test_the_depth_of_a_hostile_mebibyte_is_counted_in_linear_time(part: bytes) -> None:
    with pytest.raises(CodecError):
        decode_document(part * ((1 << 20) // len(part)))


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    document = {"text": "[" * 100 + '\\"' + "{" * 100}
    assert decode_document(encode_document(document)) == document
