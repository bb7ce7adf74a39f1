// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract DepositForTest is RegistryTest {
    function test_it_never_spends_the_tokens_of_the_account() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, 1
            )
        );
        vm.prank(MALLORY);
        registry.depositFor(ALICE, 1);
    }

    function test_an_amount_that_does_not_fit_is_refused() external {
        uint256 amount = uint256(type(uint128).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector, uint8(128), amount
            )
        );
        registry.depositFor(ALICE, amount);
    }

    function testFuzz_it_is_a_gift_of_the_caller(uint256 amount) external {
        amount %= RICHES + 1;
        vm.expectEmit(address(registry));
        emit IRegistry.Deposited(BOB, amount);
        vm.prank(ALICE);
        registry.depositFor(BOB, amount);
        vm.assertEq(registry.freeOf(BOB), amount);
        vm.assertEq(registry.freeOf(ALICE), 0);
        vm.assertEq(token.balanceOf(ALICE), RICHES - amount);
        vm.assertEq(token.balanceOf(BOB), RICHES);
        vm.assertEq(token.balanceOf(address(registry)), amount);
    }
}
