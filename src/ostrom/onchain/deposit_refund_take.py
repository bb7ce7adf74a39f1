"""Deposit, refund, take: self-assessment with money, in whole wei. See `records`.

deposit = max(1, floor(base * 3600 / isqrt(seconds since the last contribution))), `base` alone if
there is none before or none in an earlier second. take = min(claimable, max(1, floor(initial * own
/ all))), own and all counting validated contributions.

Threat: floods (deposits get dear), own bad data (judged without its own influence), reports by
strangers (only who has validated contributions), a report twice (in the order of nonces). Not
answered: one who moves the model by many good contributions and then lies.

Harris and Waggoner: Decentralized & Collaborative AI on Blockchain (2019),
https://arxiv.org/abs/1907.07247.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isqrt
from typing import Generic, TypeVar

from ostrom.onchain.models.model import Model
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

HOUR = 3_600
DAY = 86_400
WEI_MAX = (1 << 96) - 1
WAIT_MAX = 36_500 * DAY


@dataclass(frozen=True)
class Rules:
    """What the contract fixes at deployment: `base` in wei, waits in seconds; 0 is the default.

    Raises:
        Refused: DepositBaseOutOfRange, DepositWaitsNotOrdered.
    """

    base: int
    refund_wait: int = DAY
    owner_wait: int = 30 * DAY
    any_wait: int = 60 * DAY

    def __post_init__(self) -> None:
        if not 1 <= self.base <= WEI_MAX // HOUR:
            raise Refused("DepositBaseOutOfRange", base=self.base)
        for name, default in (("refund_wait", 1), ("owner_wait", 30), ("any_wait", 60)):
            object.__setattr__(self, name, getattr(self, name) or default * DAY)
        if not self.refund_wait < self.owner_wait < self.any_wait <= WAIT_MAX:
            waits = (self.refund_wait, self.owner_wait, self.any_wait)
            names = ("refund_wait", "owner_wait", "any_wait")
            raise Refused("DepositWaitsNotOrdered", **dict(zip(names, waits)))


@dataclass(frozen=True)
class Account:
    """An account: its balance in wei, validated contributions, the next nonce to report."""

    balance: int = 0
    validated: int = 0
    next_report: int = 0


@dataclass(frozen=True)
class DepositRefundTake(Generic[S]):
    """The contract's storage. It holds at least all balances and all that is claimable."""

    rules: Rules
    trainer: Trainer[S]
    accounts: Mapping[Address, Account] = field(default_factory=dict)

    def account(self, address: Address) -> Account:
        """The account of an address, empty if it has none."""
        return self.accounts.get(address, Account())

    @property
    def owed(self) -> int:
        """All balances and all that is claimable, in wei."""
        balances = sum(account.balance for account in self.accounts.values())
        return balances + sum(record.claimable for record in self.trainer.records.values())


def deposit(rules: Rules, last_time: int, now: int) -> int:
    """What a contribution costs, in wei.

    >>> rules = Rules(base=1_000)
    >>> deposit(rules, 0, 50), deposit(rules, 50, 50), deposit(rules, 50, 51)
    (1000, 1000, 3600000)
    >>> deposit(rules, 50, 50 + 3_600 * 3_600)
    1000
    """
    elapsed = now - last_time
    if last_time == 0 or elapsed == 0:
        return rules.base
    return max(1, rules.base * HOUR // isqrt(elapsed))


def take(record: Record, own: int, *, total: int) -> int:
    """What a reporter takes, in wei: a share by validated contributions.

    >>> take(Record(100, 100, 0), 1, total=3), take(Record(1, 100, 0), 1, total=3)
    (33, 1)
    """
    return min(record.claimable, max(1, record.initial * own // total))


def add(
    model: Model[S],
    state: DepositRefundTake[S],
    message: Message,
    *,
    features: bytes,
    label: int,
) -> tuple[DepositRefundTake[S], Contribution]:
    """Gives data to the model, for a deposit out of the value and the balance.

    Raises:
        Refused: DepositTooLow, AccountsFull.
        InputError: the model refuses the data.
    """
    price = deposit(state.rules, state.trainer.last_time, message.time)
    account = state.account(message.sender)
    available = account.balance + message.value
    if message.value != price:
        if available < price:
            raise Refused("DepositTooLow", deposit=price, available=available)
        if available - price > WEI_MAX:
            raise Refused("AccountsFull")
        account = replace(account, balance=available - price)
    given = (features, label, price)
    trainer, one = take_in(model, state.trainer, message, given=given)
    accounts = put(state.accounts, message.sender, account)
    return replace(state, trainer=trainer, accounts=accounts), one


def refund(
    model: Model[S], state: DepositRefundTake[S], message: Message, *, one: Contribution
) -> tuple[DepositRefundTake[S], int]:
    """Credits what is left of the sender's deposit if the model agrees with the label.

    Raises:
        Refused: HandlerNoContribution, HandlerTooEarly, DepositModelDisagrees.
    """
    if one.contributor != message.sender:
        one = replace(one, contributor=message.sender)
    record = open_record(state.trainer, one)
    require_age(one, state.rules.refund_wait, message)
    if not agrees(model, state.trainer, one, record):
        raise Refused("DepositModelDisagrees", key=f"0x{one.key.hex()}")
    account = _credited(state.account(message.sender), record.claimable)
    account = replace(account, validated=account.validated + 1)
    trainer = replace(state.trainer, validated=state.trainer.validated + 1)
    return _after(state, trainer, message, one=one, account=account), record.claimable


def report(
    model: Model[S], state: DepositRefundTake[S], message: Message, *, one: Contribution
) -> tuple[DepositRefundTake[S], int]:
    """Takes the sender's share of a deposit for data that the model disagrees with.

    Raises:
        Refused: DepositOwnContribution, HandlerNoContribution, HandlerTooEarly,
            DepositNotValidated, DepositAlreadyReported, DepositModelAgrees.
    """
    if message.sender == one.contributor:
        raise Refused("DepositOwnContribution", account=message.sender)
    record = open_record(state.trainer, one)
    require_age(one, state.rules.refund_wait, message)
    account = state.account(message.sender)
    if account.validated == 0:
        raise Refused("DepositNotValidated", account=message.sender)
    if one.nonce < account.next_report:
        raise Refused("DepositAlreadyReported", nonce=one.nonce, next=account.next_report)
    if agrees(model, state.trainer, one, record):
        raise Refused("DepositModelAgrees", key=f"0x{one.key.hex()}")
    amount = take(record, account.validated, total=state.trainer.validated)
    account = replace(_credited(account, amount), next_report=one.nonce + 1)
    left = record.claimable - amount
    rest = replace(record, claimable=left) if left else None
    return _after(state, state.trainer, message, one=one, account=account, rest=rest), amount


def clear(
    state: DepositRefundTake[S], message: Message, *, one: Contribution
) -> tuple[DepositRefundTake[S], int]:
    """Takes all that is left of a deposit: the deployer after `owner_wait`, anybody after
    `any_wait`; the contributor counts as anybody.

    Raises:
        Refused: HandlerNoContribution, HandlerTooEarly.
    """
    record = open_record(state.trainer, one)
    is_owner = message.sender == state.trainer.deployer and message.sender != one.contributor
    require_age(one, state.rules.owner_wait if is_owner else state.rules.any_wait, message)
    account = _credited(state.account(message.sender), record.claimable)
    return _after(state, state.trainer, message, one=one, account=account), record.claimable


def withdraw(state: DepositRefundTake[S], message: Message) -> tuple[DepositRefundTake[S], int]:
    """Sends the sender's whole balance to the sender.

    Raises:
        Refused: AccountsNothingToWithdraw.
    """
    account = state.account(message.sender)
    if account.balance == 0:
        raise Refused("AccountsNothingToWithdraw", account=message.sender)
    accounts = put(state.accounts, message.sender, replace(account, balance=0))
    return replace(state, accounts=accounts), account.balance


def _credited(account: Account, amount: int) -> Account:
    if account.balance + amount > WEI_MAX:
        raise Refused("AccountsFull")
    return replace(account, balance=account.balance + amount)


def _after(
    state: DepositRefundTake[S],
    trainer: Trainer[S],
    message: Message,
    *,
    one: Contribution,
    account: Account,
    rest: Record | None = None,
) -> DepositRefundTake[S]:
    """The sender's account is new, and of the record `rest` is left."""
    trainer = replace(trainer, records=put(trainer.records, one.key, rest))
    return replace(state, trainer=trainer, accounts=put(state.accounts, message.sender, account))
