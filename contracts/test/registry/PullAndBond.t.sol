// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Registry} from "../../src/Registry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {FeeToken} from "./FeeToken.sol";
import {RegistryTest} from "./RegistryTest.sol";

contract PullAndBondTest is RegistryTest {
    function _pullAndBond(uint256 amount) private {
        vm.prank(LOCKER);
        registry.pullAndBond(TASK, ALICE, amount);
    }

    function test_a_stranger_is_refused() external {
        _expectNotLocker();
        registry.pullAndBond(TASK, ALICE, 1);
    }

    function test_more_than_the_account_has_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, ALICE, RICHES, RICHES + 1
            )
        );
        _pullAndBond(RICHES + 1);
    }

    function test_a_bond_that_is_unbonding_is_refused() external {
        _pullAndBond(1);
        _unbond(TASK, ALICE);
        _expectAlreadyUnbonding(TASK, ALICE);
        _pullAndBond(1);
    }

    function test_an_amount_that_does_not_fit_is_refused() external {
        uint256 amount = uint256(type(uint128).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector, uint8(128), amount
            )
        );
        _pullAndBond(amount);
    }

    function test_a_token_that_charges_a_fee_is_refused() external {
        FeeToken fee = new FeeToken(100);
        registry = new Registry(address(fee), TREASURY, BOND_DELAY, address(this));
        registry.enableLocker(LOCKER);
        fee.approve(address(registry), 100);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryTransferMismatch.selector, 10, 9));
        vm.prank(LOCKER);
        registry.pullAndBond(TASK, address(this), 10);
    }

    function testFuzz_free_balance_comes_first_and_tokens_pay_the_rest(uint256 free, uint256 amount)
        external
    {
        free %= RICHES;
        amount %= RICHES + 1;
        _deposit(ALICE, free);
        vm.expectEmit(address(registry));
        emit IRegistry.Bonded(LOCKER, TASK, ALICE, amount);
        _pullAndBond(amount);
        uint256 pulled = amount > free ? amount - free : 0;
        _expectBond(TASK, ALICE, amount, 0);
        vm.assertEq(registry.freeOf(ALICE), free + pulled - amount);
        vm.assertEq(token.balanceOf(ALICE), RICHES - free - pulled);
        vm.assertEq(token.balanceOf(address(registry)), free + pulled);
    }
}
