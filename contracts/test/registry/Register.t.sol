// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract RegisterTest is RegistryTest {
    function test_an_unknown_role_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnknownRoles.selector, uint8(8)));
        registry.register(8, 0);
    }

    function testFuzz_any_flag_beyond_the_three_roles_is_refused(uint8 roles) external {
        vm.assume(roles > 7);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnknownRoles.selector, roles));
        registry.register(roles, 0);
    }

    function test_roles_are_declared_replaced_and_resigned() external {
        vm.expectEmit(address(registry));
        emit IRegistry.Registered(ALICE, 3, "who alice is");
        vm.prank(ALICE);
        registry.register(3, "who alice is");
        vm.assertEq(registry.rolesOf(ALICE), 3);
        vm.prank(ALICE);
        registry.register(4, 0);
        vm.assertEq(registry.rolesOf(ALICE), 4);
        vm.prank(ALICE);
        registry.register(0, 0);
        vm.assertEq(registry.rolesOf(ALICE), 0);
    }

    function testFuzz_roles_are_the_callers_and_touch_nothing_else(uint8 roles, bytes32 metadata)
        external
    {
        roles %= 8;
        _deposit(ALICE, 5 ether);
        vm.expectEmit(address(registry));
        emit IRegistry.Registered(ALICE, roles, metadata);
        vm.prank(ALICE);
        registry.register(roles, metadata);
        vm.assertEq(registry.rolesOf(ALICE), roles);
        vm.assertEq(registry.rolesOf(BOB), 0);
        vm.assertEq(registry.freeOf(ALICE), 5 ether);
        vm.assertEq(registry.nonceOf(ALICE), 0);
    }
}
