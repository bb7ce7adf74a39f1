"""The file that says where a network is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ostrom.chain.deployed import Deployed, need_writable, read_deployed, write_deployed
from ostrom.chain.deployment import Deployment
from ostrom.codec import checksum_address, decode_document
from ostrom.errors import InputError

ADDRESSES = {
    name: checksum_address(bytes([number]) * 20)
    for number, name in enumerate(("token", "registry", "models", "training"), 170)
}
NETWORK = Deployed(31337, 7, Deployment.at(ADDRESSES))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    write_deployed(file, NETWORK)
    assert read_deployed(file) == NETWORK
    assert decode_document(file.read_bytes().removesuffix(b"\n")) == {
        "format": "ostrom/deployment/1",
        "chain": 31337,
        "block": 7,
        "contracts": ADDRESSES,
    }
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_a_person_wrote_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    document = json.loads(NETWORK.encode())
    document["contracts"] = {name: text.lower() for name, text in ADDRESSES.items()}
    file.write_text(json.dumps(document, indent=4))
    assert read_deployed(file) == NETWORK


@pytest.mark.parametrize(
    "change",
    [
        {"format": "ostrom/deployment/2"},
        {"chain": "31337"},
        {"chain": -1},
        {"chain": 1 << 60},
        {"block": 1.5},
        {"block": None},
        {"contracts": {}},
        {"contracts": {**ADDRESSES, "token": "0x12"}},
        {"contracts": {**ADDRESSES, "token": 7}},
        {"contracts": {**ADDRESSES, "treasury": ADDRESSES["token"]}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_document_that_names_no_network_is_one_line(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "deployment.json"
    file.write_text(json.dumps(json.loads(NETWORK.encode()) | change))
    with pytest.raises(InputError, match="names no network: ") as caught:
        read_deployed(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=len)
def test_what_is_no_document_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "deployment.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match="names no network: "):
        read_deployed(file)


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the file that ostrom deploy wrote"):
        read_deployed(tmp_path / "deployment.json")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "deployment.json"
    file.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_deployed(file, NETWORK)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_cannot_be_written_is_found_out_before(tmp_path: Path) -> None:
    need_writable(tmp_path / "deployment.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="cannot write"):
        need_writable(tmp_path / "missing" / "deployment.json")
