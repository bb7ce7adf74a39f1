// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract UnbondTest is RegistryTest {
    function test_a_stranger_is_refused() external {
        _expectNotLocker();
        registry.unbond(TASK, ALICE);
    }

    function test_a_second_time_is_refused() external {
        _unbond(TASK, ALICE);
        _expectAlreadyUnbonding(TASK, ALICE);
        _unbond(TASK, ALICE);
    }

    function test_another_lockers_bond_is_not_touched() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        vm.prank(OWNER);
        registry.enableLocker(MALLORY);
        vm.prank(MALLORY);
        registry.unbond(TASK, ALICE);
        _expectBond(TASK, ALICE, 5, 0);
    }

    function testFuzz_the_delay_counts_from_now(uint32 later) external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 3);
        _bond(OTHER_TASK, ALICE, 2);
        uint256 releaseAt = 1_700_000_000 + uint256(later) + BOND_DELAY;
        vm.warp(releaseAt - BOND_DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.Unbonding(LOCKER, TASK, ALICE, releaseAt);
        _unbond(TASK, ALICE);
        _expectBond(TASK, ALICE, 3, releaseAt);
        _expectBond(OTHER_TASK, ALICE, 2, 0);
        vm.assertEq(registry.freeOf(ALICE), 0);
    }
}
