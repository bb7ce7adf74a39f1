"""When a relay sends, and when a trainer no longer waits for it. Pure functions of chain time.

A relay that carries nothing cannot be told from a slow one. So a trainer gives it half of the phase
and then sends by itself, after a failure only a third; a relay that wants to be useful sends after
a quarter at the latest.
"""

from __future__ import annotations

from ostrom.protocol import TaskState
from ostrom.types import Address, Phase

BATCH_MAX = 500
"""Commits or reveals in one transaction: about six million gas."""

STEPS = 12
"""A phase has twelve steps: three pass before the first batch, one between stragglers' batches."""

FIRST_STEP = 3
LET_DOWN_STEP = 4
DIRECT_STEP = 6
LAST_STEP = 11
GRACE_STEPS = 2
"""What a relay gets for a message that it took late: a step to wait and a step to be mined."""


def duration(state: TaskState) -> int:
    """The time limit of the current phase in seconds; 0 where there is none."""
    if state.params is None:
        return 0
    rules = state.rules
    return {
        Phase.JOINING: rules.join_time,
        Phase.COMMIT: rules.commit_time,
        Phase.REVEAL: rules.reveal_time,
        Phase.SCORE: rules.score_time,
        Phase.SCORE_REVEAL: rules.score_reveal_time,
        Phase.ATTEST: rules.attest_time,
    }.get(state.phase, 0)


def has_passed(steps: int, state: TaskState, now: int, *, since: int | None = None) -> bool:
    """True if `steps` twelfths of the phase have passed `since` then, or since it began."""
    length = duration(state)
    start = state.deadline - length if since is None else since
    return (now - start) * STEPS >= length * steps


def ripe(state: TaskState, now: int, *, waiting: int, missing: int, last: int | None) -> int:
    """How many of the messages that wait a relay should send.

    All of them once nobody is `missing`, after a quarter of the phase, and then a twelfth after the
    `last` batch; full batches at once.
    """
    if not waiting or now >= state.deadline:
        return 0
    late = has_passed(FIRST_STEP, state, now)
    again = last is None or has_passed(1, state, now, since=last)
    if not missing or (late and again):
        return waiting
    return waiting - waiting % BATCH_MAX


def owes(state: TaskState, account: Address) -> bool:
    """True if the account can still commit, or must still reveal, in the current phase."""
    if state.phase == Phase.COMMIT:
        return state.is_active(account) and account not in state.round.commits
    return state.phase == Phase.REVEAL and state.round.owes_reveal(account)


def must_send_directly(
    state: TaskState,
    now: int,
    account: Address,
    *,
    offered_at: int | None,
    let_down: bool = False,
) -> bool:
    """True if a trainer must send its commit or reveal by itself, at its own cost.

    Args:
        state: the task at the head of the chain, so that what is done is not done twice.
        offered_at: when a relay took the message first, in chain time; None if none did, or if that
            was before this process began.
        let_down: whether the relay has failed to carry something in this round or the last.

    Half of the phase belongs to the relay, a third to one that has just failed. Who was late, but
    within the phase, gives it two twelfths from the offer; in the last twelfth there is no more
    waiting.

    >>> must_send_directly(TaskState(), 0, Address("0x0"), offered_at=None)
    False
    """
    if not owes(state, account) or now >= state.deadline:
        return False
    if not has_passed(LET_DOWN_STEP if let_down else DIRECT_STEP, state, now):
        return False
    if offered_at is None or has_passed(LAST_STEP, state, now):
        return True
    return has_passed(GRACE_STEPS, state, now, since=offered_at)
