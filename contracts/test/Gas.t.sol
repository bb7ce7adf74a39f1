// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Result, SignedCommit, TrainerOpening} from "../src/interfaces/TrainingTypes.sol";
import {Base} from "./Base.t.sol";

/// @notice What a round costs. forge runs every outer call as a transaction of its own (`isolate` in
/// foundry.toml), so the figures are what a receipt would say: 21,000 for the transaction, its
/// calldata (16 gas a byte, 4 for zero), cold storage, less refunds. The first test proves it.
/// They are kept in contracts/gas and checked; `npm run gas` renews them.
contract GasTest is Base {
    string private constant GROUP = "Training";

    uint256 private _roundGas;

    function ping(bytes calldata) external {}

    function _note(string memory name) private returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        _roundGas += gas;
        vm.snapshotValue(GROUP, name, gas);
    }

    function test_measured_gas_includes_intrinsic_gas_and_calldata() external {
        this.ping("");
        uint256 without = vm.lastCallGas().gasTotalUsed;
        this.ping(abi.encodePacked(uint256(type(uint256).max)));
        uint256 with = vm.lastCallGas().gasTotalUsed;
        vm.assertTrue(without > 21_000, "the transaction's 21,000 gas are missing");
        // One word of 32 non-zero bytes, and a length byte that is no longer zero.
        vm.assertEq(with - without, uint256(32 * 16 + 12), "calldata is not charged");
    }

    function test_a_trainer_commits_and_reveals_in_a_batch_of_100_for_less_than_25000() external {
        _startTask(2, 100, 1);
        Result memory result = _result(1, vm.addr(trainers[0]), 0, 0);
        _playRound(1, result);
        _roundGas = 0;
        training.commitBatch(taskId, 2, _signedCommits(2));
        uint256 perCommit = _note("commitBatch of 100") / 100;
        vm.assertEq(training.task(taskId).reveals, 0);
        training.revealBatch(taskId, 2, _openings(2));
        uint256 perReveal = _note("revealBatch of 100") / 100;
        vm.snapshotValue(
            GROUP, "commit and reveal per trainer in a batch of 100", perCommit + perReveal
        );
        vm.assertEq(training.task(taskId).reveals, 100);
        vm.assertLe(perCommit + perReveal, 25_000, "a trainer pays more than 25,000 gas a round");
    }

    function test_a_settled_round_of_16_trainers_and_4_validators_costs_less_than_1500000()
        external
    {
        _startTask(3, 16, 4);
        _measureRound(1, "first round of 16 trainers and 4 validators");
        vm.roll(block.number + 1);
        _measureRound(2, "settled round of 16 trainers and 4 validators");
        vm.assertLe(_roundGas, 1_500_000, "a settled round costs more than 1,500,000 gas");
    }

    function _measureRound(uint256 round, string memory name) private {
        _roundGas = 0;
        SignedCommit[] memory commits = _signedCommits(round);
        training.commitBatch(taskId, round, commits);
        _note("commitBatch of 16");
        TrainerOpening[] memory openings = _openings(round);
        training.revealBatch(taskId, round, openings);
        _note("revealBatch of 16");
        for (uint256 i; i < 4; ++i) {
            _commitScores(validators[i], round);
            _note("commitScores");
        }
        for (uint256 i; i < 4; ++i) {
            _revealScores(validators[i], round);
            _note("revealScores");
        }
        Result memory result = _result(round, vm.addr(trainers[0]), round * 10 ether, 10 ether);
        for (uint256 i; i < 3; ++i) {
            _attest(validators[i], round, result);
            _note(i == 2 ? "attest that settles" : "attest");
        }
        vm.assertEq(training.task(taskId).round, round + 1, "the round did not settle");
        vm.snapshotValue(GROUP, name, _roundGas);
    }
}
