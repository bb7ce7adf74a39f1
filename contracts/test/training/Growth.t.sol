// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Result} from "../../src/interfaces/TrainingTypes.sol";
import {Base} from "../Base.t.sol";
import {Cheats} from "./TrainingTest.sol";

/// @notice No call's gas grows with the number of trainers beyond its batch.
contract GrowthTest is Base {
    Cheats private constant cheats = Cheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    /// A different signature or address has a few zero bytes more or less.
    uint256 private constant CALLDATA_NOISE = 500;

    uint256[] private _costs;

    function _note() private {
        _costs.push(vm.lastCallGas().gasTotalUsed);
    }

    function test_no_call_costs_more_with_200_trainers_than_with_5() external {
        uint256 snapshot = cheats.snapshotState();
        uint256[] memory few = _measure(5);
        cheats.revertToState(snapshot);
        uint256[] memory many = _measure(200);
        vm.assertEq(few.length, many.length);
        for (uint256 i; i < few.length; ++i) {
            vm.assertLe(many[i], few[i] + CALLDATA_NOISE, "a call grows with the trainers");
        }
    }

    function _measure(uint256 trainerCount) private returns (uint256[] memory) {
        _startTask(3, trainerCount, 1);
        _measureCommit(trainerCount);
        _measureReveal();
        _measureValidator();
        _measureMoney();
        return _costs;
    }

    function _measureCommit(uint256 trainerCount) private {
        _direct(trainers[0]);
        _direct(trainers[1]);
        _note();
        vm.assertEq(training.task(taskId).commits, 2);
        for (uint256 i = 2; i < trainerCount; ++i) {
            _direct(trainers[i]);
        }
        _note();
    }

    function _direct(uint256 key) private {
        bytes32 commitment = _commitment(key, 1);
        vm.prank(vm.addr(key));
        training.commit(taskId, 1, commitment);
    }

    function _measureReveal() private {
        for (uint256 i; i < trainers.length; ++i) {
            vm.prank(vm.addr(trainers[i]));
            training.reveal(taskId, 1, _opening(trainers[i], 1));
            if (i == 1) _note();
        }
        _note();
    }

    function _measureValidator() private {
        _commitScores(validators[0], 1);
        _note();
        _revealScores(validators[0], 1);
        _note();
        Result memory result = _result(1, vm.addr(trainers[0]), 9, 9);
        result.sanctions = _leaf(vm.addr(trainers[1]), 3);
        _attest(validators[0], 1, result);
        _note();
    }

    function _measureMoney() private {
        training.claim(taskId, vm.addr(trainers[0]), 9, new bytes32[](0));
        _note();
        training.sanction(taskId, vm.addr(trainers[1]), 3, new bytes32[](0));
        _note();
        vm.prank(vm.addr(trainers[2]));
        training.leave(taskId);
        _note();
        vm.warp(training.task(taskId).deadline + 1);
        training.advance(taskId);
        _note();
        vm.warp(training.task(taskId).deadline + 1);
        training.refund(taskId);
        _note();
    }
}
