// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ITraining} from "./interfaces/ITraining.sol";
import {Phase, TaskState} from "./interfaces/TrainingTypes.sol";
import {Clock, Rounds, Rules} from "./libraries/Rounds.sol";

/// @title TrainingState
/// @notice What Training stores, and how its phases move.
abstract contract TrainingState is ITraining {
    using Rounds for Clock;

    /// @dev Written once, when the account joins; `committee` when the task is created.
    struct Member {
        uint128 stake;
        uint8 role;
        uint8 strikes;
        bool committee;
    }

    /// @dev One word, see Slots; 0 means no seat.
    struct Seat {
        uint256 word;
    }

    struct Task {
        Clock clock;
        Rules rules;
        // In every round:
        uint128 totalStake;
        uint128 seatedStake;
        uint128 pool;
        uint128 allocated;
        bytes32 payouts;
        bytes32 sanctions;
        // Seldom:
        uint128 trainerStake;
        uint128 validatorStake;
        uint256 claimed;
        address sponsor;
        address token;
        address membership;
        // Separate, so that no validator passes for a trainer.
        mapping(address trainer => Seat) trainers;
        mapping(address validator => Seat) validators;
        mapping(address account => Member) members;
        mapping(address account => uint256) claims;
    }

    mapping(bytes32 taskId => Task) internal _tasks;
    /// @dev A digest covers task and round, so one flat mapping serves all.
    mapping(bytes32 digest => uint256 stake) internal _tallies;

    /// @inheritdoc ITraining
    function task(bytes32 taskId) external view returns (TaskState memory state) {
        Task storage task_ = _tasks[taskId];
        Clock memory clock = task_.clock;
        (state.phase, state.round, state.deadline) = (clock.phase, clock.round, clock.deadline);
        (state.trainers, state.active) = (clock.trainers, clock.active);
        (state.commits, state.reveals) = (clock.commits, clock.reveals);
        (state.validators, state.attestations) = (clock.validators, clock.attestations);
        (state.scoreCommits, state.scoreReveals) = (clock.scoreCommits, clock.scoreReveals);
        state.refunded = clock.refunded;
        (state.rounds, state.quorumBps) = (task_.rules.rounds, task_.rules.quorumBps);
        (state.sponsor, state.token) = (task_.sponsor, task_.token);
        (state.pool, state.allocated, state.claimed) = (task_.pool, task_.allocated, task_.claimed);
        (state.totalStake, state.seatedStake) = (task_.totalStake, task_.seatedStake);
        (state.payouts, state.sanctions) = (task_.payouts, task_.sanctions);
    }

    /// @inheritdoc ITraining
    function phaseOf(bytes32 taskId) external view returns (Phase phase, uint256 round) {
        Task storage task_ = _tasks[taskId];
        Clock memory clock = task_.clock;
        (phase, round) = (clock.phase, clock.round);
        if (phase == Phase.None || !clock.isOverdue()) return (phase, round);
        Phase next = clock.next();
        if (next != Phase.Commit) return (next, round);
        if (phase != Phase.Joining && _isLast(task_, clock)) return (Phase.Finished, round);
        return (Phase.Commit, round + 1);
    }

    /// @inheritdoc ITraining
    function budgetOf(bytes32 taskId) external view returns (uint256) {
        Task storage task_ = _tasks[taskId];
        Clock memory clock = task_.clock;
        return clock.isRunning() ? _budget(task_, clock) : 0;
    }

    /// @inheritdoc ITraining
    function tallyOf(bytes32 digest) external view returns (uint256) {
        return _tallies[digest];
    }

    /// @dev The task as it is now: if its phase is overdue, that phase is closed first. Since every
    /// phase lasts a while from its start, one step is enough.
    function _now(bytes32 taskId) internal returns (Task storage task_, Clock memory clock) {
        task_ = _tasks[taskId];
        clock = task_.clock;
        if (clock.phase == Phase.None) revert TrainingUnknownTask(taskId);
        if (clock.isOverdue()) _close(taskId, task_, clock);
    }

    /// @dev Like `_now`, for actions that belong to one phase of one round.
    function _enter(bytes32 taskId, uint256 round, Phase phase)
        internal
        returns (Task storage task_, Clock memory clock)
    {
        (task_, clock) = _now(taskId);
        if (clock.phase != phase) revert TrainingWrongPhase(taskId, phase, clock.phase);
        if (clock.round != round) revert TrainingWrongRound(taskId, round, clock.round);
    }

    /// @dev Stores the clock, after closing the phase if that is complete.
    function _save(bytes32 taskId, Task storage task_, Clock memory clock) internal {
        if (clock.isComplete(task_.rules)) _close(taskId, task_, clock);
        task_.clock = clock;
    }

    function _close(bytes32 taskId, Task storage task_, Clock memory clock) private {
        Phase next = clock.next();
        if (clock.phase == Phase.Joining) {
            if (next == Phase.Cancelled) return _end(taskId, clock, Phase.Cancelled);
            task_.totalStake = task_.seatedStake;
            return _startRound(taskId, task_, clock);
        }
        if (next != Phase.Commit) return _startPhase(taskId, task_, clock, next);
        emit RoundVoided(taskId, clock.round);
        _endRound(taskId, task_, clock);
    }

    function _endRound(bytes32 taskId, Task storage task_, Clock memory clock) internal {
        if (_isLast(task_, clock)) _end(taskId, clock, Phase.Finished);
        else _startRound(taskId, task_, clock);
    }

    /// @dev True if no further round can be settled: there are no more, nobody would train, or those
    /// validators that are left are no quorum.
    function _isLast(Task storage task_, Clock memory clock) internal view returns (bool) {
        return clock.round == task_.rules.rounds || clock.trainers == 0
            || !Rounds.isQuorum(task_.seatedStake, task_.totalStake, task_.rules.quorumBps);
    }

    function _startRound(bytes32 taskId, Task storage task_, Clock memory clock) private {
        clock.round += 1;
        clock.active = clock.trainers;
        clock.commits = 0;
        clock.reveals = 0;
        clock.scoreCommits = 0;
        clock.scoreReveals = 0;
        clock.attestations = 0;
        _startPhase(taskId, task_, clock, Phase.Commit);
    }

    function _startPhase(bytes32 taskId, Task storage task_, Clock memory clock, Phase phase)
        internal
    {
        clock.phase = phase;
        clock.deadline = uint40(block.timestamp + Rounds.duration(task_.rules, phase));
        emit PhaseStarted(taskId, clock.round, phase, clock.deadline);
    }

    function _end(bytes32 taskId, Clock memory clock, Phase phase) internal {
        clock.phase = phase;
        clock.deadline = 0;
        if (phase == Phase.Finished) emit TaskFinished(taskId);
        else emit TaskCancelled(taskId);
    }

    /// @dev What the current round may pay: an equal share of the rest, rounded down. What a round does
    /// not pay is shared by those that follow.
    function _budget(Task storage task_, Clock memory clock) internal view returns (uint256) {
        uint256 roundsLeft = uint256(task_.rules.rounds) - clock.round + 1;
        return (uint256(task_.pool) - task_.allocated) / roundsLeft;
    }

    /// @dev Reverts with an error whose arguments are (taskId, account).
    function _refuse(bytes4 reason, bytes32 taskId, address account) internal pure {
        assembly ("memory-safe") {
            mstore(0x00, reason)
            mstore(0x04, taskId)
            mstore(0x24, account)
            revert(0x00, 0x44)
        }
    }
}
