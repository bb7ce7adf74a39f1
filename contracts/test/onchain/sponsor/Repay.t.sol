// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {Vm} from "../../Vm.sol";
import {SponsorTest} from "./SponsorTest.sol";

interface VmCool {
    function cool(address account) external;
}

/// @notice Transactions of their own have no gas price in forge, so these are not; what makes them
/// like one is done by hand: storage is cold, and the transaction's own gas is added.
/// forge-config: onchain.isolate = false
contract RepayTest is SponsorTest {
    bytes private _features = _sample(1, 2, 3);

    /// @dev What a receipt would say.
    function _measure() private returns (uint256) {
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        bytes memory data = abi.encodeCall(sponsor.add, (trainer, _features, 0, order));
        address[3] memory all = [address(sponsor), address(trainer), address(model)];
        for (uint256 i; i < 3; ++i) {
            VmCool(address(vm)).cool(all[i]);
        }
        vm.prank(BOB);
        (bool done,) = address(sponsor).call(data);
        Vm.Gas memory gas = vm.lastCallGas();
        vm.assertTrue(done);
        uint256 sum = 21_000 + gas.gasTotalUsed;
        for (uint256 i; i < data.length; ++i) {
            sum += data[i] == 0 ? 4 : 16;
        }
        return sum;
    }

    /// @dev The second call, since the first one makes the relayer's account.
    function test_the_relayer_is_repaid_its_gas_within_a_twentieth() external {
        money.fee(10 gwei);
        money.txGasPrice(11 gwei);
        _measure();
        vm.warp(block.timestamp + 1 hours);
        uint256 before = sponsor.balanceOf(BOB);
        uint256 spent = _measure();
        uint256 repaid = (sponsor.balanceOf(BOB) - before) / 11 gwei;
        vm.assertLe(repaid, spent * 21 / 20, "the relayer earns");
        vm.assertLe(spent * 19 / 20, repaid, "the relayer pays");
    }

    function _repaidAt(uint256 gasPrice) private returns (uint256) {
        setUp();
        money.fee(10 gwei);
        money.txGasPrice(gasPrice);
        _measure();
        return sponsor.balanceOf(BOB);
    }

    function test_a_tip_is_repaid_up_to_its_maximum() external {
        uint256 most = _repaidAt(12 gwei);
        vm.assertTrue(_repaidAt(11 gwei) < most);
        vm.assertEq(_repaidAt(1_000 gwei), most);
        vm.assertEq(sponsor.pool(), POOL - BASE - most);
        vm.assertEq(_budget(), BUDGET - BASE - most);
    }

    function test_no_more_than_the_maximum_is_repaid() external {
        money.fee(10_000 gwei);
        money.txGasPrice(10_000 gwei);
        _measure();
        vm.assertEq(sponsor.balanceOf(BOB), REPAY_MAX);
        vm.assertEq(_budget(), BUDGET - REPAY_MAX - BASE);
    }

    function test_a_relayer_is_not_repaid_beyond_the_newcomer_s_budget() external {
        money.fee(10_000 gwei);
        money.txGasPrice(10_000 gwei);
        vm.prank(OWNER);
        sponsor.setBudget(ALICE, uint96(BASE));
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        vm.prank(BOB);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorBudgetTooLow.selector, ALICE, REPAY_MAX, 0)
        );
        sponsor.add(trainer, _features, 0, order);
    }
}
