// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, SignedCommit, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {Training} from "../../src/Training.sol";
import {Hashes} from "../../src/libraries/Hashes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract CommitBatchTest is TrainingTest {
    function _nobodyCommits() private {
        training.commitBatch(taskId, 1, new SignedCommit[](0));
    }

    function _expectSkipped(uint256 index, bytes4 reason) private {
        vm.expectEmit(address(training));
        emit CommitSkipped(taskId, 1, index, reason);
    }

    /// @dev A batch of one that must change nothing.
    function _assertSkipped(SignedCommit memory entry, bytes4 reason) private {
        TaskState memory expected = training.task(taskId);
        _expectSkipped(0, reason);
        training.commitBatch(taskId, 1, _one(entry));
        _assertTask(expected);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Commit, _nobodyCommits);
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _commit(trainers[1], 1);
        _assertRefusedLate(Phase.Commit, Phase.Reveal, _nobodyCommits);
    }

    function test_RevertWhen_the_round_is_another() external {
        _begin(3);
        _pass();
        SignedCommit[] memory batch = _signedCommits(1);
        vm.expectRevert(abi.encodeWithSelector(TrainingWrongRound.selector, taskId, 1, 2));
        training.commitBatch(taskId, 1, batch);
        batch = _signedCommits(3);
        vm.expectRevert(abi.encodeWithSelector(TrainingWrongRound.selector, taskId, 3, 2));
        training.commitBatch(taskId, 3, batch);
    }

    function test_a_malleated_or_malformed_signature_is_skipped() external {
        _begin(1);
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        (bytes32 r, bytes32 vs) = (entry.r, entry.vs);
        entry.vs = _flip(vs);
        _assertSkipped(entry, TrainingNotTrainer.selector);
        entry.vs = 0;
        _assertSkipped(entry, TrainingBadSignature.selector);
        entry.vs = bytes32(type(uint256).max);
        _assertSkipped(entry, TrainingBadSignature.selector);
        entry.vs = bytes32(HALF_ORDER + 1);
        _assertSkipped(entry, TrainingBadSignature.selector);
        (entry.r, entry.vs) = (0, vs);
        _assertSkipped(entry, TrainingBadSignature.selector);
        entry.r = bytes32(ORDER);
        _assertSkipped(entry, TrainingBadSignature.selector);
        (entry.r, entry.vs) = (r, vs ^ bytes32(uint256(1 << 255)));
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_the_signature_of_an_account_that_is_no_trainer_is_skipped() external {
        _begin(1);
        _assertSkipped(_signedCommit(MALLORY_KEY, 1), TrainingNotTrainer.selector);
        _assertSkipped(_signedCommit(validators[0], 1), TrainingNotTrainer.selector);
        _leave(bob);
        _assertSkipped(_signedCommit(trainers[1], 1), TrainingNotTrainer.selector);
    }

    function test_the_signature_for_another_task_is_skipped() external {
        _createTask(_params(7, 3));
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        _begin(1);
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_the_signature_for_another_round_is_skipped() external {
        _begin(2);
        SignedCommit memory entry = _signedCommit(trainers[0], 2);
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_the_signature_for_another_chain_is_skipped() external {
        _begin(1);
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        cheats.chainId(5_777);
        _assertSkipped(entry, TrainingNotTrainer.selector);
        entry = _signedCommit(trainers[0], 1);
        training.commitBatch(taskId, 1, _one(entry));
        vm.assertEq(training.task(taskId).commits, 1);
    }

    function test_the_signature_for_another_contract_is_skipped() external {
        _begin(1);
        Training ours = training;
        training = new Training(registry, models, OWNER);
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        training = ours;
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_the_signature_for_another_commitment_is_skipped(bytes32 commitment) external {
        _begin(1);
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        vm.assume(commitment != entry.commitment);
        entry.commitment = commitment;
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_a_join_signature_is_no_commit_signature() external {
        _begin(1);
        SignedCommit memory entry = _signedCommit(trainers[0], 1);
        bytes32 message = keccak256(abi.encode(Hashes.JOIN_TYPEHASH, taskId, 1, entry.commitment));
        (entry.r, entry.vs) = _signCompact(trainers[0], _typed(training.domainSeparator(), message));
        _assertSkipped(entry, TrainingNotTrainer.selector);
    }

    function test_a_second_commitment_is_skipped() external {
        _begin(1);
        SignedCommit[] memory batch = new SignedCommit[](3);
        batch[0] = _signedCommit(trainers[0], 1);
        batch[1] = batch[0];
        batch[2] = _signCommit(trainers[0], 1, keccak256("another"));
        _expectSkipped(1, TrainingAlreadyCommitted.selector);
        _expectSkipped(2, TrainingAlreadyCommitted.selector);
        training.commitBatch(taskId, 1, batch);
        vm.assertEq(training.task(taskId).commits, 1);
        _assertSkipped(batch[0], TrainingAlreadyCommitted.selector);
        _pass();
        _reveal(trainers[0], 1);
    }

    function test_a_commitment_that_ends_like_a_mark_is_skipped() external {
        _begin(1);
        for (uint256 i; i < 3; ++i) {
            SignedCommit memory entry = _signCommit(trainers[0], 1, bytes32((7 << 224) | i));
            _assertSkipped(entry, TrainingBadCommitment.selector);
        }
    }

    function test_a_trainer_that_joined_in_this_round_is_skipped() external {
        _beginWithRoom(2);
        _join(MALLORY, 1);
        _assertSkipped(_signedCommit(MALLORY_KEY, 1), TrainingActsNextRound.selector);
    }

    function test_an_empty_batch_does_nothing() external {
        _begin(1);
        TaskState memory expected = training.task(taskId);
        _nobodyCommits();
        _assertTask(expected);
    }

    function test_anybody_relays_a_batch_and_the_last_commitment_closes_the_phase() external {
        _begin(1);
        TaskState memory expected = training.task(taskId);
        SignedCommit[] memory batch = _signedCommits(1);
        for (uint256 i; i < 3; ++i) {
            vm.expectEmit(address(training));
            emit Committed(taskId, 1, vm.addr(trainers[i]), batch[i].commitment);
        }
        _expectPhaseStarted(1, Phase.Reveal);
        vm.prank(MALLORY);
        training.commitBatch(taskId, 1, batch);
        (expected.phase, expected.deadline, expected.commits) = (Phase.Reveal, _deadline(), 3);
        _assertTask(expected);
    }

    function test_direct_and_relayed_commitments_count_the_same() external {
        _begin(1);
        _commit(trainers[1], 1);
        SignedCommit[] memory batch = _signedCommits(1);
        _expectSkipped(1, TrainingAlreadyCommitted.selector);
        training.commitBatch(taskId, 1, batch);
        _assertPhase(Phase.Reveal, 1);
        _playReveal(1);
        _assertPhase(Phase.Score, 1);
    }

    function test_one_bad_entry_anywhere_costs_only_itself(uint256 seed, bytes32 r, bytes32 vs)
        external
    {
        _begin(1);
        SignedCommit[] memory good = _signedCommits(1);
        SignedCommit[] memory batch = new SignedCommit[](4);
        uint256 bad = seed % 4;
        for (uint256 i; i < 4; ++i) {
            if (i == bad) batch[i] = SignedCommit(keccak256(abi.encode(seed)), r, vs);
            else batch[i] = good[i < bad ? i : i - 1];
        }
        training.commitBatch(taskId, 1, batch);
        _assertPhase(Phase.Reveal, 1);
        vm.assertEq(training.task(taskId).commits, 3);
    }
}
