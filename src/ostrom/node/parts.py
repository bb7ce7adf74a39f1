"""What each role wants on the chain now, from a view of it and from what it wrote down before.

A part decides on the confirmed state, and only while the head is in the same phase; what it must
not forget is in the journal before its call is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ostrom.chain.contracts import Training
from ostrom.chain.follower import View
from ostrom.chain.hashes import score_commitment
from ostrom.chain.ledger import Call
from ostrom.chain.wallet import Key
from ostrom.codec import sha256
from ostrom.errors import ContentTooLarge, CorruptContent, NotFound
from ostrom.evidence import fetch_update, read_record
from ostrom.node.actions import Action, Attest, Commit, Reveal
from ostrom.node.journal import Journal
from ostrom.node.relay.messages import Place, commit_message, reveal_message
from ostrom.node.relay.receipts import Carrier
from ostrom.node.relay.timing import duration, has_passed, must_send_directly
from ostrom.node.sponsor import sponsor_step
from ostrom.node.trainer import Memory, Sealed, Trainer, trainer_step
from ostrom.node.transactions import call_of, is_open, name_of
from ostrom.node.validator import Validator, ValidatorMemory, validator_step
from ostrom.protocol import TaskState
from ostrom.spec import Spec
from ostrom.storage import Store, cid_of, digest_of
from ostrom.types import Address, Digest, Phase, Role

Wanted: TypeAlias = Mapping[str, Call]
"""Calls by the name of the act, the most urgent first."""

ROUNDS_KEPT = 8
"""Contents of so many rounds stay in the journal, in case a reorganisation brings one back."""

DUTY_BLOCKS = 4
"""How long one keeper is on duty before the next."""


class Part(Protocol):
    """A role in one task."""

    def wanted(self, view: View) -> Wanted:
        """What the role wants done now.

        Raises:
            StoreError: content that it needs cannot be had now.
        """


@dataclass(frozen=True)
class Courier:
    """How a trainer hands acts to relays, and signs what they carry."""

    carrier: Carrier
    place: Place
    key: Key

    def offer(self, action: Commit | Reveal, task_id: Digest) -> bool:
        """True if a relay took it, or has it already."""
        if isinstance(action, Commit):
            return self.carrier.offer(
                commit_message(self.place, task_id, action, self.key)
            ).accepted
        return self.carrier.offer(reveal_message(self.place, task_id, action)).accepted


@dataclass
class TrainerPart:
    """Trains, commits, reveals, claims. With a `courier` relays carry commits and reveals; what the
    chain does not show in time is sent directly."""

    me: Trainer
    training: Training
    journal: Journal
    courier: Courier | None = None
    _offered: dict[str, tuple[int, int]] = field(default_factory=dict)
    _let_down: int = -1
    """The last round in which no relay carried something in time; the next one trusts them less."""
    _made: set[int] = field(default_factory=set)
    """The rounds of which this process has made the update: an earlier one has offered its own."""
    _rounds: set[int] | None = None
    _held: tuple[int, Sealed] | None = None

    def wanted(self, view: View) -> Wanted:
        """The next act, if one is due."""
        state, now = view.safe, view.head.time
        if not is_current(view):
            return {}
        known = self._sealed(state.number)
        kept, actions = trainer_step(self.me, known, state)
        for number, sealed in kept.items():
            if number not in known:
                self._keep(number, sealed)
        self.journal.forget(before=state.number - ROUNDS_KEPT)
        own = [one for one in actions if is_open(one, view.state, now=now)]
        return calls([one for one in own if self._is_mine_to_send(one, view)], view, self.training)

    def _sealed(self, number: int) -> Memory:
        """The round's sealed update, if the journal has one; read once, not at every look."""
        if self._rounds is None or (number in self._rounds and self._held_round != number):
            found = self.journal.updates()
            self._rounds = set(found)
            self._held = (number, found[number]) if number in found else None
        return {number: self._held[1]} if self._held and self._held_round == number else {}

    @property
    def _held_round(self) -> int | None:
        return None if self._held is None else self._held[0]

    def _keep(self, number: int, sealed: Sealed) -> None:
        """Write the update down before its commitment leaves the machine."""
        rounds = {*(self._rounds or ()), number}
        # A write that fails may have been kept even so: the next look reads what the file says.
        self._rounds = None
        self.journal.keep_update(number, sealed)
        self._rounds, self._held = rounds, (number, sealed)
        self._made = {number}

    def _is_mine_to_send(self, action: Action, view: View) -> bool:
        """False while a relay may still carry it; hands it to one."""
        if self.courier is None or not isinstance(action, (Commit, Reveal)):
            return True
        name, now = name_of(action, view.state), view.head.time
        first, last = self._offered.get(name, (None, None))
        # Offered again after a while: a relay may have lost it.
        again = last is None or has_passed(1, view.state, now, since=last)
        if again and self.courier.offer(action, view.state.task_id):
            first = now if first is None else first
            self._offered = {name: (first, now)}
        number = view.state.number
        alone = must_send_directly(
            view.state,
            now,
            self.me.address,
            offered_at=first if number in self._made else None,
            let_down=number - self._let_down <= 1,
        )
        if alone:
            self._let_down = number
        return alone


@dataclass(frozen=True)
class ValidatorPart:
    """Scores, reveals scores, attests, claims; and is a keeper in turn."""

    me: Validator
    training: Training
    journal: Journal

    def wanted(self, view: View) -> Wanted:
        """The next act, if one is due."""
        actions = self._own(view) if is_current(view) else []
        if on_duty(self.me.address, view):
            actions += sponsor_step(self.me.store, view.safe, now=view.head.time)
        now = view.head.time
        return calls(
            (one for one in actions if is_open(one, view.state, now=now)), view, self.training
        )

    def _own(self, view: View) -> list[Action]:
        state, now = view.safe, view.head.time
        waits = state.phase in (Phase.SCORE, Phase.ATTEST) and not state.over
        incomplete = (
            waits
            and now < state.deadline - duration(state) // 8
            and is_incomplete(self.me.store, self.me.spec, state)
        )
        if incomplete and now < state.deadline - duration(state) // 4:
            # Somebody may serve it yet: who judges without it would contradict who has it.
            return []
        memory = self._memory(state)
        after, actions = validator_step(self.me, memory, state, now=now)
        if after.round == state.number and after.scores != memory.scores:
            self.journal.keep_scores(state.number, evidence_digest(state), after.scores)
        self.journal.forget(before=state.number - ROUNDS_KEPT)
        # Those who hold more may settle it; only if they cannot is another opinion of use.
        return [one for one in actions if not (incomplete and _contradicts(one, state))]

    def _memory(self, state: TaskState) -> ValidatorMemory:
        """The score vector that this round's commitment on the chain hides, or will hide."""
        kept = self.journal.scores(state.number)
        committed = state.round.score_commits.get(self.me.address)
        if committed is None:
            content = kept.get(evidence_digest(state))
        else:
            content = next(
                (one for one in kept.values() if self._hides(state, committed, one)), None
            )
        return ValidatorMemory(state.number, content) if content else ValidatorMemory()

    def _hides(self, state: TaskState, committed: Digest, scores: bytes) -> bool:
        return committed == score_commitment(
            state.task_id,
            state.number,
            validator=self.me.address,
            scores=digest_of(cid_of(scores)),
            salt=self.me.salt(state.number),
        )


@dataclass(frozen=True)
class KeeperPart:
    """Keeps the task moving for everybody, whoever is on duty: what a relay does for a task, and
    a node of the sponsor's without any other role."""

    store: Store
    training: Training

    def wanted(self, view: View) -> Wanted:
        """Overdue phases, sanctions, and at the end the rest of the pool."""
        now = view.head.time
        actions = sponsor_step(self.store, view.safe, now=now)
        return calls(
            (one for one in actions if is_open(one, view.state, now=now)), view, self.training
        )


def _contradicts(action: Action, state: TaskState) -> bool:
    """True for an attestation to what nobody has attested to yet, where somebody has to another."""
    votes = state.round.attestations.values()
    if not isinstance(action, Attest) or not votes:
        return False
    return all(vote.result != action.result for vote in votes)


def is_current(view: View) -> bool:
    """True if what is confirmed is still the phase that the head is in."""
    mine, head = view.safe, view.state
    return (mine.number, mine.phase) == (head.number, head.phase)


def calls(actions: Iterable[Action], view: View, training: Training) -> Wanted:
    """The actions as calls by name."""
    task_id = view.state.task_id
    return {name_of(one, view.state): call_of(one, training, task_id) for one in actions}


def on_duty(account: Address, view: View) -> bool:
    """True for one validator at a time, by turns, so that not all of them pay for one act."""
    keepers = view.state.accounts(Role.VALIDATOR)
    turn = view.head.number // DUTY_BLOCKS
    return bool(keepers) and keepers[turn % len(keepers)] == account


def evidence_digest(state: TaskState) -> Digest:
    """What a round's scores are about: the model that it starts from, and the revealed updates."""
    here = state.round
    parent = state.versions[here.parent].model if here.parent in state.versions else bytes(32)
    rows = (f"{a} {here.reveals[a].update.hex()}" for a in sorted(here.reveals, key=str.lower))
    return sha256("\n".join([state.task_id.hex(), str(here.number), parent.hex(), *rows]).encode())


def is_incomplete(store: Store, spec: Spec, state: TaskState) -> bool:
    """True if something that the round has revealed is not to be had yet."""
    here = state.round
    reads: list[Callable[[], object]] = [
        lambda one=one: fetch_update(store, one.update, spec)  # type: ignore[misc]
        for one in here.reveals.values()
    ]
    if state.phase == Phase.ATTEST:
        reads += [
            lambda one=one: read_record(store, one)  # type: ignore[misc]
            for one in here.score_reveals.values()
        ]
    return any(_absent(read) for read in reads)


def _absent(read: Callable[[], object]) -> bool:
    """True if content is not here; what is here and wrong will not become right."""
    try:
        read()
    except NotFound:
        return True
    except (CorruptContent, ContentTooLarge):
        return False
    return False
