// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Phase, SignedJoin, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract JoinBatchTest is TrainingTest {
    uint256 private _until;

    function setUp() public override {
        super.setUp();
        _createTask(_params(1, 3));
        _until = cheats.getBlockTimestamp() + 30 minutes;
        for (uint256 i; i < 3; ++i) {
            _prepare(vm.addr(trainers[i]), 1);
        }
        for (uint256 i; i < 4; ++i) {
            _prepare(vm.addr(validators[i]), 2);
        }
        _prepare(MALLORY, 7);
    }

    function _prepare(address account, uint8 roles) private {
        token.transfer(account, STAKE);
        vm.prank(account);
        registry.register(roles, 0);
    }

    function _everybody() private view returns (SignedJoin[] memory batch) {
        batch = new SignedJoin[](7);
        for (uint256 i; i < 3; ++i) {
            batch[i] = _signedJoin(trainers[i], 1, _until);
        }
        for (uint256 i; i < 4; ++i) {
            batch[3 + i] = _signedJoin(validators[i], 2, _until);
        }
    }

    function _expectSkipped(uint256 index, bytes4 reason) private {
        vm.expectEmit(address(training));
        emit JoinSkipped(taskId, index, reason);
    }

    function test_an_empty_batch_does_nothing() external {
        TaskState memory expected = training.task(taskId);
        training.joinBatch(taskId, new SignedJoin[](0));
        _assertTask(expected);
    }

    function test_every_entry_of_an_unknown_task_is_skipped() external {
        SignedJoin[] memory batch = _everybody();
        taskId = "unknown";
        for (uint256 i; i < batch.length; ++i) {
            _expectSkipped(i, TrainingBadSignature.selector);
        }
        training.joinBatch(taskId, batch);
    }

    function test_a_whole_committee_and_its_trainers_join_in_one_call() external {
        TaskState memory expected = training.task(taskId);
        SignedJoin[] memory batch = _everybody();
        _expectPhaseStarted(1, Phase.Commit);
        vm.prank(MALLORY);
        training.joinBatch(taskId, batch);
        (expected.phase, expected.round, expected.deadline) = (Phase.Commit, 1, _deadline());
        (expected.trainers, expected.active, expected.validators) = (3, 3, 4);
        (expected.totalStake, expected.seatedStake) = (4 * STAKE, 4 * STAKE);
        _assertTask(expected);
        vm.assertEq(token.balanceOf(address(registry)), 7 * STAKE);
    }

    function test_refused_entries_are_named_and_break_nothing() external {
        SignedJoin[] memory batch = _everybody();
        vm.prank(alice);
        token.transfer(MALLORY, 1);
        batch[1].join.stake += 1;
        batch[2].join.deadline = 1;
        batch[4] = batch[3];
        batch[5].join.role = 3;
        batch[6] = _signedJoin(MALLORY_KEY, 2, _until);
        _expectSkipped(0, IERC20Errors.ERC20InsufficientBalance.selector);
        _expectSkipped(1, TrainingBadSignature.selector);
        _expectSkipped(2, TrainingExpired.selector);
        vm.expectEmit(address(training));
        emit Joined(taskId, victor, 2, STAKE);
        _expectSkipped(4, TrainingAlreadyJoined.selector);
        _expectSkipped(5, TrainingBadSignature.selector);
        _expectSkipped(6, TrainingNotInCommittee.selector);
        training.joinBatch(taskId, batch);
        TaskState memory state = training.task(taskId);
        vm.assertEq(state.trainers, 0);
        vm.assertEq(state.validators, 1);
        vm.assertEq(token.balanceOf(address(registry)), STAKE);
        vm.assertFalse(training.member(taskId, alice).seated);
        vm.assertEq(training.member(taskId, alice).role, 0);
    }

    function test_an_entry_after_the_last_seat_is_skipped() external {
        SignedJoin[] memory batch = _everybody();
        batch[3] = _signedJoin(MALLORY_KEY, 1, _until);
        _expectSkipped(3, TrainingFull.selector);
        training.joinBatch(taskId, batch);
        vm.assertEq(training.task(taskId).trainers, 3);
    }

    function test_one_bad_entry_anywhere_costs_only_itself(uint256 seed, bytes32 r, bytes32 vs)
        external
    {
        SignedJoin[] memory batch = _everybody();
        uint256 bad = seed % batch.length;
        (batch[bad].r, batch[bad].vs) = (r, vs);
        _expectSkipped(bad, TrainingBadSignature.selector);
        training.joinBatch(taskId, batch);
        TaskState memory state = training.task(taskId);
        vm.assertEq(uint256(state.trainers) + state.validators, uint256(6));
        _assertPhase(Phase.Joining, 0);
    }
}
