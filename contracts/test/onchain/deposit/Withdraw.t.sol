// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {IAccounts} from "../../../src/onchain/interfaces/IAccounts.sol";
import {DepositTest} from "./DepositTest.sol";

/// @notice Takes its money, and tries to take it again while it is being paid.
contract Greedy {
    DepositRefundTake private _trainer;
    bool private _isGreedy;
    bool public wasRefused;

    constructor(DepositRefundTake trainer, bool isGreedy) payable {
        (_trainer, _isGreedy) = (trainer, isGreedy);
    }

    function give(bytes calldata features) external {
        _trainer.add{value: address(this).balance}(features, 0);
    }

    function take() external {
        _trainer.withdraw();
    }

    receive() external payable {
        require(_isGreedy);
        try _trainer.withdraw() {}
        catch {
            wasRefused = true;
        }
    }
}

contract WithdrawTest is DepositTest {
    function test_an_empty_account_is_refused() external {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.AccountsNothingToWithdraw.selector, ALICE));
        trainer.withdraw();
    }

    function test_the_balance_goes_to_its_owner_and_nothing_else_changes() external {
        _validate(ALICE, 3);
        uint256 amount = trainer.balanceOf(ALICE);
        uint256 before = ALICE.balance;
        vm.expectEmit(address(trainer));
        emit IAccounts.Withdrawn(ALICE, amount);
        vm.prank(ALICE);
        vm.assertEq(trainer.withdraw(), amount);
        vm.assertEq(ALICE.balance, before + amount);
        vm.assertEq(ALICE.balance, RICHES);
        vm.assertEq(trainer.balanceOf(ALICE), 0);
        vm.assertEq(trainer.validatedOf(ALICE), 3);
        vm.assertEq(address(trainer).balance, 0);
    }

    function test_a_receiver_that_calls_back_gets_its_balance_once() external {
        _add(ALICE, _sample(1, 2, 3), 0);
        Greedy greedy = new Greedy{value: 100 gwei}(trainer, true);
        vm.warp(block.timestamp + 1 hours);
        greedy.give(_sample(1, 2, 3));
        greedy.take();
        vm.assertTrue(greedy.wasRefused());
        vm.assertEq(address(greedy).balance, 40 gwei);
        vm.assertEq(address(trainer).balance, BASE + PRICE);
    }

    function test_a_receiver_that_refuses_money_keeps_it_as_a_balance() external {
        Greedy proud = new Greedy{value: 100 gwei}(trainer, false);
        proud.give(_sample(1, 2, 3));
        vm.expectRevert(Errors.FailedCall.selector);
        proud.take();
        vm.assertEq(trainer.balanceOf(address(proud)), 99 gwei);
    }

    function test_more_than_2_to_the_96_wei_are_refused() external {
        money.deal(ALICE, 1 << 97);
        vm.prank(ALICE);
        vm.expectRevert(IAccounts.AccountsFull.selector);
        trainer.add{value: (1 << 96) + BASE}(_sample(1, 2, 3), 0);
    }
}
