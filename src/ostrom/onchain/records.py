"""What every trainer keeps: contributions, their records, the model, and what all share.

The reference of `DataHandler.sol` and `CollaborativeTrainer.sol`, in pure functions on frozen
states: one takes a state and gives the next, or refuses. Who calls, when and with how much money is
a `Message`. A refusal names the Solidity error, in the order in which the contract asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, TypeVar

from ostrom.codec import keccak, words
from ostrom.errors import ContractError
from ostrom.onchain.models.model import Model
from ostrom.types import Address, Digest

S = TypeVar("S")
K = TypeVar("K")
V = TypeVar("V")

CONTRIBUTIONS_MAX = (1 << 32) - 1
HISTORY_BYTES = 18
"""What one storage word has left for the hash of all keys."""


class Refused(ContractError):
    """The reference refuses a call as the contract does; `name` is the Solidity error's."""

    def __init__(self, name: str, **arguments: object) -> None:
        self.name = name
        inner = ", ".join(f"{key}={value}" for key, value in arguments.items())
        super().__init__(f"the contract refused: {name}({inner})", arguments)


@dataclass(frozen=True)
class Message:
    """A call's surroundings: who, at which time (seconds) and block, with how much (wei)."""

    sender: Address
    time: int
    value: int = 0
    block: int = 0


@dataclass(frozen=True)
class Contribution:
    """What a contributor gave; the chain keeps its hash, the `Added` event all of it."""

    features: bytes
    label: int
    time: int
    contributor: Address
    nonce: int

    @cached_property
    def key(self) -> Digest:
        """`keccak256(abi.encode(keccak256(features), label, time, contributor, nonce))`."""
        digest = keccak(self.features)
        return keccak(words(digest, self.label, self.time, self.contributor, self.nonce))


@dataclass(frozen=True)
class Record:
    """The word under a key: what is left of the deposit, the deposit (wei), the model's memo."""

    claimable: int
    initial: int
    memo: int


@dataclass(frozen=True)
class Checkpoint(Generic[S]):
    """A version of the model, and how many contributions it had met."""

    state: S
    block: int
    nonce: int
    epoch: int
    history: bytes


@dataclass(frozen=True)
class Epoch:
    """What the model knows since a roll-back: nonces from `start` on, below `limit` what `parent`
    knows, and between them those below `end` that are not excluded."""

    start: int = 0
    limit: int = 0
    end: int = 0
    parent: int = 0
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Trainer(Generic[S]):
    """A trainer's storage, whatever its incentive, and its model's state.

    `votes` holds each account's vote: epoch, weight and index of the version.
    """

    deployer: Address
    model_state: S
    records: Mapping[Digest, Record] = field(default_factory=dict)
    last_time: int = 0
    count: int = 0
    validated: int = 0
    history: bytes = bytes(HISTORY_BYTES)
    versions: tuple[Checkpoint[S], ...] = ()
    epochs: tuple[Epoch, ...] = (Epoch(),)
    votes: Mapping[Address, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """How often the model was rolled back or recovered."""
        return len(self.epochs) - 1


def put(table: Mapping[K, V], key: K, value: V | None) -> Mapping[K, V]:
    """The table with one more value, or without that key.

    >>> put({1: "a"}, 2, "b"), put({1: "a"}, 1, None)
    ({1: 'a', 2: 'b'}, {})
    """
    if value is not None:
        return {**table, key: value}
    return {other: kept for other, kept in table.items() if other != key}


def take_in(
    model: Model[S], trainer: Trainer[S], message: Message, *, given: tuple[bytes, int, int]
) -> tuple[Trainer[S], Contribution]:
    """The model learns the features and label `given` (features, label, deposit in wei).

    Raises:
        Refused: there were 2^32 - 1 contributions.
        InputError: the model refuses them.
    """
    features, label, deposit = given
    one = Contribution(features, label, message.time, message.sender, trainer.count)
    if trainer.count == CONTRIBUTIONS_MAX:
        raise Refused("TotalsFull")
    model_state, memo = model.learn(trainer.model_state, features, label)
    record = Record(deposit, deposit, memo)
    after = replace(
        trainer,
        model_state=model_state,
        records=put(trainer.records, one.key, record),
        last_time=message.time,
        count=trainer.count + 1,
        history=next_history(trainer.history, one.key),
    )
    return after, one


def next_history(history: bytes, key: Digest) -> bytes:
    """The hash over all keys with one more; 18 bytes, left-aligned in a word where it is hashed."""
    return keccak(history.ljust(32, b"\0") + key)[:HISTORY_BYTES]


def open_record(trainer: Trainer[S], one: Contribution) -> Record:
    """The record of a contribution of which something is left.

    Raises:
        Refused: HandlerNoContribution.
    """
    record = trainer.records.get(one.key)
    if record is None:
        raise Refused("HandlerNoContribution", key=f"0x{one.key.hex()}")
    return record


def require_age(one: Contribution, wait: int, message: Message) -> None:
    """Refuse until `wait` seconds after the contribution.

    Raises:
        Refused: HandlerTooEarly.
    """
    if message.time < one.time + wait:
        raise Refused("HandlerTooEarly", open_at=one.time + wait)


def agrees(model: Model[S], trainer: Trainer[S], one: Contribution, record: Record) -> bool:
    """Whether the model, without the contribution's own influence, gives it its label.

    A contribution that a roll-back took out of the model has no influence to take out.
    """
    memo = record.memo if is_learnt(trainer, one.nonce) else 0
    return model.agrees(trainer.model_state, one.features, one.label, memo)


def is_learnt(trainer: Trainer[S], nonce: int) -> bool:
    """Whether the model, as it is now, learnt the contribution of that nonce."""
    if nonce >= trainer.count:
        return False
    epoch = trainer.epochs[-1]
    while nonce < epoch.start:
        if nonce >= epoch.limit:
            return nonce < epoch.end and nonce not in epoch.excluded
        epoch = trainer.epochs[epoch.parent]
    return True
