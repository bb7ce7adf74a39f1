// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract EnableLockerTest is RegistryTest {
    function test_only_the_owner_enables() external {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY)
        );
        vm.prank(MALLORY);
        registry.enableLocker(MALLORY);
    }

    function test_a_second_time_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryLockerAlreadyEnabled.selector, LOCKER)
        );
        vm.prank(OWNER);
        registry.enableLocker(LOCKER);
    }

    function test_the_owner_changes_only_when_the_new_one_accepts() external {
        vm.prank(OWNER);
        registry.transferOwnership(BOB);
        vm.assertEq(registry.owner(), OWNER);
        vm.prank(BOB);
        registry.acceptOwnership();
        vm.assertEq(registry.owner(), BOB);
    }

    function testFuzz_an_enabled_locker_may_bond(address locker) external {
        vm.assume(locker != LOCKER && locker != address(vm));
        vm.expectEmit(address(registry));
        emit IRegistry.LockerEnabled(locker);
        vm.prank(OWNER);
        registry.enableLocker(locker);
        vm.assertTrue(registry.isLocker(locker));
        vm.assertTrue(registry.isLocker(LOCKER));
        _deposit(ALICE, 3);
        vm.prank(locker);
        registry.bond(TASK, ALICE, 3);
        (uint256 amount,) = registry.bondOf(locker, TASK, ALICE);
        vm.assertEq(amount, 3);
    }
}
