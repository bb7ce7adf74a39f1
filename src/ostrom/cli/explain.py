"""A contract's refusal as one line that says what to do, and how far away that is.

Pure: what the chain says about the task and its own pace are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ostrom.chain.tasks import Pace
from ostrom.cli.amounts import Coin
from ostrom.errors import ContractError
from ostrom.report.words import duration
from ostrom.types import Phase, TaskParams

ORDER = (Phase.COMMIT, Phase.REVEAL, Phase.SCORE, Phase.SCORE_REVEAL, Phase.ATTEST)
"""The phases of a round."""


@dataclass(frozen=True)
class Moment:
    """Where a task is: what the next transaction will find, and the deadline of the phase that the
    contract has stored, in Unix seconds."""

    phase: Phase
    round: int
    deadline: int
    params: TaskParams
    pace: Pace

    @property
    def over(self) -> bool:
        """True once no round can follow."""
        return self.phase in (Phase.FINISHED, Phase.CANCELLED)

    @property
    def left(self) -> int:
        """Seconds to the end of the phase; a phase that has yet to begin lasts its whole time."""
        left = self.deadline - self.pace.time
        return left if left >= 0 else phase_seconds(self.params, self.phase)

    def until(self, phase: Phase) -> int:
        """Seconds until a phase of the round, or the next round's Commit, begins at the latest."""
        here = ORDER.index(self.phase) if self.phase in ORDER else -1
        there = ORDER.index(phase)
        between = ORDER[here + 1 : there] if there > here else (*ORDER[here + 1 :], *ORDER[:there])
        return self.left + sum(phase_seconds(self.params, one) for one in between)

    def until_end(self) -> int:
        """Seconds until the task ends at the latest."""
        a_round = sum(phase_seconds(self.params, one) for one in ORDER)
        return self.until(Phase.COMMIT) + (self.params.rounds - self.round) * a_round


def phase_seconds(params: TaskParams, phase: Phase) -> int:
    """How long a phase may last; 0 for those without a deadline."""
    if phase == Phase.JOINING:
        return params.join_time
    return int(getattr(params, f"{phase.name.lower()}_time")) if phase in ORDER else 0


def phase_name(phase: Phase) -> str:
    """A phase as people read it.

    >>> phase_name(Phase.SCORE_REVEAL)
    'score reveal'
    """
    return phase.name.lower().replace("_", " ")


def span(seconds: int, pace: Pace) -> str:
    """A time ahead in blocks and in seconds; without blocks where the chain is at rest.

    >>> span(36, Pace(9, 0, 12.0)), span(36, Pace(9, 0, None))
    ('3 blocks (36 s)', '36 s')
    """
    time, blocks = f"{seconds} s" if seconds < 60 else duration(seconds), pace.blocks(seconds)
    return time if blocks is None else f"{blocks:,} block{'' if blocks == 1 else 's'} ({time})"


def explain(error: ContractError, coin: Coin, moment: Moment | None = None) -> str:
    """One line for a refusal; without a moment, or for an error that needs none, what it says.

    >>> from ostrom.errors import CONTRACT_ERRORS
    >>> full = CONTRACT_ERRORS["TrainingFull"](arguments={"task_id": b"", "max_trainers": 5})
    >>> explain(full, Coin())
    "all of the task's 5 seats for trainers are taken"
    """
    name, given = type(error).__name__, error.arguments
    if name in _TIMED and moment is not None:
        return _TIMED[name](given, moment)
    if name in _PLAIN:
        return _PLAIN[name](given, coin)
    return str(error)


Given: TypeAlias = Mapping[str, Any]


def _wrong_phase(given: Given, now: Moment) -> str:
    wanted = Phase(given["expected"])
    if now.over:
        return f"the task is {phase_name(now.phase)}: there is no {phase_name(wanted)} any more"
    if wanted == now.phase:
        return f"{phase_name(wanted)} opened this moment: run the command again"
    where = f"the task is in the {phase_name(now.phase)} phase of round {now.round}"
    if wanted == Phase.JOINING:
        return f"joining closed when round 1 began; {where}"
    if now.phase == Phase.JOINING:
        where = "the task still waits for members"
    opens = span(now.until(wanted), now.pace)
    if now.phase == Phase.JOINING or ORDER.index(wanted) > ORDER.index(now.phase):
        return f"{phase_name(wanted)} opens in {opens} at the latest; {where}"
    if now.round >= now.params.rounds:
        return f"{phase_name(wanted)} is closed, and no round follows; {where}"
    return (
        f"{phase_name(wanted)} of round {now.round} is closed; that of round {now.round + 1} opens "
        f"in {opens} at the latest; {where}"
    )


def _wrong_round(given: Given, now: Moment) -> str:
    return f"round {given['given']} is not the current one: the task is in round {now.round}"


def _next_round(given: Given, now: Moment) -> str:
    opens = span(now.until(Phase.COMMIT), now.pace)
    return (
        f"{given['account']} joined in this round and acts from round {now.round + 1} on, "
        f"in {opens} at the latest"
    )


def _must_stay(given: Given, now: Moment) -> str:
    ends = span(now.until_end(), now.pace)
    return f"a validator stays until the task ends, in {ends} at the latest"


def _open_commitment(given: Given, now: Moment) -> str:
    ends = span(now.until(Phase.COMMIT), now.pace)
    return (
        f"{given['account']} has committed and not revealed: it can leave once it has revealed, "
        f"or when the round ends, in {ends} at the latest"
    )


def _not_ended(given: Given, now: Moment) -> str:
    return f"the task has not ended: it does in {span(now.until_end(), now.pace)} at the latest"


def not_releasable(release_at: int, pace: Pace) -> str:
    """Why a stake cannot be taken out yet."""
    return f"the stake is free in {span(max(release_at - pace.time, 0), pace)}"


_TIMED: Mapping[str, Callable[[Given, Moment], str]] = {
    "TrainingWrongPhase": _wrong_phase,
    "TrainingWrongRound": _wrong_round,
    "TrainingActsNextRound": _next_round,
    "TrainingValidatorMustStay": _must_stay,
    "TrainingOpenCommitment": _open_commitment,
    "TrainingTaskNotEnded": _not_ended,
    "TrainingTaskNotIdle": lambda given, now: (
        "a version is rolled back in a finished task, or before anybody has committed; the task is "
        f"in the {phase_name(now.phase)} phase"
    ),
    "RegistryNotReleasable": lambda given, now: not_releasable(given["release_at"], now.pace),
}

_PLAIN: Mapping[str, Callable[[Given, Coin], str]] = {
    "TrainingUnknownTask": lambda given, coin: (
        f"there is no task {given['task_id'].hex()} on this network: see ostrom task list"
    ),
    "TrainingTaskEnded": lambda given, coin: "the task is over: nobody can join it any more",
    "TrainingTaskExists": lambda given, coin: (
        "that task exists already: give it another name in its file to create it anew"
    ),
    "TrainingAlreadyJoined": lambda given, coin: (
        f"{given['account']} joined before: an account joins a task once, and who left stays out"
    ),
    "TrainingNotInCommittee": lambda given, coin: (
        f"the task does not name {given['account']} as a validator: its sponsor chose them"
    ),
    "TrainingCommitteeCannotTrain": lambda given, coin: (
        f"the task names {given['account']} as a validator: those who score may not train"
    ),
    "TrainingWrongStake": lambda given, coin: (
        f"the stake must be {coin.text(given['required'])}, not {coin.text(given['given'])}"
    ),
    "TrainingFull": lambda given, coin: (
        f"all of the task's {given['max_trainers']} seats for trainers are taken"
    ),
    "TrainingRoleMissing": lambda given, coin: (
        f"{given['account']} has not registered in that role: use ostrom register"
    ),
    "TrainingNotAdmitted": lambda given, coin: (
        f"the task's membership rule does not admit {given['account']}: ask its sponsor"
    ),
    "TrainingNotMember": lambda given, coin: f"{given['account']} has no seat in the task",
    "TrainingNotSponsor": lambda given, coin: f"{given['account']} is not the task's sponsor",
    "TrainingTokenNotEnabled": lambda given, coin: (
        f"tasks may not pay in {given['token']}: the owner of Training enables tokens"
    ),
    "TrainingBadParameter": lambda given, coin: (
        f"{_text(given['name'])} is out of the contract's range"
    ),
    "TrainingNothingToClaim": lambda given, coin: "there is nothing to claim: all is paid",
    "TrainingBadProof": lambda given, coin: (
        "the payouts changed while the claim was under way: claim again"
    ),
    "RegistryInsufficientFree": lambda given, coin: (
        f"{given['account']} has {coin.text(given['free'])} free in the registry, "
        f"less than {coin.text(given['amount'])}"
    ),
    "RegistryNotUnbonding": lambda given, coin: (
        f"{given['account']} has no stake that waits to be freed: leave the task first"
    ),
    "ERC20InsufficientBalance": lambda given, coin: (
        f"{given['sender']} holds {coin.text(given['balance'])}, "
        f"less than {coin.text(given['needed'])}"
    ),
    "ERC20InsufficientAllowance": lambda given, coin: (
        f"{given['spender']} may take {coin.text(given['allowance'])}, "
        f"less than {coin.text(given['needed'])}: run the command again"
    ),
}


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("ascii", "replace")
