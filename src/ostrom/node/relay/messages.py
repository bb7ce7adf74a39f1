"""What parties hand to a relay: signed commitments, openings, joins and registrations.

A message is a canonical document (`ostrom.codec`), so one message has one encoding. Each names the
chain and the Training contract that it is for; the signatures inside bind both again (EIP-712), and
an opening is bound by its commitment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from ostrom.chain.contracts import SignedCommit, SignedJoin, SignedPermit, TrainerOpening
from ostrom.chain.hashes import update_commitment
from ostrom.chain.wallet import (
    Domain,
    Join,
    Key,
    Register,
    Signature,
    commit_digest,
    training_domain,
)
from ostrom.codec import decode_document, encode_document
from ostrom.errors import CodecError
from ostrom.node.actions import Commit, Reveal
from ostrom.node.relay.fields import ADDRESS, AMOUNT, BYTE, DIGEST, NUMBER, ROUND, Field
from ostrom.types import Address, Digest, Opening

MESSAGE_BYTES_MAX = 2_048
"""The longest message, a join, has about a thousand bytes."""


@dataclass(frozen=True)
class Place:
    """The Training contract, and its chain, that a message is for."""

    chain: int
    training: Address

    @property
    def domain(self) -> Domain:
        """What commits and joins are signed for."""
        return training_domain(self.chain, self.training)


@dataclass(frozen=True)
class CommitMessage:
    """A commitment that its trainer signed (`wallet.commit_digest`)."""

    chain: int
    training: Address
    task: Digest
    round: int
    trainer: Address
    commitment: Digest
    r: bytes
    vs: bytes

    @property
    def signed(self) -> SignedCommit:
        """As `commitBatch` takes it."""
        return SignedCommit(self.commitment, self.r, self.vs)


@dataclass(frozen=True)
class RevealMessage:
    """The opening of a commitment; that it opens it proves its author."""

    chain: int
    training: Address
    task: Digest
    round: int
    trainer: Address
    update: Digest
    chunk_root: Digest
    samples: int
    salt: Digest

    @property
    def opening(self) -> Opening:
        """What opens the commitment."""
        return Opening(self.update, self.chunk_root, self.samples, self.salt)

    @property
    def entry(self) -> TrainerOpening:
        """As `revealBatch` takes it."""
        return TrainerOpening(self.trainer, self.opening)

    @property
    def commitment(self) -> Digest:
        """The commitment that this opens."""
        return update_commitment(self.task, self.round, trainer=self.trainer, opening=self.opening)


@dataclass(frozen=True)
class JoinMessage:
    """A wish to join a task; a `permit_value` of 0 means that no permit is needed."""

    chain: int
    training: Address
    task: Digest
    account: Address
    role: int
    stake: int
    deadline: int
    r: bytes
    vs: bytes
    permit_value: int
    permit_deadline: int
    permit_v: int
    permit_r: bytes
    permit_s: bytes

    @property
    def join(self) -> Join:
        """What the account signed."""
        return Join(self.account, self.role, self.stake, self.deadline)

    @property
    def signed(self) -> SignedJoin:
        """As `joinBatch` takes it."""
        permit = SignedPermit(
            self.permit_value,
            self.permit_deadline,
            self.permit_v,
            self.permit_r,
            self.permit_s,
        )
        return SignedJoin(self.join, self.r, self.vs, permit)


@dataclass(frozen=True)
class RegistrationMessage:
    """A wish to register in roles, signed for the Registry that the Training contract uses."""

    chain: int
    training: Address
    account: Address
    roles: int
    metadata: Digest
    nonce: int
    deadline: int
    r: bytes
    vs: bytes

    @property
    def register(self) -> Register:
        """What the account signed."""
        return Register(self.account, self.roles, self.metadata, self.nonce, self.deadline)


Message: TypeAlias = CommitMessage | RevealMessage | JoinMessage | RegistrationMessage

_PLACE: Mapping[str, Field] = {"chain": NUMBER, "training": ADDRESS}
_SIGNED: Mapping[str, Field] = {"r": DIGEST, "vs": DIGEST}
_TURN: Mapping[str, Field] = {"task": DIGEST, "round": ROUND, "trainer": ADDRESS}

KINDS: Mapping[str, type[Message]] = {
    "commit": CommitMessage,
    "reveal": RevealMessage,
    "join": JoinMessage,
    "registration": RegistrationMessage,
}

FORMS: Mapping[str, Mapping[str, Field]] = {
    "commit": {**_PLACE, **_TURN, "commitment": DIGEST, **_SIGNED},
    "reveal": {
        **_PLACE,
        **_TURN,
        "update": DIGEST,
        "chunk_root": DIGEST,
        "samples": NUMBER,
        "salt": DIGEST,
    },
    "join": {
        **_PLACE,
        "task": DIGEST,
        "account": ADDRESS,
        "role": BYTE,
        "stake": AMOUNT,
        "deadline": NUMBER,
        **_SIGNED,
        "permit_value": AMOUNT,
        "permit_deadline": NUMBER,
        "permit_v": BYTE,
        "permit_r": DIGEST,
        "permit_s": DIGEST,
    },
    "registration": {
        **_PLACE,
        "account": ADDRESS,
        "roles": BYTE,
        "metadata": DIGEST,
        "nonce": NUMBER,
        "deadline": NUMBER,
        **_SIGNED,
    },
}
"""The fields of each kind of message, besides `kind` itself."""


def kind_of(message: Message) -> str:
    """The name of the message's kind, which is also the end of its path."""
    return next(kind for kind, shape in KINDS.items() if isinstance(message, shape))


def encode_message(message: Message) -> bytes:
    """The canonical bytes of a message; `decode_message` is the inverse.

    Raises:
        CodecError: a number does not fit its field.
    """
    kind = kind_of(message)
    values = {one.name: getattr(message, one.name) for one in fields(message)}
    written = {name: field.write(values[name]) for name, field in FORMS[kind].items()}
    data = encode_document({"kind": kind, **written}, max_bytes=MESSAGE_BYTES_MAX)
    decode_message(data)
    return data


def decode_message(data: bytes) -> Message:
    """The message that `data` canonically encodes. Its signature is not looked at.

    Raises:
        CodecError: it is no message; one line says why.
    """
    document = decode_document(data, max_bytes=MESSAGE_BYTES_MAX)
    kind = document.pop("kind", None) if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise CodecError(f"a message is an object whose kind is one of {', '.join(KINDS)}")
    form = FORMS[kind]
    missing = sorted(form.keys() - document.keys())
    if missing:
        raise CodecError(f"a {kind} needs the field {missing[0]}")
    extra = sorted(document.keys() - form.keys())
    if extra:
        raise CodecError(f"a {kind} has no field {ascii(extra[0])[:64]}")
    read: dict[str, Any] = {name: field.read(document[name]) for name, field in form.items()}
    for name, field in form.items():
        if read[name] is None:
            raise CodecError(f"the field {name} of a {kind} must be {field.meaning}")
    return KINDS[kind](**read)


def signature_of(message: CommitMessage | JoinMessage | RegistrationMessage) -> Signature:
    """The signature that `r` and `vs` hold (EIP-2098)."""
    return Signature(message.r, bytes([message.vs[0] & 0x7F]) + message.vs[1:], message.vs[0] >> 7)


def commit_message(place: Place, task_id: Digest, action: Commit, key: Key) -> bytes:
    """The bytes with which the trainer `key` hands its commitment to a relay."""
    digest = commit_digest(place.domain, task_id, round=action.round, commitment=action.commitment)
    signed = key.sign(digest)
    return encode_message(
        CommitMessage(
            place.chain,
            place.training,
            task_id,
            action.round,
            action.trainer,
            action.commitment,
            signed.r,
            signed.vs,
        )
    )


def reveal_message(place: Place, task_id: Digest, action: Reveal) -> bytes:
    """The bytes with which a trainer hands its opening to a relay; nothing is signed."""
    one = action.opening
    return encode_message(
        RevealMessage(
            place.chain,
            place.training,
            task_id,
            action.round,
            action.trainer,
            one.update,
            one.chunk_root,
            one.samples,
            one.salt,
        )
    )


def join_message(place: Place, task_id: Digest, signed: SignedJoin) -> bytes:
    """The bytes with which an account asks a relay to let it join."""
    wish, permit = signed.join, signed.permit
    return encode_message(
        JoinMessage(
            place.chain,
            place.training,
            task_id,
            wish.account,
            int(wish.role),
            wish.stake,
            wish.deadline,
            signed.r,
            signed.vs,
            permit.value,
            permit.deadline,
            permit.v,
            permit.r,
            permit.s,
        )
    )


def registration_message(place: Place, register: Register, signature: Signature) -> bytes:
    """The bytes with which an account asks a relay to register it."""
    return encode_message(
        RegistrationMessage(
            place.chain,
            place.training,
            register.account,
            int(register.roles),
            register.metadata,
            register.nonce,
            register.deadline,
            signature.r,
            signature.vs,
        )
    )
