"""Points and badges: no deposit, in whole numbers. See `records`.

Data that the model agrees with after a wait earn 10 points, or 20 if their sketch differs in 8 bits
or more from the one before; a report of data that it disagrees with earns 5. Badges, levels 0 to 3,
reward quantity (10, 100, 1,000 validated), diversity (5, 50, 500 diverse ones that cover all
labels) and regularity (3, 7, 30 days in a row). Days are those of the contributions.

Threat: a streak made in one day, own data reported. Not answered: many accounts of one person.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ostrom.onchain.models.model import UPDATE, Model
from ostrom.onchain.records import (
    Contribution,
    Message,
    Record,
    Refused,
    Trainer,
    agrees,
    open_record,
    put,
    require_age,
    take_in,
)
from ostrom.types import Address

S = TypeVar("S")

DAY = 86_400
WAIT_MAX = 36_500 * DAY
OPEN = 1
"""A record's deposit, of nothing: a mark that it is open."""

POINTS = 10
POINTS_DIVERSE = 20
POINTS_REPORT = 5
DIVERSE_BITS = 8
LABELS_MAX = 32

QUANTITY = (10, 100, 1_000)
DIVERSITY = (5, 50, 500)
REGULARITY = (3, 7, 30)


@dataclass(frozen=True)
class PointsAccount:
    """What an account did; `labels` has bit k if a validated contribution had label k."""

    points: int = 0
    validated: int = 0
    diverse: int = 0
    labels: int = 0
    sketch: int = 0
    last_day: int = 0
    streak: int = 0
    best_streak: int = 0


@dataclass(frozen=True)
class Badges:
    """Levels from 0 to 3."""

    quantity: int
    diversity: int
    regularity: int


@dataclass(frozen=True)
class Points(Generic[S]):
    """The contract's storage; `wait` in seconds, `contributors` in the order of the board."""

    trainer: Trainer[S]
    wait: int = DAY
    accounts: Mapping[Address, PointsAccount] = field(default_factory=dict)
    contributors: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        if self.wait > WAIT_MAX:
            raise Refused("PointsWaitTooLong", wait=self.wait)
        object.__setattr__(self, "wait", self.wait or DAY)

    def account(self, address: Address) -> PointsAccount:
        """The account of an address, empty if it has none."""
        return self.accounts.get(address, PointsAccount())


def add(
    model: Model[S], state: Points[S], message: Message, *, features: bytes, label: int
) -> tuple[Points[S], Contribution]:
    """Gives data to the model.

    Raises:
        InputError: the model refuses them.
    """
    trainer, one = take_in(model, state.trainer, message, given=(features, label, OPEN))
    return replace(state, trainer=trainer), one


def validate(
    model: Model[S], state: Points[S], message: Message, *, one: Contribution
) -> tuple[Points[S], int]:
    """Confirms data that the model agrees with; the points go to the contributor.

    Raises:
        Refused: HandlerNoContribution, HandlerTooEarly, PointsModelDisagrees.
    """
    record = _due(state, message, one)
    if not agrees(model, state.trainer, one, record):
        raise Refused("PointsModelDisagrees", key=f"0x{one.key.hex()}")
    before = state.account(one.contributor)
    account = counted(before, one, sketch=sketch_of(model, one))
    newcomer = () if before.validated else (one.contributor,)
    trainer = replace(
        state.trainer,
        records=put(state.trainer.records, one.key, None),
        validated=state.trainer.validated + 1,
    )
    after = replace(
        state,
        trainer=trainer,
        accounts=put(state.accounts, one.contributor, account),
        contributors=state.contributors + newcomer,
    )
    return after, account.points - before.points


def report(model: Model[S], state: Points[S], message: Message, *, one: Contribution) -> Points[S]:
    """Closes data that the model disagrees with, for points; the contributor's streak ends.

    Raises:
        Refused: PointsOwnContribution, PointsNotValidated, HandlerNoContribution,
            HandlerTooEarly, PointsModelAgrees.
    """
    reporter = state.account(message.sender)
    if message.sender == one.contributor:
        raise Refused("PointsOwnContribution", account=message.sender)
    if reporter.validated == 0:
        raise Refused("PointsNotValidated", account=message.sender)
    record = _due(state, message, one)
    if agrees(model, state.trainer, one, record):
        raise Refused("PointsModelAgrees", key=f"0x{one.key.hex()}")
    rewarded = replace(reporter, points=reporter.points + POINTS_REPORT)
    accounts = put(state.accounts, message.sender, rewarded)
    ended = replace(state.account(one.contributor), streak=0)
    accounts = put(accounts, one.contributor, ended)
    trainer = replace(state.trainer, records=put(state.trainer.records, one.key, None))
    return replace(state, trainer=trainer, accounts=accounts)


def sketch_of(model: Model[S], one: Contribution) -> int | None:
    """The model's sketch of the data; an update is no sample and has none."""
    return None if one.label == UPDATE else model.sketch(one.features)


def counted(account: PointsAccount, one: Contribution, *, sketch: int | None) -> PointsAccount:
    """The account with one more validated contribution; without a sketch it is not diverse."""
    after = account.sketch if sketch is None else sketch
    diverse = (after ^ account.sketch).bit_count() >= DIVERSE_BITS
    streak, last_day = _streak(account, one.time // DAY)
    return PointsAccount(
        points=account.points + (POINTS_DIVERSE if diverse else POINTS),
        validated=account.validated + 1,
        diverse=account.diverse + diverse,
        labels=account.labels | (1 << one.label if one.label < LABELS_MAX else 0),
        sketch=after,
        last_day=last_day,
        streak=streak,
        best_streak=max(account.best_streak, streak),
    )


def badges(account: PointsAccount, classes: int) -> Badges:
    """The badges of an account, for a model of so many labels.

    >>> badges(PointsAccount(validated=100, diverse=5, labels=0b11, best_streak=2), 2)
    Badges(quantity=2, diversity=1, regularity=0)
    """
    needed = (1 << min(classes, LABELS_MAX)) - 1
    covers = account.labels & needed == needed
    return Badges(
        bisect_right(QUANTITY, account.validated),
        bisect_right(DIVERSITY, account.diverse) if covers else 0,
        bisect_right(REGULARITY, account.best_streak),
    )


def leaderboard(state: Points[S]) -> list[tuple[Address, PointsAccount]]:
    """All who have a validated contribution, most points first, then by their first."""
    board = [(address, state.account(address)) for address in state.contributors]
    return sorted(board, key=lambda line: -line[1].points)


def _due(state: Points[S], message: Message, one: Contribution) -> Record:
    record = open_record(state.trainer, one)
    require_age(one, state.wait, message)
    return record


def _streak(account: PointsAccount, day: int) -> tuple[int, int]:
    """The streak and its last day; an earlier day than that changes nothing."""
    if day < account.last_day:
        return account.streak, account.last_day
    if day == account.last_day:
        return account.streak or 1, day
    return (account.streak + 1 if day == account.last_day + 1 else 1), day
