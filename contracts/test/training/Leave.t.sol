// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {MemberState, Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract LeaveTest is TrainingTest {
    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        _leave(alice);
    }

    function test_RevertWhen_the_account_is_no_member() external {
        _begin(2);
        _expectRefusal(TrainingNotMember.selector, MALLORY);
        _leave(MALLORY);
        _leave(alice);
        _expectRefusal(TrainingNotMember.selector, alice);
        _leave(alice);
    }

    function test_RevertWhen_the_account_was_expelled() external {
        _begin(2);
        _strike(1, bob, 3);
        _sanction(bob, 3);
        _expectRefusal(TrainingNotMember.selector, bob);
        _leave(bob);
    }

    function test_RevertWhen_a_validator_leaves_a_running_task() external {
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            _expectRefusal(TrainingValidatorMustStay.selector, victor);
            _leave(victor);
            cheats.revertToState(snapshot);
        }
    }

    function test_RevertWhen_a_trainer_has_an_open_commitment() external {
        _begin(1);
        _commit(trainers[0], 1);
        _expectRefusal(TrainingOpenCommitment.selector, alice);
        _leave(alice);
        _commit(trainers[1], 1);
        _pass();
        _expectRefusal(TrainingOpenCommitment.selector, alice);
        _leave(alice);
        _reveal(trainers[1], 1);
        _pass();
        for (uint8 p = uint8(Phase.Score); p <= uint8(Phase.Attest); ++p) {
            _assertPhase(Phase(p), 1);
            _expectRefusal(TrainingOpenCommitment.selector, alice);
            _leave(alice);
            if (p == uint8(Phase.Score)) _commitScores(validators[0], 1);
            if (p == uint8(Phase.ScoreReveal)) _revealScores(validators[0], 1);
            if (p != uint8(Phase.ScoreReveal)) _pass();
        }
        _assertPhase(Phase.Finished, 1);
        _leave(alice);
    }

    function _assertLeaves(address account, TaskState memory expected) private {
        MemberState memory member = training.member(taskId, account);
        uint256 releaseAt = cheats.getBlockTimestamp() + BOND_DELAY;
        vm.expectEmit(address(training));
        emit Left(taskId, account);
        vm.expectEmit(address(registry));
        emit IRegistry.Unbonding(address(training), taskId, account, releaseAt);
        _leave(account);
        _assertTask(expected);
        (member.seated, member.round) = (false, 0);
        _assertMember(account, member);
        (uint256 bonded, uint256 at) = registry.bondOf(address(training), taskId, account);
        vm.assertEq(bonded, STAKE);
        vm.assertEq(at, releaseAt);
    }

    function test_members_leave_while_joining() external {
        _taskIn(Phase.Joining);
        _join(alice, 1);
        _join(victor, 2);
        TaskState memory expected = training.task(taskId);
        expected.trainers = 0;
        _assertLeaves(alice, expected);
        (expected.validators, expected.seatedStake) = (0, 0);
        _assertLeaves(victor, expected);
        _pass();
        _assertPhase(Phase.Cancelled, 0);
    }

    function test_a_trainer_without_a_commitment_leaves_and_is_not_waited_for() external {
        _begin(2);
        TaskState memory expected = training.task(taskId);
        (expected.trainers, expected.active) = (2, 2);
        _assertLeaves(alice, expected);
        _commit(trainers[1], 1);
        _assertPhase(Phase.Commit, 1);
        _commit(trainers[2], 1);
        _assertPhase(Phase.Reveal, 1);
    }

    function test_the_last_missing_trainer_leaves_and_closes_the_phase() external {
        _begin(2);
        _commit(trainers[1], 1);
        _commit(trainers[2], 1);
        TaskState memory expected = training.task(taskId);
        vm.warp(cheats.getBlockTimestamp() + 9);
        (expected.trainers, expected.active) = (2, 2);
        (expected.phase, expected.deadline) = (Phase.Reveal, _deadline());
        _expectPhaseStarted(1, Phase.Reveal);
        _leave(alice);
        _assertTask(expected);
    }

    function test_a_trainer_that_joined_in_this_round_leaves_without_effect_on_it() external {
        _beginWithRoom(2);
        TaskState memory expected = training.task(taskId);
        _join(MALLORY, 1);
        _assertLeaves(MALLORY, expected);
        _playCommit(1);
        _assertPhase(Phase.Reveal, 1);
    }

    function test_a_trainer_that_revealed_leaves_in_any_later_phase() external {
        for (uint8 p = uint8(Phase.Reveal); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _begin(2);
            _reach(Phase(p), 1);
            if (Phase(p) == Phase.Reveal) _reveal(trainers[0], 1);
            TaskState memory expected = training.task(taskId);
            expected.trainers = 2;
            _assertLeaves(alice, expected);
            if (Phase(p) == Phase.Reveal) {
                _reveal(trainers[1], 1);
                _reveal(trainers[2], 1);
                _assertPhase(Phase.Score, 1);
            }
            cheats.revertToState(snapshot);
        }
    }

    function test_a_trainer_that_did_not_commit_leaves_after_the_commit_phase() external {
        _begin(2);
        _commit(trainers[0], 1);
        _pass();
        TaskState memory expected = training.task(taskId);
        expected.trainers = 2;
        _assertLeaves(bob, expected);
        _reveal(trainers[0], 1);
        _assertPhase(Phase.Score, 1);
    }

    function test_a_trainer_leaves_once_the_round_of_its_commitment_is_over() external {
        _begin(2);
        _playCommit(1);
        _late();
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 1);
        _leave(alice);
        TaskState memory state = training.task(taskId);
        vm.assertTrue(state.phase == Phase.Commit);
        vm.assertEq(state.active, 2);
        vm.assertEq(state.trainers, 2);
    }

    function test_a_round_that_all_trainers_leave_is_void_and_ends_the_task() external {
        _begin(9);
        for (uint256 i; i < 3; ++i) {
            _leave(vm.addr(trainers[i]));
        }
        _assertPhase(Phase.Commit, 1);
        _pass();
        _assertPhase(Phase.Finished, 1);
    }

    function test_those_who_joined_late_train_on_when_all_others_left() external {
        _beginWithRoom(3);
        _join(MALLORY, 1);
        for (uint256 i; i < 3; ++i) {
            _leave(vm.addr(trainers[i]));
        }
        _pass();
        _assertPhase(Phase.Commit, 2);
        _commit(MALLORY_KEY, 2);
        _assertPhase(Phase.Reveal, 2);
    }

    function test_everybody_leaves_a_finished_task_alone() external {
        _taskIn(Phase.Finished);
        TaskState memory expected = training.task(taskId);
        for (uint256 i; i < 3; ++i) {
            expected.trainers -= 1;
            _assertLeaves(vm.addr(trainers[i]), expected);
        }
        for (uint256 i; i < 4; ++i) {
            expected.validators -= 1;
            expected.seatedStake -= STAKE;
            _assertLeaves(vm.addr(validators[i]), expected);
        }
    }

    function test_a_validator_leaves_an_overdue_last_round_without_anybodys_help() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        _late();
        vm.expectEmit(address(training));
        emit TaskFinished(taskId);
        vm.expectEmit(address(training));
        emit Left(taskId, victor);
        _leave(victor);
        _assertPhase(Phase.Finished, 1);
    }
}
