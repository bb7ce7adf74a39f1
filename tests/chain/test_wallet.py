from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from ostrom.chain.wallet import (
    ORDER,
    Domain,
    Join,
    Key,
    Permit,
    Register,
    Signature,
    commit_digest,
    contract_address,
    recover,
    registry_domain,
    simulation_key,
    token_domain,
    training_domain,
)
from ostrom.codec import checksum_address, keccak
from ostrom.errors import InputError
from ostrom.types import Role

ALICE = simulation_key(0, "alice")
BOB = simulation_key(0, "bob")
TASK = keccak(b"a task")
DOMAIN = training_domain(1337, BOB.address)

digests = st.binary(min_size=32, max_size=32)
words = st.integers(0, 2**256 - 1)


@pytest.mark.parametrize(
    "secret",
    [b"", bytes(31), bytes(32), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32],
)
def test_a_secret_outside_the_curve_is_refused(secret: bytes) -> None:
    with pytest.raises(InputError, match="32 bytes"):
        Key(secret)


def test_a_key_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ALICE)


def test_a_key_never_prints_its_secret() -> None:
    secret = bytes(range(1, 33))
    key = Key(secret)
    shown = repr(key) + str(key) + f"{key}" + repr([key]) + repr(Signature(b"", b"", 0))
    assert secret.hex() not in shown
    assert str(int.from_bytes(secret, "big")) not in shown
    assert repr(secret) not in shown


def test_the_other_s_of_a_signature_is_refused() -> None:
    good = ALICE.sign(TASK)
    other = ORDER - int.from_bytes(good.s, "big")
    twin = replace(good, s=other.to_bytes(32, "big"), parity=1 - good.parity)
    with pytest.raises(InputError, match="not a signature"):
        recover(TASK, twin)


def test_noise_is_no_signature() -> None:
    with pytest.raises(InputError, match="not a signature"):
        recover(TASK, Signature(bytes(32), bytes(32), 0))


def test_keys_of_a_simulation_are_the_same_every_time_and_all_different() -> None:
    addresses = {simulation_key(s, n).address for s in range(3) for n in ("alice", "bob")}
    assert len(addresses) == 6
    assert simulation_key(0, "alice").address == ALICE.address


def test_generated_keys_differ() -> None:
    assert Key.generate().address != Key.generate().address


@given(digests)
def test_whoever_signed_is_recovered(digest: bytes) -> None:
    signature = ALICE.sign(digest)
    assert recover(digest, signature) == ALICE.address
    assert int.from_bytes(signature.s, "big") <= ORDER // 2


@given(digests)
def test_a_compact_signature_holds_s_and_parity(digest: bytes) -> None:
    signature = ALICE.sign(digest)
    packed = int.from_bytes(signature.vs, "big")
    assert packed >> 255 == signature.parity
    assert packed & ~(1 << 255) == int.from_bytes(signature.s, "big")


def test_a_signature_equals_that_of_eth_account() -> None:
    secret = keccak(b"carol")
    theirs = Account.unsafe_sign_hash(TASK, secret)
    assert Key(secret).sign(TASK).data == bytes(theirs.signature)
    assert Key(secret).address == Account.from_key(secret).address


@given(digests, words, digests)
def test_a_commit_is_hashed_as_eth_account_does(task: bytes, round: int, what: bytes) -> None:
    fields = [("taskId", "bytes32", task), ("round", "uint256", round)]
    expected = typed_hash(DOMAIN, "Commit", [*fields, ("commitment", "bytes32", what)])
    assert commit_digest(DOMAIN, task, round=round, commitment=what) == expected


@given(digests, st.sampled_from(list(Role)), words, words)
def test_a_join_is_hashed_as_eth_account_does(
    task: bytes, role: Role, stake: int, deadline: int
) -> None:
    expected = typed_hash(
        DOMAIN,
        "Join",
        [
            ("taskId", "bytes32", task),
            ("account", "address", ALICE.address),
            ("role", "uint8", int(role)),
            ("stake", "uint256", stake),
            ("deadline", "uint256", deadline),
        ],
    )
    assert Join(ALICE.address, role, stake, deadline).digest(DOMAIN, task) == expected


@given(st.integers(0, 7), digests, words, words)
def test_a_registration_is_hashed_as_eth_account_does(
    roles: int, metadata: bytes, nonce: int, deadline: int
) -> None:
    domain = registry_domain(1, BOB.address)
    expected = typed_hash(
        domain,
        "Register",
        [
            ("account", "address", ALICE.address),
            ("roles", "uint8", roles),
            ("metadata", "bytes32", metadata),
            ("nonce", "uint256", nonce),
            ("deadline", "uint256", deadline),
        ],
    )
    register = Register(ALICE.address, roles, metadata, nonce, deadline)
    assert register.digest(domain) == expected


@given(words, words, words)
def test_a_permit_is_hashed_as_eth_account_does(value: int, nonce: int, deadline: int) -> None:
    domain = token_domain(10, BOB.address)
    expected = typed_hash(
        domain,
        "Permit",
        [
            ("owner", "address", ALICE.address),
            ("spender", "address", BOB.address),
            ("value", "uint256", value),
            ("nonce", "uint256", nonce),
            ("deadline", "uint256", deadline),
        ],
    )
    permit = Permit(ALICE.address, BOB.address, value, nonce, deadline)
    assert permit.digest(domain) == expected


@pytest.mark.parametrize(
    "other",
    [
        replace(DOMAIN, name="Ostrom Registry"),
        replace(DOMAIN, version="2"),
        replace(DOMAIN, chain_id=1),
        replace(DOMAIN, contract=ALICE.address),
    ],
)
def test_a_signature_for_one_domain_recovers_a_stranger_in_another(other: Domain) -> None:
    signature = ALICE.sign(commit_digest(DOMAIN, TASK, round=1, commitment=TASK))
    replayed = commit_digest(other, TASK, round=1, commitment=TASK)
    assert recover(replayed, signature) != ALICE.address


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 70_000])
def test_a_contract_address_is_that_of_py_evm(nonce: int) -> None:
    from eth._utils.address import generate_contract_address

    raw = generate_contract_address(bytes.fromhex(ALICE.address[2:]), nonce)
    assert contract_address(ALICE.address, nonce) == checksum_address(raw)


def typed_hash(domain: Domain, name: str, fields: list[tuple[str, str, Any]]) -> bytes:
    message = encode_typed_data(
        domain_data={
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        message_types={name: [{"name": key, "type": kind} for key, kind, _ in fields]},
        message_data={key: value for key, _, value in fields},
    )
    return bytes(_hash_eip191_message(message))


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**200),
    st.binary(max_size=80),
    st.sampled_from([{"to": BOB.address}, {}]),
    st.sampled_from(
        [{"gasPrice": 9**9}, {"type": 2, "maxFeePerGas": 130, "maxPriorityFeePerGas": 0}]
    ),
)
def test_a_transaction_has_the_bytes_that_eth_account_signs(
    nonce: int, value: int, data: bytes, to: dict[str, object], price: dict[str, object]
) -> None:
    plain = {"chainId": 1337, "nonce": nonce, "gas": 21_000, "value": value, "data": data}
    fields = plain | to | price
    account = Account.from_key(_secret("alice"))
    assert account.address == ALICE.address
    assert ALICE.sign_transaction(fields) == account.sign_transaction(fields).raw_transaction


def _secret(name: str) -> bytes:
    """As `simulation_key` derives it."""
    digest = keccak(f"ostrom simulation key 0 {name}".encode())
    return (int.from_bytes(digest, "big") % (ORDER - 1) + 1).to_bytes(32, "big")
