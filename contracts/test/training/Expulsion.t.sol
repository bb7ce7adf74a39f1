// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, Result, TaskParams, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

/// @notice Expulsions in every phase and every state of the expelled member's slot: counters stay
/// right, and a phase closes once those who are left have acted.
contract ExpulsionTest is TrainingTest {
    /// @dev The second round of two; the first one's result expels one account.
    function _beginSecond(address expelled) private {
        _begin(2);
        _strike(1, expelled, 3);
        vm.roll(2);
    }

    function _expel(address account) private {
        _sanction(account, 3);
        vm.assertFalse(training.member(taskId, account).seated);
        vm.assertEq(training.member(taskId, account).round, 0);
    }

    function _expelTrainer(address account, TaskState memory expected) private {
        _expel(account);
        expected.trainers -= 1;
        _assertTask(expected);
    }

    function _expelValidator(address account, TaskState memory expected) private {
        _expel(account);
        expected.validators -= 1;
        expected.seatedStake -= STAKE;
        _assertTask(expected);
    }

    // Trainers

    function test_commit_phase_before_it_committed() external {
        _beginSecond(bob);
        TaskState memory expected = training.task(taskId);
        expected.active = 2;
        _expelTrainer(bob, expected);
        _expectRefusal(TrainingNotTrainer.selector, bob);
        _commit(trainers[1], 2);
        _commit(trainers[0], 2);
        _commit(trainers[2], 2);
        _assertPhase(Phase.Reveal, 2);
    }

    function test_commit_phase_after_it_committed() external {
        _beginSecond(bob);
        _commit(trainers[1], 2);
        TaskState memory expected = training.task(taskId);
        (expected.active, expected.commits) = (2, 0);
        _expelTrainer(bob, expected);
        _commit(trainers[0], 2);
        _assertPhase(Phase.Commit, 2);
        _commit(trainers[2], 2);
        _assertPhase(Phase.Reveal, 2);
        _expectRefusal(TrainingNothingToReveal.selector, bob);
        _reveal(trainers[1], 2);
        _reveal(trainers[0], 2);
        _reveal(trainers[2], 2);
        _assertPhase(Phase.Score, 2);
    }

    function test_commit_phase_as_the_last_that_was_waited_for() external {
        _beginSecond(bob);
        _commit(trainers[0], 2);
        _commit(trainers[2], 2);
        TaskState memory expected = training.task(taskId);
        (expected.active, expected.phase, expected.deadline) = (2, Phase.Reveal, _deadline());
        _expectPhaseStarted(2, Phase.Reveal);
        _expelTrainer(bob, expected);
    }

    function test_commit_phase_when_it_joined_since_the_round_began() external {
        _beginWithRoom(2);
        _strike(1, MALLORY, 3);
        vm.roll(2);
        _join(MALLORY, 1);
        TaskState memory expected = training.task(taskId);
        vm.assertEq(expected.active, 3);
        _expelTrainer(MALLORY, expected);
        _playCommit(2);
        _assertPhase(Phase.Reveal, 2);
    }

    function test_reveal_phase_with_an_open_commitment() external {
        _beginSecond(bob);
        _playCommit(2);
        _reveal(trainers[0], 2);
        TaskState memory expected = training.task(taskId);
        expected.commits = 2;
        _expelTrainer(bob, expected);
        _reveal(trainers[2], 2);
        _assertPhase(Phase.Score, 2);
    }

    function test_reveal_phase_as_the_last_that_was_waited_for() external {
        _beginSecond(bob);
        _playCommit(2);
        _reveal(trainers[0], 2);
        _reveal(trainers[2], 2);
        TaskState memory expected = training.task(taskId);
        (expected.commits, expected.phase, expected.deadline) = (2, Phase.Score, _deadline());
        _expectPhaseStarted(2, Phase.Score);
        _expelTrainer(bob, expected);
    }

    function test_reveal_phase_as_the_only_one_that_committed() external {
        _beginSecond(bob);
        _commit(trainers[1], 2);
        _pass();
        TaskState memory expected = training.task(taskId);
        expected.commits = 0;
        _expelTrainer(bob, expected);
        _assertPhase(Phase.Reveal, 2);
        _pass();
        _assertPhase(Phase.Finished, 2);
    }

    function test_reveal_phase_after_it_revealed() external {
        _beginSecond(bob);
        _playCommit(2);
        _reveal(trainers[1], 2);
        _expelTrainer(bob, training.task(taskId));
        _reveal(trainers[0], 2);
        _assertPhase(Phase.Reveal, 2);
        _reveal(trainers[2], 2);
        _assertPhase(Phase.Score, 2);
    }

    function test_reveal_phase_without_a_commitment() external {
        _beginSecond(bob);
        _commit(trainers[0], 2);
        _commit(trainers[2], 2);
        _pass();
        _expelTrainer(bob, training.task(taskId));
        _reveal(trainers[0], 2);
        _assertPhase(Phase.Reveal, 2);
        _reveal(trainers[2], 2);
        _assertPhase(Phase.Score, 2);
    }

    function test_later_phases_with_an_open_a_revealed_or_no_commitment() external {
        for (uint8 p = uint8(Phase.Score); p <= uint8(Phase.Finished); ++p) {
            for (uint256 slot; slot < 3; ++slot) {
                uint256 snapshot = cheats.snapshotState();
                _beginSecond(bob);
                _playWithout(slot, Phase(p));
                _expelTrainer(bob, training.task(taskId));
                _assertPhase(Phase(p), 2);
                cheats.revertToState(snapshot);
            }
        }
    }

    /// @dev Plays the second round; bob takes part fully (2), does not reveal (1), or not at all (0).
    function _playWithout(uint256 slot, Phase phase) private {
        _commit(trainers[0], 2);
        _commit(trainers[2], 2);
        if (slot == 0) _pass();
        else _commit(trainers[1], 2);
        _reveal(trainers[0], 2);
        _reveal(trainers[2], 2);
        if (slot == 1) _pass();
        if (slot == 2) _reveal(trainers[1], 2);
        _playFromScore(phase);
    }

    /// @dev The result keeps the sanctions of the round before.
    function _playFromScore(Phase phase) private {
        for (uint256 i; i < 4 && phase > Phase.Score; ++i) {
            _commitScores(validators[i], 2);
        }
        for (uint256 i; i < 4 && phase > Phase.ScoreReveal; ++i) {
            _revealScores(validators[i], 2);
        }
        Result memory result = _result(2, alice, 0, 0);
        result.sanctions = _leaf(bob, 3);
        if (phase > Phase.Attest) _playAttest(2, result);
    }

    function test_the_only_trainer_is_expelled_and_the_task_ends() external {
        _createTask(_params(5, 3));
        trainers.pop();
        trainers.pop();
        _joinAll();
        _pass();
        _strike(1, alice, 3);
        _expel(alice);
        _assertPhase(Phase.Commit, 2);
        _pass();
        _assertPhase(Phase.Finished, 2);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
    }

    // Validators

    function test_commit_and_reveal_phase_of_a_validator() external {
        _beginSecond(yuri);
        uint256 snapshot = cheats.snapshotState();
        _expelValidator(yuri, training.task(taskId));
        cheats.revertToState(snapshot);
        _playCommit(2);
        _expelValidator(yuri, training.task(taskId));
        _playReveal(2);
        _assertThreeValidatorsSettle();
    }

    /// @dev From the Score phase; three of the four that started are 7,500 basis points.
    function _assertThreeValidatorsSettle() private {
        validators.pop();
        _playScores(2);
        _assertPhase(Phase.Attest, 2);
        for (uint256 i; i < 3; ++i) {
            _attest(validators[i], 2, _result(2, alice, 0, 0));
        }
        _assertPhase(Phase.Finished, 2);
        vm.assertEq(models.headOf(taskId), 3);
    }

    function test_score_phase_before_it_committed() external {
        _beginSecond(yuri);
        _reach(Phase.Score, 2);
        _expelValidator(yuri, training.task(taskId));
        _expectRefusal(TrainingNotValidator.selector, yuri);
        _commitScores(validators[3], 2);
        _assertThreeValidatorsSettle();
    }

    function test_score_phase_after_it_committed() external {
        _beginSecond(yuri);
        _reach(Phase.Score, 2);
        _commitScores(validators[3], 2);
        TaskState memory expected = training.task(taskId);
        expected.scoreCommits = 0;
        _expelValidator(yuri, expected);
        _assertThreeValidatorsSettle();
    }

    function test_score_phase_as_the_last_that_was_waited_for() external {
        _beginSecond(yuri);
        _reach(Phase.Score, 2);
        for (uint256 i; i < 3; ++i) {
            _commitScores(validators[i], 2);
        }
        TaskState memory expected = training.task(taskId);
        (expected.phase, expected.deadline) = (Phase.ScoreReveal, _deadline());
        _expelValidator(yuri, expected);
    }

    function test_score_reveal_phase_with_an_open_commitment() external {
        _beginSecond(yuri);
        _reach(Phase.ScoreReveal, 2);
        TaskState memory expected = training.task(taskId);
        expected.scoreCommits = 3;
        _expelValidator(yuri, expected);
        _expectRefusal(TrainingNothingToReveal.selector, yuri);
        _revealScores(validators[3], 2);
        for (uint256 i; i < 3; ++i) {
            _assertPhase(Phase.ScoreReveal, 2);
            _revealScores(validators[i], 2);
        }
        _assertPhase(Phase.Attest, 2);
    }

    function test_score_reveal_phase_as_the_last_that_was_waited_for() external {
        _beginSecond(yuri);
        _reach(Phase.ScoreReveal, 2);
        for (uint256 i; i < 3; ++i) {
            _revealScores(validators[i], 2);
        }
        TaskState memory expected = training.task(taskId);
        (expected.scoreCommits, expected.phase) = (3, Phase.Attest);
        _expelValidator(yuri, expected);
    }

    function test_score_reveal_phase_as_the_only_one_that_committed() external {
        _beginSecond(yuri);
        _reach(Phase.Score, 2);
        _commitScores(validators[3], 2);
        _pass();
        TaskState memory expected = training.task(taskId);
        expected.scoreCommits = 0;
        _expelValidator(yuri, expected);
        _pass();
        _assertPhase(Phase.Finished, 2);
    }

    function test_score_reveal_phase_after_it_revealed() external {
        _beginSecond(yuri);
        _reach(Phase.ScoreReveal, 2);
        _revealScores(validators[3], 2);
        _expelValidator(yuri, training.task(taskId));
        for (uint256 i; i < 3; ++i) {
            _assertPhase(Phase.ScoreReveal, 2);
            _revealScores(validators[i], 2);
        }
        _assertPhase(Phase.Attest, 2);
    }

    function test_score_reveal_phase_without_a_commitment() external {
        _beginSecond(yuri);
        _reach(Phase.Score, 2);
        _commitScores(validators[0], 2);
        _pass();
        _expelValidator(yuri, training.task(taskId));
        _revealScores(validators[0], 2);
        _assertPhase(Phase.Attest, 2);
    }

    function test_attest_phase_before_it_attested() external {
        _beginSecond(yuri);
        _reach(Phase.Attest, 2);
        _expelValidator(yuri, training.task(taskId));
        Result memory result = _result(2, alice, 0, 0);
        _expectRefusal(TrainingNotValidator.selector, yuri);
        _attest(validators[3], 2, result);
        for (uint256 i; i < 3; ++i) {
            _assertPhase(Phase.Attest, 2);
            _attest(validators[i], 2, result);
        }
        _assertPhase(Phase.Finished, 2);
    }

    function test_attest_phase_after_it_attested_what_it_said_stays_said() external {
        _beginSecond(yuri);
        _reach(Phase.Attest, 2);
        Result memory result = _result(2, alice, 0, 0);
        _attest(validators[3], 2, result);
        TaskState memory expected = training.task(taskId);
        expected.attestations = 0;
        _expelValidator(yuri, expected);
        _attest(validators[0], 2, result);
        _assertPhase(Phase.Attest, 2);
        _attest(validators[1], 2, result);
        _assertPhase(Phase.Finished, 2);
        vm.assertEq(models.headOf(taskId), 3);
    }

    function test_attest_phase_as_the_last_that_was_waited_for_voids_the_round() external {
        _begin(3);
        _strike(1, yuri, 3);
        vm.roll(2);
        _reach(Phase.Attest, 2);
        for (uint256 i; i < 3; ++i) {
            _attest(validators[i], 2, _result(2, alice, i, 0));
        }
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 2);
        _expectPhaseStarted(3, Phase.Commit);
        _expel(yuri);
        vm.assertEq(training.task(taskId).seatedStake, 3 * STAKE);
    }

    function test_a_task_whose_validators_are_no_quorum_any_more_ends_with_its_round() external {
        TaskParams memory params = _params(9, 3);
        params.quorumBps = 7_501;
        _createTask(params);
        _joinAll();
        Result memory result = _result(1, alice, 0, 0);
        result.sanctions = _leaf(yuri, 3);
        _reach(Phase.Attest, 1);
        for (uint256 i; i < 4; ++i) {
            _attest(validators[i], 1, result);
        }
        _expel(yuri);
        _assertPhase(Phase.Commit, 2);
        _late();
        (Phase phase,) = training.phaseOf(taskId);
        vm.assertTrue(phase == Phase.Finished);
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 2);
        vm.expectEmit(address(training));
        emit TaskFinished(taskId);
        training.advance(taskId);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
        _leave(victor);
    }
}
