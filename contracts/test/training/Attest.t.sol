// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Phase, Result, TaskParams, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract AttestTest is TrainingTest {
    function _victorAttests() private {
        _attest(validators[0], 1, _result(1, alice, 0, 0));
    }

    /// @dev A task of one round in its Attest phase; the validators' stakes add up to `total`.
    function _attesting(uint256[4] memory stakes, uint16 quorumBps) private {
        TaskParams memory params = _params(1, 1);
        (params.validatorStake, params.quorumBps) = (1, quorumBps);
        _createTask(params);
        trainers.pop();
        trainers.pop();
        _join(alice, 1);
        for (uint256 i; i < 4; ++i) {
            _joinWith(vm.addr(validators[i]), 2, stakes[i]);
        }
        _reach(Phase.Attest, 1);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Attest, _victorAttests);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _reach(Phase.Attest, 1);
        _assertRefusedLate(Phase.Attest, Phase.Commit, _victorAttests);
    }

    function test_RevertWhen_the_deadline_of_the_last_round_has_passed() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        _assertRefusedLate(Phase.Attest, Phase.Finished, _victorAttests);
    }

    function test_RevertWhen_the_round_is_another(uint256 round) external {
        vm.assume(round != 1);
        _begin(2);
        _reach(Phase.Attest, 1);
        Result memory result = _result(round, alice, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongRound.selector, taskId, round, uint256(1))
        );
        _attest(validators[0], round, result);
    }

    function test_RevertWhen_the_account_is_no_validator() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        Result memory result = _result(1, alice, 0, 0);
        _expectRefusal(TrainingNotValidator.selector, alice);
        _attest(trainers[0], 1, result);
        _expectRefusal(TrainingNotValidator.selector, MALLORY);
        _attest(MALLORY_KEY, 1, result);
    }

    function test_RevertWhen_the_validator_attested_already() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        _victorAttests();
        _expectRefusal(TrainingAlreadyAttested.selector, victor);
        _victorAttests();
        Result memory other = _result(1, bob, 1, 1);
        _expectRefusal(TrainingAlreadyAttested.selector, victor);
        _attest(validators[0], 1, other);
    }

    function test_RevertWhen_a_result_pays_more_than_the_budget(uint256 paid) external {
        _begin(3);
        _reach(Phase.Attest, 1);
        paid = _bound(paid, POOL / 3 + 1, type(uint256).max);
        Result memory result = _result(1, alice, paid, paid);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingRoundBudgetExceeded.selector, taskId, paid, POOL / 3)
        );
        _attest(validators[0], 1, result);
        _victorAttests();
        vm.assertEq(training.task(taskId).attestations, 1);
    }

    function test_an_attestation_is_tallied_and_reported() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        TaskState memory expected = training.task(taskId);
        Result memory result = _result(1, alice, 7, 7);
        result.sanctions = "sanctions";
        bytes32 digest = keccak256(abi.encode(taskId, uint256(1), result));
        _onTime();
        vm.expectEmit(address(training));
        emit Attested(taskId, 1, victor, digest, result);
        _attest(validators[0], 1, result);
        expected.attestations = 1;
        _assertTask(expected);
        vm.assertEq(training.tallyOf(digest), STAKE);
    }

    function test_the_settling_attestation_publishes_the_result() external {
        _begin(2);
        _reach(Phase.Attest, 1);
        Result memory result = _result(1, alice, 7 ether, 7 ether);
        result.sanctions = "sanctions";
        bytes32 digest = training.resultDigest(taskId, 1, result);
        _attest(validators[0], 1, result);
        _attest(validators[2], 1, result);
        _assertPhase(Phase.Attest, 1);
        vm.assertEq(training.tallyOf(digest), 2 * STAKE);
        TaskState memory expected = training.task(taskId);
        _expectSettled(digest, result);
        _expectPhaseStarted(2, Phase.Commit);
        _attest(validators[3], 1, result);
        _assertSettled(expected, result);
        vm.assertEq(training.tallyOf(digest), 0);
    }

    function _expectSettled(bytes32 digest, Result memory result) private {
        vm.expectEmit(address(training));
        emit Attested(taskId, 1, yuri, digest, result);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelPublished(
            taskId, 2, 1, 1, result.model, result.modelRoot, result.record
        );
        vm.expectEmit(address(training));
        emit RoundSettled(taskId, 1, digest, 2, 7 ether);
    }

    function _assertSettled(TaskState memory expected, Result memory result) private view {
        (expected.phase, expected.round, expected.deadline) = (Phase.Commit, 2, _deadline());
        (expected.commits, expected.reveals, expected.active) = (0, 0, 3);
        (expected.scoreCommits, expected.scoreReveals, expected.attestations) = (0, 0, 0);
        (expected.allocated, expected.payouts) = (7 ether, result.payouts);
        expected.sanctions = result.sanctions;
        _assertTask(expected);
        IModelRegistry.ModelVersion memory version = models.version(taskId, 2);
        vm.assertEq(version.parent, 1);
        vm.assertEq(version.round, 1);
        vm.assertEq(version.model, result.model);
        vm.assertEq(version.modelRoot, result.modelRoot);
        vm.assertEq(version.record, result.record);
        vm.assertEq(models.headOf(taskId), 2);
    }

    function test_the_last_round_finishes_the_task() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        Result memory result = _result(1, alice, POOL, POOL);
        _attest(validators[0], 1, result);
        _attest(validators[1], 1, result);
        vm.expectEmit(address(training));
        emit TaskFinished(taskId);
        _attest(validators[2], 1, result);
        TaskState memory state = training.task(taskId);
        vm.assertTrue(state.phase == Phase.Finished);
        vm.assertEq(state.deadline, 0);
        vm.assertEq(state.allocated, POOL);
    }

    function test_an_attestation_after_the_settling_one_is_refused() external {
        _begin(2);
        _playRound(1, _result(1, alice, 0, 0));
        Result memory result = _result(1, alice, 0, 0);
        _expectWrongPhase(Phase.Attest, Phase.Commit);
        _attest(validators[3], 1, result);
    }

    function test_two_rival_results_void_the_round_once_everyone_attested() external {
        _begin(2);
        _reach(Phase.Attest, 1);
        Result memory rival = _result(1, MALLORY, POOL / 2, POOL / 2);
        _victorAttests();
        _attest(validators[1], 1, _result(1, alice, 0, 0));
        _attest(validators[2], 1, rival);
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 1);
        _expectPhaseStarted(2, Phase.Commit);
        _attest(validators[3], 1, rival);
        TaskState memory state = training.task(taskId);
        vm.assertEq(state.allocated, 0);
        vm.assertEq(state.payouts, bytes32(0));
        vm.assertEq(models.headOf(taskId), 1);
        vm.assertEq(training.tallyOf(training.resultDigest(taskId, 1, rival)), 2 * STAKE);
    }

    function test_one_rival_cannot_stop_three_others() external {
        _begin(1);
        _reach(Phase.Attest, 1);
        _attest(validators[0], 1, _result(1, MALLORY, POOL, POOL));
        Result memory honest = _result(1, alice, 5, 5);
        for (uint256 i = 1; i < 4; ++i) {
            _attest(validators[i], 1, honest);
        }
        _assertPhase(Phase.Finished, 1);
        vm.assertEq(training.task(taskId).payouts, honest.payouts);
    }

    function test_votes_of_a_void_round_do_not_count_in_the_next() external {
        _begin(2);
        _reach(Phase.Attest, 1);
        Result memory result = _result(1, alice, 0, 0);
        _attest(validators[0], 1, result);
        _attest(validators[1], 1, result);
        _pass();
        _reach(Phase.Attest, 2);
        _attest(validators[2], 2, result);
        vm.assertEq(training.tallyOf(training.resultDigest(taskId, 2, result)), STAKE);
        _assertPhase(Phase.Attest, 2);
    }

    function test_a_validator_that_did_not_score_may_attest() external {
        _begin(1);
        _reach(Phase.Score, 1);
        _commitScores(validators[0], 1);
        _pass();
        _revealScores(validators[0], 1);
        _playAttest(1, _result(1, alice, 0, 0));
        _assertPhase(Phase.Finished, 1);
    }

    function test_a_quorum_of_6667_basis_points_is_exact() external {
        uint256 snapshot = cheats.snapshotState();
        _attesting([uint256(6_666), 1, 3_332, 1], 6_667);
        _victorAttests();
        _assertPhase(Phase.Attest, 1);
        _attest(validators[1], 1, _result(1, alice, 0, 0));
        _assertPhase(Phase.Finished, 1);
        cheats.revertToState(snapshot);
        _attesting([uint256(6_667), 1, 3_331, 1], 6_667);
        _victorAttests();
        _assertPhase(Phase.Finished, 1);
    }

    function test_two_of_three_equal_stakes_are_no_quorum() external {
        _createTask(_params(1, 3));
        validators.pop();
        _joinAll();
        _pass();
        _reach(Phase.Attest, 1);
        _victorAttests();
        _attest(validators[1], 1, _result(1, alice, 0, 0));
        _assertPhase(Phase.Attest, 1);
        _attest(validators[2], 1, _result(1, alice, 0, 0));
        _assertPhase(Phase.Finished, 1);
    }

    function test_a_quorum_of_10000_basis_points_is_everybody() external {
        _attesting([uint256(1), 1_000, 1_000, 1_000], 10_000);
        for (uint256 i = 1; i < 4; ++i) {
            _attest(validators[i], 1, _result(1, alice, 0, 0));
        }
        _assertPhase(Phase.Attest, 1);
        _victorAttests();
        _assertPhase(Phase.Finished, 1);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_a_round_settles_with_the_first_quorum_of_stake(
        uint64[4] calldata seeds,
        uint16 bps
    ) external {
        bps = uint16(_bound(bps, 6_667, 10_000));
        uint256[4] memory stakes;
        uint256 total;
        for (uint256 i; i < 4; ++i) {
            stakes[i] = uint256(seeds[i]) + 1;
            total += stakes[i];
        }
        _attesting(stakes, bps);
        uint256 sum;
        for (uint256 i; i < 4 && sum * 10_000 < total * bps; ++i) {
            _assertPhase(Phase.Attest, 1);
            _attest(validators[i], 1, _result(1, alice, 0, 0));
            sum += stakes[i];
        }
        _assertPhase(Phase.Finished, 1);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_what_a_round_does_not_pay_is_shared_by_the_next(
        uint128[5] calldata wishes,
        bool[5] calldata voids
    ) external {
        _begin(5);
        uint256 paid;
        for (uint256 round = 1; round <= 5; ++round) {
            uint256 budget = training.budgetOf(taskId);
            vm.assertEq(budget, (POOL - paid) / (6 - round));
            if (voids[round - 1]) {
                _pass();
            } else {
                uint256 amount = _bound(wishes[round - 1], 0, budget);
                paid += amount;
                vm.roll(round + 1);
                _playRound(round, _result(round, alice, paid, amount));
            }
            vm.assertEq(training.task(taskId).allocated, paid);
        }
        _assertPhase(Phase.Finished, 5);
        _assertEverythingIsPaidOut(paid);
    }

    function _assertEverythingIsPaidOut(uint256 paid) private {
        training.refund(taskId);
        if (paid != 0) training.claim(taskId, alice, paid, noProof);
        vm.assertEq(token.balanceOf(SPONSOR) + token.balanceOf(alice), POOL);
        vm.assertEq(token.balanceOf(address(training)), 0);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_full_budgets_spend_the_pool_to_the_last_unit(uint128 pool, uint8 rounds)
        external
    {
        TaskParams memory params = _params(uint32(_bound(rounds, 1, 9)), 3);
        params.pool = _bound(pool, 1, POOL);
        _createTask(params);
        _joinAll();
        uint256 paid;
        for (uint256 round = 1; round <= params.rounds; ++round) {
            uint256 budget = training.budgetOf(taskId);
            paid += budget;
            vm.roll(round + 1);
            _playRound(round, _result(round, alice, paid, budget));
        }
        vm.assertEq(paid, params.pool);
        vm.assertEq(training.task(taskId).allocated, params.pool);
    }
}
