// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "./DepositTest.sol";

contract RefundTest is DepositTest {
    function _expectUnknown(Given memory one) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
    }

    function test_a_contribution_that_was_never_made_is_refused() external {
        Given memory one = _add(ALICE, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        Given[4] memory wrong;
        for (uint256 i; i < 4; ++i) {
            wrong[i] = Given(one.features, one.label, one.time, one.contributor, one.nonce);
        }
        wrong[0].features = _sample(1, 2, 4);
        wrong[1].label = 1;
        wrong[2].time -= 1;
        wrong[3].nonce += 1;
        for (uint256 i; i < 4; ++i) {
            _expectUnknown(wrong[i]);
            _refund(wrong[i]);
        }
        wrong[0] = Given(one.features, one.label, one.time, MALLORY, one.nonce);
        _expectUnknown(wrong[0]);
        _refund(wrong[0]);
    }

    function test_a_refund_before_its_wait_is_refused() external {
        Given memory one = _add(ALICE, _sample(1, 2, 3), 0);
        vm.warp(one.time + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 1 days)
        );
        _refund(one);
        vm.warp(one.time + 1 days);
        _refund(one);
    }

    function test_data_that_the_model_disagrees_with_are_not_refunded() external {
        Given memory one = _lie(MALLORY);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(model.predict(one.features), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositModelDisagrees.selector, _keyOf(one))
        );
        _refund(one);
    }

    function test_the_deposit_comes_back_once() external {
        Given memory one = _add(ALICE, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit(address(trainer));
        emit IDepositRefundTake.Refunded(one.nonce, ALICE, BASE);
        vm.assertEq(_refund(one), BASE);
        vm.assertEq(trainer.balanceOf(ALICE), BASE);
        vm.assertEq(trainer.validatedOf(ALICE), 1);
        (,, uint256 validated) = trainer.totals();
        vm.assertEq(validated, 1);
        (uint256 claimable, uint256 initial, uint256 memo) = trainer.recordOf(_keyOf(one));
        vm.assertEq(claimable + initial + memo, 0);
        _expectUnknown(one);
        _refund(one);
    }

    function test_only_what_reporters_left_comes_back() external {
        _validate(CAROL, 1);
        _validate(BOB, 2);
        Given memory one = _lie(ALICE);
        uint256 price = _claimable(one);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(_report(CAROL, one), price / 3);
        // An update teaches the model the same without Alice.
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(10)), 65_535);
        vm.assertEq(_refund(one), price - price / 3);
        vm.assertEq(trainer.balanceOf(ALICE), price - price / 3);
    }

    function test_an_update_that_the_model_went_along_with_comes_back() external {
        bytes memory update = abi.encodePacked(uint8(1), uint16(0), int16(1));
        Given memory one = _add(ALICE, update, 65_535);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositModelDisagrees.selector, _keyOf(one))
        );
        _refund(one);
        _addNow(BOB, abi.encodePacked(uint8(1), uint16(0), int16(3)), 65_535);
        vm.assertEq(_refund(one), BASE);
    }
}
