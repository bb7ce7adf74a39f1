"""The contracts as typed calls: a method makes a `Call` to send, or asks a ledger and decodes.

One class per contract, named and spelled like it; what each function does and refuses is written in
`contracts/src/interfaces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ostrom.chain.client import Block, ChainClient
from ostrom.chain.ledger import Call, Ledger
from ostrom.chain.wallet import Join, Register, Signature
from ostrom.types import Address, Digest, Opening, Phase, Result, Role, TaskParams

ATTEST_GAS = 300_000
"""More than the attestation takes that reaches the quorum and settles the round."""

JOIN_GAS = 400_000
"""More than a join by signature with a permit takes; a batch catches what its joins run out of."""


@dataclass(frozen=True)
class TaskState:
    """What Training stores about a task; the phase may be overdue, see `Training.phase_of`."""

    phase: Phase
    round: int
    deadline: int
    trainers: int
    active: int
    commits: int
    reveals: int
    validators: int
    score_commits: int
    score_reveals: int
    attestations: int
    refunded: bool
    rounds: int
    quorum_bps: int
    sponsor: Address
    token: Address
    pool: int
    allocated: int
    claimed: int
    total_stake: int
    seated_stake: int
    payouts: Digest
    sanctions: Digest


@dataclass(frozen=True)
class MemberState:
    """What Training stores about an account in a task."""

    role: Role
    strikes: int
    seated: bool
    committee: bool
    stake: int
    round: int
    claimed: int


@dataclass(frozen=True)
class ModelVersion:
    """A version of a task's model; `parent` is 0 for the first."""

    parent: int
    round: int
    block_number: int
    model: Digest
    model_root: Digest
    record: Digest


@dataclass(frozen=True)
class SignedCommit:
    """A commitment with its trainer's compact signature (EIP-2098)."""

    commitment: Digest
    r: bytes
    vs: bytes

    @classmethod
    def of(cls, commitment: Digest, signature: Signature) -> SignedCommit:
        """From a signature of `wallet.commit_digest`."""
        return cls(commitment, signature.r, signature.vs)


@dataclass(frozen=True)
class TrainerOpening:
    """An opening and whose it is."""

    trainer: Address
    opening: Opening


@dataclass(frozen=True)
class SignedPermit:
    """A permit of the staking token for the Registry; a value of 0 means none."""

    value: int = 0
    deadline: int = 0
    v: int = 0
    r: bytes = bytes(32)
    s: bytes = bytes(32)

    @classmethod
    def of(cls, value: int, deadline: int, *, signature: Signature) -> SignedPermit:
        """From a signature of `wallet.Permit.digest`."""
        return cls(value, deadline, signature.v, signature.r, signature.s)


@dataclass(frozen=True)
class SignedJoin:
    """A join with its compact signature, and a permit for the stake."""

    join: Join
    r: bytes
    vs: bytes
    permit: SignedPermit = SignedPermit()

    @classmethod
    def of(
        cls, join: Join, signature: Signature, *, permit: SignedPermit | None = None
    ) -> SignedJoin:
        """From a signature of `wallet.Join.digest`."""
        return cls(join, signature.r, signature.vs, permit or SignedPermit())


@dataclass(frozen=True)
class Contract:
    """A contract at an address."""

    address: Address

    def _call(self, function: str, *args: object) -> Call:
        return Call(type(self).__name__, self.address, function, args)


class Token(Contract):
    """The staking and payout token (ERC-20 with permits)."""

    def transfer(self, to: Address, amount: int) -> Call:
        """Move tokens."""
        return self._call("transfer", to, amount)

    def approve(self, spender: Address, amount: int) -> Call:
        """Allow `spender` to pull tokens."""
        return self._call("approve", spender, amount)

    def delegate(self, account: Address) -> Call:
        """Let `account` vote with the caller's tokens."""
        return self._call("delegate", account)

    def balance_of(self, ledger: Ledger, account: Address) -> int:
        """The tokens of an account."""
        return int(ledger.call(self._call("balanceOf", account)))

    def nonce_of(self, ledger: Ledger, account: Address) -> int:
        """The nonce of the account's next permit."""
        return int(ledger.call(self._call("nonces", account)))


class Registry(Contract):
    """Who takes part in which roles, and everybody's stake."""

    def register(self, roles: Role, metadata: Digest) -> Call:
        """Take roles."""
        return self._call("register", int(roles), metadata)

    def register_by_signature(self, register: Register, signature: Signature) -> Call:
        """Relay what an account signed with `Register.digest`."""
        registration = (
            register.account,
            int(register.roles),
            register.metadata,
            register.deadline,
        )
        return self._call("registerBySignature", registration, signature.r, signature.vs)

    def deposit(self, amount: int) -> Call:
        """Bring tokens in; they must be approved."""
        return self._call("deposit", amount)

    def deposit_for(self, account: Address, amount: int) -> Call:
        """Bring the caller's tokens in for another account."""
        return self._call("depositFor", account, amount)

    def withdraw(self, amount: int) -> Call:
        """Take free tokens out."""
        return self._call("withdraw", amount)

    def release(self, locker: Address, bond_id: Digest, *, account: Address) -> Call:
        """Free a bond whose delay is over."""
        return self._call("release", locker, bond_id, account)

    def enable_locker(self, locker: Address) -> Call:
        """Let a contract bond and slash, for ever. Only the owner."""
        return self._call("enableLocker", locker)

    def roles_of(self, ledger: Ledger, account: Address) -> Role:
        """The roles of an account."""
        return Role(ledger.call(self._call("rolesOf", account)))

    def free_of(self, ledger: Ledger, account: Address) -> int:
        """What an account can withdraw or bond."""
        return int(ledger.call(self._call("freeOf", account)))

    def nonce_of(self, ledger: Ledger, account: Address) -> int:
        """The nonce of the account's next signed registration."""
        return int(ledger.call(self._call("nonceOf", account)))

    def bond_of(
        self, ledger: Ledger, locker: Address, *, bond_id: Digest, account: Address
    ) -> tuple[int, int]:
        """The amount of a bond and the time of its release (0 unless it is unbonding)."""
        amount, release_at = ledger.call(self._call("bondOf", locker, bond_id, account))
        return amount, release_at


class ModelRegistry(Contract):
    """Model versions, their lineage and each task's head."""

    def enable_publisher(self, publisher: Address) -> Call:
        """Let a contract publish, for ever. Only the owner."""
        return self._call("enablePublisher", publisher)

    def version_count(self, ledger: Ledger, task_id: Digest) -> int:
        """How many versions a task has; they are numbered from 1."""
        return int(ledger.call(self._call("versionCount", task_id)))

    def version(self, ledger: Ledger, task_id: Digest, *, number: int) -> ModelVersion:
        """One version of a task's model."""
        return ModelVersion(**ledger.call(self._call("version", task_id, number)))

    def head_of(self, ledger: Ledger, task_id: Digest) -> int:
        """The number of the current version."""
        return int(ledger.call(self._call("headOf", task_id)))

    def head_at(self, ledger: Ledger, task_id: Digest, *, block: int) -> int:
        """The number of the version that was current after `block`."""
        return int(ledger.call(self._call("headAt", task_id, block)))


class AllowList(Contract):
    """The membership rule of a consortium: its owner keeps a list."""

    def add(self, accounts: Sequence[Address]) -> Call:
        """Admit accounts. Only the owner."""
        return self._call("add", accounts)

    def remove(self, accounts: Sequence[Address]) -> Call:
        """Admit accounts no longer. Only the owner."""
        return self._call("remove", accounts)

    def is_member(self, ledger: Ledger, task_id: Digest, *, account: Address) -> bool:
        """True if the account is on the list."""
        return bool(ledger.call(self._call("isMember", task_id, account)))


class Training(Contract):
    """Tasks, their rounds, payouts and sanctions."""

    def create_task(self, params: TaskParams) -> Call:
        """Create a task and pay its pool in; the sender must be the sponsor."""
        return self._call("createTask", params)

    def cancel(self, task_id: Digest) -> Call:
        """Give a task up while it is Joining."""
        return self._call("cancel", task_id)

    def roll_back(self, task_id: Digest, version: int) -> Call:
        """Make an earlier version the head."""
        return self._call("rollBack", task_id, version)

    def refund(self, task_id: Digest) -> Call:
        """Return what was never allocated to the sponsor."""
        return self._call("refund", task_id)

    def join(self, task_id: Digest, *, role: Role, stake: int) -> Call:
        """Join with stake from the free balance."""
        return self._call("join", task_id, int(role), stake)

    def join_by_signature(self, task_id: Digest, signed: SignedJoin) -> Call:
        """Relay one join."""
        return self._call("joinBySignature", task_id, signed)

    def join_batch(self, task_id: Digest, signed: Sequence[SignedJoin]) -> Call:
        """Relay joins; refused ones are skipped with an event."""
        call = self._call("joinBatch", task_id, signed)
        return replace(call, gas=JOIN_GAS * len(signed))

    def leave(self, task_id: Digest) -> Call:
        """Leave and begin to unbond the stake."""
        return self._call("leave", task_id)

    def advance(self, task_id: Digest) -> Call:
        """Move an overdue task by one phase."""
        return self._call("advance", task_id)

    def commit(self, task_id: Digest, round: int, *, commitment: Digest) -> Call:
        """Commit the sender to an update."""
        return self._call("commit", task_id, round, commitment)

    def commit_batch(self, task_id: Digest, round: int, *, commits: Sequence[SignedCommit]) -> Call:
        """Relay commitments; refused ones are skipped with an event."""
        return self._call("commitBatch", task_id, round, commits)

    def reveal(self, task_id: Digest, round: int, *, opening: Opening) -> Call:
        """Open the sender's commitment."""
        return self._call("reveal", task_id, round, opening)

    def reveal_batch(
        self, task_id: Digest, round: int, *, openings: Sequence[TrainerOpening]
    ) -> Call:
        """Relay openings; wrong ones are skipped with an event."""
        return self._call("revealBatch", task_id, round, openings)

    def commit_scores(self, task_id: Digest, round: int, *, commitment: Digest) -> Call:
        """Commit the sender to a score vector."""
        return self._call("commitScores", task_id, round, commitment)

    def reveal_scores(self, task_id: Digest, round: int, *, scores: Digest, salt: Digest) -> Call:
        """Reveal the digest of the sender's score vector."""
        return self._call("revealScores", task_id, round, scores, salt)

    def attest(self, task_id: Digest, round: int, *, result: Result) -> Call:
        """Attest to a result."""
        return replace(self._call("attest", task_id, round, result), gas=ATTEST_GAS)

    def claim(
        self, task_id: Digest, account: Address, *, cumulative: int, proof: Sequence[Digest]
    ) -> Call:
        """Pay an account what it earned and did not claim yet."""
        return self._call("claim", task_id, account, cumulative, proof)

    def sanction(
        self, task_id: Digest, account: Address, *, strikes: int, proof: Sequence[Digest]
    ) -> Call:
        """Carry out a sanction."""
        return self._call("sanction", task_id, account, strikes, proof)

    def enable_token(self, token: Address) -> Call:
        """Let tasks pay in a token, for ever. Only the owner."""
        return self._call("enableToken", token)

    def task(self, ledger: Ledger, task_id: Digest) -> TaskState:
        """What is stored about a task."""
        return self._task(ledger.call(self._call("task", task_id)))

    def task_at(self, chain: ChainClient, task_id: Digest, *, block: Block) -> TaskState:
        """What was stored about a task after that block."""
        return self._task(chain.call(self._call("task", task_id), block=block))

    @staticmethod
    def _task(found: dict[str, Any]) -> TaskState:
        return TaskState(**found | {"phase": Phase(found["phase"])})

    def phase_of(self, ledger: Ledger, task_id: Digest) -> tuple[Phase, int]:
        """The phase and round that the next call will find."""
        phase, round = ledger.call(self._call("phaseOf", task_id))
        return Phase(phase), round

    def member(self, ledger: Ledger, task_id: Digest, *, account: Address) -> MemberState:
        """What is stored about an account in a task."""
        found = ledger.call(self._call("member", task_id, account))
        return MemberState(**found | {"role": Role(found["role"])})

    def budget_of(self, ledger: Ledger, task_id: Digest) -> int:
        """What the current round may pay at most."""
        return int(ledger.call(self._call("budgetOf", task_id)))

    def tally_of(self, ledger: Ledger, digest: Digest) -> int:
        """The stake that attested to a result, while its round is not settled."""
        return int(ledger.call(self._call("tallyOf", digest)))
