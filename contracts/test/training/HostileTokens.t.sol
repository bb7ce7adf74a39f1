// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {Phase, TaskParams} from "../../src/interfaces/TrainingTypes.sol";
import {
    CallbackToken,
    FalseToken,
    FeeToken,
    GiftToken,
    HugeToken,
    LyingToken,
    SilentToken,
    SixDecimalsToken
} from "./Hostile.sol";
import {TrainingTest} from "./TrainingTest.sol";

/// @notice Pools in tokens that an owner should never enable, and in odd ones that are fine.
contract HostileTokensTest is TrainingTest {
    function _enable(address hostile) private returns (TaskParams memory params) {
        vm.prank(OWNER);
        training.enableToken(hostile);
        params = _params(1, 3);
        params.token = hostile;
        vm.startPrank(SPONSOR);
        IERC20(hostile).approve(address(training), 2 * POOL);
        vm.stopPrank();
    }

    function _create(TaskParams memory params) private {
        vm.prank(SPONSOR);
        taskId = training.createTask(params);
    }

    /// @dev A finished task that owes alice 40 % of the pool and the sponsor the rest.
    function _finish(TaskParams memory params) private {
        _create(params);
        _joinAll();
        _playRound(1, _result(1, alice, POOL / 10 * 4, POOL / 10 * 4));
        _assertPhase(Phase.Finished, 1);
    }

    function _claim() private {
        training.claim(taskId, alice, POOL / 10 * 4, noProof);
    }

    function _expectFailed(address hostile) private {
        vm.expectRevert(
            abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, hostile)
        );
    }

    function test_RevertWhen_the_token_keeps_a_fee() external {
        FeeToken fee = new FeeToken(SPONSOR, POOL);
        fee.charge();
        TaskParams memory params = _enable(address(fee));
        vm.expectRevert(
            abi.encodeWithSelector(TrainingPoolMismatch.selector, POOL, POOL - POOL / 100)
        );
        _create(params);
    }

    function test_RevertWhen_more_than_the_pool_arrives() external {
        TaskParams memory params = _enable(address(new GiftToken(SPONSOR, POOL)));
        vm.expectRevert(abi.encodeWithSelector(TrainingPoolMismatch.selector, POOL, POOL + 1));
        _create(params);
    }

    function test_RevertWhen_the_token_only_says_that_it_moved() external {
        TaskParams memory params = _enable(address(new LyingToken()));
        vm.expectRevert(abi.encodeWithSelector(TrainingPoolMismatch.selector, POOL, 0));
        _create(params);
    }

    function test_RevertWhen_the_token_returns_false() external {
        FalseToken hostile = new FalseToken(SPONSOR, POOL);
        hostile.fail();
        TaskParams memory params = _enable(address(hostile));
        _expectFailed(address(hostile));
        _create(params);
    }

    function test_RevertWhen_the_token_is_no_token() external {
        TaskParams memory params = _params(1, 3);
        params.token = address(registry);
        vm.prank(OWNER);
        training.enableToken(address(registry));
        cheats.expectRevert();
        _create(params);
    }

    function test_a_token_that_turns_false_later_loses_nobody_anything() external {
        FalseToken hostile = new FalseToken(SPONSOR, POOL);
        _finish(_enable(address(hostile)));
        hostile.fail();
        _expectFailed(address(hostile));
        _claim();
        _expectFailed(address(hostile));
        training.refund(taskId);
        vm.assertEq(training.task(taskId).claimed, 0);
        vm.assertFalse(training.task(taskId).refunded);
        vm.assertEq(training.member(taskId, alice).claimed, 0);
        _leave(alice);
    }

    function test_a_token_that_refuses_at_length_loses_nobody_anything() external {
        HugeToken hostile = new HugeToken(SPONSOR, POOL);
        _finish(_enable(address(hostile)));
        hostile.burst();
        cheats.expectRevert();
        _claim();
        vm.assertEq(training.task(taskId).claimed, 0);
        _leave(alice);
    }

    function test_a_fee_that_starts_later_is_paid_by_the_receiver() external {
        FeeToken fee = new FeeToken(SPONSOR, POOL);
        _finish(_enable(address(fee)));
        fee.charge();
        _claim();
        vm.assertEq(fee.balanceOf(alice), POOL / 10 * 4 / 100 * 99);
        vm.assertEq(fee.balanceOf(address(training)), POOL / 10 * 6);
        training.refund(taskId);
        vm.assertEq(fee.balanceOf(address(training)), 0);
    }

    function test_a_token_of_6_decimals_is_counted_in_its_units() external {
        SixDecimalsToken six = new SixDecimalsToken(SPONSOR, POOL);
        _finish(_enable(address(six)));
        _claim();
        training.refund(taskId);
        vm.assertEq(six.balanceOf(alice), POOL / 10 * 4);
        vm.assertEq(six.balanceOf(SPONSOR), POOL / 10 * 6);
    }

    function test_a_token_without_return_values_works() external {
        SilentToken silent = new SilentToken(SPONSOR, POOL);
        TaskParams memory params = _params(1, 3);
        params.token = address(silent);
        vm.prank(OWNER);
        training.enableToken(address(silent));
        _finish(params);
        _claim();
        training.refund(taskId);
        vm.assertEq(silent.balanceOf(alice), POOL / 10 * 4);
        vm.assertEq(silent.balanceOf(SPONSOR), POOL / 10 * 6);
    }

    function test_nothing_that_moves_value_can_be_entered_twice() external {
        CallbackToken callback = new CallbackToken(SPONSOR, 2 * POOL);
        TaskParams memory params = _enable(address(callback));
        _finish(params);
        bytes memory claim =
            abi.encodeCall(training.claim, (taskId, alice, POOL / 10 * 4, new bytes32[](0)));
        callback.arm(address(training), abi.encodeCall(training.refund, (taskId)));
        _claim();
        vm.assertEq(callback.failures(), 1);
        callback.arm(address(training), claim);
        training.refund(taskId);
        vm.assertEq(callback.failures(), 2);
        bytes32 first = taskId;
        params.salt = "second";
        callback.arm(address(training), abi.encodeCall(training.refund, (first)));
        _create(params);
        vm.assertEq(callback.failures(), 3);
        vm.assertEq(callback.successes(), 0);
        vm.assertEq(callback.balanceOf(address(training)), POOL);
        vm.assertEq(callback.balanceOf(alice), POOL / 10 * 4);
    }

    function test_a_callback_cannot_claim_or_refund_twice_with_the_same_right() external {
        CallbackToken callback = new CallbackToken(SPONSOR, POOL);
        _finish(_enable(address(callback)));
        bytes memory claim =
            abi.encodeCall(training.claim, (taskId, alice, POOL / 10 * 4, new bytes32[](0)));
        callback.arm(address(training), claim);
        _claim();
        vm.assertEq(callback.balanceOf(alice), POOL / 10 * 4);
        callback.arm(address(training), abi.encodeCall(training.refund, (taskId)));
        training.refund(taskId);
        vm.assertEq(callback.balanceOf(SPONSOR), POOL / 10 * 6);
        vm.assertEq(callback.successes(), 0);
    }

    function test_a_callback_that_advances_the_task_does_no_harm() external {
        CallbackToken callback = new CallbackToken(SPONSOR, POOL);
        TaskParams memory params = _enable(address(callback));
        taskId = training.taskIdOf(params);
        callback.arm(address(training), abi.encodeCall(training.advance, (taskId)));
        _create(params);
        vm.assertEq(callback.successes(), 1);
        _assertPhase(Phase.Joining, 0);
        vm.assertEq(callback.balanceOf(address(training)), POOL);
    }
}
