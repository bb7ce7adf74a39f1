// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract WithdrawTest is RegistryTest {
    function test_more_than_is_free_is_refused() external {
        _deposit(ALICE, 10);
        _deposit(BOB, 10);
        _expectInsufficient(ALICE, 10, 11);
        vm.prank(ALICE);
        registry.withdraw(11);
    }

    function test_what_is_bonded_is_refused() external {
        _deposit(ALICE, 10);
        _bond(TASK, ALICE, 4);
        _expectInsufficient(ALICE, 6, 7);
        vm.prank(ALICE);
        registry.withdraw(7);
    }

    function testFuzz_free_balance_returns_to_its_account(uint256 amount) external {
        amount %= RICHES + 1;
        _deposit(ALICE, RICHES);
        _deposit(BOB, 1);
        vm.expectEmit(address(registry));
        emit IRegistry.Withdrawn(ALICE, amount);
        vm.prank(ALICE);
        registry.withdraw(amount);
        vm.assertEq(registry.freeOf(ALICE), RICHES - amount);
        vm.assertEq(registry.freeOf(BOB), 1);
        vm.assertEq(token.balanceOf(ALICE), amount);
        vm.assertEq(token.balanceOf(address(registry)), RICHES - amount + 1);
    }
}
