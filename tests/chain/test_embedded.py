from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ostrom.chain.contracts import Token
from ostrom.chain.embedded import GENESIS_TIME, EmbeddedLedger
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.wallet import simulation_key
from ostrom.errors import ContractError, LedgerError

ALICE = simulation_key(0, "alice")
BOB = simulation_key(0, "bob")


def run(path: Path | None = None) -> EmbeddedLedger:
    """A token, two transfers and a day in between."""
    ledger = EmbeddedLedger(path)
    token = create_token(ledger)
    ledger.send(token.transfer(BOB.address, 5), ALICE)
    ledger.advance_time(86_400)
    ledger.send(token.transfer(ALICE.address, 2), BOB)
    return ledger


def create_token(ledger: EmbeddedLedger) -> Token:
    receipt = ledger.send(Call("Token", NOWHERE, CONSTRUCTOR, (ALICE.address, 100)), ALICE)
    assert receipt.created is not None
    ledger.watch({receipt.created: "Token"})
    return Token(receipt.created)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chain.jsonl"
    run(path).close()
    return path


def test_a_chain_is_never_begun_over_another(path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot begin a chain"):
        EmbeddedLedger(path)


def test_a_missing_journal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot read the chain"):
        EmbeddedLedger.load(tmp_path / "none", resume=True)


@pytest.mark.parametrize("resume", [True, False])
def test_an_empty_journal_is_an_error(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "chain.jsonl"
    path.write_bytes(b"")
    with pytest.raises(LedgerError, match="line 1: the header is missing"):
        EmbeddedLedger.load(path, resume=resume)


def test_one_flipped_bit_anywhere_is_found_and_its_line_named(path: Path) -> None:
    whole = path.read_bytes()
    rng = random.Random(7)
    starts = [0] + [i + 1 for i, byte in enumerate(whole) if byte == 10]
    spots = {*range(140), *rng.sample(range(len(whole)), 60), *(s - 1 for s in starts[1:])}
    for spot in sorted(spots):
        bad = bytearray(whole)
        bad[spot] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        line = whole[:spot].count(b"\n") + 1
        with pytest.raises(LedgerError, match=rf"line {line}\b"):
            EmbeddedLedger.load(path, resume=False)


def test_a_line_in_other_letters_is_found(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    head, mark, rest = lines[2].partition(b'"tx":')
    lines[2] = head + mark + rest.upper()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(LedgerError, match="line 3, block 2"):
        EmbeddedLedger.load(path, resume=True)


def test_removed_and_repeated_and_exchanged_lines_are_found(path: Path) -> None:
    first, *blocks = path.read_bytes().splitlines(keepends=True)
    for damaged in ([*blocks[1:]], [blocks[0], *blocks], [blocks[1], blocks[0], *blocks[2:]]):
        path.write_bytes(first + b"".join(damaged))
        with pytest.raises(LedgerError, match=r"line \d"):
            EmbeddedLedger.load(path, resume=True)


def test_an_unfinished_line_fails_an_audit_and_is_dropped_by_a_resumed_run(path: Path) -> None:
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in (last + 1, last + 50, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(LedgerError, match="line 5 is unfinished"):
            EmbeddedLedger.load(path, resume=False)
        with_prefix = EmbeddedLedger.load(path, resume=True)
        assert with_prefix.block_number == 3
        with_prefix.close()
        assert path.read_bytes() == whole[:last]


def test_a_chain_loaded_to_be_read_takes_no_calls(path: Path) -> None:
    ledger = EmbeddedLedger.load(path, resume=False)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="read only"):
        ledger.advance_time(1)
    assert path.read_bytes() == before


def test_a_closed_chain_takes_no_calls(tmp_path: Path) -> None:
    ledger = EmbeddedLedger(tmp_path / "chain.jsonl")
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.advance_time(1)


def test_a_full_disk_stops_the_chain(tmp_path: Path, monkeypatch: Any) -> None:
    ledger = EmbeddedLedger(tmp_path / "chain.jsonl")

    def full(_data: bytes) -> int:
        raise OSError(28, "No space left on device")

    class Full:
        write = staticmethod(full)

        def close(self) -> None: ...

    assert ledger._journal is not None
    ledger._journal.file.close()
    monkeypatch.setattr(ledger, "_journal", type(ledger._journal)(tmp_path / "x", Full()))
    for _ in range(2):
        with pytest.raises(LedgerError, match="No space left"):
            ledger.advance_time(1)


@pytest.mark.parametrize("seconds", [0, -1, 2**53])
def test_time_never_stands_still_or_runs_back_or_leaps(seconds: int) -> None:
    with pytest.raises(LedgerError, match="forward"):
        EmbeddedLedger().advance_time(seconds)


def test_a_refused_call_leaves_no_block_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "chain.jsonl"
    ledger = EmbeddedLedger(path)
    token = create_token(ledger)
    head, before = ledger.head, path.read_bytes()
    with pytest.raises(ContractError, match="ERC20InsufficientBalance"):
        ledger.send(token.transfer(BOB.address, 101), ALICE)
    assert (ledger.head, path.read_bytes()) == (head, before)
    ledger.send(token.transfer(BOB.address, 100), ALICE)
    ledger.close()


def test_the_same_calls_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(tmp_path / name).close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_loaded_chain_is_the_one_that_was_written(path: Path) -> None:
    whole, loaded = run(), EmbeddedLedger.load(path, resume=False)
    assert loaded.head == whole.head
    assert loaded.now() == whole.now() == GENESIS_TIME + 86_403


def test_a_resumed_run_ends_as_one_that_never_stopped(path: Path, tmp_path: Path) -> None:
    straight = run(tmp_path / "straight.jsonl")
    for ledger in (straight, EmbeddedLedger.load(path, resume=True)):
        ledger.advance_time(60)
        create_token(ledger)
        ledger.close()
    assert path.read_bytes() == (tmp_path / "straight.jsonl").read_bytes()


def test_time_moves_by_one_second_a_call_and_otherwise_only_when_told() -> None:
    ledger = EmbeddedLedger(genesis_time=1_000)
    token = create_token(ledger)
    assert (ledger.now(), ledger.block_number) == (1_001, 1)
    ledger.call(Call("Token", token.address, "totalSupply"))
    assert ledger.now() == 1_001
    ledger.advance_time(99)
    assert (ledger.now(), ledger.block_number) == (1_100, 2)
