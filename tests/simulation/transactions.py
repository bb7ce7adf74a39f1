"""Signed transactions as a chain reads them: RLP taken apart, the sender recovered.

What `ostrom.chain.wallet` writes is read here by other code, so that a fault in one shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostrom.chain.rlp import rlp_integer, rlp_list, rlp_string
from ostrom.chain.wallet import Signature, recover
from ostrom.codec import checksum_address, keccak
from ostrom.errors import InputError, LedgerError
from ostrom.types import Address, Digest

Item = bytes | list["Item"]


@dataclass(frozen=True)
class Transaction:
    """A transaction that somebody signed; `most` and `tip` are wei for a unit of gas."""

    hash: Digest
    sender: Address
    nonce: int
    to: Address | None
    value: int
    data: bytes
    gas: int
    most: int
    tip: int
    raw: bytes


def read_transaction(raw: bytes, chain_id: int) -> Transaction:
    """The transaction in `raw`, of the first kind (EIP-155) or of type 2 (EIP-1559).

    Raises:
        LedgerError: the bytes are no such transaction, or it is one of another chain.
    """
    try:
        if raw[:1] == b"\x02":
            return _fee_market(raw, chain_id)
        return _legacy(raw, chain_id)
    except (IndexError, ValueError, AssertionError, InputError) as error:
        raise LedgerError(f"not a signed transaction: {error}") from None


def _fee_market(raw: bytes, chain_id: int) -> Transaction:
    fields = _list(raw[1:])
    chain, nonce, tip, most, gas = (_integer(one) for one in fields[:5])
    assert chain == chain_id, f"it is for chain {chain}"
    assert len(fields) == 12, "a transaction of type 2 has twelve fields"
    assert fields[8] == [], "nobody here gives an access list"
    digest = keccak(b"\x02" + rlp_list([_again(one) for one in fields[:9]]))
    parity, r, s = (_integer(one) for one in fields[9:])
    return Transaction(
        hash=keccak(raw),
        sender=recover(digest, _signature(r, s, parity)),
        nonce=nonce,
        to=_address(fields[5]),
        value=_integer(fields[6]),
        data=_bytes(fields[7]),
        gas=gas,
        most=most,
        tip=tip,
        raw=raw,
    )


def _legacy(raw: bytes, chain_id: int) -> Transaction:
    fields = _list(raw)
    assert len(fields) == 9, "a transaction of the first kind has nine fields"
    nonce, price, gas = (_integer(one) for one in fields[:3])
    v, r, s = (_integer(one) for one in fields[6:])
    assert v - 35 >> 1 == chain_id, "it is for another chain"
    tail = [rlp_integer(chain_id), rlp_integer(0), rlp_integer(0)]
    digest = keccak(rlp_list([*(_again(one) for one in fields[:6]), *tail]))
    return Transaction(
        hash=keccak(raw),
        sender=recover(digest, _signature(r, s, v - 35 & 1)),
        nonce=nonce,
        to=_address(fields[3]),
        value=_integer(fields[4]),
        data=_bytes(fields[5]),
        gas=gas,
        most=price,
        tip=price,
        raw=raw,
    )


def _signature(r: int, s: int, parity: int) -> Signature:
    return Signature(r.to_bytes(32, "big"), s.to_bytes(32, "big"), parity)


def _bytes(item: Item) -> bytes:
    assert isinstance(item, bytes), "a list where a string belongs"
    return item


def _integer(item: Item) -> int:
    data = _bytes(item)
    assert not data.startswith(b"\0"), "a number with leading zeros"
    return int.from_bytes(data, "big")


def _address(item: Item) -> Address | None:
    data = _bytes(item)
    assert len(data) in (0, 20), "an address of a wrong length"
    return checksum_address(data) if data else None


def _again(item: Item) -> bytes:
    return rlp_list([_again(one) for one in item]) if isinstance(item, list) else rlp_string(item)


def _list(data: bytes) -> list[Item]:
    item, rest = _item(data)
    assert isinstance(item, list), "not a list"
    assert not rest, "more than one list"
    return item


def _item(data: bytes) -> tuple[Item, bytes]:
    """The first item of `data`, and what follows it (yellow paper, B)."""
    head = data[0]
    if head < 0x80:
        return data[:1], data[1:]
    base = 0x80 if head < 0xC0 else 0xC0
    size, start = head - base, 1
    if size > 55:
        start = 1 + size - 55
        size = int.from_bytes(data[1:start], "big")
    body, rest = data[start : start + size], data[start + size :]
    assert len(body) == size, "it is cut off"
    if base == 0x80:
        return body, rest
    items: list[Item] = []
    while body:
        item, body = _item(body)
        items.append(item)
    return items, rest
