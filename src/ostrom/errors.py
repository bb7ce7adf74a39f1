"""Every error that Ostrom raises.

::

    OstromError
    ├── InputError            what the user gave cannot be used; the message says what to do
    │   └── DatasetError      a data set is missing, damaged or of the wrong shape
    ├── ProtocolError         an event that the protocol forbids in the state it met
    ├── CodecError            bytes are not a canonical document
    ├── TensorError           bytes or numbers are not a canonical integer tensor
    ├── StoreError
    │   ├── NotFound          no block of that CID
    │   ├── CorruptContent    the bytes do not hash to their CID
    │   └── ContentTooLarge   more bytes than the caller allows
    ├── LedgerError           the chain could not be reached, read or replayed
    │   └── ContractError     a contract refused the call; one subclass per Solidity error
    └── AuditError            a run cannot be audited at all (a failed audit is a report)

A failed *check* is no error but a value (`ostrom.types.Verdict`); exceptions are for broken
programs, damaged bytes and bad input.
"""

from __future__ import annotations

from collections.abc import Mapping


class OstromError(Exception):
    """The root: catch this to catch all that Ostrom raises on purpose."""


class InputError(OstromError):
    """What the user gave cannot be used; the message says what to do instead."""


class DatasetError(InputError):
    """A data set is missing, damaged or of the wrong shape."""


class ProtocolError(OstromError):
    """An event that the protocol forbids in the state it met."""


class CodecError(OstromError):
    """Bytes are not the canonical encoding of a document."""


class TensorError(OstromError):
    """Bytes or numbers are not a canonical integer tensor."""


class StoreError(OstromError):
    """The store cannot give or take content."""


class NotFound(StoreError):
    """The store holds no block of that CID."""


class CorruptContent(StoreError):
    """Stored bytes do not hash to their CID, or their links lie."""


class ContentTooLarge(StoreError):
    """The content is larger than the caller allows."""


class AuditError(OstromError):
    """A run cannot be audited at all; an audit that finds a fault is a report, not this."""


class LedgerError(OstromError):
    """The chain cannot be reached, read or replayed."""


class ContractError(LedgerError):
    """A contract refused a call. `arguments` holds what the Solidity error carried."""

    def __init__(self, message: str = "", arguments: Mapping[str, object] | None = None) -> None:
        self.arguments = dict(arguments or {})
        super().__init__(message or describe(type(self).__name__, self.arguments))


def describe(name: str, arguments: Mapping[str, object]) -> str:
    """One line for a contract's refusal.

    >>> describe("TrainingWrongPhase", {"expected": 2, "actual": 3})
    'the contract refused: TrainingWrongPhase(expected=2, actual=3)'
    """
    inner = ", ".join(f"{key}={value}" for key, value in arguments.items())
    return f"the contract refused: {name}({inner})"


CONTRACT_ERROR_NAMES: tuple[str, ...] = (
    "AccountsFull",
    "AccountsNothingToWithdraw",
    "AllowListAlreadyMember",
    "AllowListNotMember",
    "CheckpointUnorderedInsertion",
    "ClaimsOutOfGas",
    "CodeStorageNotWritten",
    "CodeStorageTooLong",
    "CodeStorageUnknown",
    "CountTableZeroTimes",
    "DepositAlreadyReported",
    "DepositBaseOutOfRange",
    "DepositModelAgrees",
    "DepositModelDisagrees",
    "DepositNotValidated",
    "DepositOwnContribution",
    "DepositTooLow",
    "DepositWaitsNotOrdered",
    "ECDSAInvalidSignature",
    "ECDSAInvalidSignatureLength",
    "ECDSAInvalidSignatureS",
    "ERC20ExceededSafeSupply",
    "ERC20InsufficientAllowance",
    "ERC20InsufficientBalance",
    "ERC20InvalidApprover",
    "ERC20InvalidReceiver",
    "ERC20InvalidSender",
    "ERC20InvalidSpender",
    "ERC2612ExpiredSignature",
    "ERC2612InvalidSigner",
    "ERC5805FutureLookup",
    "ERC6372InconsistentClock",
    "FailedCall",
    "FailedDeployment",
    "HandlerNoContribution",
    "HandlerNoModel",
    "HandlerTooEarly",
    "InsufficientBalance",
    "InvalidAccountNonce",
    "InvalidShortString",
    "MarketAllCollected",
    "MarketAllLearnt",
    "MarketAlreadyRevealed",
    "MarketBadParameter",
    "MarketBondHeld",
    "MarketClaimComplete",
    "MarketClaimHolds",
    "MarketClaimNotComplete",
    "MarketClaimRefuted",
    "MarketClaimsPending",
    "MarketContributionTooLong",
    "MarketNotClaimant",
    "MarketNotFirst",
    "MarketNotOver",
    "MarketNotProvider",
    "MarketStakeTooLow",
    "MarketTooEarly",
    "MarketTooLate",
    "MarketUnknownClaim",
    "MarketUnknownPiece",
    "MarketUnknownPoint",
    "MarketUnknownSample",
    "MarketUnknownStage",
    "MarketUnsalted",
    "MarketWrongBalances",
    "MarketWrongBond",
    "MarketWrongContribution",
    "MarketWrongCount",
    "MarketWrongLength",
    "MarketWrongPhase",
    "MarketWrongPiece",
    "MarketWrongState",
    "ModelAlreadyBound",
    "ModelBadLength",
    "ModelBadParameter",
    "ModelBadState",
    "ModelFull",
    "ModelNoUpdates",
    "ModelNotAscending",
    "ModelNotDeployer",
    "ModelNotTrainer",
    "ModelRegistryAlreadyHead",
    "ModelRegistryForeignTask",
    "ModelRegistryNotPublisher",
    "ModelRegistryPublisherAlreadyEnabled",
    "ModelRegistryUnknownVersion",
    "ModelUnknownFeature",
    "ModelUnknownLabel",
    "OwnableInvalidOwner",
    "OwnableUnauthorizedAccount",
    "PointsModelAgrees",
    "PointsModelDisagrees",
    "PointsNotValidated",
    "PointsOwnContribution",
    "PointsWaitTooLong",
    "RecoveryAlreadyApproved",
    "RecoveryBadPage",
    "RecoveryBadParameter",
    "RecoveryBadRange",
    "RecoveryClosed",
    "RecoveryComplete",
    "RecoveryLeftOut",
    "RecoveryNoVote",
    "RecoveryNotApproved",
    "RecoveryNotComplete",
    "RecoveryNotFinished",
    "RecoveryNotProposer",
    "RecoveryOvertaken",
    "RecoveryRefuted",
    "RecoveryStepHolds",
    "RecoveryTooEarly",
    "RecoveryTooMany",
    "RecoveryUnknownPage",
    "RecoveryUnknownProposal",
    "RecoveryUnknownStep",
    "RecoveryWrongBond",
    "RecoveryWrongExclusions",
    "RecoveryWrongHistory",
    "RecoveryWrongKey",
    "RecoveryWrongState",
    "ReentrancyGuardReentrantCall",
    "RegistryAlreadyUnbonding",
    "RegistryBadParameter",
    "RegistryBadSignature",
    "RegistryExpired",
    "RegistryInsufficientFree",
    "RegistryLockerAlreadyEnabled",
    "RegistryNotLocker",
    "RegistryNotReleasable",
    "RegistryNotUnbonding",
    "RegistryTransferMismatch",
    "RegistryUnknownRoles",
    "SafeCastOverflowedUintDowncast",
    "SafeERC20FailedOperation",
    "SamplesMalformed",
    "SamplesUnknown",
    "SponsorBadParameter",
    "SponsorBadSignature",
    "SponsorBudgetTooLow",
    "SponsorExpired",
    "SponsorNotSponsored",
    "SponsorNotTrainer",
    "SponsorNotValidated",
    "SponsorPoolTooLow",
    "SponsorTrainerAlreadyEnabled",
    "StringTooLong",
    "TotalsFull",
    "TrainingActsNextRound",
    "TrainingAlreadyAttested",
    "TrainingAlreadyCommitted",
    "TrainingAlreadyJoined",
    "TrainingAlreadyRefunded",
    "TrainingBadCommitment",
    "TrainingBadParameter",
    "TrainingBadProof",
    "TrainingBadSignature",
    "TrainingClaimsExceedAllocated",
    "TrainingCommitteeCannotTrain",
    "TrainingExpired",
    "TrainingFull",
    "TrainingNoNewStrikes",
    "TrainingNotAdmitted",
    "TrainingNotInCommittee",
    "TrainingNotMember",
    "TrainingNotSponsor",
    "TrainingNotTrainer",
    "TrainingNotValidator",
    "TrainingNothingToClaim",
    "TrainingNothingToReveal",
    "TrainingOpenCommitment",
    "TrainingPoolMismatch",
    "TrainingRoleMissing",
    "TrainingRoundBudgetExceeded",
    "TrainingTaskEnded",
    "TrainingTaskExists",
    "TrainingTaskNotEnded",
    "TrainingTaskNotIdle",
    "TrainingTokenAlreadyEnabled",
    "TrainingTokenNotEnabled",
    "TrainingUnknownRole",
    "TrainingUnknownTask",
    "TrainingValidatorMustStay",
    "TrainingWrongOpening",
    "TrainingWrongPhase",
    "TrainingWrongRound",
    "TrainingWrongStake",
    "VersionsBadEnd",
    "VersionsNoVote",
    "VersionsNotDeployer",
    "VersionsNotNext",
    "VersionsNotRecovery",
    "VersionsRecoveryAlreadyEnabled",
    "VersionsUnknown",
    "VotesExpiredSignature",
)

CONTRACT_ERRORS: dict[str, type[ContractError]] = {
    name: type(name, (ContractError,), {"__doc__": f"The Solidity error `{name}`."})
    for name in CONTRACT_ERROR_NAMES
}
