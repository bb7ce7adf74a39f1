// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract CommitTest is TrainingTest {
    function _aliceCommits() private {
        vm.prank(alice);
        training.commit(taskId, 1, "a commitment of 28 bytes or more");
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Commit, _aliceCommits);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(1);
        _assertRefusedLate(Phase.Commit, Phase.Finished, _aliceCommits);
    }

    function test_RevertWhen_the_deadline_has_passed_and_others_were_in_time() external {
        _begin(1);
        _commit(trainers[1], 1);
        _assertRefusedLate(Phase.Commit, Phase.Reveal, _aliceCommits);
    }

    function test_RevertWhen_the_round_is_another(uint256 round) external {
        vm.assume(round != 2);
        _begin(3);
        _pass();
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongRound.selector, taskId, round, uint256(2))
        );
        vm.prank(alice);
        training.commit(taskId, round, "a commitment of 28 bytes or more");
    }

    function test_RevertWhen_the_account_is_no_trainer() external {
        _beginWithRoom(2);
        _leave(carol);
        address[3] memory accounts = [MALLORY, victor, carol];
        for (uint256 i; i < 3; ++i) {
            _expectRefusal(TrainingNotTrainer.selector, accounts[i]);
            vm.prank(accounts[i]);
            training.commit(taskId, 1, "a commitment of 28 bytes or more");
        }
    }

    function test_RevertWhen_the_trainer_joined_in_this_round() external {
        _beginWithRoom(2);
        _join(MALLORY, 1);
        _expectRefusal(TrainingActsNextRound.selector, MALLORY);
        _commit(MALLORY_KEY, 1);
    }

    function test_RevertWhen_the_trainer_committed_already() external {
        _begin(1);
        _commit(trainers[0], 1);
        _expectRefusal(TrainingAlreadyCommitted.selector, alice);
        _commit(trainers[0], 1);
        _expectRefusal(TrainingAlreadyCommitted.selector, alice);
        _aliceCommits();
    }

    function test_RevertWhen_the_commitment_ends_like_a_mark(uint32 top, uint8 mark) external {
        _begin(1);
        bytes32 commitment = bytes32((uint256(top) << 224) | (mark % 3));
        _expectRefusal(TrainingBadCommitment.selector, alice);
        vm.prank(alice);
        training.commit(taskId, 1, commitment);
    }

    function test_a_commitment_is_counted_and_reported() external {
        _begin(1);
        TaskState memory expected = training.task(taskId);
        bytes32 commitment = _commitment(trainers[0], 1);
        vm.expectEmit(address(training));
        emit Committed(taskId, 1, alice, commitment);
        vm.prank(alice);
        training.commit(taskId, 1, commitment);
        expected.commits = 1;
        _assertTask(expected);
        vm.assertEq(training.member(taskId, alice).round, 1);
    }

    function test_a_commitment_is_accepted_until_the_deadline() external {
        _begin(1);
        _onTime();
        _commit(trainers[0], 1);
        vm.assertEq(training.task(taskId).commits, 1);
    }

    function test_the_last_commitment_closes_the_phase() external {
        _begin(1);
        _commit(trainers[0], 1);
        _commit(trainers[1], 1);
        TaskState memory expected = training.task(taskId);
        vm.warp(cheats.getBlockTimestamp() + 5);
        vm.expectEmit(address(training));
        emit Committed(taskId, 1, carol, _commitment(trainers[2], 1));
        _expectPhaseStarted(1, Phase.Reveal);
        _commit(trainers[2], 1);
        (expected.phase, expected.deadline, expected.commits) = (Phase.Reveal, _deadline(), 3);
        _assertTask(expected);
    }

    function test_any_hash_is_a_commitment(bytes32 commitment) external {
        vm.assume(uint224(uint256(commitment)) > 2);
        _begin(1);
        vm.expectEmit(address(training));
        emit Committed(taskId, 1, alice, commitment);
        vm.prank(alice);
        training.commit(taskId, 1, commitment);
    }

    function test_a_commitment_that_was_never_opened_does_not_stop_the_next_round() external {
        _begin(2);
        _playCommit(1);
        _pass();
        _assertPhase(Phase.Commit, 2);
        _playCommit(2);
        _assertPhase(Phase.Reveal, 2);
        _playReveal(2);
        _assertPhase(Phase.Score, 2);
    }
}
