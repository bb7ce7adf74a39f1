"""The machine under the embedded ledger: py-evm under Paris rules, one transaction a block.

Nothing here is random or reads a clock. Gas costs nothing (the base fee starts at zero and no block
can fill above half, so EIP-1559 leaves it there), hence any account may send and no coin exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from eth.abc import BlockAPI, ComputationAPI, ReceiptAPI, VirtualMachineAPI
from eth.chains.base import MiningChain
from eth.exceptions import PyEVMError, Revert
from eth_typing import Address as RawAddress
from eth_typing import BlockNumber, Hash32
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from ostrom.chain import interpreter
from ostrom.chain.accounts import Database
from ostrom.chain.artifacts import decode_refusal
from ostrom.codec import address_bytes, checksum_address
from ostrom.errors import LedgerError
from ostrom.types import Address, Digest

CHAIN_ID = 1337
TRANSACTION_GAS_MAX = 30_000_000
BLOCK_GAS_MAX = 2 * TRANSACTION_GAS_MAX

_NOBODY = RawAddress(bytes(20))


class _Chain(MiningChain):
    chain_id = CHAIN_ID
    vm_configuration = ((0, interpreter.Machine),)  # type: ignore[assignment]


@dataclass(frozen=True)
class RawLog:
    """A log as the EVM wrote it; `index` counts within the block."""

    index: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Block:
    """What a block did. `transaction` is its transaction's hash, empty if it holds none."""

    time: int
    hash: Digest
    transaction: bytes = b""
    gas_used: int = 0
    logs: tuple[RawLog, ...] = ()
    created: Address | None = None


class Machine:
    """A chain of blocks and the state after the last of them."""

    def __init__(self, genesis_time: int) -> None:
        """A chain that begins at `genesis_time` (Unix seconds) with an empty state."""
        parameters: dict[str, int | BlockNumber | bytes | RawAddress | Hash32 | None] = {
            "coinbase": _NOBODY,
            "difficulty": 0,
            "extra_data": b"ostrom",
            "gas_limit": BLOCK_GAS_MAX,
            "nonce": bytes(8),
            "timestamp": genesis_time,
            "base_fee_per_gas": 0,
        }
        chain = _Chain.from_genesis(Database(), parameters, {})
        self._chain = cast(MiningChain, chain)
        self._head = self._chain.get_canonical_head()
        self.genesis = Block(genesis_time, self._head.hash)

    def nonce(self, account: Address) -> int:
        """How many transactions `account` has sent."""
        return self._at_head().state.get_nonce(RawAddress(address_bytes(account)))

    def code(self, account: Address) -> bytes:
        """The code at `account`, empty if it holds none."""
        return self._at_head().state.get_code(RawAddress(address_bytes(account)))

    def view(self, target: Address, data: bytes, *, value: int = 0) -> bytes:
        """What the contract at `target` returns to a call in the head block.

        Raises:
            ContractError: the contract refuses.
            LedgerError: the EVM stops.
        """
        machine = self._at_head()
        account = RawAddress(address_bytes(target))
        computation = machine.execute_bytecode(
            origin=_NOBODY,
            gas_price=0,
            gas=TRANSACTION_GAS_MAX,
            to=account,
            sender=_NOBODY,
            value=value,
            data=data,
            code=machine.state.get_code(account),
        )
        _raise_refusal(computation)
        return bytes(computation.output)

    def mine(self, raw: bytes, time: int) -> Block:
        """The next block, at `time`, with the transaction `raw` (none if empty).

        Raises:
            ContractError: the contract refuses; the chain stays as it was.
            LedgerError: the transaction is not valid, or the EVM stops.
        """
        try:
            return self._mine(raw, time)
        except (ValidationError, RLPException, PyEVMError) as error:
            raise LedgerError(f"the transaction is not valid: {error}") from None

    def _mine(self, raw: bytes, time: int) -> Block:
        header = self._chain.create_header_from_parent(
            self._head, timestamp=time, gas_limit=BLOCK_GAS_MAX, coinbase=_NOBODY
        )
        machine = self._chain.get_vm(header)
        if not raw:
            return Block(time, self._seal(machine, machine.get_block()))
        transaction = machine.get_transaction_builder().decode(raw)
        receipt, computation = machine.apply_transaction(header, transaction)
        _raise_refusal(computation)
        filled = machine.set_block_transactions_and_withdrawals(
            machine.get_block(),
            machine.add_receipt_to_header(header, receipt),
            (transaction,),
            (receipt,),
        )
        message = computation.msg
        return Block(
            time=time,
            hash=self._seal(machine, filled),
            transaction=transaction.hash,
            gas_used=receipt.gas_used,
            logs=_logs(receipt),
            created=checksum_address(message.storage_address) if message.is_create else None,
        )

    def _seal(self, machine: VirtualMachineAPI, block: BlockAPI) -> Digest:
        """Finish and keep a block; `mine_block` checks it against every rule of the fork."""
        done = machine.mine_block(block).block
        # Nobody asks for a body again; the journal holds the transactions.
        self._chain.chaindb.persist_header(done.header)
        self._head = done.header
        return done.hash

    def _at_head(self) -> VirtualMachineAPI:
        return self._chain.get_vm(self._head)


def _logs(receipt: ReceiptAPI) -> tuple[RawLog, ...]:
    return tuple(
        RawLog(
            index=index,
            address=checksum_address(log.address),
            topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
            data=log.data,
        )
        for index, log in enumerate(receipt.logs)
    )


def _raise_refusal(computation: ComputationAPI) -> None:
    if computation.is_success:
        return
    if isinstance(computation.error, Revert):
        raise decode_refusal(bytes(computation.output))
    raise LedgerError(f"the EVM stopped: {type(computation.error).__name__}: {computation.error}")
