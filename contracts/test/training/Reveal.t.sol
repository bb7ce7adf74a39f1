// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Opening, Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract RevealTest is TrainingTest {
    function _aliceReveals() private {
        _reveal(trainers[0], 1);
    }

    function _carolReveals() private {
        _reveal(trainers[2], 1);
    }

    function _revealAs(address account, Opening memory opening) private {
        vm.prank(account);
        training.reveal(taskId, 1, opening);
    }

    function test_RevertWhen_the_task_is_in_another_phase_or_unknown() external {
        _assertRefusedOutside(Phase.Reveal, _aliceReveals);
    }

    function test_RevertWhen_the_commitments_are_not_closed() external {
        _begin(1);
        _commit(trainers[0], 1);
        _expectWrongPhase(Phase.Reveal, Phase.Commit);
        _aliceReveals();
    }

    function test_RevertWhen_the_deadline_has_passed() external {
        _begin(2);
        _reach(Phase.Reveal, 1);
        _aliceReveals();
        _assertRefusedLate(Phase.Reveal, Phase.Score, _carolReveals);
    }

    function test_RevertWhen_the_deadline_has_passed_and_nobody_revealed() external {
        _begin(2);
        _reach(Phase.Reveal, 1);
        _assertRefusedLate(Phase.Reveal, Phase.Commit, _carolReveals);
    }

    function test_RevertWhen_the_round_is_another(uint256 round) external {
        vm.assume(round != 1);
        _begin(2);
        _reach(Phase.Reveal, 1);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongRound.selector, taskId, round, uint256(1))
        );
        _reveal(trainers[0], round);
    }

    function test_RevertWhen_there_is_nothing_to_reveal() external {
        _begin(1);
        _commit(trainers[0], 1);
        _commit(trainers[1], 1);
        _pass();
        _aliceReveals();
        _expectRefusal(TrainingNothingToReveal.selector, alice);
        _aliceReveals();
        _expectRefusal(TrainingNothingToReveal.selector, carol);
        _carolReveals();
        _expectRefusal(TrainingNothingToReveal.selector, MALLORY);
        _revealAs(MALLORY, _opening(trainers[1], 1));
        _expectRefusal(TrainingNothingToReveal.selector, victor);
        _revealAs(victor, _opening(trainers[1], 1));
    }

    function test_RevertWhen_the_opening_is_another(uint256 seed, bytes32 other) external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        Opening memory wrong = _opening(trainers[0], 1);
        bytes32 right = keccak256(abi.encode(wrong));
        if (seed % 4 == 0) wrong.update = other;
        if (seed % 4 == 1) wrong.chunkRoot = other;
        if (seed % 4 == 2) wrong.samples = uint64(uint256(other));
        if (seed % 4 == 3) wrong.salt = other;
        vm.assume(keccak256(abi.encode(wrong)) != right);
        _expectRefusal(TrainingWrongOpening.selector, alice);
        _revealAs(alice, wrong);
    }

    function test_RevertWhen_a_commitment_was_copied() external {
        _beginWithRoom(3);
        _join(MALLORY, 1);
        _pass();
        bytes32 copied = _commitment(trainers[0], 2);
        vm.prank(MALLORY);
        training.commit(taskId, 2, copied);
        _playCommit(2);
        _reveal(trainers[0], 2);
        _expectRefusal(TrainingWrongOpening.selector, MALLORY);
        vm.prank(MALLORY);
        training.reveal(taskId, 2, _opening(trainers[0], 2));
    }

    function test_RevertWhen_the_commitment_is_for_another_round_or_task() external {
        _begin(2);
        bytes32 old = _commitment(trainers[0], 1);
        taskId = keccak256("another");
        bytes32 foreign = _commitment(trainers[1], 2);
        taskId = training.taskIdOf(_params(2, 3));
        _pass();
        vm.prank(alice);
        training.commit(taskId, 2, old);
        vm.prank(bob);
        training.commit(taskId, 2, foreign);
        _pass();
        _expectRefusal(TrainingWrongOpening.selector, alice);
        vm.prank(alice);
        training.reveal(taskId, 2, _opening(trainers[0], 1));
        _expectRefusal(TrainingWrongOpening.selector, bob);
        _reveal(trainers[1], 2);
    }

    function test_RevertWhen_samples_do_not_fit_in_64_bits() external {
        _begin(1);
        Opening memory o = _opening(trainers[0], 1);
        uint256 wide = uint256(1 << 64) | o.samples;
        bytes32 commitment =
            keccak256(abi.encode(taskId, uint256(1), alice, o.update, o.chunkRoot, wide, o.salt));
        vm.prank(alice);
        training.commit(taskId, 1, commitment);
        _pass();
        vm.prank(alice);
        (bool done,) = address(training)
            .call(
                abi.encodePacked(
                    training.reveal.selector,
                    abi.encode(taskId, uint256(1), o.update, o.chunkRoot, wide, o.salt)
                )
            );
        vm.assertFalse(done);
        vm.assertEq(training.task(taskId).reveals, 0);
    }

    function test_a_reveal_is_counted_and_reported() external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        TaskState memory expected = training.task(taskId);
        Opening memory o = _opening(trainers[0], 1);
        vm.expectEmit(address(training));
        emit Revealed(taskId, 1, alice, o.update, o.chunkRoot, o.samples);
        _revealAs(alice, o);
        expected.reveals = 1;
        _assertTask(expected);
        vm.assertEq(training.member(taskId, alice).round, 1);
    }

    function test_a_reveal_is_accepted_until_the_deadline() external {
        _begin(1);
        _reach(Phase.Reveal, 1);
        _onTime();
        _aliceReveals();
        vm.assertEq(training.task(taskId).reveals, 1);
    }

    function test_the_last_reveal_closes_the_phase() external {
        _begin(1);
        _commit(trainers[0], 1);
        _commit(trainers[2], 1);
        _pass();
        _aliceReveals();
        TaskState memory expected = training.task(taskId);
        vm.warp(cheats.getBlockTimestamp() + 5);
        _expectPhaseStarted(1, Phase.Score);
        _carolReveals();
        (expected.phase, expected.deadline, expected.reveals) = (Phase.Score, _deadline(), 2);
        _assertTask(expected);
    }

    function test_any_opening_that_was_committed_to_is_accepted(Opening calldata opening) external {
        _begin(1);
        bytes32 commitment = training.updateCommitment(taskId, 1, alice, opening);
        vm.prank(alice);
        training.commit(taskId, 1, commitment);
        _pass();
        vm.expectEmit(address(training));
        emit Revealed(taskId, 1, alice, opening.update, opening.chunkRoot, opening.samples);
        _revealAs(alice, opening);
    }
}
