"""A ledger inside this process: nothing to install, nothing to wait for, replayable by anyone.

A block holds one call, or none where only time passes, and takes one second of the virtual clock;
otherwise time moves only by `advance_time`. The same calls give the same blocks, byte for byte.
Loading a journal executes every transaction again and compares every line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostrom.chain import journal
from ostrom.chain.artifacts import decode_answer, decode_log, encode_call
from ostrom.chain.evm import CHAIN_ID, TRANSACTION_GAS_MAX, Block, Machine
from ostrom.chain.journal import Journal
from ostrom.chain.ledger import NOWHERE, Call, Receipt
from ostrom.chain.wallet import Key
from ostrom.errors import LedgerError
from ostrom.types import Address, Logged

GENESIS_TIME = 1_767_225_600
"""2026-01-01 00:00:00 UTC."""

BLOCK_SECONDS = 1
CENTURY = 100 * 365 * 86_400


class EmbeddedLedger:
    """A `Ledger` in this process; without a `path` it is forgotten with the object.

    Gas is free, so any key may send. Its users trust this process; the journal lets others check
    afterwards that every rule was kept.
    """

    def __init__(self, path: Path | None = None, *, genesis_time: int = GENESIS_TIME) -> None:
        """A new chain, journalled at `path`.

        Raises:
            LedgerError: there is a file at `path` already, or none can be made.
        """
        self._machine = Machine(genesis_time)
        self._blocks = [self._machine.genesis]
        self._contracts: dict[Address, str] = {}
        self._decoded: dict[int, list[Logged]] = {}
        self._journal = Journal.create(path) if path is not None else None
        self._closed = ""
        self._write(self._header_line())

    @classmethod
    def load(cls, path: Path, *, resume: bool) -> EmbeddedLedger:
        """The chain whose journal is at `path`, every transaction executed and hash compared.

        With `resume` it takes new calls, and a last line that a crash left unfinished is dropped;
        without, it is read-only and such a line is an error.

        Raises:
            LedgerError: a line does not say what the EVM says; the message names line and block.
        """
        lines, torn = journal.read_lines(path)
        if torn and not resume:
            raise LedgerError(
                f"{path}: line {len(lines) + 1} is unfinished, as after a crash: "
                "resume the run, or cut the line off"
            )
        ledger = cls._replayed(path, lines)
        if resume:
            ledger._journal = Journal.resume(path, size=sum(len(line) + 1 for line in lines))
        else:
            ledger._closed = "the chain was loaded to be read only: load it with resume=True"
        return ledger

    @classmethod
    def _replayed(cls, path: Path, lines: list[bytes]) -> EmbeddedLedger:
        if not lines:
            raise LedgerError(f"{path}: line 1: the header is missing")
        number = 0
        try:
            ledger = cls(genesis_time=journal.read_header(lines[0]))
            _compare(lines[0], ledger._header_line())
            for line in lines[1:]:
                number += 1
                time, raw = journal.read_block(line)
                _compare(line, ledger._mine(raw, time))
        except Exception as error:
            # Damaged bytes make py-evm and its libraries raise all kinds of errors.
            raise LedgerError(f"{path}: line {number + 1}, block {number}: {error}") from error
        return ledger

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""
        return CHAIN_ID

    @property
    def block_number(self) -> int:
        """The number of the head block."""
        return len(self._blocks) - 1

    @property
    def head(self) -> Block:
        """The head block; its hash names the whole history."""
        return self._blocks[-1]

    @property
    def gas_used(self) -> int:
        """The gas of all blocks together."""
        return sum(block.gas_used for block in self._blocks)

    def now(self) -> int:
        """The head block's timestamp in Unix seconds."""
        return self.head.time

    def advance_time(self, seconds: int) -> None:
        """Let time pass: an empty block `seconds` after the head.

        Raises:
            LedgerError: less than one second, or more than a century.
        """
        if not 0 < seconds <= CENTURY:
            raise LedgerError(f"time moves forward by 1 to {CENTURY} seconds, not by {seconds}")
        self._append(b"", self.now() + seconds)

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""
        self._contracts.update(contracts)
        self._decoded.clear()

    def send(self, call: Call, key: Key) -> Receipt:
        """Sign and execute `call` in a block of its own, one second after the head.

        Raises:
            ContractError: a contract refuses the call; no block is made.
            LedgerError: the chain is read-only, or the EVM stops.
        """
        data = encode_call(call)
        self._append(self._signed(call, data, key), self.now() + BLOCK_SECONDS)
        return Receipt(
            transaction=self.head.transaction,
            block=self.block_number,
            time=self.head.time,
            gas_used=self.head.gas_used,
            calldata=len(data),
            events=tuple(self.events(self.block_number, self.block_number)),
            created=self.head.created,
        )

    def call(self, call: Call) -> Any:
        """What a view answers at the head block: a value, a tuple of several, or a dict.

        Raises:
            ContractError: the contract refuses the call.
        """
        answer = self._machine.view(call.address, encode_call(call), value=call.value)
        return decode_answer(call, answer)

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts in blocks `from_block` to `to_block`, both included."""
        numbers = range(max(from_block, 0), min(to_block, self.block_number) + 1)
        return [logged for number in numbers for logged in self._events_of(number)]

    def _events_of(self, number: int) -> list[Logged]:
        """A block's events, decoded once: who sends a call and who follows the chain both ask."""
        if number not in self._decoded:
            block = self._blocks[number]
            self._decoded[number] = [
                Logged(
                    event=decode_log(self._contracts[log.address], log.topics, log.data),
                    block=number,
                    time=block.time,
                    index=log.index,
                    transaction=block.transaction,
                )
                for log in block.logs
                if log.address in self._contracts
            ]
        return self._decoded[number]

    def code(self, address: Address) -> bytes:
        """The code at `address`, empty if it holds none."""
        return self._machine.code(address)

    def close(self) -> None:
        """Close the journal; after that the chain can only be read."""
        self._closed = self._closed or "the chain is closed: load it with resume=True"
        if self._journal is not None:
            self._journal.file.close()

    def _signed(self, call: Call, data: bytes, key: Key) -> bytes:
        fields: dict[str, object] = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": self._machine.nonce(key.address),
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": TRANSACTION_GAS_MAX,
            "value": call.value,
            "data": data,
        }
        return key.sign_transaction(
            fields if call.address == NOWHERE else fields | {"to": call.address}
        )

    def _append(self, raw: bytes, time: int) -> None:
        if self._closed:
            raise LedgerError(self._closed)
        self._write(self._mine(raw, time))

    def _mine(self, raw: bytes, time: int) -> bytes:
        """Execute a block; its line for the journal."""
        block = self._machine.mine(raw, time)
        self._blocks.append(block)
        return journal.block_line(time, raw, block.hash)

    def _write(self, line: bytes) -> None:
        if self._journal is None:
            return
        try:
            self._journal.append(line)
        except LedgerError as error:
            self._closed = str(error)
            raise

    def _header_line(self) -> bytes:
        genesis = self._machine.genesis
        return journal.header_line(CHAIN_ID, genesis.time, genesis.hash)


def _compare(line: bytes, expected: bytes) -> None:
    if line != expected:
        raise LedgerError("the line is not what the EVM computes: it was changed")
