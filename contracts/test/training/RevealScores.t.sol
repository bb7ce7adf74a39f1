// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract RevealScoresTest is TrainingTest {
    function _victorReveals() private {
        _revealScores(validators[0], 1);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.ScoreReveal, _victorReveals);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _reach(Phase.ScoreReveal, 1);
        _revealScores(validators[1], 1);
        _assertRefusedLate(Phase.ScoreReveal, Phase.Attest, _victorReveals);
    }

    function test_RevertWhen_the_deadline_has_passed_and_nobody_revealed() external {
        _begin(2);
        _reach(Phase.ScoreReveal, 1);
        _assertRefusedLate(Phase.ScoreReveal, Phase.Commit, _victorReveals);
    }

    function test_RevertWhen_the_round_is_another(uint256 round) external {
        vm.assume(round != 1);
        _begin(2);
        _reach(Phase.ScoreReveal, 1);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongRound.selector, taskId, round, uint256(1))
        );
        _revealScores(validators[0], round);
    }

    function test_RevertWhen_there_is_nothing_to_reveal() external {
        _begin(1);
        _reach(Phase.Score, 1);
        _commitScores(validators[0], 1);
        _commitScores(validators[1], 1);
        _pass();
        _victorReveals();
        _expectRefusal(TrainingNothingToReveal.selector, victor);
        _victorReveals();
        _expectRefusal(TrainingNothingToReveal.selector, xenia);
        _revealScores(validators[2], 1);
        _expectRefusal(TrainingNothingToReveal.selector, alice);
        _revealScores(trainers[0], 1);
        _expectRefusal(TrainingNothingToReveal.selector, MALLORY);
        _revealScores(MALLORY_KEY, 1);
    }

    function test_RevertWhen_the_opening_is_another(bytes32 scores, bytes32 salt) external {
        _begin(1);
        _reach(Phase.ScoreReveal, 1);
        (bytes32 rightScores, bytes32 rightSalt) = _scores(validators[0], 1);
        vm.assume(scores != rightScores && salt != rightSalt);
        _expectRefusal(TrainingWrongOpening.selector, victor);
        vm.prank(victor);
        training.revealScores(taskId, 1, scores, rightSalt);
        _expectRefusal(TrainingWrongOpening.selector, victor);
        vm.prank(victor);
        training.revealScores(taskId, 1, rightScores, salt);
    }

    function test_RevertWhen_scores_were_copied() external {
        _begin(1);
        _reach(Phase.Score, 1);
        bytes32 copied = _scoreCommitment(validators[0], 1);
        vm.prank(wanda);
        training.commitScores(taskId, 1, copied);
        _victorCommits();
        _pass();
        _victorReveals();
        (bytes32 scores, bytes32 salt) = _scores(validators[0], 1);
        _expectRefusal(TrainingWrongOpening.selector, wanda);
        vm.prank(wanda);
        training.revealScores(taskId, 1, scores, salt);
    }

    function _victorCommits() private {
        _commitScores(validators[0], 1);
    }

    function test_revealed_scores_are_counted_and_reported() external {
        _begin(1);
        _reach(Phase.ScoreReveal, 1);
        TaskState memory expected = training.task(taskId);
        (bytes32 scores,) = _scores(validators[0], 1);
        _onTime();
        vm.expectEmit(address(training));
        emit ScoresRevealed(taskId, 1, victor, scores);
        _victorReveals();
        expected.scoreReveals = 1;
        _assertTask(expected);
    }

    function test_the_last_reveal_closes_the_phase() external {
        _begin(1);
        _reach(Phase.Score, 1);
        _victorCommits();
        _commitScores(validators[3], 1);
        _pass();
        _victorReveals();
        TaskState memory expected = training.task(taskId);
        vm.warp(cheats.getBlockTimestamp() + 5);
        _expectPhaseStarted(1, Phase.Attest);
        _revealScores(validators[3], 1);
        (expected.phase, expected.deadline, expected.scoreReveals) = (Phase.Attest, _deadline(), 2);
        _assertTask(expected);
    }
}
