"""Other people's IPFS software reads what we serve and write, and we read what it writes.

`tests/foreign/ipfs.mjs` uses Helia's client of trustless gateways and the JavaScript libraries of
UnixFS and CAR, none of which shares a line with this package.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostrom.storage import DirectoryStore, MemoryStore, cid_of
from ostrom.storage.car import encode_car, load_car
from ostrom.storage.gateway import gateway
from ostrom.storage.walk import open_tree

FOREIGN = Path(__file__).parents[1] / "foreign"
SCRIPT = FOREIGN / "ipfs.mjs"
PACKAGES = (
    "@helia/trustless-gateway-client",
    "@ipld/car",
    "@multiformats/multiaddr",
    "blockstore-core",
    "ipfs-unixfs-exporter",
    "ipfs-unixfs-importer",
    "multiformats",
)
MODEL = b"".join(i.to_bytes(4, "big") for i in range(700_000))
"""A file of 2.8 MB: three leaves and a root."""

SHA256 = hashlib.sha256(MODEL).hexdigest()


def run_node(*arguments: str | Path, fails: bool = False) -> str:
    """What the script prints; its complaint if it `fails`, as it must then."""
    missing = [name for name in PACKAGES if not (FOREIGN / "node_modules" / name).is_dir()]
    if missing:
        lacks = f"tests/foreign/node_modules lacks {', '.join(missing)}"
        pytest.fail(f"{lacks}; run npm install --prefix tests/foreign", pytrace=False)
    done = subprocess.run(
        ["node", str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout.strip()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    return DirectoryStore(tmp_path_factory.mktemp("store"), durable=False)


@pytest.mark.parametrize("content", [MODEL, b"", b"alice"], ids=["model", "empty", "small"])
def test_helias_client_fetches_a_file_from_our_gateway_block_by_block(
    serve: Callable[[Any], str], store: DirectoryStore, content: bytes
) -> None:
    root = store.put(content)
    expected = hashlib.sha256(content).hexdigest()
    assert run_node("gateway", serve(gateway(store)), root) == expected


@pytest.mark.parametrize("query", ["", "&dag-scope=entity", "&entity-bytes=0:*", "&car-dups=n"])
def test_a_car_from_our_gateway_is_read_elsewhere(
    serve: Callable[[Any], str], store: DirectoryStore, query: str
) -> None:
    root = store.put(MODEL)
    assert run_node("car", serve(gateway(store)), root, query) == SHA256


def test_helias_client_gets_nothing_from_a_gateway_whose_store_is_damaged(
    serve: Callable[[Any], str],
) -> None:
    store = MemoryStore()
    root = store.put(MODEL)
    leaf = cid_of(MODEL[: 1 << 20])
    store._blocks[leaf] = store._blocks[leaf][:-1] + b"?"
    assert leaf in run_node("gateway", serve(gateway(store)), root, fails=True)


def test_a_car_that_we_write_is_read_elsewhere(store: DirectoryStore, tmp_path: Path) -> None:
    root = store.put(MODEL)
    tree = open_tree(store.read_block, root, profile=store.layout)
    file = tmp_path / "model.car"
    file.write_bytes(b"".join(encode_car([root], tree.blocks())))
    assert run_node("open", file) == f"{root} {SHA256}"


@pytest.mark.parametrize(
    "content", [MODEL, b"alice", bytes(1 << 20)], ids=["model", "small", "one"]
)
def test_a_file_that_was_imported_elsewhere_has_our_cid_and_its_car_is_read_here(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    root = run_node("make", tmp_path / "file", tmp_path / "file.car")
    assert root == cid_of(content)
    copy = MemoryStore()
    data = (tmp_path / "file.car").read_bytes()
    assert load_car(copy, io.BytesIO(data), total_bytes=1 << 24) == (root,)
    assert copy.get(root, max_bytes=1 << 24) == content
