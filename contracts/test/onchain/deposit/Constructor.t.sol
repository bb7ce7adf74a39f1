// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {DepositTest} from "./DepositTest.sol";

contract ConstructorTest is DepositTest {
    function test_a_model_without_code_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IDataHandler.HandlerNoModel.selector, ALICE));
        new DepositRefundTake(IModel(ALICE), BASE, 0, 0, 0);
    }

    function test_a_base_of_zero_or_one_that_could_overflow_is_refused() external {
        uint256[2] memory bases = [uint256(0), type(uint96).max / 1 hours + 1];
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IDepositRefundTake.DepositBaseOutOfRange.selector, bases[i])
            );
            new DepositRefundTake(model, bases[i], 0, 0, 0);
        }
        new DepositRefundTake(model, type(uint96).max / 1 hours, 0, 0, 0);
    }

    function _expectNotOrdered(uint256 a, uint256 b, uint256 c) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositWaitsNotOrdered.selector, a, b, c)
        );
    }

    function test_waits_that_are_not_ascending_are_refused() external {
        _expectNotOrdered(5, 5, 6);
        new DepositRefundTake(model, BASE, 5, 5, 6);
        _expectNotOrdered(5, 6, 6);
        new DepositRefundTake(model, BASE, 5, 6, 6);
        _expectNotOrdered(6, 5, 7);
        new DepositRefundTake(model, BASE, 6, 5, 7);
    }

    function test_a_default_must_be_in_order_with_the_waits_that_are_given() external {
        _expectNotOrdered(30 days, 30 days, 60 days);
        new DepositRefundTake(model, BASE, 30 days, 0, 0);
    }

    function test_waits_of_more_than_a_century_are_refused() external {
        _expectNotOrdered(1 days, 30 days, 36_500 days + 1);
        new DepositRefundTake(model, BASE, 0, 0, 36_500 days + 1);
    }

    function test_waits_of_zero_become_a_day_a_month_and_two() external view {
        vm.assertEq(trainer.refundWait(), 1 days);
        vm.assertEq(trainer.ownerWait(), 30 days);
        vm.assertEq(trainer.anyWait(), 60 days);
    }

    function test_a_trainer_starts_empty() external view {
        (uint256 lastTime, uint256 count, uint256 validated) = trainer.totals();
        vm.assertEq(lastTime + count + validated + trainer.epoch(), 0);
        vm.assertEq(trainer.history(), bytes32(0));
        vm.assertEq(address(trainer.model()), address(model));
        vm.assertEq(trainer.deployer(), OWNER);
        vm.assertEq(trainer.base(), BASE);
    }
}
