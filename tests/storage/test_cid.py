"""CIDs: the vectors, and the forms that are not ours."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.storage import (
    PROFILES,
    MemoryStore,
    cid_from_bytes,
    cid_from_digest,
    cid_of,
    cid_to_bytes,
    codec_for,
    codec_of,
    digest_of,
    is_cid,
    parse_cid,
)

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "cids.json").read_text())
PATTERN = bytes((31 * i + 7) % 251 for i in range(251))

digests = st.binary(min_size=32, max_size=32)
codecs = st.sampled_from(["raw", "dag-pb"])


class Pattern(io.RawIOBase):
    """The content of a vector, made as it is read: byte i is (31 i + 7) mod 251."""

    def __init__(self, size: int) -> None:
        self.at, self.size = 0, size

    def read(self, size: int = -1) -> bytes:
        count = min(size, self.size - self.at)
        start = self.at % 251
        self.at += count
        return (PATTERN * (count // 251 + 2))[start : start + count]


def test_a_cidv0_is_refused_with_the_command_that_converts_it() -> None:
    with pytest.raises(InputError, match="ipfs cid base32"):
        parse_cid("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")


def test_upper_case_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="lower case"):
        parse_cid(cid_of(b"").upper())


@pytest.mark.parametrize("head", ["01711220", "01551b20", "01550020", "02551220", "00551220"])
def test_another_codec_hash_or_version_is_refused(head: str) -> None:
    raw = bytes.fromhex(head) + bytes(32)
    text = "b" + base64.b32encode(raw).decode().rstrip("=").lower()
    assert not is_cid(text)
    with pytest.raises(InputError, match="sha2-256"):
        parse_cid(text)
    with pytest.raises(InputError, match="sha2-256"):
        cid_from_bytes(raw)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_digest_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="32 bytes"):
        cid_from_digest(bytes(length))
    with pytest.raises(InputError, match="36 bytes"):
        cid_from_bytes(bytes(length))


def test_an_unknown_codec_or_profile_is_refused() -> None:
    with pytest.raises(InputError, match="dag-cbor"):
        cid_from_digest(bytes(32), "dag-cbor")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="choose one of"):
        cid_of(b"", profile="none")


@given(digests, codecs, st.integers(1, 58), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_changed_character_is_another_cid_or_none(
    digest: bytes, codec: Any, place: int, character: str
) -> None:
    cid = cid_from_digest(digest, codec)
    changed = cid[:place] + character + cid[place + 1 :]
    assert (changed == cid) or not is_cid(changed) or cid_to_bytes(changed) != cid_to_bytes(cid)


@given(st.text(max_size=70))
def test_text_is_a_cid_or_an_input_error(text: str) -> None:
    assert is_cid(text) is False


@given(digests, codecs)
def test_a_cid_is_its_digest_and_codec(digest: bytes, codec: Any) -> None:
    cid = cid_from_digest(digest, codec)
    assert (digest_of(cid), codec_of(cid)) == (digest, codec)
    assert cid_from_bytes(cid_to_bytes(cid)) == parse_cid(cid) == cid


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_cids_are_the_ones_that_kubo_makes(vector: dict[str, Any]) -> None:
    profile = PROFILES[vector["profile"]]
    assert (profile.chunk_bytes, profile.links_max) == (vector["chunk"], vector["width"])
    cid = cid_of(Pattern(vector["size"]), vector["profile"])  # type: ignore[arg-type]
    assert cid == vector["cid"]
    assert codec_of(cid) == codec_for(vector["size"], vector["profile"])


@given(st.integers(0, 10_000), st.sampled_from(["tiny-256b-3", "unixfs-v1-2025"]))
def test_the_size_tells_the_codec(size: int, profile: str) -> None:
    assert codec_of(cid_of(bytes(size), profile)) == codec_for(size, profile)


@given(st.integers(0, 10_000))
def test_naming_content_stores_what_putting_it_would(size: int) -> None:
    assert cid_of(bytes(size), "tiny-256b-3") == MemoryStore("tiny-256b-3").put(bytes(size))


def test_naming_a_long_stream_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        cid_of(Pattern(45 << 20))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20
