// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase} from "./TrainingTypes.sol";

/// @title ITrainingErrors
/// @notice Why Training refuses a call.
interface ITrainingErrors {
    /// @notice A parameter of a new task (or of the contract) is out of range.
    error TrainingBadParameter(bytes32 name);
    error TrainingTokenNotEnabled(address token);
    error TrainingTokenAlreadyEnabled(address token);
    error TrainingTaskExists(bytes32 taskId);
    error TrainingUnknownTask(bytes32 taskId);
    error TrainingNotSponsor(bytes32 taskId, address account);
    /// @notice Less or more than the pool arrived: the token charges a fee or lies.
    error TrainingPoolMismatch(uint256 expected, uint256 received);

    error TrainingWrongPhase(bytes32 taskId, Phase expected, Phase actual);
    error TrainingWrongRound(bytes32 taskId, uint256 given, uint256 actual);
    /// @notice The task is finished or cancelled.
    error TrainingTaskEnded(bytes32 taskId);
    /// @notice The task is neither finished nor cancelled.
    error TrainingTaskNotEnded(bytes32 taskId, Phase phase);
    /// @notice A roll-back needs a finished task, or a Commit phase without commitments.
    error TrainingTaskNotIdle(bytes32 taskId, Phase phase);

    error TrainingUnknownRole(uint8 role);
    /// @notice The account did not register that role.
    error TrainingRoleMissing(address account, uint8 role);
    /// @notice The membership contract says no.
    error TrainingNotAdmitted(bytes32 taskId, address account);
    /// @notice An account joins a task once; whoever left or was expelled stays out.
    error TrainingAlreadyJoined(bytes32 taskId, address account);
    error TrainingNotInCommittee(bytes32 taskId, address account);
    /// @notice Those who score may not train.
    error TrainingCommitteeCannotTrain(bytes32 taskId, address account);
    error TrainingWrongStake(bytes32 taskId, uint256 required, uint256 given);
    error TrainingFull(bytes32 taskId, uint256 maxTrainers);
    error TrainingExpired(uint256 deadline);
    error TrainingBadSignature(bytes32 taskId, address account);

    error TrainingNotTrainer(bytes32 taskId, address account);
    error TrainingNotValidator(bytes32 taskId, address account);
    error TrainingNotMember(bytes32 taskId, address account);
    /// @notice A trainer that joined in this round acts from the next one.
    error TrainingActsNextRound(bytes32 taskId, address account);
    error TrainingAlreadyCommitted(bytes32 taskId, address account);
    /// @notice The commitment is no hash: its last 28 bytes are nearly all zero.
    error TrainingBadCommitment(bytes32 taskId, address account);
    /// @notice The account has no open commitment in this round.
    error TrainingNothingToReveal(bytes32 taskId, address account);
    /// @notice What was revealed is not what was committed to.
    error TrainingWrongOpening(bytes32 taskId, address account);
    error TrainingAlreadyAttested(bytes32 taskId, address account);
    error TrainingRoundBudgetExceeded(bytes32 taskId, uint256 paid, uint256 budget);

    error TrainingBadProof(bytes32 taskId, address account);
    error TrainingNothingToClaim(bytes32 taskId, address account, uint256 cumulative);
    /// @notice The payout tree promises more than the quorum allocated.
    error TrainingClaimsExceedAllocated(bytes32 taskId, uint256 claimed, uint256 allocated);
    error TrainingNoNewStrikes(bytes32 taskId, address account, uint256 strikes);
    error TrainingAlreadyRefunded(bytes32 taskId);
    /// @notice A trainer with an open commitment stays until it reveals or the round ends.
    error TrainingOpenCommitment(bytes32 taskId, address account);
    /// @notice A validator stays from the first round to the end of the task.
    error TrainingValidatorMustStay(bytes32 taskId, address account);
}
