// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "./DepositTest.sol";

contract ReportTest is DepositTest {
    function test_own_data_cannot_be_reported() external {
        _validate(MALLORY, 1);
        Given memory one = _lie(MALLORY);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositOwnContribution.selector, MALLORY)
        );
        _report(MALLORY, one);
    }

    function test_unknown_data_cannot_be_reported() external {
        _validate(ALICE, 1);
        Given memory one = _lie(MALLORY);
        one.contributor = BOB;
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _report(ALICE, one);
    }

    function test_a_report_before_its_wait_is_refused() external {
        _validate(ALICE, 1);
        Given memory one = _lie(MALLORY);
        vm.warp(one.time + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 1 days)
        );
        _report(ALICE, one);
    }

    function test_a_reporter_without_validated_data_is_refused() external {
        Given memory one = _lie(MALLORY);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositNotValidated.selector, ALICE)
        );
        _report(ALICE, one);
        vm.assertEq(trainer.takeOf(_keyOf(one), ALICE), 0);
    }

    function test_data_that_the_model_agrees_with_cannot_be_reported() external {
        _validate(ALICE, 1);
        Given memory one = _add(BOB, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositModelAgrees.selector, _keyOf(one))
        );
        _report(ALICE, one);
    }

    function test_a_reporter_takes_the_share_of_validated_data_once() external {
        _validate(ALICE, 1);
        _validate(BOB, 2);
        Given memory one = _lie(MALLORY);
        uint256 price = _claimable(one);
        vm.warp(block.timestamp + 1 days);
        uint256 before = trainer.balanceOf(ALICE);
        vm.assertEq(trainer.takeOf(_keyOf(one), ALICE), price / 3);
        vm.expectEmit(address(trainer));
        emit IDepositRefundTake.Reported(one.nonce, ALICE, price / 3);
        vm.assertEq(_report(ALICE, one), price / 3);
        vm.assertEq(trainer.balanceOf(ALICE), before + price / 3);
        vm.assertEq(trainer.validatedOf(ALICE), 1);
        vm.assertEq(trainer.nextReport(ALICE), one.nonce + 1);
        vm.assertEq(_claimable(one), price - price / 3);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDepositRefundTake.DepositAlreadyReported.selector, one.nonce, one.nonce + 1
            )
        );
        _report(ALICE, one);
        vm.assertEq(_report(BOB, one), 2 * price / 3);
        vm.assertEq(_claimable(one), price - price / 3 - 2 * price / 3);
    }

    function test_the_last_wei_closes_the_record() external {
        _validate(ALICE, 1);
        Given memory one = _lie(MALLORY);
        uint256 price = _claimable(one);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(_report(ALICE, one), price);
        (uint256 claimable, uint256 initial, uint256 memo) = trainer.recordOf(_keyOf(one));
        vm.assertEq(claimable + initial + memo, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _report(ALICE, one);
    }

    function test_reports_go_in_the_order_of_nonces() external {
        _validate(ALICE, 1);
        Given memory first = _lie(MALLORY);
        Given memory second = _add(MALLORY, _sample(7, 8, 9), 1);
        Given memory third = _add(MALLORY, _sample(17, 18, 19), 1);
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(-20)), 65_535);
        vm.warp(block.timestamp + 1 days);
        _report(ALICE, second);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDepositRefundTake.DepositAlreadyReported.selector, first.nonce, second.nonce + 1
            )
        );
        _report(ALICE, first);
        _report(ALICE, third);
        vm.assertTrue(_claimable(first) != 0);
    }

    function test_a_share_of_less_than_a_wei_is_a_wei() external {
        _validate(ALICE, 1);
        _validate(BOB, 2);
        // Years later a contribution costs next to nothing.
        vm.warp(block.timestamp + uint256(BASE) ** 2 * 3_600 ** 2);
        Given memory one = _addNow(MALLORY, _sample(1, 2, 3), 1);
        vm.assertEq(_claimable(one), 1);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(_report(ALICE, one), 1);
        vm.assertEq(_claimable(one), 0);
    }
}
