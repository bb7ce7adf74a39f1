// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract BondTest is RegistryTest {
    function test_a_stranger_is_refused() external {
        _deposit(ALICE, 5);
        _expectNotLocker();
        registry.bond(TASK, ALICE, 1);
    }

    function test_more_than_is_free_is_refused() external {
        _deposit(ALICE, 5);
        _expectInsufficient(ALICE, 5, 6);
        _bond(TASK, ALICE, 6);
    }

    function test_a_bond_that_is_unbonding_is_refused() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 1);
        _unbond(TASK, ALICE);
        _expectAlreadyUnbonding(TASK, ALICE);
        _bond(TASK, ALICE, 1);
    }

    function testFuzz_bonds_of_tasks_are_kept_apart(uint256 first, uint256 second) external {
        first %= RICHES;
        second %= RICHES - first;
        _deposit(ALICE, RICHES);
        vm.expectEmit(address(registry));
        emit IRegistry.Bonded(LOCKER, TASK, ALICE, first);
        _bond(TASK, ALICE, first);
        _bond(OTHER_TASK, ALICE, second);
        _expectBond(TASK, ALICE, first, 0);
        _expectBond(OTHER_TASK, ALICE, second, 0);
        vm.assertEq(registry.freeOf(ALICE), RICHES - first - second);
        vm.assertEq(token.balanceOf(address(registry)), RICHES);
    }

    function test_a_second_bond_adds_to_the_first() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 2);
        _bond(TASK, ALICE, 3);
        _expectBond(TASK, ALICE, 5, 0);
        vm.assertEq(registry.freeOf(ALICE), 0);
    }
}
