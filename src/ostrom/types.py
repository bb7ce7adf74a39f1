"""The values that stages hand to each other: frozen, plain, without behaviour.

A stage (data, training, storage, chain, ...) imports these and never another stage.
Amounts of money are integers in the token's smallest unit; times are Unix seconds; digests are
32 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, NewType, TypeAlias

import numpy as np
import numpy.typing as npt

Address = NewType("Address", str)
"""An account: 20 bytes in hexadecimal with the EIP-55 checksum."""

Cid = NewType("Cid", str)
"""A content identifier: CIDv1, base32, sha2-256."""

Digest: TypeAlias = bytes
"""32 bytes: sha2-256 where it names content, keccak-256 where it binds a message."""

IntVector: TypeAlias = npt.NDArray[np.signedinteger[Any]]
"""A flat vector of fixed-point integers, int32 or int64."""


class Phase(IntEnum):
    """Where a task is, in the contract's order."""

    NONE = 0
    JOINING = 1
    COMMIT = 2
    REVEAL = 3
    SCORE = 4
    SCORE_REVEAL = 5
    ATTEST = 6
    FINISHED = 7
    CANCELLED = 8


class Role(IntFlag):
    """What a participant may do."""

    TRAINER = 1
    VALIDATOR = 2
    SPONSOR = 4


@dataclass(frozen=True)
class TaskParams:
    """A task's rules; they never change, and their hash is the task's name."""

    sponsor: Address
    token: Address
    pool: int
    trainer_stake: int
    validator_stake: int
    rounds: int
    max_trainers: int
    quorum_bps: int
    join_time: int
    commit_time: int
    reveal_time: int
    score_time: int
    score_reveal_time: int
    attest_time: int
    membership: Address
    validators: tuple[Address, ...]
    spec: Digest
    model: Digest
    model_root: Digest
    salt: Digest


@dataclass(frozen=True)
class Update:
    """A trainer's quantised change of the model: `values` (d,) int32 or int64.

    `words` (m,) int32 is what is sent where a compression packs the values.
    """

    values: IntVector
    samples: int
    words: IntVector | None = None


@dataclass(frozen=True)
class Opening:
    """What opens a commitment: the update's digest, its chunk root, sample count and salt."""

    update: Digest
    chunk_root: Digest
    samples: int
    salt: Digest


@dataclass(frozen=True)
class Result:
    """A round's outcome as validators attest to it. `paid` is the round's total payout."""

    model: Digest
    model_root: Digest
    record: Digest
    payouts: Digest
    paid: int
    sanctions: Digest


@dataclass(frozen=True)
class Verdict:
    """What the checks say of one update. `check` names the failed check, "" if accepted.

    `strike` is True where the fault is provable from the bytes alone, so that a sanction is due.
    """

    trainer: Address
    check: str = ""
    reason: str = ""
    strike: bool = False

    @property
    def accepted(self) -> bool:
        """True if every check passed."""
        return not self.check


# Events: what the contracts say, one class per Solidity event, same names in snake_case.


@dataclass(frozen=True)
class TaskCreated:
    task_id: Digest
    params: TaskParams


@dataclass(frozen=True)
class Joined:
    task_id: Digest
    account: Address
    role: Role
    stake: int


@dataclass(frozen=True)
class JoinSkipped:
    task_id: Digest
    index: int
    reason: bytes


@dataclass(frozen=True)
class PhaseStarted:
    task_id: Digest
    round: int
    phase: Phase
    deadline: int


@dataclass(frozen=True)
class Committed:
    task_id: Digest
    round: int
    trainer: Address
    commitment: Digest


@dataclass(frozen=True)
class CommitSkipped:
    task_id: Digest
    round: int
    index: int
    reason: bytes


@dataclass(frozen=True)
class Revealed:
    task_id: Digest
    round: int
    trainer: Address
    update: Digest
    chunk_root: Digest
    samples: int


@dataclass(frozen=True)
class RevealSkipped:
    task_id: Digest
    round: int
    index: int
    reason: bytes


@dataclass(frozen=True)
class ScoresCommitted:
    task_id: Digest
    round: int
    validator: Address
    commitment: Digest


@dataclass(frozen=True)
class ScoresRevealed:
    task_id: Digest
    round: int
    validator: Address
    scores: Digest


@dataclass(frozen=True)
class Attested:
    task_id: Digest
    round: int
    validator: Address
    digest: Digest
    result: Result


@dataclass(frozen=True)
class RoundSettled:
    task_id: Digest
    round: int
    digest: Digest
    version: int
    paid: int


@dataclass(frozen=True)
class RoundVoided:
    task_id: Digest
    round: int


@dataclass(frozen=True)
class Claimed:
    task_id: Digest
    account: Address
    amount: int
    cumulative: int


@dataclass(frozen=True)
class Sanctioned:
    task_id: Digest
    account: Address
    strikes: int
    slashed: int
    expelled: bool


@dataclass(frozen=True)
class Left:
    task_id: Digest
    account: Address


@dataclass(frozen=True)
class TaskFinished:
    task_id: Digest


@dataclass(frozen=True)
class TaskCancelled:
    task_id: Digest


@dataclass(frozen=True)
class Refunded:
    task_id: Digest
    amount: int


@dataclass(frozen=True)
class ModelPublished:
    task_id: Digest
    version: int
    parent: int
    round: int
    model: Digest
    model_root: Digest
    record: Digest


@dataclass(frozen=True)
class ModelRolledBack:
    task_id: Digest
    version: int
    replaced: int


@dataclass(frozen=True)
class OtherEvent:
    """An event of the token or the registry, decoded but without a class of its own."""

    contract: str
    name: str
    arguments: Mapping[str, object]


Event: TypeAlias = (
    TaskCreated
    | Joined
    | JoinSkipped
    | PhaseStarted
    | Committed
    | CommitSkipped
    | Revealed
    | RevealSkipped
    | ScoresCommitted
    | ScoresRevealed
    | Attested
    | RoundSettled
    | RoundVoided
    | Claimed
    | Sanctioned
    | Left
    | TaskFinished
    | TaskCancelled
    | Refunded
    | ModelPublished
    | ModelRolledBack
    | OtherEvent
)


@dataclass(frozen=True)
class Logged:
    """An event and where the chain holds it. `time` is the block's timestamp."""

    event: Event
    block: int
    time: int
    index: int
    transaction: Digest
