// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Claims} from "../../../src/onchain/libraries/Claims.sol";
import {MarketRule, Position} from "../../../src/onchain/libraries/MarketRule.sol";
import {Vm} from "../../Vm.sol";

/// @notice The counting of bits and the market's rule, alone.
contract LibrariesTest {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    function testFuzz_bits_are_counted_as_one_by_one(uint256 word) external pure {
        uint256 count;
        for (uint256 bit; bit < 256; ++bit) {
            count += (word >> bit) & 1;
        }
        vm.assertEq(Claims.popCount(word), count);
    }

    function test_no_bits_and_all_bits_are_counted() external pure {
        vm.assertEq(Claims.popCount(0), 0);
        vm.assertEq(Claims.popCount(type(uint256).max), 256);
        vm.assertEq(Claims.popCount(type(uint256).max - 1), 255);
        vm.assertEq(Claims.popCount(type(uint256).max >> 1), 255);
    }

    function testFuzz_half_of_a_bond_is_the_challengers(uint96 bond) external pure {
        uint256 share = Claims.challengerShare(bond);
        vm.assertTrue(share + share == bond || share + share + 1 == bond);
    }

    function _play(uint256 rounds, int256[3] memory given, uint256[3] memory balances)
        private
        pure
        returns (Position memory position, uint256 played)
    {
        int256[] memory scores = new int256[](3);
        position = Position(7, rounds, new uint256[](3));
        for (uint256 p; p < 3; ++p) {
            (scores[p], position.balances[p]) = (given[p], balances[p]);
        }
        played = MarketRule.play(position, scores);
    }

    function test_without_a_loser_all_rounds_are_played() external pure {
        (Position memory position, uint256 played) = _play(9, [int256(1), 0, 2], [uint256(5), 6, 7]);
        vm.assertEq(played, 9);
        vm.assertEq(position.rounds, 0);
        vm.assertEq(position.balances[0], 14);
        vm.assertEq(position.balances[1], 6);
        vm.assertEq(position.balances[2], 25);
        vm.assertEq(position.alive, 7);
    }

    /// @notice In the published simulator only the balance of the worst bounds the rounds: 100 of them
    /// would take 100 wei from a party that has 3.
    function test_a_small_loser_with_a_small_stake_never_owes() external pure {
        (Position memory position, uint256 played) =
            _play(200, [int256(-5), -1, 2], [uint256(500), 3, 0]);
        vm.assertEq(played, 3);
        vm.assertEq(position.balances[0], 485);
        vm.assertEq(position.balances[1], 0);
        vm.assertEq(position.balances[2], 6);
        vm.assertEq(position.alive, 5);
    }

    function test_who_cannot_pay_one_round_leaves_with_the_stake() external pure {
        (Position memory position, uint256 played) =
            _play(200, [int256(-5), -1, 2], [uint256(500), 1, 0]);
        vm.assertEq(played, 1);
        vm.assertEq(position.alive, 5);
        (position, played) = _play(200, [int256(-5), -1, 2], [uint256(4), 1, 0]);
        vm.assertEq(played, 0);
        vm.assertEq(position.balances[0], 4);
        vm.assertEq(position.alive, 6);
        vm.assertEq(position.rounds, 200);
    }

    /// @notice Money only moves: what parties gain together is what a round pays times the rounds. Somebody
    /// leaves or the rounds end.
    function testFuzz_money_is_conserved_and_every_stage_gets_on(
        uint96 rounds,
        int16[3] calldata given,
        uint96[3] calldata balances
    ) external pure {
        vm.assume(rounds != 0);
        (Position memory position, uint256 played) = _play(
            rounds,
            [int256(given[0]), given[1], given[2]],
            [uint256(balances[0]), balances[1], balances[2]]
        );
        int256 change;
        int256 gain;
        for (uint256 p; p < 3; ++p) {
            change += int256(position.balances[p]) - int256(uint256(balances[p]));
            gain += given[p];
            bool isIn = (position.alive >> p) & 1 == 1;
            bool canPay = given[p] >= 0 || position.balances[p] >= uint256(-int256(given[p]));
            vm.assertTrue(isIn == canPay);
        }
        vm.assertTrue(change == gain * int256(played), "money appeared");
        vm.assertEq(position.rounds, rounds - played);
        vm.assertTrue(position.alive != 7 || position.rounds == 0);
    }
}
