// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Totals, TotalsWord} from "../../../src/onchain/libraries/Totals.sol";
import {DepositTest} from "../deposit/DepositTest.sol";

interface VmStore {
    function store(address account, bytes32 slot, bytes32 value) external;
    function load(address account, bytes32 slot) external view returns (bytes32);
}

contract TotalsTest is DepositTest {
    VmStore private constant STORE = VmStore(address(vm));

    function testFuzz_the_word_keeps_what_was_put_in(
        uint40 lastTime,
        uint32 count,
        uint32 validated,
        uint144 chain,
        bytes32 key,
        uint40 time
    ) external pure {
        if (count == type(uint32).max) --count;
        if (validated == type(uint32).max) --validated;
        Totals totals = Totals.wrap(
            (uint256(chain) << 112) | (uint256(validated) << 72) | (uint256(count) << 40) | lastTime
        );
        bytes32 history = bytes32(bytes18(chain));
        vm.assertEq(totals.history(), history);
        totals = totals.withRollBack().withContribution(key, time).withValidated();
        vm.assertEq(totals.lastTime(), time);
        vm.assertEq(totals.count(), uint256(count) + 1);
        vm.assertEq(totals.validated(), uint256(validated) + 1);
        vm.assertTrue(totals.isRolledBack());
        vm.assertEq(totals.history(), bytes32(bytes18(keccak256(abi.encode(history, key)))));
    }

    function test_after_2_to_the_32_contributions_less_1_there_are_no_more() external {
        bytes32 slot = _slotOfTotals();
        STORE.store(address(trainer), slot, bytes32((uint256(type(uint32).max) - 1) << 40));
        _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.prank(ALICE);
        vm.expectRevert(TotalsWord.TotalsFull.selector);
        trainer.add{value: BASE}(_sample(1, 2, 3), 0);
    }

    /// @dev The slot that changes when something is given.
    function _slotOfTotals() private returns (bytes32 slot) {
        _addNow(ALICE, _sample(1, 2, 3), 0);
        while (uint40(uint256(STORE.load(address(trainer), slot))) != block.timestamp) {
            slot = bytes32(uint256(slot) + 1);
        }
    }
}
