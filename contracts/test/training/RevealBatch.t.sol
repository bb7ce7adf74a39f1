// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Opening, Phase, TaskState, TrainerOpening} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract RevealBatchTest is TrainingTest {
    function _nobodyReveals() private {
        training.revealBatch(taskId, 1, new TrainerOpening[](0));
    }

    function _expectSkipped(uint256 index, bytes4 reason) private {
        vm.expectEmit(address(training));
        emit RevealSkipped(taskId, 1, index, reason);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Reveal, _nobodyReveals);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _reach(Phase.Reveal, 1);
        _assertRefusedLate(Phase.Reveal, Phase.Commit, _nobodyReveals);
    }

    function test_RevertWhen_the_round_is_another() external {
        _begin(2);
        _reach(Phase.Reveal, 1);
        TrainerOpening[] memory batch = _openings(2);
        vm.expectRevert(abi.encodeWithSelector(TrainingWrongRound.selector, taskId, 2, 1));
        training.revealBatch(taskId, 2, batch);
    }

    function test_refused_entries_are_named_and_break_nothing() external {
        _begin(1);
        _commit(trainers[0], 1);
        _commit(trainers[1], 1);
        _pass();
        TrainerOpening[] memory batch = new TrainerOpening[](6);
        batch[0] = TrainerOpening(bob, _opening(trainers[0], 1));
        batch[1] = TrainerOpening(alice, _opening(trainers[0], 1));
        batch[2] = batch[1];
        batch[3] = TrainerOpening(carol, _opening(trainers[2], 1));
        batch[4] = TrainerOpening(victor, _opening(trainers[1], 1));
        batch[5] = TrainerOpening(address(0), Opening(0, 0, 0, 0));
        TaskState memory expected = training.task(taskId);
        _expectSkipped(0, TrainingWrongOpening.selector);
        vm.expectEmit(address(training));
        emit Revealed(
            taskId,
            1,
            alice,
            batch[1].opening.update,
            batch[1].opening.chunkRoot,
            batch[1].opening.samples
        );
        for (uint256 i = 2; i < 6; ++i) {
            _expectSkipped(i, TrainingNothingToReveal.selector);
        }
        training.revealBatch(taskId, 1, batch);
        expected.reveals = 1;
        _assertTask(expected);
    }

    function test_an_empty_batch_does_nothing() external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        TaskState memory expected = training.task(taskId);
        _nobodyReveals();
        _assertTask(expected);
    }

    function test_anybody_relays_a_batch_and_the_last_reveal_closes_the_phase() external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        TaskState memory expected = training.task(taskId);
        TrainerOpening[] memory batch = _openings(1);
        for (uint256 i; i < 3; ++i) {
            Opening memory o = batch[i].opening;
            vm.expectEmit(address(training));
            emit Revealed(taskId, 1, batch[i].trainer, o.update, o.chunkRoot, o.samples);
        }
        _expectPhaseStarted(1, Phase.Score);
        vm.prank(MALLORY);
        training.revealBatch(taskId, 1, batch);
        (expected.phase, expected.deadline, expected.reveals) = (Phase.Score, _deadline(), 3);
        _assertTask(expected);
    }

    function test_direct_and_relayed_reveals_count_the_same() external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        _reveal(trainers[1], 1);
        _expectSkipped(1, TrainingNothingToReveal.selector);
        _playReveal(1);
        _assertPhase(Phase.Score, 1);
    }

    function test_one_bad_entry_anywhere_costs_only_itself(
        uint256 seed,
        address trainer,
        Opening calldata opening
    ) external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        TrainerOpening[] memory good = _openings(1);
        TrainerOpening[] memory batch = new TrainerOpening[](4);
        uint256 bad = seed % 4;
        for (uint256 i; i < 4; ++i) {
            if (i == bad) batch[i] = TrainerOpening(seed % 3 == 0 ? alice : trainer, opening);
            else batch[i] = good[i < bad ? i : i - 1];
        }
        training.revealBatch(taskId, 1, batch);
        _assertPhase(Phase.Score, 1);
        vm.assertEq(training.task(taskId).reveals, 3);
    }
}
