// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract RefundTest is TrainingTest {
    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        training.refund(taskId);
    }

    function test_RevertWhen_the_task_goes_on() external {
        for (uint8 p = uint8(Phase.Joining); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            vm.expectRevert(abi.encodeWithSelector(TrainingTaskNotEnded.selector, taskId, Phase(p)));
            training.refund(taskId);
            cheats.revertToState(snapshot);
        }
    }

    function test_RevertWhen_it_was_refunded_already() external {
        _taskIn(Phase.Finished);
        training.refund(taskId);
        vm.expectRevert(abi.encodeWithSelector(TrainingAlreadyRefunded.selector, taskId));
        training.refund(taskId);
    }

    function test_anybody_sends_what_was_not_allocated_to_the_sponsor() external {
        _begin(1);
        _playRound(1, _result(1, alice, 300 ether, 300 ether));
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(training));
        emit Refunded(taskId, POOL - 300 ether);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(training), SPONSOR, POOL - 300 ether);
        vm.prank(MALLORY);
        training.refund(taskId);
        expected.refunded = true;
        _assertTask(expected);
        vm.assertEq(token.balanceOf(SPONSOR), POOL - 300 ether);
        training.claim(taskId, alice, 300 ether, noProof);
        vm.assertEq(token.balanceOf(address(training)), 0);
    }

    function test_a_task_that_allocated_everything_has_nothing_to_refund() external {
        _begin(1);
        _playRound(1, _result(1, alice, POOL, POOL));
        vm.expectEmit(address(training));
        emit Refunded(taskId, 0);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), 0);
        vm.assertTrue(training.task(taskId).refunded);
    }

    function test_a_task_that_ends_by_its_deadline_is_refunded_in_the_same_call() external {
        _begin(1);
        _late();
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 1);
        vm.expectEmit(address(training));
        emit TaskFinished(taskId);
        vm.expectEmit(address(training));
        emit Refunded(taskId, POOL);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
    }

    function test_a_task_that_nobody_joined_is_cancelled_and_refunded_in_the_same_call() external {
        _taskIn(Phase.Joining);
        _late();
        vm.expectEmit(address(training));
        emit TaskCancelled(taskId);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
        _assertPhase(Phase.Cancelled, 0);
    }

    function test_one_task_never_refunds_from_the_pool_of_another(uint128 paid) external {
        uint256 spent = _bound(paid, 0, POOL);
        _begin(1);
        _playRound(1, _result(1, alice, spent, spent));
        bytes32 first = taskId;
        _createTask(_params(1, 4));
        training.refund(first);
        vm.assertEq(token.balanceOf(SPONSOR), POOL - spent);
        vm.assertEq(token.balanceOf(address(training)), POOL + spent);
    }
}
