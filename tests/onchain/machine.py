"""A ledger on revm, as fast as sequences in thousands need: the real contracts, no waiting.

Whoever holds a key sends; signatures are not checked here, other tests do that. A call is a block
of its own at the time that `now` was set to. `mark` and `rewind` take the chain back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyrevm

from ostrom.chain.artifacts import decode_answer, decode_log, decode_refusal, encode_call
from ostrom.chain.ledger import NOWHERE, Call, Receipt
from ostrom.chain.wallet import Key
from ostrom.codec import checksum_address, keccak, words
from ostrom.errors import LedgerError
from ostrom.types import Address, Logged

GENESIS_TIME = 1_767_225_600
GAS_MAX = 1 << 40
COINS = 1 << 100
NOBODY = "0x" + "00" * 20


class RevmLedger:
    """A `Ledger` without blocks; `time` may be set forward by its user."""

    def __init__(self, *keys: Key) -> None:
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=1337), block=self._block(0, GENESIS_TIME))
        self._evm = pyrevm.EVM(env=env, gas_limit=GAS_MAX, spec_id="MERGE")
        for key in keys:
            self._evm.set_balance(key.address, COINS)
        self.time = GENESIS_TIME
        self.block_number = 0
        self._contracts: dict[Address, str] = {}
        self._logs: list[tuple[int, int, Any]] = []
        self.sent = 0

    @property
    def chain_id(self) -> int:
        return 1337

    def now(self) -> int:
        return self.time

    def watch(self, contracts: Mapping[Address, str]) -> None:
        self._contracts.update(contracts)

    def send(self, call: Call, key: Key) -> Receipt:
        """Execute a call; one that is refused leaves no block."""
        data = encode_call(call)
        self._enter(self.block_number + 1)
        created = None
        self.sent += 1
        try:
            if call.address == NOWHERE:
                address = self._evm.deploy(key.address, data, gas=GAS_MAX)
                created = checksum_address(bytes.fromhex(address[2:]))
            else:
                self._evm.message_call(
                    key.address, call.address, data, value=call.value, gas=GAS_MAX
                )
        except RuntimeError as error:
            raise _refusal(error) from None
        self.block_number += 1
        result = self._evm.result
        self._logs += [(self.block_number, self.time, log) for log in result.logs]
        name = keccak(words(self.block_number))
        gas = int(result.gas_used)
        return Receipt(name, self.block_number, self.time, gas, len(data), (), created)

    def call(self, call: Call) -> Any:
        """What a view answers now."""
        self._enter(self.block_number)
        mark = self._evm.snapshot()
        try:
            answer = self._evm.message_call(
                NOBODY, call.address, encode_call(call), value=call.value, gas=GAS_MAX
            )
        except RuntimeError as error:
            raise _refusal(error) from None
        finally:
            self._evm.revert(mark)
        return decode_answer(call, bytes(answer))

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts."""
        found = []
        for index, (block, time, log) in enumerate(self._logs):
            address = checksum_address(bytes.fromhex(log.address[2:]))
            if from_block <= block <= to_block and address in self._contracts:
                topics, data = log.data
                topics = tuple(bytes(topic) for topic in topics)
                event = decode_log(self._contracts[address], topics, bytes(data))
                found.append(Logged(event, block, time, index, keccak(words(block))))
        return found

    def code(self, address: Address) -> bytes:
        """The code at an address, with revm's zeros behind it."""
        return bytes(self._evm.get_code(address) or b"")

    def coins(self, address: Address) -> int:
        """The wei of an account or contract."""
        return int(self._evm.get_balance(address))

    def mine(self, blocks: int) -> None:
        """Empty blocks."""
        self.block_number += blocks

    def mark(self) -> tuple[Any, int, int, int]:
        """A point to come back to, once."""
        return self._evm.snapshot(), self.time, self.block_number, len(self._logs)

    def rewind(self, mark: tuple[Any, int, int, int]) -> None:
        """Back to a mark."""
        snapshot, self.time, self.block_number, logs = mark
        self._evm.revert(snapshot)
        del self._logs[logs:]

    def _enter(self, number: int) -> None:
        self._evm.set_block_env(self._block(number, self.time))

    @staticmethod
    def _block(number: int, time: int) -> Any:
        return pyrevm.BlockEnv(number=number, timestamp=time, basefee=0, gas_limit=GAS_MAX)


def _refusal(error: RuntimeError) -> Exception:
    text = str(error)
    if not text.startswith("Revert"):
        return LedgerError(f"the EVM stopped: {text[:200]}")
    return decode_refusal(bytes.fromhex(text.split("output: 0x")[1].split(" ")[0].strip("}")))
