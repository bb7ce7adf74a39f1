// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "./DepositTest.sol";

contract ClearTest is DepositTest {
    function _expectTooEarly(uint256 openAt) private {
        vm.expectRevert(abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, openAt));
    }

    function test_unknown_data_cannot_be_cleared() external {
        Given memory one = _lie(MALLORY);
        one.nonce = 9;
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _clear(OWNER, one);
    }

    function test_the_deployer_waits_for_ownerWait_and_others_for_anyWait() external {
        Given memory one = _lie(MALLORY);
        vm.warp(one.time + 30 days - 1);
        _expectTooEarly(one.time + 30 days);
        _clear(OWNER, one);
        vm.warp(one.time + 60 days - 1);
        _expectTooEarly(one.time + 60 days);
        _clear(ALICE, one);
        vm.warp(one.time + 60 days);
        _clear(ALICE, one);
        vm.assertEq(trainer.balanceOf(ALICE), BASE);
    }

    function test_the_deployer_takes_what_is_left_once() external {
        _validate(ALICE, 1);
        _validate(BOB, 2);
        Given memory one = _lie(MALLORY);
        uint256 price = _claimable(one);
        vm.warp(one.time + 30 days);
        _report(ALICE, one);
        vm.expectEmit(address(trainer));
        emit IDepositRefundTake.Cleared(one.nonce, OWNER, price - price / 3);
        vm.assertEq(_clear(OWNER, one), price - price / 3);
        vm.assertEq(trainer.balanceOf(OWNER), price - price / 3);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _clear(OWNER, one);
    }

    function test_good_data_that_nobody_fetched_are_cleared_too() external {
        Given memory one = _add(ALICE, _sample(1, 2, 3), 0);
        vm.warp(one.time + 30 days);
        vm.assertEq(_clear(OWNER, one), BASE);
    }
}
