// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {TrainingMembers} from "./TrainingMembers.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {ITrainingErrors} from "./interfaces/ITrainingErrors.sol";
import {
    Opening,
    Phase,
    Result,
    SignedCommit,
    TaskParams,
    TrainerOpening
} from "./interfaces/TrainingTypes.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Limits} from "./libraries/Limits.sol";
import {Clock, Rounds} from "./libraries/Rounds.sol";
import {Slots} from "./libraries/Slots.sol";

/// @title Training
/// @notice Tasks: their money, their rounds and their results.
contract Training is TrainingMembers, Ownable2Step, ReentrancyGuard {
    using Rounds for Clock;
    using SafeERC20 for IERC20;

    IModelRegistry private immutable MODEL_REGISTRY;

    /// @inheritdoc ITraining
    mapping(address token => bool) public isTokenEnabled;

    constructor(IRegistry registry_, IModelRegistry modelRegistry_, address owner)
        TrainingMembers(registry_)
        Ownable(owner)
    {
        if (address(modelRegistry_).code.length == 0) revert TrainingBadParameter("modelRegistry");
        MODEL_REGISTRY = modelRegistry_;
    }

    // The sponsor

    /// @inheritdoc ITraining
    function createTask(TaskParams calldata params) external nonReentrant returns (bytes32 taskId) {
        taskId = keccak256(abi.encode(params));
        Task storage task_ = _tasks[taskId];
        if (msg.sender != params.sponsor) revert TrainingNotSponsor(taskId, msg.sender);
        if (task_.clock.phase != Phase.None) revert TrainingTaskExists(taskId);
        if (!isTokenEnabled[params.token]) revert TrainingTokenNotEnabled(params.token);
        Limits.check(params);
        _write(task_, params);
        emit TaskCreated(taskId, params);
        Clock memory clock;
        _startPhase(taskId, task_, clock, Phase.Joining);
        task_.clock = clock;
        // A task's first version is always number 1.
        // slither-disable-next-line unused-return
        MODEL_REGISTRY.publish(taskId, 0, params.model, params.modelRoot, params.spec);
        _pull(IERC20(params.token), params.pool);
    }

    /// @inheritdoc ITraining
    function cancel(bytes32 taskId) external {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (msg.sender != task_.sponsor) revert TrainingNotSponsor(taskId, msg.sender);
        if (clock.phase != Phase.Joining) {
            revert TrainingWrongPhase(taskId, Phase.Joining, clock.phase);
        }
        _end(taskId, clock, Phase.Cancelled);
        task_.clock = clock;
    }

    /// @inheritdoc ITraining
    function rollBack(bytes32 taskId, uint256 version) external {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (msg.sender != task_.sponsor) revert TrainingNotSponsor(taskId, msg.sender);
        bool idle =
            clock.phase == Phase.Finished || (clock.phase == Phase.Commit && clock.commits == 0);
        if (!idle) revert TrainingTaskNotIdle(taskId, clock.phase);
        task_.clock = clock;
        MODEL_REGISTRY.rollBack(taskId, version);
    }

    /// @inheritdoc ITraining
    function refund(bytes32 taskId) external nonReentrant {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (clock.phase < Phase.Finished) revert TrainingTaskNotEnded(taskId, clock.phase);
        if (clock.refunded) revert TrainingAlreadyRefunded(taskId);
        clock.refunded = true;
        task_.clock = clock;
        uint256 amount = task_.pool - task_.allocated;
        emit Refunded(taskId, amount);
        if (amount != 0) IERC20(task_.token).safeTransfer(task_.sponsor, amount);
    }

    /// @inheritdoc ITraining
    function advance(bytes32 taskId) external returns (Phase) {
        (Task storage task_, Clock memory clock) = _now(taskId);
        task_.clock = clock;
        return clock.phase;
    }

    // Trainers

    /// @inheritdoc ITraining
    function commit(bytes32 taskId, uint256 round, bytes32 commitment) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Commit);
        bytes4 fault = _commit(task_.trainers[msg.sender], taskId, round, msg.sender, commitment);
        if (fault != 0) _refuse(fault, taskId, msg.sender);
        clock.commits += 1;
        _save(taskId, task_, clock);
    }

    /// @inheritdoc ITraining
    function commitBatch(bytes32 taskId, uint256 round, SignedCommit[] calldata commits) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Commit);
        bytes32 domain = _domainSeparatorV4();
        uint256 skipped;
        for (uint256 i; i < commits.length; ++i) {
            SignedCommit calldata entry = commits[i];
            bytes32 commitment = entry.commitment;
            bytes32 digest = Hashes.signedCommit(domain, taskId, round, commitment);
            // The third value only says more about the fault.
            // slither-disable-next-line unused-return
            (address trainer, ECDSA.RecoverError wrong,) =
                ECDSA.tryRecover(digest, entry.r, entry.vs);
            bytes4 fault = wrong == ECDSA.RecoverError.NoError
                ? _commit(task_.trainers[trainer], taskId, round, trainer, commitment)
                : ITrainingErrors.TrainingBadSignature.selector;
            if (fault == 0) continue;
            ++skipped;
            emit CommitSkipped(taskId, round, i, fault);
        }
        clock.commits += uint32(commits.length - skipped);
        _save(taskId, task_, clock);
    }

    /// @inheritdoc ITraining
    function reveal(bytes32 taskId, uint256 round, Opening calldata opening) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Reveal);
        bytes4 fault = _reveal(task_.trainers[msg.sender], taskId, round, msg.sender, opening);
        if (fault != 0) _refuse(fault, taskId, msg.sender);
        clock.reveals += 1;
        _save(taskId, task_, clock);
    }

    /// @inheritdoc ITraining
    function revealBatch(bytes32 taskId, uint256 round, TrainerOpening[] calldata openings)
        external
    {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Reveal);
        uint256 skipped;
        for (uint256 i; i < openings.length; ++i) {
            TrainerOpening calldata entry = openings[i];
            address trainer = entry.trainer;
            bytes4 fault = _reveal(task_.trainers[trainer], taskId, round, trainer, entry.opening);
            if (fault == 0) continue;
            ++skipped;
            emit RevealSkipped(taskId, round, i, fault);
        }
        clock.reveals += uint32(openings.length - skipped);
        _save(taskId, task_, clock);
    }

    // Validators

    /// @inheritdoc ITraining
    function commitScores(bytes32 taskId, uint256 round, bytes32 commitment) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Score);
        uint256 word = task_.validators[msg.sender].word;
        if (word == 0) revert TrainingNotValidator(taskId, msg.sender);
        if (Slots.roundOf(word) == round) revert TrainingAlreadyCommitted(taskId, msg.sender);
        if (!Slots.isCommitment(commitment)) revert TrainingBadCommitment(taskId, msg.sender);
        task_.validators[msg.sender].word = Slots.packCommitment(round, commitment);
        emit ScoresCommitted(taskId, round, msg.sender, commitment);
        clock.scoreCommits += 1;
        _save(taskId, task_, clock);
    }

    /// @inheritdoc ITraining
    function revealScores(bytes32 taskId, uint256 round, bytes32 scores, bytes32 salt) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.ScoreReveal);
        uint256 word = task_.validators[msg.sender].word;
        if (!Slots.isOpen(word, round)) revert TrainingNothingToReveal(taskId, msg.sender);
        bytes32 commitment = Hashes.scores(taskId, round, msg.sender, scores, salt);
        if (word != Slots.packCommitment(round, commitment)) {
            revert TrainingWrongOpening(taskId, msg.sender);
        }
        task_.validators[msg.sender].word = Slots.pack(round, Slots.DONE);
        emit ScoresRevealed(taskId, round, msg.sender, scores);
        clock.scoreReveals += 1;
        _save(taskId, task_, clock);
    }

    /// @inheritdoc ITraining
    function attest(bytes32 taskId, uint256 round, Result calldata result) external {
        (Task storage task_, Clock memory clock) = _enter(taskId, round, Phase.Attest);
        uint256 word = task_.validators[msg.sender].word;
        if (word == 0) revert TrainingNotValidator(taskId, msg.sender);
        if (word == Slots.pack(round, Slots.ATTESTED)) {
            revert TrainingAlreadyAttested(taskId, msg.sender);
        }
        uint256 budget = _budget(task_, clock);
        if (result.paid > budget) revert TrainingRoundBudgetExceeded(taskId, result.paid, budget);
        task_.validators[msg.sender].word = Slots.pack(round, Slots.ATTESTED);
        clock.attestations += 1;
        bytes32 digest = Hashes.result(taskId, round, result);
        emit Attested(taskId, round, msg.sender, digest, result);
        uint256 stake = _tallies[digest] + task_.members[msg.sender].stake;
        if (Rounds.isQuorum(stake, task_.totalStake, task_.rules.quorumBps)) {
            delete _tallies[digest];
            _settle(taskId, task_, clock, digest, result);
        } else {
            _tallies[digest] = stake;
            _save(taskId, task_, clock);
        }
    }

    // Payouts

    /// @inheritdoc ITraining
    function claim(bytes32 taskId, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        nonReentrant
    {
        Task storage task_ = _tasks[taskId];
        if (!MerkleProof.verifyCalldata(
                proof, task_.payouts, Hashes.leaf(taskId, account, cumulative)
            )) {
            revert TrainingBadProof(taskId, account);
        }
        uint256 before = task_.claims[account];
        if (cumulative <= before) revert TrainingNothingToClaim(taskId, account, cumulative);
        uint256 amount = cumulative - before;
        uint256 left = task_.allocated - task_.claimed;
        if (amount > left) revert TrainingClaimsExceedAllocated(taskId, amount, left);
        task_.claimed += amount;
        task_.claims[account] = cumulative;
        emit Claimed(taskId, account, amount, cumulative);
        IERC20(task_.token).safeTransfer(account, amount);
    }

    /// @inheritdoc ITraining
    function enableToken(address token) external onlyOwner {
        if (token.code.length == 0) revert TrainingBadParameter("token");
        if (isTokenEnabled[token]) revert TrainingTokenAlreadyEnabled(token);
        isTokenEnabled[token] = true;
        emit TokenEnabled(token);
    }

    // Views

    /// @inheritdoc ITraining
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc ITraining
    function modelRegistry() external view returns (address) {
        return address(MODEL_REGISTRY);
    }

    /// @inheritdoc ITraining
    function taskIdOf(TaskParams calldata params) external pure returns (bytes32) {
        return keccak256(abi.encode(params));
    }

    /// @inheritdoc ITraining
    function updateCommitment(
        bytes32 taskId,
        uint256 round,
        address trainer,
        Opening calldata opening
    ) external pure returns (bytes32) {
        return Hashes.update(taskId, round, trainer, opening);
    }

    /// @inheritdoc ITraining
    function scoreCommitment(
        bytes32 taskId,
        uint256 round,
        address validator,
        bytes32 scores,
        bytes32 salt
    ) external pure returns (bytes32) {
        return Hashes.scores(taskId, round, validator, scores, salt);
    }

    /// @inheritdoc ITraining
    function resultDigest(bytes32 taskId, uint256 round, Result calldata result)
        external
        pure
        returns (bytes32)
    {
        return Hashes.result(taskId, round, result);
    }

    /// @inheritdoc ITraining
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Inside

    /// @dev Returns the selector of the error, or 0, so that a batch can skip what a call refuses.
    function _commit(
        Seat storage seat,
        bytes32 taskId,
        uint256 round,
        address trainer,
        bytes32 commitment
    ) private returns (bytes4 fault) {
        uint256 word = seat.word;
        if (word == 0) return ITrainingErrors.TrainingNotTrainer.selector;
        if (Slots.roundOf(word) == round) {
            if (Slots.isOpen(word, round)) {
                return ITrainingErrors.TrainingAlreadyCommitted.selector;
            }
            return ITrainingErrors.TrainingActsNextRound.selector;
        }
        if (!Slots.isCommitment(commitment)) return ITrainingErrors.TrainingBadCommitment.selector;
        seat.word = Slots.packCommitment(round, commitment);
        emit Committed(taskId, round, trainer, commitment);
    }

    /// @dev As `_commit`. No hash ends like a mark, so one comparison settles round and commitment.
    function _reveal(
        Seat storage seat,
        bytes32 taskId,
        uint256 round,
        address trainer,
        Opening calldata opening
    ) private returns (bytes4 fault) {
        uint256 word = seat.word;
        if (word != Slots.packCommitment(round, Hashes.update(taskId, round, trainer, opening))) {
            if (Slots.isOpen(word, round)) return ITrainingErrors.TrainingWrongOpening.selector;
            return ITrainingErrors.TrainingNothingToReveal.selector;
        }
        seat.word = Slots.pack(round, Slots.DONE);
        emit Revealed(taskId, round, trainer, opening.update, opening.chunkRoot, opening.samples);
    }

    function _settle(
        bytes32 taskId,
        Task storage task_,
        Clock memory clock,
        bytes32 digest,
        Result calldata result
    ) private {
        task_.allocated += uint128(result.paid);
        task_.payouts = result.payouts;
        task_.sanctions = result.sanctions;
        uint256 round = clock.round;
        // The ModelRegistry calls nobody.
        // slither-disable-next-line reentrancy-events
        uint256 version =
            MODEL_REGISTRY.publish(taskId, round, result.model, result.modelRoot, result.record);
        emit RoundSettled(taskId, round, digest, version, result.paid);
        _endRound(taskId, task_, clock);
        task_.clock = clock;
    }

    function _write(Task storage task_, TaskParams calldata params) private {
        task_.rules = Limits.rules(params);
        task_.pool = uint128(params.pool);
        task_.trainerStake = uint128(params.trainerStake);
        task_.validatorStake = uint128(params.validatorStake);
        task_.sponsor = params.sponsor;
        task_.token = params.token;
        task_.membership = params.membership;
        address last;
        for (uint256 i; i < params.validators.length; ++i) {
            address validator = params.validators[i];
            if (validator <= last) revert TrainingBadParameter("validators");
            task_.members[validator].committee = true;
            last = validator;
        }
    }

    /// @dev Exactly `amount` must arrive: a token that keeps a part would leave tasks short.
    function _pull(IERC20 token, uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TrainingPoolMismatch(amount, received);
    }
}
