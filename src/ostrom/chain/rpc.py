"""A ledger behind URLs: any EVM chain that speaks JSON-RPC. It sends and waits, as commands do.

A transaction's hash is known before it is sent, so an answer that is lost is no harm: the chain is
asked for the hash. One that no block takes is offered again with the same nonce and higher fees, so
that at most one of them is ever mined.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ostrom.chain.answers import MinedReceipt
from ostrom.chain.artifacts import encode_call
from ostrom.chain.client import Fees
from ostrom.chain.ledger import NOWHERE, Call, Receipt
from ostrom.chain.refusals import Unreachable
from ostrom.chain.rpc_client import RpcClient, message_of
from ostrom.chain.transport import REQUEST_SECONDS_MAX
from ostrom.chain.wallet import Key
from ostrom.codec import keccak
from ostrom.errors import ContractError, LedgerError
from ostrom.types import Address, Digest, Logged

POLL_SECONDS = 0.1
POLL_SECONDS_MAX = 1.0

OFFER_SECONDS = 2.0
"""How often a transaction that no block holds is handed in again: a node may have lost it."""

RAISES_MAX = 10
"""Fees are raised this often at most, which is to about three times the first."""


class Unsettled(LedgerError):
    """A transaction was sent and no block is known to hold it: it may still be mined.

    `transactions` are the hashes under which it may appear; at most one of them can be mined.
    """

    def __init__(self, message: str, transactions: Sequence[Digest]) -> None:
        self.transactions = tuple(transactions)
        super().__init__(message)


class RpcLedger:
    """A `Ledger` behind a URL. It believes the node: run your own, or audit afterwards."""

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        chain_id: int | None = None,
        receipt_seconds_max: float = 120,
        raise_seconds: float = 30,
        confirmations: int = 0,
    ) -> None:
        """A connection to the node at `url`, which must serve `chain_id` if that is given.

        Args:
            url: one, or several of which one is used until it fails.
            receipt_seconds_max: how long `send` waits for a block.
            raise_seconds: how long one offer waits before the fees are raised.
            confirmations: blocks that must stand on a transaction's block before `send` returns.

        Raises:
            LedgerError: no node can be reached, or it serves another chain.
        """
        urls = [url] if isinstance(url, str) else list(url)
        self.client = RpcClient(urls, chain_id=chain_id, seconds_max=REQUEST_SECONDS_MAX)
        self._receipt_seconds_max = receipt_seconds_max
        self._raise_seconds = raise_seconds
        self._confirmations = confirmations

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""
        return self.client.chain_id

    @property
    def block_number(self) -> int:
        """The number of the head block."""
        return self.client.head().number

    def now(self) -> int:
        """The head block's timestamp in Unix seconds."""
        return self.client.head().time

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""
        self.client.watch(contracts)

    def send(self, call: Call, key: Key) -> Receipt:
        """Sign `call` with `key`, send it and wait until a block holds it.

        Raises:
            ContractError: a contract refuses the call; nothing was sent, or it failed in its block.
            Unsettled: no block held it in time; the message names what may still be mined.
            LedgerError: the node cannot be reached or does not take the call, and nothing was
                sent; or the transaction failed in its block.
            KeyboardInterrupt: interrupted; the message names what may still be mined.
        """
        calldata = encode_call(call)
        flight = self._flight(call, calldata, key)
        try:
            found = self._landed(flight)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(flight.described("interrupted")) from None
        if not found.mined.ok:
            raise self._reason(found, message_of(call, calldata) | {"from": key.address})
        return self._receipt(found, calldata=len(calldata))

    def call(self, call: Call) -> Any:
        """What a view answers at the head block: a value, a tuple of several, or a dict.

        Raises:
            ContractError: the contract refuses the call.
        """
        return self.client.call(call)

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts in blocks `from_block` to `to_block`, both included."""
        return self.client.logs(from_block, min(to_block, self.block_number))

    def code(self, address: Address) -> bytes:
        """The code at `address`, empty if it holds none."""
        return self.client.code(address)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.client.close()

    def request(self, method: str, *params: object) -> Any:
        """The answer to any JSON-RPC method, such as those of a development node.

        Raises:
            ContractError: the answer is a revert.
            LedgerError: any other error.
        """
        return self.client.request(method, *params)

    def _flight(self, call: Call, calldata: bytes, key: Key) -> _Flight:
        """The signed transaction of a call that the contract does not refuse now."""
        gas = max(self.client.estimate(call, key.address), call.gas)
        fields: dict[str, object] = {
            "chainId": self.chain_id,
            "nonce": self.client.nonce(key.address, pending=True),
            "gas": min(gas + gas // 4, self.client.head().gas_limit),
            "value": call.value,
            "data": calldata,
        }
        if call.address != NOWHERE:
            fields["to"] = call.address
        fees = self.client.fees()
        return _Flight(lambda fees: key.sign_transaction(fields | _fee_fields(fees)), fees)

    def _landed(self, flight: _Flight) -> MinedReceipt:
        """Offer a transaction until a block holds it, deep enough."""
        deadline = clock.monotonic() + self._receipt_seconds_max
        pause, offered, raised = POLL_SECONDS, -inf, clock.monotonic()
        while True:
            if clock.monotonic() - raised >= self._raise_seconds and self._rise(flight):
                offered, raised = -inf, clock.monotonic()
            if clock.monotonic() - offered >= OFFER_SECONDS and not flight.found:
                offered = clock.monotonic()
                self._offer(flight)
            done = self._looked(flight)
            if done is not None:
                return done
            if clock.monotonic() + pause >= deadline:
                what = f"not settled within {self._receipt_seconds_max} s"
                raise Unsettled(flight.described(what), flight.hashes)
            clock.sleep(pause)
            pause = min(1.5 * pause, POLL_SECONDS_MAX)

    def _offer(self, flight: _Flight) -> None:
        """Hand in the newest form of a transaction; errors that leave a doubt are remembered.

        Raises:
            LedgerError: the node refuses the very first offer, and does not hold it.
        """
        first = not flight.offered
        flight.offered = True
        try:
            self.client.submit(flight.forms[-1])
        except Unreachable as error:
            flight.trouble = str(error)
        except LedgerError as error:
            flight.trouble = str(error)
            if first and not self._holds(flight):
                raise
        else:
            flight.trouble = ""

    def _rise(self, flight: _Flight) -> bool:
        try:
            return flight.rise(self.client.fees())
        except LedgerError:
            return flight.rise(flight.fees)

    def _holds(self, flight: _Flight) -> bool:
        """True if the node holds a form of the transaction, or cannot say: then it may."""
        try:
            return any(self.client.is_waiting(each) for each in flight.hashes)
        except LedgerError:
            return True

    def _looked(self, flight: _Flight) -> MinedReceipt | None:
        """The receipt, once enough blocks stand on it."""
        try:
            receipts = [self.client.receipt(each) for each in flight.hashes]
            flight.found = any(each is not None for each in receipts)
            for each in receipts:
                if each is not None and self._is_deep(each):
                    self.client.time_of(each.mined.block_hash)  # remembered from now on
                    return each
        except LedgerError as error:
            flight.trouble = str(error)
        return None

    def _is_deep(self, found: MinedReceipt) -> bool:
        if not self._confirmations:
            return True
        return self.client.head().number - found.mined.block >= self._confirmations

    def _reason(self, found: MinedReceipt, message: Mapping[str, object]) -> LedgerError:
        """Why a transaction failed: the state changed between the estimate and its block."""
        try:
            self.client.request("eth_call", message, hex(found.mined.block))
        except ContractError as refusal:
            return refusal
        except LedgerError:
            pass
        return LedgerError(f"transaction 0x{found.transaction.hex()} failed in its block")

    def _receipt(self, found: MinedReceipt, *, calldata: int) -> Receipt:
        return Receipt(
            transaction=found.transaction,
            block=found.mined.block,
            time=self.client.time_of(found.mined.block_hash),
            gas_used=found.mined.gas_used,
            calldata=calldata,
            events=tuple(self.client.decoded(found.logs)),
            created=found.created,
        )


@dataclass
class _Flight:
    """A transaction on its way, in one form per level of fees; all have the same nonce."""

    sign: Callable[[Fees], bytes]
    fees: Fees
    forms: list[bytes] = field(default_factory=list)
    offered: bool = False
    found: bool = False
    trouble: str = ""

    def __post_init__(self) -> None:
        self.forms.append(self.sign(self.fees))

    @property
    def hashes(self) -> list[Digest]:
        """The hash of every form, the newest first."""
        return [keccak(form) for form in reversed(self.forms)]

    def rise(self, market: Fees) -> bool:
        """Sign once more with fees at which nodes take a replacement; False where that is enough.

        Geth and others ask for a tenth more in both fees; an eighth is the common step.
        """
        if self.found or len(self.forms) > RAISES_MAX:
            return False
        most, tip = (-(-each * 9 // 8) for each in (self.fees.most, self.fees.tip))
        self.fees = Fees(max(most, market.most), max(tip, market.tip), self.fees.legacy)
        self.forms.append(self.sign(self.fees))
        return True

    def described(self, why: str) -> str:
        """One line that says what may still be mined."""
        names = " or ".join(f"0x{each.hex()}" for each in self.hashes)
        state = "a block holds it that may still vanish" if self.found else "it may still be mined"
        trouble = f"; the last trouble: {self.trouble}" if self.trouble else ""
        return f"transaction {names}: {why}; {state}{trouble}"


def _fee_fields(fees: Fees) -> dict[str, object]:
    if fees.legacy:
        return {"gasPrice": fees.most}
    return {"type": 2, "maxFeePerGas": fees.most, "maxPriorityFeePerGas": fees.tip}
