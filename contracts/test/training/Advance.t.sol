// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, Result, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract AdvanceTest is TrainingTest {
    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        training.advance(taskId);
    }

    function test_a_phase_that_is_not_overdue_stays() external {
        for (uint8 p = uint8(Phase.Joining); p <= uint8(Phase.Cancelled); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            TaskState memory expected = training.task(taskId);
            if (expected.deadline != 0) _onTime();
            vm.assertEq(uint256(training.advance(taskId)), uint256(p));
            _assertTask(expected);
            cheats.revertToState(snapshot);
        }
    }

    function test_an_ended_task_stays_ended_for_ever() external {
        _taskIn(Phase.Finished);
        TaskState memory expected = training.task(taskId);
        vm.warp(type(uint40).max);
        vm.assertEq(uint256(training.advance(taskId)), uint256(Phase.Finished));
        _assertTask(expected);
    }

    function test_joining_without_trainers_or_validators_is_cancelled() external {
        for (uint256 i; i < 3; ++i) {
            uint256 snapshot = cheats.snapshotState();
            _createTask(_params(1, 3));
            if (i == 1) _join(alice, 1);
            if (i == 2) _join(victor, 2);
            _late();
            vm.expectEmit(address(training));
            emit TaskCancelled(taskId);
            vm.prank(MALLORY);
            training.advance(taskId);
            _assertPhase(Phase.Cancelled, 0);
            cheats.revertToState(snapshot);
        }
    }

    function test_joining_with_one_of_each_starts_the_first_round() external {
        _createTask(_params(1, 3));
        _join(alice, 1);
        _join(victor, 2);
        TaskState memory expected = training.task(taskId);
        _late();
        _expectPhaseStarted(1, Phase.Commit);
        training.advance(taskId);
        (expected.phase, expected.round, expected.deadline) = (Phase.Commit, 1, _deadline());
        (expected.active, expected.totalStake) = (1, STAKE);
        _assertTask(expected);
    }

    function test_a_phase_in_which_somebody_acted_leads_to_the_next() external {
        _begin(2);
        _commit(trainers[0], 1);
        _assertAdvancesTo(Phase.Reveal);
        _reveal(trainers[0], 1);
        _assertPhase(Phase.Score, 1);
        _commitScores(validators[0], 1);
        _commitScores(validators[1], 1);
        _assertAdvancesTo(Phase.ScoreReveal);
        _revealScores(validators[0], 1);
        _assertAdvancesTo(Phase.Attest);
    }

    function test_late_reveals_are_left_out() external {
        _begin(2);
        _playCommit(1);
        _reveal(trainers[0], 1);
        _assertAdvancesTo(Phase.Score);
    }

    function _assertAdvancesTo(Phase phase) private {
        TaskState memory expected = training.task(taskId);
        _late();
        _expectPhaseStarted(1, phase);
        training.advance(taskId);
        (expected.phase, expected.deadline) = (phase, _deadline());
        _assertTask(expected);
    }

    function test_a_phase_in_which_nobody_acted_voids_the_round() external {
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _begin(2);
            _reach(Phase(p), 1);
            TaskState memory expected = training.task(taskId);
            _late();
            vm.expectEmit(address(training));
            emit RoundVoided(taskId, 1);
            _expectPhaseStarted(2, Phase.Commit);
            training.advance(taskId);
            (expected.phase, expected.round, expected.deadline) = (Phase.Commit, 2, _deadline());
            (expected.commits, expected.reveals) = (0, 0);
            (expected.scoreCommits, expected.scoreReveals) = (0, 0);
            _assertTask(expected);
            _playRound(2, _result(2, alice, POOL, POOL));
            _assertPhase(Phase.Finished, 2);
            cheats.revertToState(snapshot);
        }
    }

    function test_a_round_without_a_quorum_is_void_at_its_deadline() external {
        _begin(2);
        _reach(Phase.Attest, 1);
        _attest(validators[0], 1, _result(1, alice, 0, 0));
        _late();
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 1);
        training.advance(taskId);
        _assertPhase(Phase.Commit, 2);
    }

    function test_a_task_whose_rounds_are_all_void_finishes_and_is_refunded_in_full() external {
        _begin(5);
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            _assertPhase(Phase.Commit, p - 1);
            _reach(Phase(p), p - 1);
            _pass();
        }
        _assertPhase(Phase.Finished, 5);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
        vm.assertEq(models.headOf(taskId), 1);
        for (uint256 i; i < 3; ++i) {
            _leave(vm.addr(trainers[i]));
        }
        for (uint256 i; i < 4; ++i) {
            _leave(vm.addr(validators[i]));
        }
    }

    function test_one_call_moves_one_phase_however_long_nobody_called() external {
        _begin(3);
        vm.warp(training.task(taskId).deadline + 365 days);
        training.advance(taskId);
        _assertPhase(Phase.Commit, 2);
        training.advance(taskId);
        _assertPhase(Phase.Commit, 2);
        _playCommit(2);
        _assertPhase(Phase.Reveal, 2);
    }

    function test_phaseOf_tells_what_advance_does(uint256 seed, uint40 wait) external {
        _createTask(_params(uint32(_bound(seed, 1, 3)), seed % 5 == 0 ? 10 : 3));
        if (seed % 11 != 0) _joinAll();
        for (uint256 step; step < 8; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            _actAtRandom(seed);
            vm.warp(cheats.getBlockTimestamp() + _bound(uint256(wait) ^ (seed >> 8), 0, 2 hours));
            _assertPhaseOfIsRight();
        }
    }

    /// @dev Plays a part of the phase, from nobody's to everybody's.
    function _actAtRandom(uint256 seed) private {
        TaskState memory state = training.task(taskId);
        (Phase phase,) = training.phaseOf(taskId);
        if (phase != state.phase) return;
        uint256 members = _bound(seed, 0, phase < Phase.Score ? trainers.length : validators.length);
        for (uint256 i; i < members; ++i) {
            if (training.task(taskId).phase != phase) return;
            if (phase == Phase.Commit) _tryCommit(i, state.round);
            if (phase == Phase.Reveal) _tryReveal(i, state.round);
            if (phase == Phase.Score) _tryCommitScores(i, state.round);
            if (phase == Phase.ScoreReveal) _tryRevealScores(i, state.round);
            if (phase == Phase.Attest) _tryAttest(i, state.round, seed % 2);
        }
    }

    function _tryCommit(uint256 i, uint256 round) private {
        bytes32 commitment = _commitment(trainers[i], round);
        vm.prank(vm.addr(trainers[i]));
        try training.commit(taskId, round, commitment) {} catch {}
    }

    function _tryCommitScores(uint256 i, uint256 round) private {
        bytes32 commitment = _scoreCommitment(validators[i], round);
        vm.prank(vm.addr(validators[i]));
        try training.commitScores(taskId, round, commitment) {} catch {}
    }

    function _tryAttest(uint256 i, uint256 round, uint256 rival) private {
        Result memory result = _result(rival, alice, 0, 0);
        vm.prank(vm.addr(validators[i]));
        try training.attest(taskId, round, result) {} catch {}
    }

    function _tryReveal(uint256 i, uint256 round) private {
        vm.prank(vm.addr(trainers[i]));
        try training.reveal(taskId, round, _opening(trainers[i], round)) {} catch {}
    }

    function _tryRevealScores(uint256 i, uint256 round) private {
        (bytes32 scores, bytes32 salt) = _scores(validators[i], round);
        vm.prank(vm.addr(validators[i]));
        try training.revealScores(taskId, round, scores, salt) {} catch {}
    }

    function _assertPhaseOfIsRight() private {
        (Phase phase, uint256 round) = training.phaseOf(taskId);
        vm.assertEq(uint256(training.advance(taskId)), uint256(phase));
        _assertPhase(phase, round);
        (Phase again, uint256 roundAgain) = training.phaseOf(taskId);
        vm.assertEq(uint256(again), uint256(phase));
        vm.assertEq(roundAgain, round);
    }
}
