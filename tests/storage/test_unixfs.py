"""Nodes: decoding accepts exactly what encoding makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.codec import sha256
from ostrom.errors import CorruptContent
from ostrom.storage import cid_from_digest, cid_of
from ostrom.storage.unixfs import LINK_BYTES_MAX, Link, decode_node, encode_node
from ostrom.types import Cid

NAME = cid_of(b"the node")

links = st.lists(
    st.builds(
        Link,
        cid=st.builds(
            cid_from_digest,
            st.binary(min_size=32, max_size=32),
            st.sampled_from(["raw", "dag-pb"]),
        ),
        size=st.integers(0, (1 << 50)),
        total=st.integers(0, (1 << 63) - 1),
    ),
    max_size=6,
)


@given(st.binary(max_size=200))
def test_noise_is_refused_by_name(block: bytes) -> None:
    with pytest.raises(CorruptContent, match=NAME):
        decode_node(block, NAME)


@given(links, st.data())
def test_a_changed_byte_gives_other_links_or_none(
    children: list[Link], data: st.DataObject
) -> None:
    block = bytearray(encode_node(children))
    block[data.draw(st.integers(0, len(block) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_node(bytes(block), NAME)
    except CorruptContent:
        return
    assert decoded != tuple(children)
    assert encode_node(decoded) == block


@given(links)
def test_a_cut_node_is_refused(children: list[Link]) -> None:
    block = encode_node(children)
    for length in range(len(block)):
        with pytest.raises(CorruptContent, match=NAME):
            decode_node(block[:length], NAME)


@given(links)
def test_a_node_comes_back_and_is_as_short_as_the_readers_limit_says(children: list[Link]) -> None:
    block = encode_node(children)
    assert decode_node(block, NAME) == tuple(children)
    assert len(block) <= LINK_BYTES_MAX * (len(children) + 1)


def test_kubos_bytes_of_a_two_leaf_file_are_ours() -> None:
    leaf = Link(Cid(cid_of(bytes(256))), size=256, total=256)
    assert encode_node([leaf, leaf]).hex() == (
        "122b"
        "0a24" + leaf_hex(256) + "1200"
        "188002"
        "122b"
        "0a24" + leaf_hex(256) + "1200"
        "188002"
        "0a0b"
        "0802"
        "188004"
        "208002"
        "208002"
    )


def leaf_hex(size: int) -> str:
    return "01551220" + sha256(bytes(size)).hex()
