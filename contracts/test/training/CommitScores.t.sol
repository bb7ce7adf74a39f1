// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract CommitScoresTest is TrainingTest {
    function _victorCommits() private {
        _commitScores(validators[0], 1);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Score, _victorCommits);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _reach(Phase.Score, 1);
        _commitScores(validators[1], 1);
        _assertRefusedLate(Phase.Score, Phase.ScoreReveal, _victorCommits);
    }

    function test_RevertWhen_the_deadline_has_passed_and_nobody_scored() external {
        _begin(2);
        _reach(Phase.Score, 1);
        _assertRefusedLate(Phase.Score, Phase.Commit, _victorCommits);
    }

    function test_RevertWhen_the_round_is_another(uint256 round) external {
        vm.assume(round != 1);
        _begin(2);
        _reach(Phase.Score, 1);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongRound.selector, taskId, round, uint256(1))
        );
        _commitScores(validators[0], round);
    }

    function test_RevertWhen_the_account_is_no_validator() external {
        _begin(1);
        _reach(Phase.Score, 1);
        _expectRefusal(TrainingNotValidator.selector, alice);
        _commitScores(trainers[0], 1);
        _expectRefusal(TrainingNotValidator.selector, MALLORY);
        _commitScores(MALLORY_KEY, 1);
    }

    function test_RevertWhen_a_committee_member_never_joined() external {
        _createTask(_params(1, 3));
        uint256 absent = validators[3];
        validators.pop();
        _joinAll();
        _pass();
        _reach(Phase.Score, 1);
        _expectRefusal(TrainingNotValidator.selector, yuri);
        _commitScores(absent, 1);
    }

    function test_RevertWhen_the_validator_committed_already() external {
        _begin(1);
        _reach(Phase.Score, 1);
        _victorCommits();
        _expectRefusal(TrainingAlreadyCommitted.selector, victor);
        _victorCommits();
    }

    function test_RevertWhen_the_commitment_ends_like_a_mark(uint32 top, uint8 mark) external {
        _begin(1);
        _reach(Phase.Score, 1);
        _expectRefusal(TrainingBadCommitment.selector, victor);
        vm.prank(victor);
        training.commitScores(taskId, 1, bytes32((uint256(top) << 224) | (mark % 3)));
    }

    function test_a_score_commitment_is_counted_and_reported() external {
        _begin(1);
        _reach(Phase.Score, 1);
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(training));
        emit ScoresCommitted(taskId, 1, victor, _scoreCommitment(validators[0], 1));
        _onTime();
        _victorCommits();
        expected.scoreCommits = 1;
        _assertTask(expected);
        vm.assertEq(training.member(taskId, victor).round, 1);
    }

    function test_the_last_score_commitment_closes_the_phase() external {
        _begin(1);
        _reach(Phase.Score, 1);
        for (uint256 i; i < 3; ++i) {
            _commitScores(validators[i], 1);
        }
        TaskState memory expected = training.task(taskId);
        _expectPhaseStarted(1, Phase.ScoreReveal);
        _commitScores(validators[3], 1);
        (expected.phase, expected.scoreCommits) = (Phase.ScoreReveal, 4);
        _assertTask(expected);
    }

    function test_only_validators_that_joined_are_waited_for() external {
        _createTask(_params(1, 3));
        validators.pop();
        _joinAll();
        _pass();
        _reach(Phase.ScoreReveal, 1);
        _assertPhase(Phase.ScoreReveal, 1);
    }
}
