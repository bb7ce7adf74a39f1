// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ITrainingErrors} from "./ITrainingErrors.sol";
import {ITrainingEvents} from "./ITrainingEvents.sol";
import {
    Join,
    MemberState,
    Opening,
    Phase,
    Result,
    SignedCommit,
    SignedJoin,
    TaskParams,
    TaskState,
    TrainerOpening
} from "./TrainingTypes.sol";

/// @title ITraining
/// @notice Tasks, their rounds, payouts and sanctions.
///
/// A phase takes actions up to and including its deadline and closes early once everyone has acted.
/// The first call after a deadline moves the task by one phase; the new deadline counts from then.
/// A call that reverts moves nothing: whoever comes too late must call `advance` instead.
///
/// @dev WARNING: a quorum of a task's validators decides its results, payouts and sanctions: it can
/// hand out the rest of the pool round by round and slash any member. Read the committee before you
/// join. What no quorum can do: pay more than the pool, touch another task, keep anybody from leaving.
/// WARNING: the sponsor chooses rules that may be bad for you (long phases, an unhelpful membership
/// contract). They never change after creation, so read them once.
interface ITraining is ITrainingErrors, ITrainingEvents {
    // What the sponsor does

    /// @notice Creates a task, pulls its pool from the caller, who must be `params.sponsor`, and
    /// publishes the first model as version 1.
    function createTask(TaskParams calldata params) external returns (bytes32 taskId);

    /// @notice Gives a task up while it is still Joining. Only the sponsor.
    function cancel(bytes32 taskId) external;

    /// @notice Makes an earlier version the head of the task's model: after the task has finished or
    /// while a round has no commitments yet. Only the sponsor.
    /// @dev WARNING: trainers who trained on the replaced version have worked in vain.
    function rollBack(bytes32 taskId, uint256 version) external;

    /// @notice Returns what was never allocated to the sponsor, once the task is over. Anyone may call.
    function refund(bytes32 taskId) external;

    // What members do

    /// @notice Joins with stake from the caller's free balance in the Registry.
    /// @param role 1 trainer (stake exactly `trainerStake`, at any time before the end; acts from the
    /// next round), 2 validator (in the committee, at least `validatorStake`, while Joining).
    function join(bytes32 taskId, uint8 role, uint256 stake) external;

    /// @notice Joins for an account that signed
    /// `Join(bytes32 taskId,address account,uint8 role,uint256 stake,uint256 deadline)`. The stake
    /// comes from its free balance first and then from its tokens. A permit that was used already or
    /// is invalid is ignored.
    function joinBySignature(bytes32 taskId, SignedJoin calldata signed) external;

    /// @notice `joinBySignature` for many; refused ones are skipped with an event.
    function joinBatch(bytes32 taskId, SignedJoin[] calldata signed) external;

    /// @notice Leaves and starts to unbond the stake. A trainer may leave unless it has an open
    /// commitment in this round; a validator while Joining and after the end. Nobody can rejoin.
    function leave(bytes32 taskId) external;

    /// @notice Moves an overdue task by one phase; does nothing if no phase is overdue. Anyone may
    /// call.
    function advance(bytes32 taskId) external returns (Phase);

    // Rounds: trainers

    /// @notice Commits the calling trainer to an update, see `updateCommitment`. Once a round.
    function commit(bytes32 taskId, uint256 round, bytes32 commitment) external;

    /// @notice Commits for trainers that signed
    /// `Commit(bytes32 taskId,uint256 round,bytes32 commitment)`; refused ones are skipped with an event.
    function commitBatch(bytes32 taskId, uint256 round, SignedCommit[] calldata commits) external;

    /// @notice Opens the calling trainer's commitment.
    function reveal(bytes32 taskId, uint256 round, Opening calldata opening) external;

    /// @notice Opens commitments. Anyone may call: an opening proves its author. Wrong ones are
    /// skipped with an event.
    function revealBatch(bytes32 taskId, uint256 round, TrainerOpening[] calldata openings) external;

    // Rounds: validators

    /// @notice Commits the calling validator to a score vector, see `scoreCommitment`. Once a round.
    function commitScores(bytes32 taskId, uint256 round, bytes32 commitment) external;

    /// @notice Reveals the digest of the calling validator's score vector.
    function revealScores(bytes32 taskId, uint256 round, bytes32 scores, bytes32 salt) external;

    /// @notice Attests to a result; the first with a quorum of stake is the round's. Once a round.
    /// @dev WARNING: an attestation cannot be withdrawn. A result above the round's budget is refused.
    function attest(bytes32 taskId, uint256 round, Result calldata result) external;

    // Money and sanctions: anyone with a proof

    /// @notice Pays an account what it has earned and not yet claimed. The leaf is
    /// `keccak256(bytes.concat(keccak256(abi.encode(taskId, account, cumulative))))`.
    /// @param cumulative All that the account ever earned in the task.
    function claim(bytes32 taskId, address account, uint256 cumulative, bytes32[] calldata proof)
        external;

    /// @notice Carries out a sanction. The leaf is
    /// `keccak256(bytes.concat(keccak256(abi.encode(taskId, account, strikes))))`.
    /// @param strikes All strikes the account ever got: the first costs 5 % of the stake, the second
    /// 20 %, the third the rest and the seat.
    function sanction(bytes32 taskId, address account, uint256 strikes, bytes32[] calldata proof)
        external;

    // The owner

    /// @notice Lets tasks pay in a token, for ever. Only the owner.
    /// @dev WARNING: enable only plain ERC-20 tokens: no fee on transfer, no rebasing, no callbacks.
    function enableToken(address token) external;

    // Views

    /// @notice The staking token's Registry.
    function registry() external view returns (address);

    /// @notice Where models are published.
    function modelRegistry() external view returns (address);

    /// @notice True if tasks may pay in `token`.
    function isTokenEnabled(address token) external view returns (bool);

    /// @notice What is stored about a task.
    function task(bytes32 taskId) external view returns (TaskState memory);

    /// @notice The phase and round that the next call will find, deadlines considered.
    function phaseOf(bytes32 taskId) external view returns (Phase phase, uint256 round);

    /// @notice What is stored about an account in a task.
    function member(bytes32 taskId, address account) external view returns (MemberState memory);

    /// @notice What the current round may pay at most: an equal share of what is left of the pool.
    function budgetOf(bytes32 taskId) external view returns (uint256);

    /// @notice The stake that attested to a result's digest, while its round is not settled.
    function tallyOf(bytes32 digest) external view returns (uint256);

    /// @notice The id of a task with these rules.
    function taskIdOf(TaskParams calldata params) external pure returns (bytes32);

    /// @notice `keccak256(abi.encode(taskId, round, trainer, update, chunkRoot, samples, salt))`.
    function updateCommitment(
        bytes32 taskId,
        uint256 round,
        address trainer,
        Opening calldata opening
    ) external pure returns (bytes32);

    /// @notice `keccak256(abi.encode(taskId, round, validator, scores, salt))`.
    function scoreCommitment(
        bytes32 taskId,
        uint256 round,
        address validator,
        bytes32 scores,
        bytes32 salt
    ) external pure returns (bytes32);

    /// @notice `keccak256(abi.encode(taskId, round, result))`.
    function resultDigest(bytes32 taskId, uint256 round, Result calldata result)
        external
        pure
        returns (bytes32);

    /// @notice The EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);
}
