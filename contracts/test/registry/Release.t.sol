// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Registry} from "../../src/Registry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract ReleaseTest is RegistryTest {
    uint256 private constant RELEASE_AT = 1_700_000_000 + BOND_DELAY;

    function _expectNotUnbonding() private {
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryNotUnbonding.selector, LOCKER, TASK, ALICE)
        );
    }

    function test_a_bond_that_is_not_unbonding_is_refused() external {
        _deposit(ALICE, 5);
        _bond(TASK, ALICE, 5);
        _expectNotUnbonding();
        registry.release(LOCKER, TASK, ALICE);
    }

    function test_before_the_delay_has_passed_it_is_refused() external {
        _unbond(TASK, ALICE);
        vm.warp(RELEASE_AT - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryNotReleasable.selector, RELEASE_AT)
        );
        registry.release(LOCKER, TASK, ALICE);
    }

    function test_a_second_time_is_refused() external {
        _unbond(TASK, ALICE);
        vm.warp(RELEASE_AT);
        registry.release(LOCKER, TASK, ALICE);
        _expectNotUnbonding();
        registry.release(LOCKER, TASK, ALICE);
    }

    function testFuzz_anybody_frees_the_bond_for_its_account(uint256 amount, address caller)
        external
    {
        vm.assume(caller != address(vm));
        amount %= RICHES;
        _deposit(ALICE, RICHES);
        _bond(TASK, ALICE, amount);
        _bond(OTHER_TASK, ALICE, 1);
        _unbond(TASK, ALICE);
        vm.warp(RELEASE_AT);
        vm.expectEmit(address(registry));
        emit IRegistry.Released(LOCKER, TASK, ALICE, amount);
        vm.prank(caller);
        registry.release(LOCKER, TASK, ALICE);
        _expectBond(TASK, ALICE, 0, 0);
        _expectBond(OTHER_TASK, ALICE, 1, 0);
        vm.assertEq(registry.freeOf(ALICE), RICHES - 1);
        vm.assertEq(registry.freeOf(caller), caller == ALICE ? RICHES - 1 : 0);
        vm.assertEq(token.balanceOf(address(registry)), RICHES);
    }

    function test_without_a_delay_a_bond_is_free_at_once() external {
        registry = new Registry(address(token), TREASURY, 0, address(this));
        registry.enableLocker(LOCKER);
        token.approve(address(registry), 5);
        registry.deposit(5);
        _bond(TASK, address(this), 5);
        _unbond(TASK, address(this));
        registry.release(LOCKER, TASK, address(this));
        vm.assertEq(registry.freeOf(address(this)), 5);
    }
}
