"""The round as a pure state machine: what the contract's events mean, who owes what, and when.

`step(state, event, now)` takes one event (or a `Tick`, when only time has passed) and returns the
new state with the commands that it makes due. Nothing here reads a clock, a chain or a file, so the
node, the simulator and the audit all run the same machine. It also checks: an event that the
protocol forbids in this state raises `ProtocolError`, whatever the contract let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TypeAlias

from ostrom import types as t
from ostrom.errors import ProtocolError
from ostrom.growing import Growing, put, without
from ostrom.types import Address, Digest, Phase, Role


@dataclass(frozen=True)
class Tick:
    """Time has passed and nothing else happened."""


@dataclass(frozen=True)
class Command:
    """`account` owes `act` in the current round; without an account, anyone may do it."""

    act: str
    account: Address | None = None


@dataclass(frozen=True)
class Member:
    """A participant of a task. `since` is the first round in which a trainer may commit."""

    role: Role
    stake: int
    since: int = 1
    strikes: int = 0
    slashed: int = 0
    expelled: bool = False
    left: bool = False


@dataclass(frozen=True)
class RoundState:
    """What the chain knows of one round. All entries keep the order of the log."""

    number: int
    parent: int = 0
    commits: Mapping[Address, Digest] = field(default_factory=Growing)
    reveals: Mapping[Address, t.Revealed] = field(default_factory=Growing)
    score_commits: Mapping[Address, Digest] = field(default_factory=Growing)
    score_reveals: Mapping[Address, Digest] = field(default_factory=Growing)
    attestations: Mapping[Address, t.Attested] = field(default_factory=Growing)
    settled: t.Result | None = None
    void: bool = False

    def owes_reveal(self, trainer: Address) -> bool:
        """True if the trainer committed and did not reveal."""
        return trainer in self.commits and trainer not in self.reveals

    @property
    def missed(self) -> tuple[Address, ...]:
        """Trainers who committed and did not reveal, sorted."""
        return tuple(sorted(filter(self.owes_reveal, self.commits), key=str.lower))


@dataclass(frozen=True)
class TaskState:
    """A task as its events tell it."""

    task_id: Digest = bytes(32)
    params: t.TaskParams | None = None
    phase: Phase = Phase.NONE
    number: int = 0
    deadline: int = 0
    members: Mapping[Address, Member] = field(default_factory=Growing)
    rounds: Mapping[int, RoundState] = field(default_factory=dict)
    versions: Mapping[int, t.ModelPublished] = field(default_factory=dict)
    head: int = 0
    allocated: int = 0
    claimed: Mapping[Address, int] = field(default_factory=Growing)
    claimed_total: int = 0
    refunded: int = 0

    @property
    def rules(self) -> t.TaskParams:
        """The task's parameters; asking before the task exists is a fault of the caller."""
        if self.params is None:
            raise ProtocolError("the task has not been created yet")
        return self.params

    @property
    def round(self) -> RoundState:
        """The current round."""
        return self.rounds.get(self.number, RoundState(self.number, self.head))

    @property
    def over(self) -> bool:
        """True once no round can follow."""
        return self.phase in (Phase.FINISHED, Phase.CANCELLED)

    def accounts(self, role: Role) -> tuple[Address, ...]:
        """Members of `role` who may still act, sorted by address."""
        return tuple(sorted((a for a in self.members if self.may_act(a, role)), key=str.lower))

    def may_act(self, account: Address, role: Role) -> bool:
        """True if `account` is a member of `role` who has neither left nor been expelled."""
        m = self.members.get(account)
        return m is not None and m.role == role and not (m.left or m.expelled)

    def active_trainers(self) -> tuple[Address, ...]:
        """Trainers who may commit in the current round, sorted by address."""
        return tuple(a for a in self.accounts(Role.TRAINER) if self.is_active(a))

    def is_active(self, trainer: Address) -> bool:
        """True if the trainer may commit in the current round."""
        return self.may_act(trainer, Role.TRAINER) and self.members[trainer].since <= self.number

    def committee(self) -> Mapping[Address, int]:
        """Each validator's stake at the start of the first round; sanctions do not shrink it."""
        members = self.members.items()
        return {a: m.stake for a, m in members if m.role == Role.VALIDATOR and not m.left}

    def budget(self) -> int:
        """What the current round may pay at most, in the token's smallest unit, rounded down."""
        return (self.rules.pool - self.allocated) // (self.rules.rounds - self.number + 1)


Event: TypeAlias = t.Event | Tick

_ACTS = (t.Committed, t.Revealed, t.ScoresCommitted, t.ScoresRevealed, t.Attested)
_ORDER = (Phase.COMMIT, Phase.REVEAL, Phase.SCORE, Phase.SCORE_REVEAL, Phase.ATTEST)
_BEFORE = dict(zip(_ORDER[1:], _ORDER))


def step(state: TaskState, event: Event, now: int) -> tuple[TaskState, tuple[Command, ...]]:
    """Apply one event at time `now` (seconds); return the new state and what is now due.

    Events of other tasks, of the token and of the registry leave the state as it is.

    Raises:
        ProtocolError: the protocol forbids the event in this state.
    """
    state = apply(state, event, now)
    return state, due(state, now)


def apply(state: TaskState, event: Event, now: int) -> TaskState:
    """`step` for those who do not ask what is due."""
    task_id = getattr(event, "task_id", state.task_id)
    if not isinstance(event, t.TaskCreated) and task_id != state.task_id:
        return state
    late = isinstance(event, _ACTS) and now > state.deadline
    _require(not late, f"{type(event).__name__} at {now}, after the deadline {state.deadline}")
    return _apply(event, state)


def replay(state: TaskState, events: Iterable[t.Logged]) -> TaskState:
    """Apply a log in order."""
    for logged in events:
        state = apply(state, logged.event, logged.time)
    return state


def due(state: TaskState, now: int) -> tuple[Command, ...]:
    """Who owes which act at time `now`, sorted by account."""
    if state.phase == Phase.NONE or state.over:
        return ()
    if now > state.deadline:
        return (Command("advance"),)
    return tuple(Command(act, account) for act, account in _open_acts(state))


def _open_acts(state: TaskState) -> list[tuple[str, Address]]:
    here, validators = state.round, state.accounts(Role.VALIDATOR)
    if state.phase == Phase.COMMIT:
        return [("commit", a) for a in state.active_trainers() if a not in here.commits]
    if state.phase == Phase.REVEAL:
        return [("reveal", a) for a in here.missed]
    if state.phase == Phase.SCORE:
        return [("commit_scores", a) for a in validators if a not in here.score_commits]
    if state.phase == Phase.SCORE_REVEAL:
        owing = set(here.score_commits) - set(here.score_reveals)
        return [("reveal_scores", a) for a in sorted(owing, key=str.lower)]
    if state.phase == Phase.ATTEST:
        return [("attest", a) for a in validators if a not in here.attestations]
    return []


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise ProtocolError(fault)


def _in_round(state: TaskState, phase: Phase, number: int, what: str) -> RoundState:
    """The current round, after checking that `what` may happen in it now."""
    now = f"the {state.phase.name} phase of round {state.number}"
    _require(state.phase == phase and state.number == number, f"{what} of round {number} in {now}")
    _require(not _ended(state), f"{what} of round {number} after its end")
    return state.round


def _ended(state: TaskState) -> bool:
    return state.round.void or state.round.settled is not None


def _with_round(state: TaskState, changed: RoundState) -> TaskState:
    return replace(state, rounds=put(state.rounds, changed.number, changed))


@singledispatch
def _apply(event: object, state: TaskState) -> TaskState:
    return state


@_apply.register
def _(event: t.TaskCreated, state: TaskState) -> TaskState:
    if state.task_id not in (bytes(32), event.task_id):
        return state
    _require(state.params is None, "the task is created twice")
    return replace(state, task_id=event.task_id, params=event.params)


@_apply.register
def _(event: t.Joined, state: TaskState) -> TaskState:
    # Nobody joins again after leaving: a second seat would wipe the strikes of the first.
    _require(event.account not in state.members, f"{event.account} joins twice")
    invited, validates = event.account in state.rules.validators, event.role == Role.VALIDATOR
    _require(invited == validates, f"{event.account} joins in a wrong role")
    late = state.over or (validates and state.number > 0)
    _require(not late, f"{event.account} joins too late")
    member = Member(event.role, event.stake, since=state.number + 1)
    return replace(state, members=put(state.members, event.account, member))


@_apply.register
def _(event: t.Left, state: TaskState) -> TaskState:
    _require(event.account in state.members, f"{event.account} leaves without having joined")
    member = state.members[event.account]
    _require(not (member.left or member.expelled), f"{event.account} leaves twice")
    stays = member.role == Role.VALIDATOR and state.number > 0
    bound = stays or state.round.owes_reveal(event.account)
    _require(state.over or not bound, f"{event.account} leaves while its round needs it")
    return replace(state, members=put(state.members, event.account, replace(member, left=True)))


@_apply.register
def _(event: t.PhaseStarted, state: TaskState) -> TaskState:
    phase, number = event.phase, event.round
    if phase == Phase.JOINING:
        legal = state.phase == Phase.NONE and number == 0
    elif phase == Phase.COMMIT:
        ended = state.phase == Phase.JOINING or (_ended(state) and not state.over)
        legal = number == state.number + 1 <= state.rules.rounds and ended
    else:
        legal = number == state.number and state.phase == _BEFORE.get(phase) and not _ended(state)
    _require(legal, f"phase {phase.name} of round {number} follows {state.phase.name}")
    state = replace(state, phase=phase, number=number, deadline=event.deadline)
    return _with_round(state, RoundState(number, state.head)) if phase == Phase.COMMIT else state


@_apply.register
def _(event: t.Committed, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.COMMIT, event.round, "a commitment")
    _require(state.is_active(event.trainer), f"{event.trainer} is no active trainer")
    _require(event.trainer not in here.commits, f"{event.trainer} commits twice")
    commits = put(here.commits, event.trainer, event.commitment)
    return _with_round(state, replace(here, commits=commits))


@_apply.register
def _(event: t.Revealed, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.REVEAL, event.round, "a reveal")
    _require(event.trainer in here.commits, f"{event.trainer} reveals without a commitment")
    _require(event.trainer not in here.reveals, f"{event.trainer} reveals twice")
    return _with_round(state, replace(here, reveals=put(here.reveals, event.trainer, event)))


@_apply.register
def _(event: t.ScoresCommitted, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.SCORE, event.round, "a score commitment")
    _require(state.may_act(event.validator, Role.VALIDATOR), f"{event.validator} is no validator")
    _require(event.validator not in here.score_commits, f"{event.validator} scores twice")
    commits = put(here.score_commits, event.validator, event.commitment)
    return _with_round(state, replace(here, score_commits=commits))


@_apply.register
def _(event: t.ScoresRevealed, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.SCORE_REVEAL, event.round, "a score reveal")
    _require(event.validator in here.score_commits, f"{event.validator} reveals uncommitted scores")
    _require(event.validator not in here.score_reveals, f"{event.validator} reveals scores twice")
    reveals = put(here.score_reveals, event.validator, event.scores)
    return _with_round(state, replace(here, score_reveals=reveals))


@_apply.register
def _(event: t.Attested, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.ATTEST, event.round, "an attestation")
    _require(state.may_act(event.validator, Role.VALIDATOR), f"{event.validator} is no validator")
    _require(event.validator not in here.attestations, f"{event.validator} attests twice")
    votes = put(here.attestations, event.validator, event)
    return _with_round(state, replace(here, attestations=votes))


@_apply.register
def _(event: t.RoundSettled, state: TaskState) -> TaskState:
    here = _in_round(state, Phase.ATTEST, event.round, "a settlement")
    stakes = state.committee()
    agreed = [a for a in here.attestations.values() if a.digest == event.digest]
    weight = sum(stakes[a.validator] for a in agreed)
    quorum = weight * 10_000 >= state.rules.quorum_bps * sum(stakes.values())
    _require(bool(agreed) and quorum, f"round {event.round} settles without a quorum")
    _require(event.paid == agreed[0].result.paid, f"round {event.round} pays another sum")
    _require(0 <= event.paid <= state.budget(), f"round {event.round} pays more than its budget")
    _require(event.version == state.head, f"round {event.round} settles before its model is out")
    state = replace(state, allocated=state.allocated + event.paid)
    return _with_round(state, replace(here, settled=agreed[0].result))


@_apply.register
def _(event: t.RoundVoided, state: TaskState) -> TaskState:
    turn = event.round == state.number and event.round in state.rounds and not _ended(state)
    _require(turn, f"round {event.round} is voided out of turn")
    return _with_round(state, replace(state.round, void=True))


@_apply.register
def _(event: t.ModelPublished, state: TaskState) -> TaskState:
    _require(event.version not in state.versions, f"version {event.version} is published twice")
    _require(event.parent == state.head, f"version {event.version} has a wrong parent")
    _require(event.round == state.number and not _ended(state), "a model is published out of turn")
    return replace(state, versions=put(state.versions, event.version, event), head=event.version)


@_apply.register
def _(event: t.ModelRolledBack, state: TaskState) -> TaskState:
    _require(event.version in state.versions, f"rolled back to unknown version {event.version}")
    state = replace(state, head=event.version)
    if state.phase == Phase.FINISHED:
        return state
    idle = state.phase == Phase.COMMIT and not state.round.commits
    _require(idle, "rolled back in the middle of a round")
    return _with_round(state, replace(state.round, parent=event.version))


@_apply.register
def _(event: t.Sanctioned, state: TaskState) -> TaskState:
    _require(event.account in state.members, f"{event.account} is sanctioned but no member")
    member = state.members[event.account]
    _require(event.strikes > member.strikes, f"{event.account} is sanctioned twice for one fault")
    slashed = member.slashed + event.slashed
    member = replace(member, strikes=event.strikes, slashed=slashed, expelled=event.expelled)
    state = replace(state, members=put(state.members, event.account, member))
    here = state.round
    if not event.expelled or here.number not in state.rounds:
        return state
    # Who is expelled owes the round nothing more; what it revealed stays said.
    gone = event.account
    commits = here.commits if gone in here.reveals else without(here.commits, gone)
    scores = here.score_commits
    scores = scores if gone in here.score_reveals else without(scores, gone)
    return _with_round(state, replace(here, commits=commits, score_commits=scores))


@_apply.register
def _(event: t.Claimed, state: TaskState) -> TaskState:
    before = state.claimed.get(event.account, 0)
    right = event.cumulative == before + event.amount > before
    _require(right, f"{event.account} claims a wrong amount")
    total = state.claimed_total + event.amount
    _require(total <= state.allocated, f"{event.account} claims more than was allocated")
    claimed = put(state.claimed, event.account, event.cumulative)
    return replace(state, claimed=claimed, claimed_total=total)


@_apply.register
def _(event: t.TaskFinished, state: TaskState) -> TaskState:
    _require(_ended(state) and not state.over, "the task finishes out of turn")
    return replace(state, phase=Phase.FINISHED)


@_apply.register
def _(event: t.TaskCancelled, state: TaskState) -> TaskState:
    _require(state.phase == Phase.JOINING, "the task is cancelled after it began")
    return replace(state, phase=Phase.CANCELLED)


@_apply.register
def _(event: t.Refunded, state: TaskState) -> TaskState:
    _require(state.over and not state.refunded, "a refund before the end, or a second one")
    _require(event.amount == state.rules.pool - state.allocated, "a refund that is not the rest")
    return replace(state, refunded=event.amount)
