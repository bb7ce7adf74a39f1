// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AllowList} from "../../src/AllowList.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {MemberState, Phase, TaskParams, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract JoinTest is TrainingTest {
    function _joinAs(address account, uint8 role, uint256 stake) private {
        vm.prank(account);
        training.join(taskId, role, stake);
    }

    function _victorJoins() private {
        _joinAs(victor, 2, STAKE);
    }

    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        _joinAs(alice, 1, STAKE);
    }

    function test_RevertWhen_the_task_has_ended() external {
        Phase[2] memory phases = [Phase.Finished, Phase.Cancelled];
        for (uint256 i; i < 2; ++i) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(phases[i]);
            vm.expectRevert(abi.encodeWithSelector(TrainingTaskEnded.selector, taskId));
            _joinAs(MALLORY, 1, STAKE);
            cheats.revertToState(snapshot);
        }
    }

    function test_RevertWhen_the_last_deadline_has_passed_but_nobody_advanced() external {
        _createTask(_params(1, 10));
        _joinAll();
        _pass();
        _late();
        vm.expectRevert(abi.encodeWithSelector(TrainingTaskEnded.selector, taskId));
        _joinAs(MALLORY, 1, STAKE);
    }

    function test_RevertWhen_the_account_joined_already() external {
        _createTask(_params(1, 10));
        _join(alice, 1);
        _join(victor, 2);
        _expectRefusal(TrainingAlreadyJoined.selector, alice);
        _joinAs(alice, 1, STAKE);
        _expectRefusal(TrainingAlreadyJoined.selector, victor);
        _joinAs(victor, 2, STAKE);
        _expectRefusal(TrainingAlreadyJoined.selector, alice);
        _joinAs(alice, 2, STAKE);
    }

    function test_RevertWhen_the_account_left_or_was_expelled() external {
        _beginWithRoom(3);
        _leave(carol);
        _deposit(carol, 1, STAKE);
        _expectRefusal(TrainingAlreadyJoined.selector, carol);
        _joinAs(carol, 1, STAKE);
        trainers.pop();
        _strike(1, bob, 3);
        _sanction(bob, 3);
        _deposit(bob, 1, STAKE);
        _expectRefusal(TrainingAlreadyJoined.selector, bob);
        _joinAs(bob, 1, STAKE);
    }

    function test_RevertWhen_the_role_is_not_one_of_two(uint8 role) external {
        vm.assume(role != 1 && role != 2);
        _taskIn(Phase.Joining);
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownRole.selector, role));
        _joinAs(alice, role, STAKE);
    }

    function test_RevertWhen_a_validator_wants_to_train() external {
        _taskIn(Phase.Joining);
        _expectRefusal(TrainingCommitteeCannotTrain.selector, victor);
        _joinAs(victor, 1, STAKE);
    }

    function test_RevertWhen_a_trainer_bonds_more_or_less_than_the_stake(uint256 stake) external {
        vm.assume(stake != STAKE);
        _taskIn(Phase.Joining);
        vm.expectRevert(abi.encodeWithSelector(TrainingWrongStake.selector, taskId, STAKE, stake));
        _joinAs(alice, 1, stake);
    }

    function test_RevertWhen_a_validator_bonds_less_than_the_stake(uint256 stake) external {
        stake = _bound(stake, 0, STAKE - 1);
        _taskIn(Phase.Joining);
        vm.expectRevert(abi.encodeWithSelector(TrainingWrongStake.selector, taskId, STAKE, stake));
        _joinAs(victor, 2, stake);
    }

    function test_RevertWhen_there_is_no_room_for_a_trainer() external {
        _begin(1);
        vm.expectRevert(abi.encodeWithSelector(TrainingFull.selector, taskId, 3));
        _joinAs(MALLORY, 1, STAKE);
    }

    function test_RevertWhen_a_validator_is_not_in_the_committee() external {
        _taskIn(Phase.Joining);
        _expectRefusal(TrainingNotInCommittee.selector, MALLORY);
        _joinAs(MALLORY, 2, STAKE);
    }

    function test_RevertWhen_a_validator_comes_after_the_start() external {
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            _expectWrongPhase(Phase.Joining, Phase(p));
            _joinAs(MALLORY, 2, STAKE);
            cheats.revertToState(snapshot);
        }
    }

    function test_RevertWhen_a_validator_comes_late_but_nobody_advanced() external {
        _createTask(_params(1, 10));
        _join(alice, 1);
        _join(wanda, 2);
        _assertRefusedLate(Phase.Joining, Phase.Commit, _victorJoins);
    }

    function test_RevertWhen_the_account_did_not_register_the_role() external {
        _taskIn(Phase.Joining);
        _deposit(alice, 2 | 4, STAKE);
        _deposit(victor, 1 | 4, STAKE);
        vm.expectRevert(abi.encodeWithSelector(TrainingRoleMissing.selector, alice, 1));
        _joinAs(alice, 1, STAKE);
        vm.expectRevert(abi.encodeWithSelector(TrainingRoleMissing.selector, victor, 2));
        _joinAs(victor, 2, STAKE);
    }

    function test_RevertWhen_the_membership_contract_says_no() external {
        TaskParams memory params = _params(1, 3);
        params.membership = address(new AllowList(OWNER));
        _createTask(params);
        _deposit(MALLORY, 1, STAKE);
        _expectRefusal(TrainingNotAdmitted.selector, MALLORY);
        _joinAs(MALLORY, 1, STAKE);
    }

    function test_RevertWhen_the_free_balance_is_less_than_the_stake() external {
        _taskIn(Phase.Joining);
        _deposit(alice, 1, STAKE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.RegistryInsufficientFree.selector, alice, STAKE - 1, STAKE
            )
        );
        _joinAs(alice, 1, STAKE);
    }

    function test_a_trainer_joins_and_its_stake_is_bonded() external {
        _taskIn(Phase.Joining);
        _deposit(alice, 1, STAKE + 5);
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(training));
        emit Joined(taskId, alice, 1, STAKE);
        vm.expectEmit(address(registry));
        emit IRegistry.Bonded(address(training), taskId, alice, STAKE);
        _joinAs(alice, 1, STAKE);
        expected.trainers = 1;
        _assertTask(expected);
        MemberState memory member;
        (member.role, member.seated, member.stake) = (1, true, STAKE);
        _assertMember(alice, member);
        (uint256 bonded, uint256 releaseAt) = registry.bondOf(address(training), taskId, alice);
        vm.assertEq(bonded, STAKE);
        vm.assertEq(releaseAt, 0);
        vm.assertEq(registry.freeOf(alice), 5);
    }

    function test_a_validator_joins_with_any_stake_from_the_minimum(uint256 stake) external {
        stake = _bound(stake, STAKE, 1_000 * STAKE);
        _taskIn(Phase.Joining);
        _deposit(victor, 2, stake);
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(training));
        emit Joined(taskId, victor, 2, stake);
        _joinAs(victor, 2, stake);
        (expected.validators, expected.seatedStake) = (1, stake);
        _assertTask(expected);
        MemberState memory member;
        (member.role, member.seated, member.committee, member.stake) = (2, true, true, stake);
        _assertMember(victor, member);
        (uint256 bonded,) = registry.bondOf(address(training), taskId, victor);
        vm.assertEq(bonded, stake);
    }

    function test_joining_closes_once_everyone_has_joined() external {
        _taskIn(Phase.Joining);
        uint256 last = validators[3];
        validators.pop();
        _joinAll();
        _assertPhase(Phase.Joining, 0);
        TaskState memory expected = training.task(taskId);
        _deposit(yuri, 2, 2 * STAKE);
        vm.warp(cheats.getBlockTimestamp() + 7);
        vm.expectEmit(address(training));
        emit Joined(taskId, yuri, 2, 2 * STAKE);
        _expectPhaseStarted(1, Phase.Commit);
        _joinAs(vm.addr(last), 2, 2 * STAKE);
        (expected.phase, expected.round, expected.deadline) = (Phase.Commit, 1, _deadline());
        (expected.active, expected.validators) = (3, 4);
        (expected.totalStake, expected.seatedStake) = (5 * STAKE, 5 * STAKE);
        _assertTask(expected);
    }

    function test_joining_stays_open_until_its_deadline_while_a_seat_is_free() external {
        _createTask(_params(1, 4));
        _joinAll();
        _assertPhase(Phase.Joining, 0);
        _onTime();
        _join(MALLORY, 1);
        _assertPhase(Phase.Commit, 1);
        vm.assertEq(training.task(taskId).active, 4);
    }

    function test_a_trainer_that_joins_in_any_phase_acts_from_the_next_round() external {
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _beginWithRoom(2);
            _reach(Phase(p), 1);
            TaskState memory expected = training.task(taskId);
            _join(MALLORY, 1);
            expected.trainers = 4;
            _assertTask(expected);
            vm.assertEq(training.member(taskId, MALLORY).round, 1);
            _finishRoundFrom(Phase(p));
            vm.assertEq(training.task(taskId).active, 4);
            _playCommit(2);
            _assertPhase(Phase.Commit, 2);
            _commit(MALLORY_KEY, 2);
            _assertPhase(Phase.Reveal, 2);
            cheats.revertToState(snapshot);
        }
    }

    function _finishRoundFrom(Phase phase) private {
        if (phase <= Phase.Commit) _playCommit(1);
        if (phase <= Phase.Reveal) _playReveal(1);
        if (phase <= Phase.Score) {
            for (uint256 i; i < validators.length; ++i) {
                _commitScores(validators[i], 1);
            }
        }
        if (phase <= Phase.ScoreReveal) {
            for (uint256 i; i < validators.length; ++i) {
                _revealScores(validators[i], 1);
            }
        }
        _playAttest(1, _result(1, alice, 0, 0));
    }

    function test_a_trainer_that_joins_after_a_deadline_joins_the_phase_that_follows() external {
        _beginWithRoom(3);
        _late();
        _fund(MALLORY, 1);
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 1);
        _expectPhaseStarted(2, Phase.Commit);
        vm.expectEmit(address(training));
        emit Joined(taskId, MALLORY, 1, STAKE);
        _joinAs(MALLORY, 1, STAKE);
        TaskState memory state = training.task(taskId);
        vm.assertEq(state.active, 3);
        vm.assertEq(state.trainers, 4);
        vm.assertEq(training.member(taskId, MALLORY).round, 2);
    }

    function test_a_seat_that_was_left_is_free_for_another() external {
        _begin(2);
        _leave(carol);
        _join(MALLORY, 1);
        vm.assertEq(training.task(taskId).trainers, 3);
    }

    function test_a_task_without_trainer_stake_asks_for_none() external {
        TaskParams memory params = _params(1, 3);
        params.trainerStake = 0;
        _createTask(params);
        vm.prank(alice);
        registry.register(1, 0);
        _joinAs(alice, 1, 0);
        vm.assertEq(training.task(taskId).trainers, 1);
        _leave(alice);
    }
}
