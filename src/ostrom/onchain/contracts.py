"""The coupled mode's contracts as typed calls, over any ledger; see `ostrom.chain.contracts`.

One class per contract, named and spelled like it; what each function does and refuses is written in
`contracts/src/onchain/interfaces`. Markets are in `market_contract`. Amounts are wei, times are
seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostrom.chain.contracts import Contract
from ostrom.chain.ledger import Call, Ledger
from ostrom.onchain.data import Sample
from ostrom.onchain.deposit_refund_take import Account
from ostrom.onchain.points import Badges, PointsAccount
from ostrom.onchain.records import Contribution, Record
from ostrom.types import Address, Digest


@dataclass(frozen=True)
class Totals:
    """Sums over all accounts: when the last contribution came, how many, how many validated."""

    last_time: int
    count: int
    validated: int


@dataclass(frozen=True)
class Standing:
    """A line of the leaderboard."""

    account: Address
    points: int
    validated: int
    badges: Badges


class ModelContract(Contract):
    """What all models share."""

    def bind(self, trainer: Address) -> Call:
        """Name the trainer, for ever. Only the deployer."""
        return self._call("bind", trainer)

    def load(self, first: int, words: bytes) -> Call:
        """Overwrite words of the state from number `first` on. The deployer, before `bind`."""
        return self._call("load", first, words)

    def add_classes(self, count: int) -> Call:
        """Add labels. Only the deployer."""
        return self._call("addClasses", count)

    def add_features(self, count: int) -> Call:
        """Add features. Only the deployer."""
        return self._call("addFeatures", count)

    def predict(self, ledger: Ledger, x: bytes) -> int:
        """The label that the model gives to a sample."""
        return int(ledger.call(self._call("predict", x)))

    def agrees(self, ledger: Ledger, sample: Sample, *, memo: int) -> bool:
        """Whether the model without the influence of `memo` predicts the sample's label."""
        return bool(ledger.call(self._call("agrees", sample.x, sample.label, memo)))

    def state(self, ledger: Ledger) -> bytes:
        """The whole model, in words of 32 bytes."""
        return bytes(ledger.call(self._call("state")))

    def classes(self, ledger: Ledger) -> int:
        """How many labels there are."""
        return int(ledger.call(self._call("classes")))

    def features(self, ledger: Ledger) -> int:
        """How many features there are."""
        return int(ledger.call(self._call("features")))

    def encoder(self, ledger: Ledger) -> str:
        """The canonical text of the feature encoder."""
        return str(ledger.call(self._call("encoder")))

    def trainer(self, ledger: Ledger) -> Address:
        """The contract that makes the model learn."""
        return Address(ledger.call(self._call("trainer")))


class SparsePerceptron(ModelContract):
    """See `models.perceptron`."""


class DensePerceptron(ModelContract):
    """See `models.perceptron`."""


class NaiveBayes(ModelContract):
    """See `models.naive_bayes`."""


class NearestCentroid(ModelContract):
    """See `models.centroid`."""


class SparseNearestCentroid(ModelContract):
    """See `models.sparse_centroid`."""


class KMeans(ModelContract):
    """See `models.k_means`."""


class TrainerContract(Contract):
    """What all trainers share: records, and versions of the model."""

    def checkpoint(self) -> Call:
        """Store the model's state as the next version."""
        return self._call("checkpoint")

    def roll_back(self, index: int) -> Call:
        """Give the model the state of a version. Only the deployer."""
        return self._call("rollBack", index)

    def vote(self, index: int) -> Call:
        """Vote for a version with the caller's validated contributions."""
        return self._call("vote", index)

    def retract(self) -> Call:
        """Take the caller's vote back."""
        return self._call("retract")

    def enable_recovery(self, recovery: Address) -> Call:
        """Name the contract that may recover the model, for ever. Only the deployer."""
        return self._call("enableRecovery", recovery)

    def model(self, ledger: Ledger) -> Address:
        """The model that learns."""
        return Address(ledger.call(self._call("model")))

    def totals(self, ledger: Ledger) -> Totals:
        """Sums over all accounts."""
        return Totals(*ledger.call(self._call("totals")))

    def history(self, ledger: Ledger) -> bytes:
        """The hash over all keys, 18 bytes and zeros."""
        return bytes(ledger.call(self._call("history")))

    def record_of(self, ledger: Ledger, key: Digest) -> Record | None:
        """What is kept of a contribution; None if it is closed or unknown."""
        record = Record(*ledger.call(self._call("recordOf", key)))
        return record if record.claimable else None

    def validated_of(self, ledger: Ledger, account: Address) -> int:
        """How many contributions of the account the model confirmed."""
        return int(ledger.call(self._call("validatedOf", account)))

    def version_count(self, ledger: Ledger) -> int:
        """How many versions there are; they are numbered from 0."""
        return int(ledger.call(self._call("versionCount")))

    def epoch(self, ledger: Ledger) -> int:
        """How often the model was rolled back or recovered."""
        return int(ledger.call(self._call("epoch")))

    def is_learnt(self, ledger: Ledger, nonce: int) -> bool:
        """Whether the model learnt the contribution of that nonce."""
        return bool(ledger.call(self._call("isLearnt", nonce)))

    def votes_for(self, ledger: Ledger, index: int) -> int:
        """The votes for a version since the last roll-back."""
        return int(ledger.call(self._call("votesFor", index)))


class DepositRefundTake(TrainerContract):
    """Contributions with a deposit; see `deposit_refund_take`."""

    def add(self, sample: Sample, value: int) -> Call:
        """Give data to the model, for a deposit out of `value` and the balance."""
        return Call("DepositRefundTake", self.address, "add", (sample.x, sample.label), value)

    def refund(self, one: Contribution) -> Call:
        """Credit what is left of the caller's deposit."""
        return self._call("refund", one.features, one.label, one.time, one.nonce)

    def report(self, one: Contribution) -> Call:
        """Take the caller's share of a deposit for bad data."""
        return self._call("report", *_parts(one))

    def clear(self, one: Contribution) -> Call:
        """Take all that is left of an old deposit."""
        return self._call("clear", *_parts(one))

    def withdraw(self) -> Call:
        """Send the caller's balance to the caller."""
        return self._call("withdraw")

    def deposit(self, ledger: Ledger) -> int:
        """What a contribution costs now."""
        return int(ledger.call(self._call("deposit")))

    def balance_of(self, ledger: Ledger, account: Address) -> int:
        """What an account may withdraw or spend."""
        return int(ledger.call(self._call("balanceOf", account)))

    def next_report(self, ledger: Ledger, account: Address) -> int:
        """The lowest nonce that the account may still report."""
        return int(ledger.call(self._call("nextReport", account)))

    def take_of(self, ledger: Ledger, key: Digest, *, reporter: Address) -> int:
        """What a report would bring, as things stand."""
        return int(ledger.call(self._call("takeOf", key, reporter)))

    def account_of(self, ledger: Ledger, account: Address) -> Account:
        """All that the contract keeps of an account."""
        return Account(
            self.balance_of(ledger, account),
            self.validated_of(ledger, account),
            self.next_report(ledger, account),
        )


class Points(TrainerContract):
    """Contributions for points; see `points`."""

    def add(self, sample: Sample) -> Call:
        """Give data to the model."""
        return self._call("add", sample.x, sample.label)

    def validate(self, one: Contribution) -> Call:
        """Confirm data that the model agrees with."""
        return self._call("validate", *_parts(one))

    def report(self, one: Contribution) -> Call:
        """Close data that the model disagrees with."""
        return self._call("report", *_parts(one))

    def account_of(self, ledger: Ledger, account: Address) -> PointsAccount:
        """What an account did."""
        return PointsAccount(**ledger.call(self._call("accountOf", account)))

    def badges(self, ledger: Ledger, account: Address) -> Badges:
        """The account's badges."""
        return Badges(**ledger.call(self._call("badges", account)))

    def contributor_count(self, ledger: Ledger) -> int:
        """How many accounts have a validated contribution."""
        return int(ledger.call(self._call("contributorCount")))

    def leaderboard(self, ledger: Ledger, start: int, *, count: int) -> list[Standing]:
        """A page of those accounts, in the order of their first validated contribution."""
        lines = ledger.call(self._call("leaderboard", start, count))
        return [Standing(**{**line, "badges": Badges(**line["badges"])}) for line in lines]


def _parts(one: Contribution) -> tuple[object, ...]:
    return one.features, one.label, one.time, one.contributor, one.nonce
