"""What a node answered, checked by shape before anybody uses it.

Ethereum JSON-RPC: https://ethereum.github.io/execution-apis/. Nothing here is verified beyond its
shape: who needs more runs a node of their own, or audits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ostrom.chain.client import Block, Mined
from ostrom.chain.refusals import Unreachable
from ostrom.codec import address_bytes, checksum_address, keccak
from ostrom.types import Address, Digest

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_BLOOM_BYTES = 256
_TOPICS_MAX = 4


@dataclass(frozen=True)
class Header:
    """A block as `eth_getBlockBy...` gives it, its transactions by hash.

    `base_fee` is in wei, None before London; `bloom` is empty on chains that have none.
    """

    block: Block
    base_fee: int | None
    bloom: bytes
    transactions: tuple[Digest, ...] = ()


@dataclass(frozen=True)
class Log:
    """A log of a mined transaction. `time` is its block's, where the node says so."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: Digest
    index: int
    transaction: Digest
    time: int | None = None


@dataclass(frozen=True)
class MinedReceipt:
    """A transaction's receipt; `created` is the address of a new contract."""

    transaction: Digest
    mined: Mined
    created: Address | None
    logs: tuple[Log, ...]


def quantity(value: Any, what: str = "a number") -> int:
    """A number of at most 256 bits.

    Raises:
        Unreachable: it is none.

    >>> quantity("0x10")
    16
    """
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _wrong(value, what)
    return int(value, 16)


def data(value: Any, what: str = "bytes", *, length: int | None = None) -> bytes:
    """A byte string, of `length` bytes if that is given.

    >>> data("0x00ff")
    b'\\x00\\xff'
    """
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise _wrong(value, what)
    if length is not None and len(value) != 2 + 2 * length:
        raise _wrong(value, f"{what} of {length} bytes")
    return bytes.fromhex(value[2:])


def header(value: Any) -> Header:
    """A block without its transactions' contents."""
    fields = _fields(value, "a block")
    fee, bloom = fields.get("baseFeePerGas"), fields.get("logsBloom")
    return Header(
        block=Block(
            number=_small(fields.get("number"), "a block's number"),
            hash=data(fields.get("hash"), "a block's hash", length=32),
            parent=data(fields.get("parentHash"), "a parent's hash", length=32),
            time=_small(fields.get("timestamp"), "a block's time"),
            gas_limit=_small(fields.get("gasLimit"), "a block's gas limit"),
        ),
        base_fee=None if fee is None else quantity(fee, "a base fee"),
        bloom=b"" if bloom is None else data(bloom, "a bloom filter", length=_BLOOM_BYTES),
        transactions=tuple(
            data(each, "a transaction's hash", length=32)
            for each in _list(fields.get("transactions", []), "transactions")
        ),
    )


def maybe_header(value: Any) -> Header | None:
    """A block, or None where the node has none."""
    return None if value is None else header(value)


def logs(value: Any) -> list[Log]:
    """Logs of mined transactions in the order of the chain, those of dropped blocks left out.

    Raises:
        Unreachable: no such list, two logs in one place, or two blocks of one number.
    """
    found = [_log(_fields(each, "a log")) for each in _list(value, "logs") if not _removed(each)]
    found.sort(key=lambda log: (log.block, log.index))
    for one, other in pairwise(found):
        if one.block == other.block and one.block_hash != other.block_hash:
            raise Unreachable(f"the node's logs are of two blocks of the number {one.block}")
        if (one.block, one.index) == (other.block, other.index):
            raise Unreachable(f"the node gave two logs {one.index} of block {one.block}")
    return found


def maybe_receipt(value: Any) -> MinedReceipt | None:
    """A receipt, or None where no block holds the transaction."""
    if value is None or (isinstance(value, Mapping) and value.get("blockNumber", 0) is None):
        return None
    fields = _fields(value, "a receipt")
    status = quantity(fields.get("status"), "a receipt's status")
    created = fields.get("contractAddress")
    mined = Mined(
        block=_small(fields.get("blockNumber"), "a block's number"),
        block_hash=data(fields.get("blockHash"), "a block's hash", length=32),
        gas_used=_small(fields.get("gasUsed"), "the gas used"),
        ok=status == 1,
    )
    return MinedReceipt(
        transaction=data(fields.get("transactionHash"), "a transaction's hash", length=32),
        mined=mined,
        created=None if created is None else _address(created),
        logs=tuple(logs(fields.get("logs"))),
    )


def receipts_of(value: Any) -> list[MinedReceipt]:
    """All receipts of a block; none where the node does not know the block."""
    found = [maybe_receipt(each) for each in _list(value or [], "receipts")]
    return [each for each in found if each is not None]


def bloom_holds(bloom: bytes, value: bytes) -> bool:
    """True if a block's bloom filter may hold an address or topic (yellow paper, 4.3.1).

    >>> bloom_holds(bytes(256), b"anything"), bloom_holds(b"\\xff" * 256, b"anything")
    (False, True)
    """
    digest = keccak(value)
    bits = (int.from_bytes(digest[at : at + 2], "big") % 2048 for at in (0, 2, 4))
    return all(bloom[-1 - bit // 8] >> bit % 8 & 1 for bit in bits)


def may_log(bloom: bytes, address: Address, topics: Sequence[bytes]) -> bool:
    """True if a bloom filter may hold a log of `address` with one of the first `topics`."""
    return bloom_holds(bloom, address_bytes(address)) and any(
        bloom_holds(bloom, topic) for topic in topics
    )


def _log(fields: Mapping[str, Any]) -> Log:
    topics = _list(fields.get("topics"), "topics")
    if len(topics) > _TOPICS_MAX:
        raise Unreachable(f"the node gave a log of {len(topics)} topics")
    time = fields.get("blockTimestamp")
    return Log(
        address=_address(fields.get("address")),
        topics=tuple(data(each, "a topic", length=32) for each in topics),
        data=data(fields.get("data"), "a log's data"),
        block=_small(fields.get("blockNumber"), "a block's number"),
        block_hash=data(fields.get("blockHash"), "a block's hash", length=32),
        index=_small(fields.get("logIndex"), "a log's index"),
        transaction=data(fields.get("transactionHash"), "a transaction's hash", length=32),
        time=None if time is None else _small(time, "a block's time"),
    )


def _removed(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get("removed"))


def _address(value: Any) -> Address:
    return checksum_address(data(value, "an address", length=20))


def _small(value: Any, what: str) -> int:
    """A number of at most 64 bits."""
    number = quantity(value, what)
    if number >> 64:
        raise _wrong(value, what)
    return number


def _fields(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(value, what)
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _wrong(value, f"a list of {what}")
    return value


def _wrong(value: Any, what: str) -> Unreachable:
    return Unreachable(f"the node gave {ascii(value)[:80]} where {what} belongs")
