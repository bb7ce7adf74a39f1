// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Registry} from "../../src/Registry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {FeeToken} from "./FeeToken.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract DepositTest is RegistryTest {
    function test_more_than_the_caller_allows_is_refused() external {
        token.approve(address(registry), 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 1, 2
            )
        );
        registry.deposit(2);
    }

    function test_a_token_that_charges_a_fee_is_refused() external {
        FeeToken fee = new FeeToken(100);
        registry = new Registry(address(fee), TREASURY, BOND_DELAY, OWNER);
        fee.approve(address(registry), 100);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryTransferMismatch.selector, 10, 9));
        registry.deposit(10);
    }

    function testFuzz_a_deposit_is_free_balance(uint256 first, uint256 second) external {
        first %= RICHES;
        second %= RICHES - first;
        _deposit(ALICE, first);
        vm.expectEmit(address(registry));
        emit IRegistry.Deposited(ALICE, second);
        _deposit(ALICE, second);
        vm.assertEq(registry.freeOf(ALICE), first + second);
        vm.assertEq(registry.freeOf(BOB), 0);
        vm.assertEq(token.balanceOf(ALICE), RICHES - first - second);
        vm.assertEq(token.balanceOf(address(registry)), first + second);
    }
}
