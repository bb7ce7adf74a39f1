// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "./DepositTest.sol";

contract AddTest is DepositTest {
    function test_less_than_the_deposit_is_refused() external {
        vm.prank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositTooLow.selector, BASE, BASE - 1)
        );
        trainer.add{value: BASE - 1}(_sample(1, 2, 3), 0);
    }

    function test_data_that_the_model_refuses_are_refused_with_the_model_s_error() external {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, 2));
        trainer.add{value: BASE}(_sample(1, 2, 3), 2);
        vm.prank(ALICE);
        vm.expectRevert(IModel.ModelNotAscending.selector);
        trainer.add{value: BASE}(_sample(1, 3, 3), 1);
        vm.assertEq(address(trainer).balance, 0);
    }

    function test_a_contribution_is_recorded_announced_and_learnt() external {
        bytes memory features = _sample(1, 2, 3);
        vm.expectEmit(address(trainer));
        emit IDataHandler.Added(0, ALICE, START, 1, BASE, features);
        Given memory one = _addNow(ALICE, features, 1);
        vm.assertEq(one.nonce, 0);
        bytes32 key = trainer.keyOf(features, 1, START, ALICE, 0);
        vm.assertEq(key, _keyOf(one));
        (uint256 claimable, uint256 initial, uint256 memo) = trainer.recordOf(key);
        vm.assertEq(claimable, BASE);
        vm.assertEq(initial, BASE);
        vm.assertEq(memo, 1);
        (uint256 lastTime, uint256 count, uint256 validated) = trainer.totals();
        vm.assertEq(lastTime, START);
        vm.assertEq(count, 1);
        vm.assertEq(validated, 0);
        vm.assertEq(model.predict(features), 1);
        vm.assertEq(address(trainer).balance, BASE);
        vm.assertTrue(trainer.isLearnt(0));
        vm.assertFalse(trainer.isLearnt(1));
    }

    function test_the_history_chains_all_keys() external {
        Given memory first = _addNow(ALICE, _sample(1, 2, 3), 1);
        Given memory second = _add(BOB, "", 0);
        bytes32 history = bytes18(keccak256(abi.encode(bytes32(0), _keyOf(first))));
        history = bytes18(keccak256(abi.encode(history, _keyOf(second))));
        vm.assertEq(trainer.history(), history);
    }

    function test_what_is_too_much_is_credited() external {
        vm.prank(ALICE);
        trainer.add{value: BASE + 7}(_sample(1, 2, 3), 0);
        vm.assertEq(trainer.balanceOf(ALICE), 7);
        vm.assertEq(address(trainer).balance, BASE + 7);
    }

    function test_the_balance_pays_what_the_value_does_not() external {
        vm.prank(ALICE);
        trainer.add{value: BASE + PRICE}(_sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 hours);
        vm.prank(ALICE);
        trainer.add{value: 5}(_sample(4, 5, 6), 0);
        vm.assertEq(trainer.balanceOf(ALICE), 5);
        vm.warp(block.timestamp + 1 hours);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IDepositRefundTake.DepositTooLow.selector, PRICE, 5));
        trainer.add(_sample(4, 5, 6), 0);
    }

    function test_a_payment_keeps_the_rest_of_the_account() external {
        _validate(ALICE, 2);
        vm.warp(block.timestamp + 1 hours);
        vm.prank(ALICE);
        trainer.add{value: 3 * PRICE}(_sample(1, 2, 3), 0);
        vm.assertEq(trainer.validatedOf(ALICE), 2);
    }

    function test_an_update_of_the_model_is_taken_under_the_same_rules() external {
        bytes memory update = abi.encodePacked(uint8(1), uint16(4), int16(5));
        Given memory one = _addNow(ALICE, update, 65_535);
        vm.assertEq(_claimable(one), BASE);
        vm.assertEq(model.predict(_sample(3, 4, 5)), 1);
    }
}
