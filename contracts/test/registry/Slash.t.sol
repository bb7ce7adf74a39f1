// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract SlashTest is RegistryTest {
    function _slash(bytes32 id, uint256 amount) private returns (uint256) {
        vm.prank(LOCKER);
        return registry.slash(id, ALICE, amount);
    }

    function test_a_stranger_is_refused() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        _expectNotLocker();
        registry.slash(TASK, ALICE, 1);
    }

    function test_nothing_is_taken_from_another_lockers_bond() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        vm.prank(OWNER);
        registry.enableLocker(MALLORY);
        vm.prank(MALLORY);
        vm.assertEq(registry.slash(TASK, ALICE, 5), 0);
        _expectBond(TASK, ALICE, 5, 0);
        vm.assertEq(token.balanceOf(TREASURY), 0);
    }

    function test_nothing_is_taken_after_the_release() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        _unbond(TASK, ALICE);
        vm.warp(1_700_000_000 + BOND_DELAY);
        registry.release(LOCKER, TASK, ALICE);
        vm.assertEq(_slash(TASK, 5), 0);
        vm.assertEq(registry.freeOf(ALICE), 5);
    }

    function test_an_unbonding_bond_is_slashed_too() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        _unbond(TASK, ALICE);
        vm.assertEq(_slash(TASK, 2), 2);
        _expectBond(TASK, ALICE, 3, 1_700_000_000 + BOND_DELAY);
    }

    function testFuzz_at_most_the_bond_goes_to_the_treasury(uint256 bonded, uint256 amount)
        external
    {
        bonded %= RICHES;
        uint256 expected = amount < bonded ? amount : bonded;
        _deposit(ALICE, RICHES);
        _bond(TASK, ALICE, bonded);
        _bond(OTHER_TASK, ALICE, RICHES - bonded);
        vm.expectEmit(address(registry));
        emit IRegistry.Slashed(LOCKER, TASK, ALICE, expected);
        vm.assertEq(_slash(TASK, amount), expected);
        _expectBond(TASK, ALICE, bonded - expected, 0);
        _expectBond(OTHER_TASK, ALICE, RICHES - bonded, 0);
        vm.assertEq(token.balanceOf(TREASURY), expected);
        vm.assertEq(token.balanceOf(address(registry)), RICHES - expected);
    }
}
