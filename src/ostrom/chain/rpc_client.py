"""A chain as a node of Ostrom sees it, behind one or several JSON-RPC URLs.

Ethereum JSON-RPC: https://ethereum.github.io/execution-apis/. Events of one block are asked for by
its hash (EIP-234) and views by the block's hash (EIP-1898), so that a reorganisation between two
questions is noticed; where a node knows no EIP-1898, the block's number is asked for and its hash
compared. Fees follow EIP-1559 where blocks have a base fee, and `eth_gasPrice` elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ostrom.chain.answers import (
    Header,
    Log,
    MinedReceipt,
    data,
    logs,
    may_log,
    maybe_header,
    maybe_receipt,
    quantity,
    receipts_of,
)
from ostrom.chain.artifacts import artifact, decode_answer, decode_log, encode_call
from ostrom.chain.client import Block, Fees, Mined
from ostrom.chain.endpoints import Endpoints
from ostrom.chain.ledger import NOWHERE, Call
from ostrom.chain.refusals import NonceTooLow, TooLong, Unreachable, is_known
from ostrom.chain.transport import REQUEST_SECONDS_MAX
from ostrom.codec import keccak
from ostrom.errors import ContractError, LedgerError
from ostrom.types import Address, Digest, Logged

LOG_BLOCKS_MAX = 2_000
"""Nodes refuse larger ranges of `eth_getLogs`, and some smaller ones, which are then halved."""

REMEMBERED = 4_096
"""Blocks of which time and bloom filter are kept, by hash: a hash never means anything else."""

TIP_MIN = 10**9
"""Wei for a unit of gas, where a node does not say what tip its chain expects: 1 gwei."""

Value = TypeVar("Value")


class RpcClient:
    """A `ChainClient` behind URLs. It believes the nodes: run your own, or audit afterwards.

    Answers to nodes that fail, hang, lag, serve another chain, break off or leave out the events of
    a block; not to one that lies in earnest. One thread should use one client.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int | None = None,
        seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> None:
        """A connection to the first node of `urls` that serves `chain_id`, if that is given.

        Raises:
            InputError: no URL is given.
            LedgerError: no node can be reached, or they serve another chain.
        """
        self._nodes = Endpoints(urls, chain_id=chain_id, seconds_max=seconds_max)
        self._contracts: dict[Address, str] = {}
        self._times: dict[Digest, int] = {}
        self._blooms: dict[Digest, bytes] = {}

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""
        return self._nodes.chain_id

    @property
    def url(self) -> str:
        """The node in use, without what its URL may hold of passwords and keys."""
        return self._nodes.name

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._nodes.close()

    def request(self, method: str, *params: object) -> Any:
        """The answer to any JSON-RPC method, unchecked.

        Raises:
            ContractError: the answer is a revert.
            LedgerError: any other error.
        """
        return self._nodes.ask(method, *params)

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""
        self._contracts.update(contracts)

    def head(self) -> Block:
        """The newest block that is known; a node that lags behind gives an older one."""
        return self._noted(self._nodes.head()).block

    def block(self, number: int) -> Block | None:
        """The block of that number on the chain that is known now; None beyond its head."""
        found = self._nodes.ask("eth_getBlockByNumber", hex(number), False, read=maybe_header)
        if found is None:
            return None
        if found.block.number != number:
            raise Unreachable(f"{self.url} gave block {found.block.number} for block {number}")
        return self._noted(found).block

    def logs(self, first: int, last: int) -> list[Logged]:
        """Events in blocks `first` to `last`, both included, in order.

        What a node leaves out of a range is not noticed; `logs_of` looks closer.
        """
        found: list[Log] = []
        if self._contracts:
            for start in range(max(first, 0), last + 1, LOG_BLOCKS_MAX):
                found += self._range(start, min(start + LOG_BLOCKS_MAX - 1, last))
        return self.decoded(found)

    def logs_of(self, block: Block) -> list[Logged]:
        """Events of exactly that block (EIP-234).

        Raises:
            LedgerError: the block is not known any more, or events are missing in the answer.
        """
        if not self._contracts:
            return []
        where = {"blockHash": _hex(block.hash), "address": sorted(self._contracts)}
        found = self._nodes.ask("eth_getLogs", where, read=logs)
        if any((log.block_hash, log.block) != (block.hash, block.number) for log in found):
            raise LedgerError(f"{self.url} does not know block {block.number} any more")
        self._check_complete(block, found)
        return self.decoded(found)

    def call(self, call: Call, *, block: Block | None = None) -> Any:
        """What a view answers after that block (EIP-1898), or at the head: a value, a tuple of
        several, or a dict.

        Raises:
            ContractError: the contract refuses the call.
        """
        message = message_of(call, encode_call(call))
        if block is None:
            answer = self._nodes.ask("eth_call", message, "latest", read=data)
        else:
            answer = self._answer_after(block, message)
        return decode_answer(call, answer)

    def code(self, address: Address) -> bytes:
        """The code at `address` at the head, empty if it holds none."""
        return self._nodes.ask("eth_getCode", address, "latest", read=data)

    def nonce(self, account: Address, *, pending: bool = False) -> int:
        """How many transactions of the account are in blocks: the next one's nonce.

        With `pending`, those that the node holds for the next blocks are counted too.
        """
        where = "pending" if pending else "latest"
        return self._nodes.ask("eth_getTransactionCount", account, where, read=quantity)

    def balance(self, account: Address) -> int:
        """The account's native coins at the head, in wei."""
        return self._nodes.ask("eth_getBalance", account, "latest", read=quantity)

    def fees(self) -> Fees:
        """What the next blocks ask for: twice the base fee, so that it may rise for six blocks."""
        base = self._nodes.head().base_fee
        if base is None:
            return Fees(price := self._nodes.ask("eth_gasPrice", read=quantity), price, legacy=True)
        try:
            tip = self._nodes.ask("eth_maxPriorityFeePerGas", read=quantity)
        except Unreachable:
            raise
        except LedgerError:
            # A node without that method gives the price of base fee and tip together, and some
            # of them a tip too low for their peers.
            tip = max(self._nodes.ask("eth_gasPrice", read=quantity) - base, TIP_MIN)
        return Fees(2 * base + tip, tip, base=base)

    def estimate(self, call: Call, sender: Address) -> int:
        """The gas that the call would need at the head.

        Raises:
            ContractError: the contract refuses the call.
        """
        message = message_of(call, encode_call(call)) | {"from": sender}
        # Some nodes estimate what a refused call costs, or leave out why it was refused.
        self._nodes.ask("eth_call", message, "latest", read=data)
        return self._nodes.ask("eth_estimateGas", message, "latest", read=quantity)

    def submit(self, raw: bytes) -> None:
        """Hand a signed transaction in; one that is known already is no error.

        Raises:
            NonceTooLow: a block holds another transaction of that account and nonce.
            Underpriced: the fees are too low as such, or to replace what waits.
            LedgerError: another error; it does not mean that it was not taken.
        """
        try:
            answer = self._nodes.ask("eth_sendRawTransaction", _hex(raw), read=data)
        except NonceTooLow:
            if self.mined(keccak(raw)) is None:
                raise
        except LedgerError as error:
            if not is_known(error):
                raise
        else:
            if answer != keccak(raw):
                raise Unreachable(f"{self.url} took a transaction under a hash that is not its own")

    def mined(self, transaction: Digest) -> Mined | None:
        """Where the transaction of that hash is; None while no block holds it."""
        found = self.receipt(transaction)
        return None if found is None else found.mined

    def receipt(self, transaction: Digest) -> MinedReceipt | None:
        """The whole receipt of a transaction; None while no block holds it."""
        found = self._receipt(transaction)
        if found is None:
            return None
        # Some nodes keep the receipts of blocks that vanished.
        there = self.block(found.mined.block)
        return found if there and there.hash == found.mined.block_hash else None

    def is_waiting(self, transaction: Digest) -> bool:
        """True if the node holds the transaction, in a block or for one."""
        return self._nodes.ask("eth_getTransactionByHash", _hex(transaction)) is not None

    def decoded(self, found: Sequence[Log]) -> list[Logged]:
        """The events of the watched contracts among logs."""
        return [
            Logged(
                event=decode_log(self._contracts[log.address], log.topics, log.data),
                block=log.block,
                time=self.time_of(log.block_hash) if log.time is None else log.time,
                index=log.index,
                transaction=log.transaction,
            )
            for log in found
            if log.address in self._contracts
        ]

    def time_of(self, block_hash: Digest) -> int:
        """The timestamp of the block of that hash, in Unix seconds.

        Raises:
            LedgerError: the block is not known any more.
        """
        if block_hash not in self._times:
            self._header(block_hash)
        return self._times[block_hash]

    def _range(self, first: int, last: int) -> list[Log]:
        """Logs of a range, in halves where the node finds the whole too much."""
        span = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": sorted(self._contracts),
        }
        try:
            found = self._nodes.ask("eth_getLogs", span, read=logs)
        except LedgerError as error:
            too_much = isinstance(error, TooLong) or not isinstance(error, Unreachable)
            if first == last or not too_much:
                raise
            middle = (first + last) // 2
            return self._range(first, middle) + self._range(middle + 1, last)
        if any(not first <= log.block <= last for log in found):
            raise Unreachable(f"{self.url} gave logs of other blocks than {first} to {last}")
        return found

    def _check_complete(self, block: Block, found: Sequence[Log]) -> None:
        """Notice contracts whose events are all missing, which a busy or young node may do.

        A bloom filter errs on the side of a log, so the receipts decide.
        """
        if block.hash not in self._blooms:
            self._header(block.hash)
        bloom = self._blooms[block.hash]
        heard = {log.address for log in found}
        silent = {
            address
            for address, contract in self._contracts.items()
            if bloom and address not in heard and may_log(bloom, address, _topics(contract))
        }
        missing = silent and silent & self._loggers(block)
        if missing:
            self._nodes.leave()
            raise Unreachable(
                f"incomplete logs: block {block.number} holds events of "
                f"{', '.join(sorted(missing))} that were left out; look again"
            )

    def _loggers(self, block: Block) -> set[Address]:
        """Who logged anything in a block, by its receipts."""
        transactions = self._header(block.hash).transactions
        try:
            receipts = self._nodes.ask("eth_getBlockReceipts", _hex(block.hash), read=receipts_of)
        except Unreachable:
            raise
        except LedgerError:
            # A node without that method gives them one by one.
            receipts = [each for name in transactions if (each := self._receipt(name)) is not None]
        if {each.transaction for each in receipts} != set(transactions) or any(
            each.mined.block_hash != block.hash for each in receipts
        ):
            self._nodes.leave()
            raise Unreachable(f"{self.url} has not executed block {block.number} yet: look again")
        return {log.address for each in receipts for log in each.logs}

    def _answer_after(self, block: Block, message: Mapping[str, object]) -> bytes:
        try:
            where = {"blockHash": _hex(block.hash)}
            return self._nodes.ask("eth_call", message, where, read=data)
        except (ContractError, Unreachable):
            raise
        except LedgerError as refused:
            # The block is not known, or EIP-1898 is not.
            if self.block(block.number) != block:
                raise LedgerError(f"block {block.number} is not known any more") from refused
        answer = self._nodes.ask("eth_call", message, hex(block.number), read=data)
        if self.block(block.number) != block:
            raise LedgerError(f"block {block.number} is not known any more")
        return answer

    def _receipt(self, transaction: Digest) -> MinedReceipt | None:
        name = _hex(transaction)
        found = self._nodes.ask("eth_getTransactionReceipt", name, read=maybe_receipt)
        if found is not None and found.transaction != transaction:
            raise Unreachable(f"{self.url} gave the receipt of another transaction than {name}")
        return found

    def _header(self, block_hash: Digest) -> Header:
        """The block of that hash."""
        name = _hex(block_hash)
        found = self._nodes.ask("eth_getBlockByHash", name, False, read=maybe_header)
        if found is None:
            raise LedgerError(f"{self.url} does not know block {name} any more")
        if found.block.hash != block_hash:
            raise Unreachable(f"{self.url} gave another block than {name}")
        return self._noted(found)

    def _noted(self, found: Header) -> Header:
        _keep(self._times, found.block.hash, found.block.time)
        _keep(self._blooms, found.block.hash, found.bloom)
        return found


def message_of(call: Call, calldata: bytes) -> dict[str, object]:
    """A call as `eth_call` and `eth_estimateGas` take it."""
    message: dict[str, object] = {"data": _hex(calldata), "value": hex(call.value)}
    return message if call.address == NOWHERE else message | {"to": call.address}


def _topics(contract: str) -> list[bytes]:
    return list(artifact(contract).events)


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def _keep(kept: dict[Digest, Value], key: Digest, value: Value) -> None:
    while len(kept) >= REMEMBERED and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value
