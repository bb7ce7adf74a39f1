// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract CancelTest is TrainingTest {
    function _cancel() private {
        vm.prank(SPONSOR);
        training.cancel(taskId);
    }

    function test_RevertWhen_the_caller_is_not_the_sponsor() external {
        _taskIn(Phase.Joining);
        _expectRefusal(TrainingNotSponsor.selector, MALLORY);
        vm.prank(MALLORY);
        training.cancel(taskId);
    }

    function test_RevertWhen_the_task_is_no_longer_joining() external {
        _assertRefusedOutside(Phase.Joining, _cancel);
    }

    function test_RevertWhen_joining_is_over_but_nobody_advanced() external {
        _createTask(_params(1, 10));
        _joinAll();
        _assertRefusedLate(Phase.Joining, Phase.Commit, _cancel);
    }

    function test_a_cancelled_task_gives_everything_back() external {
        _taskIn(Phase.Joining);
        _join(alice, 1);
        _join(victor, 2);
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(training));
        emit TaskCancelled(taskId);
        _cancel();
        (expected.phase, expected.deadline) = (Phase.Cancelled, 0);
        _assertTask(expected);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
        _leave(alice);
        _leave(victor);
        vm.warp(cheats.getBlockTimestamp() + BOND_DELAY);
        registry.release(address(training), taskId, alice);
        registry.release(address(training), taskId, victor);
        vm.assertEq(registry.freeOf(alice) + registry.freeOf(victor), 2 * STAKE);
    }

    function test_a_task_may_be_cancelled_until_its_deadline() external {
        _taskIn(Phase.Joining);
        _onTime();
        _cancel();
        _assertPhase(Phase.Cancelled, 0);
    }
}
