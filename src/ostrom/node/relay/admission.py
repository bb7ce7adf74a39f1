"""What a relay checks and sends for who wants to register and join: it pays, so it looks twice.

Only the contracts know nonces, allowances and membership rules, so each wish is tried out on the
chain's newest state, when it is taken and again before it is sent. One account is registered once,
and only if it holds the stake of the task: whoever makes a relay pay for accounts that never train
has to move that stake from one to the next at its own cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from ostrom.chain.contracts import Registry, Training
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import registry_domain
from ostrom.codec import keccak
from ostrom.errors import ContractError, LedgerError
from ostrom.node.relay.book import Entry, Formed, Slot
from ostrom.node.relay.lanes import Queue, not_signed_by
from ostrom.node.relay.messages import (
    JoinMessage,
    Place,
    RegistrationMessage,
    decode_message,
    encode_message,
    signature_of,
)
from ostrom.node.relay.receipts import (
    CONFLICT,
    FORBIDDEN,
    KNOWN,
    NOT_NOW,
    TOO_LATE,
    Receipt,
    receipt,
)
from ostrom.protocol import TaskState
from ostrom.types import Address, Digest, Role

Ask: TypeAlias = Callable[[Call], Any]
"""What the contract answers at the head; it raises what a ledger's `call` does."""

JOINS_MAX = 50
"""Joins in one transaction: about twelve million gas."""

STEPS = 60
"""Joins that wait are sent after a sixtieth of the time for joining."""

REGISTRATIONS_MAX = 16
"""Registrations under way; each is a transaction of its own."""


@dataclass(frozen=True)
class Joins:
    """Joins of trainers: the signature binds chain, contract, task, account, stake and deadline."""

    place: Place
    ask: Ask

    kind: ClassVar[str] = "join"
    batch_max: ClassVar[int] = JOINS_MAX
    in_rounds: ClassVar[bool] = False

    def slot(self, message: JoinMessage) -> Slot:
        """An account joins once."""
        return Slot(self.kind, 0, message.account)

    def content(self, message: JoinMessage) -> Digest:
        """All of it."""
        return keccak(encode_message(message))

    def refuse(self, message: JoinMessage, state: TaskState, now: int) -> Receipt | None:
        """Late, not for a trainer's seat, no seat left, not signed, or done already."""
        account = message.account
        if state.over or now > message.deadline:
            return receipt(TOO_LATE, "the task is over" if state.over else "the wish has expired")
        if message.role != Role.TRAINER:
            return receipt(FORBIDDEN, "this relay lets trainers join, and nobody else")
        digest = message.join.digest(self.place.domain, message.task)
        unsigned = not_signed_by(account, message, digest)
        if unsigned is not None:
            return unsigned
        if account in state.members:
            return receipt(KNOWN, f"{account} has joined already")
        if _seats_left(state) <= 0:
            return receipt(CONFLICT, "every seat of the task is taken")
        return None

    def check(self, message: JoinMessage, state: TaskState) -> Receipt | None:
        """Try the join out on the newest state."""
        training = Training(self.place.training)
        return _tried(self.ask, training.join_by_signature(message.task, message.signed))

    def yields(self, found: Entry) -> bool:
        """The newest wish stays until one was paid for."""
        return not found.tries

    def is_open(self, slot: Slot, state: TaskState) -> bool:
        """True while the account is no member."""
        return not state.over and slot.account not in state.members

    def is_over(self, formed: Formed, state: TaskState, now: int) -> bool:
        """True once somebody of the batch has joined, or after a while nobody can any more."""
        if not all(self.is_open(one.slot, state) for one in formed.entries):
            return True
        if (now - formed.formed_at) * STEPS < state.rules.join_time:
            return False
        return all(self._is_hopeless(one, state) for one in formed.entries)

    def _is_hopeless(self, entry: Entry, state: TaskState) -> bool:
        message = decode_message(entry.data)
        assert isinstance(message, JoinMessage)
        found = self.check(message, state)
        return found is not None and found.status != NOT_NOW

    def ripe(self, queue: Queue, state: TaskState, now: int) -> int:
        """Once they fill the seats or a transaction, or the first has waited for a while."""
        seats = _seats_left(state) - len(queue.under_way)
        if not queue.waiting or seats <= 0:
            return 0
        oldest = min(one.taken_at for one in queue.waiting)
        patient = (now - oldest) * STEPS < state.rules.join_time
        if patient and len(queue.waiting) < min(JOINS_MAX, seats):
            return 0
        return min(JOINS_MAX, len(queue.waiting))

    def call(self, messages: Sequence[JoinMessage], task_id: Digest) -> Call:
        """`joinBatch`."""
        signed = [one.signed for one in messages]
        return Training(self.place.training).join_batch(task_id, signed)


@dataclass(frozen=True)
class Registrations:
    """Registrations of trainers, signed for the Registry."""

    place: Place
    registry: Registry
    token: Address
    ask: Ask

    kind: ClassVar[str] = "registration"
    batch_max: ClassVar[int] = 1
    in_rounds: ClassVar[bool] = False

    def slot(self, message: RegistrationMessage) -> Slot:
        """A relay registers an account once."""
        return Slot(self.kind, 0, message.account)

    def content(self, message: RegistrationMessage) -> Digest:
        """All of it."""
        return keccak(encode_message(message))

    def refuse(self, message: RegistrationMessage, state: TaskState, now: int) -> Receipt | None:
        """Late, not for a trainer, or not signed."""
        if state.over or now > message.deadline:
            return receipt(TOO_LATE, "the task is over" if state.over else "the wish has expired")
        if message.roles != Role.TRAINER:
            return receipt(FORBIDDEN, "this relay registers trainers, and nobody else")
        domain = registry_domain(self.place.chain, self.registry.address)
        return not_signed_by(message.account, message, message.register.digest(domain))

    def check(self, message: RegistrationMessage, state: TaskState) -> Receipt | None:
        """Ask for roles and stake, and try the registration out on the newest state."""
        account = message.account
        views = [
            Call("Registry", self.registry.address, "rolesOf", (account,)),
            Call("Registry", self.registry.address, "freeOf", (account,)),
            Call("Token", self.token, "balanceOf", (account,)),
        ]
        try:
            roles, free, held = (int(self.ask(view)) for view in views)
        except LedgerError as error:
            return receipt(NOT_NOW, f"the chain cannot be asked: {error}")
        if roles & Role.TRAINER:
            return receipt(KNOWN, f"{account} is registered already")
        if free + held < state.rules.trainer_stake:
            return receipt(FORBIDDEN, f"{account} does not hold the stake of this task")
        return _tried(self.ask, self.call([message], state.task_id))

    def yields(self, found: Entry) -> bool:
        """The newest wish stays until one was paid for."""
        return not found.tries

    def is_open(self, slot: Slot, state: TaskState) -> bool:
        """True while the task can be joined; the rest only the Registry knows."""
        return not state.over and slot.account not in state.members

    def is_over(self, formed: Formed, state: TaskState, now: int) -> bool:
        """True once the Registry would refuse it: it is done, or will never be."""
        message = decode_message(formed.entries[0].data)
        assert isinstance(message, RegistrationMessage)
        found = self.check(message, state)
        return found is not None and found.status != NOT_NOW

    def ripe(self, queue: Queue, state: TaskState, now: int) -> int:
        """At once, a few at a time."""
        return min(len(queue.waiting), REGISTRATIONS_MAX - len(queue.under_way))

    def call(self, messages: Sequence[RegistrationMessage], task_id: Digest) -> Call:
        """`registerBySignature`."""
        (one,) = messages
        return self.registry.register_by_signature(one.register, signature_of(one))


def _seats_left(state: TaskState) -> int:
    return state.rules.max_trainers - len(state.accounts(Role.TRAINER))


def _tried(ask: Ask, call: Call) -> Receipt | None:
    """Why the contract refuses the call at the head, if it does."""
    try:
        ask(call)
    except ContractError as error:
        return receipt(FORBIDDEN, str(error))
    except LedgerError as error:
        return receipt(NOT_NOW, f"the chain cannot be asked: {error}")
    return None
