"""A ledger behind a URL: any EVM chain that speaks JSON-RPC.

Ethereum JSON-RPC: https://ethereum.github.io/execution-apis/. Fees follow EIP-1559 where blocks
have a base fee, and `eth_gasPrice` elsewhere.
"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from typing import Any, cast

from eth_typing import URI
from requests import RequestException
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from ostrom.chain.artifacts import decode_answer, decode_log, decode_refusal, encode_call
from ostrom.chain.ledger import NOWHERE, Call, Receipt
from ostrom.chain.wallet import Key
from ostrom.codec import checksum_address, keccak
from ostrom.errors import ContractError, LedgerError
from ostrom.types import Address, Digest, Logged

LOG_BLOCKS_MAX = 2_000
"""Nodes refuse larger ranges of `eth_getLogs`."""

POLL_SECONDS = 0.1
REQUEST_SECONDS_MAX = 30


class RpcLedger:
    """A `Ledger` behind a URL. It believes the node: run your own, or audit afterwards."""

    def __init__(
        self, url: str, *, chain_id: int | None = None, receipt_seconds_max: float = 120
    ) -> None:
        """A connection to the node at `url`, which must serve `chain_id` if that is given.

        Raises:
            LedgerError: the node cannot be reached or serves another chain.
        """
        self._url = url
        self._provider = HTTPProvider(
            URI(url),
            request_kwargs={"timeout": REQUEST_SECONDS_MAX},
            exception_retry_configuration=None,
        )
        self._receipt_seconds_max = receipt_seconds_max
        self._contracts: dict[Address, str] = {}
        self._times: dict[int, int] = {}
        self._chain_id = int(self._ask("eth_chainId"), 16)
        if chain_id not in (None, self._chain_id):
            raise LedgerError(f"{url} serves chain {self._chain_id}, not {chain_id}")

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""
        return self._chain_id

    @property
    def block_number(self) -> int:
        """The number of the head block."""
        return int(self._ask("eth_blockNumber"), 16)

    def now(self) -> int:
        """The head block's timestamp in Unix seconds."""
        return int(self._block("latest")["timestamp"], 16)

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""
        self._contracts.update(contracts)

    def send(self, call: Call, key: Key) -> Receipt:
        """Sign `call` with `key`, send it and wait until a block holds it.

        Raises:
            ContractError: a contract refuses the call.
            LedgerError: the node cannot be reached, does not take the call, or no block held it
                in time; the message then names the transaction, which may still be mined.
        """
        data = encode_call(call)
        message = _message(call, data) | {"from": key.address}
        fields = self._fields(message)
        raw = key.sign_transaction(fields | {"value": call.value, "data": data})
        self._ask("eth_sendRawTransaction", _hex(raw))
        found = self._mined(keccak(raw))
        if int(found["status"], 16) != 1:
            # The state changed between estimate and block; ask there for the reason.
            self._ask("eth_call", message, found["blockNumber"])
            raise LedgerError(f"transaction {_hex(keccak(raw))} failed in its block")
        return self._receipt(found, calldata=len(data))

    def call(self, call: Call) -> Any:
        """What a view answers at the head block: a value, a tuple of several, or a dict.

        Raises:
            ContractError: the contract refuses the call.
        """
        answer = self._ask("eth_call", _message(call, encode_call(call)), "latest")
        return decode_answer(call, bytes.fromhex(answer[2:]))

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts in blocks `from_block` to `to_block`, both included."""
        logs: list[Mapping[str, Any]] = []
        last = min(to_block, self.block_number)
        for first in range(max(from_block, 0), last + 1, LOG_BLOCKS_MAX):
            span = {
                "fromBlock": hex(first),
                "toBlock": hex(min(first + LOG_BLOCKS_MAX - 1, last)),
                "address": sorted(self._contracts),
            }
            logs += self._ask("eth_getLogs", span) if self._contracts else []
        return self._logged(logs)

    def code(self, address: Address) -> bytes:
        """The code at `address`, empty if it holds none."""
        return bytes.fromhex(self._ask("eth_getCode", address, "latest")[2:])

    def close(self) -> None:
        """Nothing to close: connections are pooled by the library."""

    def request(self, method: str, *params: object) -> Any:
        """The answer to any JSON-RPC method, such as those of a development node.

        Raises:
            ContractError: the answer is a revert.
            LedgerError: any other error.
        """
        return self._ask(method, *params)

    def _ask(self, method: str, *params: object) -> Any:
        try:
            response = self._provider.make_request(cast(RPCEndpoint, method), list(params))
        except (RequestException, OSError, ValueError) as error:
            raise LedgerError(
                f"cannot reach the node at {self._url}: {type(error).__name__}; "
                "check that it runs and that the URL is right"
            ) from None
        if "error" in response:
            raise _failure(method, response["error"])
        return response.get("result")

    def _block(self, number: str) -> Mapping[str, Any]:
        block = self._ask("eth_getBlockByNumber", number, False)
        if block is None:
            raise LedgerError(f"{self._url} has no block {number}")
        return cast(Mapping[str, Any], block)

    def _fields(self, message: Mapping[str, object]) -> dict[str, object]:
        estimate = int(self._ask("eth_estimateGas", message), 16)
        head = self._block("latest")
        fields: dict[str, object] = {
            "chainId": self._chain_id,
            "nonce": int(self._ask("eth_getTransactionCount", message["from"], "pending"), 16),
            "gas": min(estimate + estimate // 4, int(head["gasLimit"], 16)),
        }
        if "to" in message:
            fields["to"] = message["to"]
        if "baseFeePerGas" not in head:
            return fields | {"gasPrice": int(self._ask("eth_gasPrice"), 16)}
        tip = int(self._ask("eth_maxPriorityFeePerGas"), 16)
        most = 2 * int(head["baseFeePerGas"], 16) + tip
        return fields | {"type": 2, "maxFeePerGas": most, "maxPriorityFeePerGas": tip}

    def _mined(self, transaction: Digest) -> Mapping[str, Any]:
        deadline = clock.monotonic() + self._receipt_seconds_max
        while clock.monotonic() < deadline:
            found = self._ask("eth_getTransactionReceipt", _hex(transaction))
            if found is not None:
                return cast(Mapping[str, Any], found)
            clock.sleep(POLL_SECONDS)
        raise LedgerError(
            f"no block held transaction {_hex(transaction)} within "
            f"{self._receipt_seconds_max} s; it may still be mined"
        )

    def _receipt(self, found: Mapping[str, Any], *, calldata: int) -> Receipt:
        created = found.get("contractAddress")
        block = int(found["blockNumber"], 16)
        return Receipt(
            transaction=bytes.fromhex(found["transactionHash"][2:]),
            block=block,
            time=self._time(block),
            gas_used=int(found["gasUsed"], 16),
            calldata=calldata,
            events=tuple(self._logged(found["logs"])),
            created=checksum_address(bytes.fromhex(created[2:])) if created else None,
        )

    def _logged(self, logs: Sequence[Mapping[str, Any]]) -> list[Logged]:
        events = []
        for log in logs:
            contract = self._contracts.get(checksum_address(bytes.fromhex(log["address"][2:])))
            if contract is None or log.get("removed"):
                continue
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            block = int(log["blockNumber"], 16)
            events.append(
                Logged(
                    event=decode_log(contract, topics, bytes.fromhex(log["data"][2:])),
                    block=block,
                    time=self._time(block),
                    index=int(log["logIndex"], 16),
                    transaction=bytes.fromhex(log["transactionHash"][2:]),
                )
            )
        return sorted(events, key=lambda logged: (logged.block, logged.index))

    def _time(self, block: int) -> int:
        if block not in self._times:
            self._times[block] = int(self._block(hex(block))["timestamp"], 16)
        return self._times[block]


def _message(call: Call, data: bytes) -> dict[str, object]:
    message: dict[str, object] = {"data": _hex(data), "value": hex(call.value)}
    return message if call.address == NOWHERE else message | {"to": call.address}


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _failure(method: str, error: Any) -> LedgerError:
    """A revert as the error of the contract, whichever way this node reports it."""
    if not isinstance(error, Mapping):
        return LedgerError(f"{method} failed: {error}")
    message = str(error.get("message", error))
    data = _revert_data(error.get("data"))
    if data is not None:
        return decode_refusal(data)
    if "revert" in message.lower():
        return ContractError(f"the contract refused: {message}")
    return LedgerError(f"{method} failed: {message}")


def _revert_data(data: Any) -> bytes | None:
    """The bytes that a revert returned: plain (geth, anvil), in words (Nethermind), or nested."""
    if isinstance(data, Mapping):
        return _revert_data(data.get("data", data.get("result")))
    if not isinstance(data, str) or "0x" not in data:
        return None
    try:
        return bytes.fromhex(data[data.index("0x") + 2 :])
    except ValueError:
        return None
