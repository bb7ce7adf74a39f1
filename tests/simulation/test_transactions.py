from __future__ import annotations

import pytest
from tests.simulation.transactions import read_transaction

from ostrom.chain.wallet import simulation_key
from ostrom.codec import keccak
from ostrom.errors import LedgerError

ALICE = simulation_key(0, "alice")
BOB = simulation_key(0, "bob").address
FIELDS: dict[str, object] = {
    "chainId": 1337,
    "nonce": 0,
    "gas": 21_000,
    "to": BOB,
    "value": 5,
    "data": bytes(200),
}
TYPE_2 = ALICE.sign_transaction(FIELDS | {"maxFeePerGas": 300, "maxPriorityFeePerGas": 2})
LEGACY = ALICE.sign_transaction(FIELDS | {"gasPrice": 300})


@pytest.mark.parametrize("raw", [TYPE_2, LEGACY], ids=["type 2", "legacy"])
def test_what_the_wallet_signs_is_read_back_with_its_sender(raw: bytes) -> None:
    made = read_transaction(raw, 1337)
    assert (made.sender, made.to, made.nonce) == (ALICE.address, BOB, 0)
    assert (made.gas, made.most, made.value) == (21_000, 300, 5)
    assert (made.data, made.hash) == (bytes(200), keccak(raw))


@pytest.mark.parametrize("raw", [TYPE_2, LEGACY], ids=["type 2", "legacy"])
def test_a_transaction_of_another_chain_is_refused(raw: bytes) -> None:
    with pytest.raises(LedgerError):
        read_transaction(raw, 1)


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\xc0", b"\x80", TYPE_2[:-1], LEGACY + b"\0"])
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(LedgerError):
        read_transaction(raw, 1337)


def test_no_changed_byte_keeps_the_sender() -> None:
    for at in range(len(TYPE_2)):
        changed = TYPE_2[:at] + bytes([TYPE_2[at] ^ 1]) + TYPE_2[at + 1 :]
        try:
            assert read_transaction(changed, 1337).sender != ALICE.address
        except LedgerError:
            continue
