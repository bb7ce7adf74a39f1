"""Keys, and the messages that are signed off-chain so that trainers need no ether.

EIP-712 typed data (https://eips.ethereum.org/EIPS/eip-712), EIP-2098 compact signatures
(https://eips.ethereum.org/EIPS/eip-2098), ERC-2612 permits (https://eips.ethereum.org/EIPS/eip-2612).

A signature binds a contract on a chain (the domain), the task and the round: replaying it elsewhere
recovers another signer. It does not hide the message.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import coincurve

from ostrom.chain.rlp import rlp_integer, rlp_list, rlp_string
from ostrom.codec import address_bytes, checksum_address, keccak, words
from ostrom.errors import InputError
from ostrom.types import Address, Digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1: a secret is a number from 1 to this less one."""

_DOMAIN = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_COMMIT = keccak(b"Commit(bytes32 taskId,uint256 round,bytes32 commitment)")
_JOIN = keccak(b"Join(bytes32 taskId,address account,uint8 role,uint256 stake,uint256 deadline)")
_REGISTER = keccak(
    b"Register(address account,uint8 roles,bytes32 metadata,uint256 nonce,uint256 deadline)"
)
_PERMIT = keccak(
    b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)


_LEGACY = ("nonce", "gasPrice", "gas", "to", "value", "data")
_FEE_MARKET = (
    "chainId",
    "nonce",
    "maxPriorityFeePerGas",
    "maxFeePerGas",
    "gas",
    "to",
    "value",
    "data",
)
"""The fields of a transaction in the order that its hash takes them in."""


@dataclass(frozen=True)
class Signature:
    """An ECDSA signature over secp256k1: `r` and the low `s` of 32 bytes, `parity` 0 or 1."""

    r: bytes
    s: bytes
    parity: int

    @property
    def v(self) -> int:
        """27 or 28, as `ecrecover` takes it."""
        return 27 + self.parity

    @property
    def vs(self) -> bytes:
        """`s` with the parity in its highest bit (EIP-2098)."""
        return bytes([self.s[0] | self.parity << 7]) + self.s[1:]

    @property
    def data(self) -> bytes:
        """The 65 bytes r, s, v."""
        return self.r + self.s + bytes([self.v])


class Key:
    """A private key. It signs; nothing prints, compares or pickles its secret.

    >>> Key(bytes(31) + b"\\x01")
    Key(0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf)
    """

    __slots__ = ("_private", "address")

    def __init__(self, secret: bytes) -> None:
        """A key of 32 secret bytes.

        Raises:
            InputError: not 32 bytes, or not a number from 1 to the order of the curve.
        """
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise InputError("a private key is 32 bytes, from 1 to the order of secp256k1")
        self._private = coincurve.PrivateKey(secret)
        self.address = _address(self._private.public_key)

    @classmethod
    def generate(cls) -> Key:
        """A fresh key from the system's randomness."""
        return cls((secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big"))

    def sign(self, digest: Digest) -> Signature:
        """The deterministic (RFC 6979), low-s signature of a 32-byte digest."""
        data = self._private.sign_recoverable(digest, hasher=None)
        return Signature(data[:32], data[32:64], data[64])

    def sign_transaction(self, fields: Mapping[str, object]) -> bytes:
        """The raw bytes of a transaction, its fields named as in JSON-RPC.

        With a `gasPrice` it is of the first kind (EIP-155), else of type 2 (EIP-1559).
        """
        if "gasPrice" in fields:
            body, chain = [_item(fields, name) for name in _LEGACY], _integer(fields, "chainId")
            tail = [rlp_integer(chain), rlp_integer(0), rlp_integer(0)]
            signed = self.sign(keccak(rlp_list(body + tail)))
            v = 35 + 2 * chain + signed.parity
            return rlp_list([*body, rlp_integer(v), *_rlp_signature(signed)])
        body = [*(_item(fields, name) for name in _FEE_MARKET), rlp_list([])]
        signed = self.sign(keccak(b"\x02" + rlp_list(body)))
        return b"\x02" + rlp_list([*body, rlp_integer(signed.parity), *_rlp_signature(signed)])

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key cannot be pickled or copied")


def _item(fields: Mapping[str, object], name: str) -> bytes:
    """A transaction's field in RLP; without a `to` the transaction creates a contract."""
    if name == "to":
        to = fields.get("to")
        return rlp_string(address_bytes(Address(str(to))) if to is not None else b"")
    if name == "data":
        data = fields["data"]
        assert isinstance(data, bytes)
        return rlp_string(data)
    return rlp_integer(_integer(fields, name))


def _integer(fields: Mapping[str, object], name: str) -> int:
    value = fields[name]
    assert isinstance(value, int)
    return value


def _rlp_signature(signed: Signature) -> list[bytes]:
    return [rlp_integer(int.from_bytes(part, "big")) for part in (signed.r, signed.s)]


def simulation_key(seed: int, name: str) -> Key:
    """A key that anyone can derive from `seed` and `name`: for simulations and tests only.

    Whoever knows the seed owns the account. Never use it where an account holds anything of value.

    >>> simulation_key(0, "alice") == simulation_key(0, "alice")
    False
    >>> simulation_key(0, "alice").address == simulation_key(0, "alice").address
    True
    """
    digest = keccak(f"ostrom simulation key {seed} {name}".encode())
    return Key((int.from_bytes(digest, "big") % (ORDER - 1) + 1).to_bytes(32, "big"))


def recover(digest: Digest, signature: Signature) -> Address:
    """The account whose key made `signature` over `digest`.

    Raises:
        InputError: no key can have made that signature.

    >>> alice = simulation_key(0, "alice")
    >>> recover(bytes(32), alice.sign(bytes(32))) == alice.address
    True
    """
    data = signature.r + signature.s + bytes([signature.parity])
    if int.from_bytes(signature.s, "big") > ORDER // 2:
        raise InputError("not a signature: s is not the lower of the two")
    try:
        public = coincurve.PublicKey.from_signature_and_message(data, digest, hasher=None)
    except ValueError as error:
        raise InputError(f"not a signature: {error}") from None
    return _address(public)


@dataclass(frozen=True)
class Domain:
    """What an EIP-712 message is bound to: a contract of a name and version on one chain."""

    name: str
    version: str
    chain_id: int
    contract: Address

    @property
    def separator(self) -> Digest:
        """The domain separator."""
        name, version = keccak(self.name.encode()), keccak(self.version.encode())
        return keccak(words(_DOMAIN, name, version, self.chain_id, self.contract))

    def digest(self, struct: Digest) -> Digest:
        """What is signed: the hash of a struct, bound to this domain."""
        return keccak(b"\x19\x01" + self.separator + struct)


def training_domain(chain_id: int, training: Address) -> Domain:
    """The domain of commits and joins."""
    return Domain("Ostrom Training", "1", chain_id, training)


def registry_domain(chain_id: int, registry: Address) -> Domain:
    """The domain of registrations."""
    return Domain("Ostrom Registry", "1", chain_id, registry)


def token_domain(chain_id: int, token: Address, name: str = "Ostrom") -> Domain:
    """The domain of a token's permits."""
    return Domain(name, "1", chain_id, token)


def commit_digest(domain: Domain, task_id: Digest, *, round: int, commitment: Digest) -> Digest:
    """What a trainer signs to commit in a round."""
    return domain.digest(keccak(words(_COMMIT, task_id, round, commitment)))


@dataclass(frozen=True)
class Join:
    """A wish to join a task with a stake, to be relayed before `deadline` (Unix seconds)."""

    account: Address
    role: int
    stake: int
    deadline: int

    def digest(self, domain: Domain, task_id: Digest) -> Digest:
        """What the account signs."""
        return domain.digest(
            keccak(words(_JOIN, task_id, self.account, int(self.role), self.stake, self.deadline))
        )


@dataclass(frozen=True)
class Register:
    """A wish to register in roles; `nonce` is the account's at the registry."""

    account: Address
    roles: int
    metadata: Digest
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> Digest:
        """What the account signs."""
        fields = words(self.account, int(self.roles), self.metadata, self.nonce, self.deadline)
        return domain.digest(keccak(_REGISTER + fields))


@dataclass(frozen=True)
class Permit:
    """An allowance by signature (ERC-2612); `nonce` is the owner's at the token."""

    owner: Address
    spender: Address
    value: int
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> Digest:
        """What the owner signs."""
        fields = words(self.owner, self.spender, self.value, self.nonce, self.deadline)
        return domain.digest(keccak(_PERMIT + fields))


def _address(public: coincurve.PublicKey) -> Address:
    return checksum_address(keccak(public.format(compressed=False)[1:])[12:])


def contract_address(creator: Address, nonce: int) -> Address:
    """The address of the contract that `creator` makes with its transaction number `nonce`.

    >>> contract_address(Address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"), 0)
    '0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d'
    """
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    coded = number if len(number) == 1 and nonce < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + address_bytes(creator) + coded
    return checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[12:])
