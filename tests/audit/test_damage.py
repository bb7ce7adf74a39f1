"""Damage anywhere in a run's folder is found, named, and never crashes or changes anything."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit import audit_run, write_manifest
from ostrom.errors import AuditError

FILES = [
    "chain.jsonl",
    "contributions.png",
    "curves.png",
    "digits.png",
    "files.json",
    "history.csv",
    "history.jsonl",
    "report.html",
    "run.json",
    "summary.json",
    "timings.jsonl",
]
KINDS = ["spec", "model", "update", "garbage", "scores", "record"]
PLACES = {"first": 0.0, "middle": 0.5, "last": 1.0}


def flip(file: Path, place: float, bit: int = 0) -> None:
    data = bytearray(file.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1 << bit
    file.write_bytes(data)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"no run\.json"):
        audit_run(tmp_path)
    with pytest.raises(AuditError, match=r"no run\.json"):
        audit_run(tmp_path / "absent")


def test_the_list_of_files_below_is_complete(finished: Path) -> None:
    assert sorted(f.name for f in finished.iterdir() if f.is_file()) == FILES


def test_every_kind_of_block_is_there(folder: Any) -> None:
    assert all(folder.block(kind).exists() for kind in KINDS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_a_file_is_found_and_the_file_named(
    folder: Any, name: str, place: str
) -> None:
    flip(folder.path / name, PLACES[place])
    fault = folder.fault()
    assert fault.check == "files"
    assert "files.json" in fault.detail if name == "files.json" else name in fault.detail


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_in_a_block_is_found_and_the_block_named(
    folder: Any, kind: str, place: str
) -> None:
    block = folder.block(kind)
    flip(block, PLACES[place], bit=5)
    fault = folder.fault()
    assert fault.check == "store"
    assert block.name in fault.detail


def test_random_flips_anywhere_are_all_found(folder: Any) -> None:
    rng = random.Random(7)
    files = [f for f in folder.path.rglob("*") if f.is_file()]
    for _ in range(60):
        file = rng.choice(files)
        before = file.read_bytes()
        flip(file, rng.random(), bit=rng.randrange(8))
        assert not audit_run(folder.path).passed, file.name
        file.write_bytes(before)


@pytest.mark.parametrize("name", [name for name in FILES if name != "run.json"])
def test_a_deleted_file_is_named(folder: Any, name: str) -> None:
    (folder.path / name).unlink()
    assert f"{name} is missing" in folder.fault().detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_block_is_named(folder: Any, kind: str) -> None:
    block = folder.block(kind)
    block.unlink()
    assert block.name in folder.fault().detail


def test_no_block_of_the_store_is_superfluous(folder: Any) -> None:
    report = json.dumps(audit_run(folder.path).document())
    assert f"{len(folder.blocks)} blocks" in report
    for block in folder.blocks[::3]:
        data = block.read_bytes()
        block.unlink()
        assert block.name in folder.fault().detail
        block.write_bytes(data)


def test_a_deleted_store_is_found(folder: Any) -> None:
    shutil.rmtree(folder.path / "store")
    assert folder.fault().check == "store"


@pytest.mark.parametrize(("one", "other"), [("model", "update"), ("scores", "record")])
def test_two_swapped_blocks_are_found(folder: Any, one: str, other: str) -> None:
    first, second = folder.block(one), folder.block(other)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert folder.fault().check == "store"


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b""])
@pytest.mark.parametrize("name", [*FILES, *KINDS])
def test_what_is_cut_or_grown_is_found(folder: Any, name: str, change: Any) -> None:
    file = folder.path / name if name in FILES else folder.block(name)
    file.write_bytes(change(file.read_bytes()))
    assert file.name in folder.fault().detail


def test_a_folder_or_a_link_in_the_place_of_a_block_is_found(folder: Any) -> None:
    block = folder.block("record")
    data = block.read_bytes()
    block.unlink()
    block.mkdir()
    assert block.name in folder.fault().detail
    block.rmdir()
    (folder.path / "elsewhere").write_bytes(data)
    block.symlink_to(folder.path / "elsewhere")
    assert block.name in folder.fault().detail


# A forger would also write a new manifest: the chain and the store must speak for themselves.


@pytest.mark.parametrize("inside", [0.0, 0.3, 0.6, 0.99, 1.0])
@pytest.mark.parametrize("place", PLACES)
def test_one_flipped_bit_in_the_chain_is_found_by_executing_it_again(
    folder: Any, place: str, inside: float
) -> None:
    chain = folder.path / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    number = round(PLACES[place] * (len(lines) - 1))
    line = bytearray(lines[number])
    line[round(inside * (len(line) - 1))] ^= 1
    lines[number] = bytes(line)
    chain.write_bytes(b"".join(lines))
    write_manifest(folder.path, finished=True)
    fault = folder.fault()
    assert fault.check == "chain"
    assert f"line {number + 1}" in fault.detail


def test_a_chain_without_one_of_its_blocks_is_found(folder: Any) -> None:
    chain = folder.path / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    del lines[20]
    chain.write_bytes(b"".join(lines))
    write_manifest(folder.path, finished=True)
    assert "line 21" in folder.fault().detail


def test_two_swapped_blocks_of_the_chain_are_found(folder: Any) -> None:
    chain = folder.path / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    lines[9], lines[10] = lines[10], lines[9]
    chain.write_bytes(b"".join(lines))
    write_manifest(folder.path, finished=True)
    assert "line 10" in folder.fault().detail


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"contracts":{},"task":null}',
        b'{"contracts":{},"task":"zz"}',
        b'{"contracts":{},"task":""}',
        b'{"contracts":null,"task":"' + b"00" * 32 + b'"}',
        b'{"contracts":{"token":7},"task":"' + b"00" * 32 + b'"}',
        b'{"contracts":{"token":"0x12"},"task":"' + b"00" * 32 + b'"}',
        b'{"contracts":{},"task":"' + b"00" * 32 + b'"}',
        b"\xff\xfe",
    ],
)
def test_a_run_document_of_any_other_kind_is_a_finding_and_no_crash(
    folder: Any, document: bytes
) -> None:
    (folder.path / "run.json").write_bytes(document)
    write_manifest(folder.path, finished=True)
    assert folder.fault().check == "chain"


def test_a_run_document_with_another_task_or_other_contracts_is_found(folder: Any) -> None:
    run = folder.path / "run.json"
    whole = run.read_bytes()
    task = whole[whole.index(b'"task":"') + 8 :][:64]
    run.write_bytes(whole.replace(task, b"0" * 64))
    write_manifest(folder.path, finished=True)
    assert folder.fault().detail == "the chain knows no such task"
    at = whole.index(b'"training":"0x') + 14
    digit = b"1" if whole[at : at + 1] == b"0" else b"0"
    run.write_bytes(whole[:at] + digit + whole[at + 1 :])
    write_manifest(folder.path, finished=True)
    assert folder.fault().check == "chain"


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b"7", b"{}", b'{"..":"x"}', b'{"/etc/passwd":"x","run.json":"x"}']
)
def test_a_manifest_of_any_other_kind_is_a_finding_and_no_crash(
    folder: Any, manifest: bytes
) -> None:
    (folder.path / "files.json").write_bytes(manifest)
    assert folder.fault().check == "files"


def test_the_audit_reads_and_never_writes(folder: Any, tree: Any) -> None:
    before = tree(folder.path)
    for place in [folder.path, *folder.path.rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        assert audit_run(folder.path).passed
        assert tree(folder.path) == before
    finally:
        for place in [folder.path, *folder.path.rglob("*")]:
            place.chmod(0o755 if place.is_dir() else 0o644)


def test_the_audit_of_a_damaged_run_changes_nothing_either(folder: Any, tree: Any) -> None:
    flip(folder.block("model"), 0.5)
    (folder.path / "chain.jsonl").write_bytes((folder.path / "chain.jsonl").read_bytes()[:-9])
    before = tree(folder.path)
    assert not audit_run(folder.path).passed
    assert tree(folder.path) == before


def test_an_honest_run_passes_and_every_check_is_in_the_report(finished: Path) -> None:
    report = audit_run(finished)
    assert report.passed
    assert report.divergence is None
    assert report.rounds_settled == 2
    checks = {line.check for line in report.lines}
    assert checks >= {
        "files",
        "store",
        "chain",
        "contracts",
        "spec",
        "attestations",
        "aggregation",
        "payouts",
        "sanctions",
        "record",
        "protocol",
        "claims",
        "pool",
        "lineage",
        "balance",
    }
    document = report.document()
    assert document["passed"] is True
    assert len(document["checks"]) == len(report.lines)
