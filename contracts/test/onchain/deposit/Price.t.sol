// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {DepositTest} from "./DepositTest.sol";

contract PriceTest is DepositTest {
    function _priceAfter(uint256 elapsed) private returns (uint256) {
        vm.warp(START + elapsed);
        return trainer.deposit();
    }

    function test_the_first_contribution_costs_the_base() external view {
        vm.assertEq(trainer.deposit(), BASE);
    }

    function test_contributions_of_one_second_cost_the_base_each() external {
        _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.assertEq(trainer.deposit(), BASE);
    }

    function test_the_price_falls_with_the_square_root_of_time() external {
        _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.assertEq(_priceAfter(1), BASE * 3_600);
        vm.assertEq(_priceAfter(3), BASE * 3_600);
        vm.assertEq(_priceAfter(4), BASE * 1_800);
        vm.assertEq(_priceAfter(1 hours), BASE * 60);
        vm.assertEq(_priceAfter(3_600 ** 2), BASE);
        vm.assertEq(_priceAfter(3_600 ** 2 * 4), BASE / 2);
    }

    function test_the_price_counts_from_the_last_contribution() external {
        _addNow(ALICE, _sample(1, 2, 3), 0);
        _add(BOB, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1);
        vm.assertEq(trainer.deposit(), BASE * 3_600);
    }

    function test_a_base_of_one_wei_never_costs_nothing() external {
        model = _makeModel(64, 2);
        vm.prank(OWNER);
        trainer = new DepositRefundTake(model, 1, 0, 0, 0);
        _bind(address(trainer));
        _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.assertEq(_priceAfter(1), 3_600);
        vm.assertEq(_priceAfter(3_600 ** 2), 1);
        vm.assertEq(_priceAfter(3_601 ** 2), 1);
        vm.assertEq(_priceAfter(100 * 3_600 ** 2), 1);
    }

    function testFuzz_the_price_is_the_rule_in_integers(uint64 base, uint24 elapsed) external {
        base = base == 0 ? 1 : base;
        model = _makeModel(64, 2);
        vm.prank(OWNER);
        trainer = new DepositRefundTake(model, base, 0, 0, 0);
        _bind(address(trainer));
        _addNow(ALICE, _sample(1, 2, 3), 0);
        uint256 price = _priceAfter(elapsed);
        if (elapsed == 0) {
            vm.assertEq(price, base);
            return;
        }
        uint256 root = 1;
        while ((root + 1) * (root + 1) <= elapsed) ++root;
        uint256 wanted = uint256(base) * 3_600 / root;
        vm.assertEq(price, wanted == 0 ? 1 : wanted);
    }
}
