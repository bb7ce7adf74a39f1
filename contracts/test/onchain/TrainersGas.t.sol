// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../src/onchain/DepositRefundTake.sol";
import {Points} from "../../src/onchain/Points.sol";
import {IModel} from "../../src/onchain/interfaces/IModel.sol";
import {TrainerTest} from "./TrainerTest.sol";

/// @notice What contributing costs, with a perceptron of 1,000 weights of 8 bits and samples of 20
/// tokens. forge runs every outer call as a transaction of its own (`isolate` in foundry.toml), so
/// figures are what a receipt says. `typical` tokens lie in 8 of the model's 32 words, `worst`
/// ones in 20. Typical: the vocabulary is ordered by frequency; of 4,792 passages of 20 known
/// words of English documentation the median lies in 8 words (mean 8.2, nine of ten in 11 or
/// less), this is one.
contract TrainersGasTest is TrainerTest {
    string private constant GROUP = "Trainers";
    uint256 private constant BASE = 1 gwei;

    DepositRefundTake private _paid;
    Points private _points;

    function _start(bool isPaid) private {
        model = _makeModel(1_000, 2);
        bytes memory words = model.state();
        vm.startPrank(OWNER);
        if (isPaid) _paid = new DepositRefundTake(model, BASE, 0, 0, 0);
        else _points = new Points(model, 0);
        model.load(0, words);
        model.bind(isPaid ? address(_paid) : address(_points));
        vm.stopPrank();
    }

    function _typical() private pure returns (bytes memory) {
        uint16[20] memory tokens =
            [0, 2, 3, 9, 10, 13, 14, 23, 26, 33, 41, 78, 79, 132, 164, 540, 587, 589, 622, 623];
        bytes memory out;
        for (uint256 i; i < 20; ++i) {
            out = abi.encodePacked(out, tokens[i]);
        }
        return out;
    }

    function _worst() private pure returns (bytes memory out) {
        for (uint256 i; i < 20; ++i) {
            out = abi.encodePacked(out, uint16(i * 32 + 30));
        }
    }

    function _note(string memory name, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue(GROUP, name, gas);
        vm.assertLe(gas, most, name);
    }

    function _addPaid(address from, bytes memory x, uint256 label) private returns (uint256 time) {
        vm.warp(block.timestamp + 1 hours);
        uint256 price = _paid.deposit();
        vm.prank(from);
        _paid.add{value: price}(x, label);
        return block.timestamp;
    }

    /// @dev Alice is honest, Bob lies, Carol repeats the lie, which the model has learnt by then.
    function _measurePaid(string memory kind, bytes memory x, uint256[4] memory most) private {
        _start(true);
        bytes memory other = _sample(1, 4, 700);
        vm.prank(ALICE);
        _paid.add{value: BASE}(other, 0);
        vm.warp(START + 1 days);
        vm.prank(ALICE);
        _paid.refund(other, 0, START, 0);
        vm.warp(START + 2 days);
        uint256 bob = _addPaid(BOB, x, 1);
        _note(string.concat("add, ", kind), most[0]);
        uint256 early = _addPaid(CAROL, x, 1);
        uint256 late = _addPaid(CAROL, x, 1);
        vm.warp(START + 4 days);
        vm.startPrank(CAROL);
        _paid.refund(x, 1, early, 2);
        _note(string.concat("first refund, ", kind), most[1]);
        _paid.refund(x, 1, late, 3);
        _note(string.concat("refund, ", kind), most[2]);
        vm.stopPrank();
        vm.prank(ALICE);
        _paid.report(x, 1, bob, BOB, 1);
        _note(string.concat("report, ", kind), most[3]);
    }

    function test_typical_contributions_with_a_deposit() external {
        _measurePaid("typical", _typical(), [uint256(120_000), 80_000, 62_000, 65_000]);
    }

    function test_worst_contributions_with_a_deposit() external {
        _measurePaid("worst", _worst(), [uint256(190_000), 110_000, 93_000, 96_000]);
    }
}
