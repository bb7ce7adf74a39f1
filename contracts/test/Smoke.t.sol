// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AllowList} from "../src/AllowList.sol";
import {ITrainingErrors} from "../src/interfaces/ITrainingErrors.sol";
import {ITrainingEvents} from "../src/interfaces/ITrainingEvents.sol";
import {IRegistry} from "../src/interfaces/IRegistry.sol";
import {
    Phase,
    Result,
    SignedJoin,
    TaskParams,
    TaskState
} from "../src/interfaces/TrainingTypes.sol";
import {Base} from "./Base.t.sol";

/// @notice One task from its creation to the last exit, and the turns that a round can take.
contract SmokeTest is Base {
    function test_a_task_from_creation_to_the_last_exit() external {
        _startTask(2, 16, 4);
        (address alice, address bob) = (vm.addr(trainers[0]), vm.addr(trainers[1]));
        Result memory result = _result(1, alice, 300 ether, 300 ether);
        result.sanctions = _leaf(bob, 2);
        _playRound(1, result);
        vm.assertEq(models.headOf(taskId), 2);

        training.claim(taskId, alice, 300 ether, new bytes32[](0));
        vm.assertEq(token.balanceOf(alice), 300 ether);
        training.sanction(taskId, bob, 2, new bytes32[](0));
        vm.assertEq(token.balanceOf(TREASURY), 25 ether);

        result = _result(2, alice, 1_000 ether, 700 ether);
        result.sanctions = _leaf(bob, 3);
        _playRound(2, result);
        _expectPhase(Phase.Finished, 2);
        training.claim(taskId, alice, 1_000 ether, new bytes32[](0));
        training.sanction(taskId, bob, 3, new bytes32[](0));
        vm.assertEq(token.balanceOf(TREASURY), STAKE);

        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL - 1_000 ether);
        vm.assertEq(token.balanceOf(address(training)), 0);
        _everybodyLeavesExcept(bob);
        vm.assertEq(token.balanceOf(address(registry)), 0);
        vm.prank(SPONSOR);
        training.rollBack(taskId, 1);
        vm.assertEq(models.headOf(taskId), 1);
    }

    function _everybodyLeavesExcept(address expelled) private {
        for (uint256 i; i < trainers.length; ++i) {
            if (vm.addr(trainers[i]) != expelled) _leave(vm.addr(trainers[i]));
        }
        for (uint256 i; i < validators.length; ++i) {
            _leave(vm.addr(validators[i]));
        }
        vm.warp(block.timestamp + BOND_DELAY);
        for (uint256 i; i < trainers.length; ++i) {
            if (vm.addr(trainers[i]) != expelled) _takeOut(vm.addr(trainers[i]));
        }
        for (uint256 i; i < validators.length; ++i) {
            _takeOut(vm.addr(validators[i]));
        }
    }

    function _leave(address account) private {
        vm.prank(account);
        training.leave(taskId);
    }

    function _takeOut(address account) private {
        registry.release(address(training), taskId, account);
        vm.prank(account);
        registry.withdraw(STAKE);
    }

    function _expectPhase(Phase phase, uint256 round) private view {
        (Phase now_, uint256 round_) = training.phaseOf(taskId);
        vm.assertEq(uint256(now_), uint256(phase), "the phase");
        vm.assertEq(round_, round, "the round");
    }

    function test_a_late_reveal_is_refused_and_the_round_goes_on_without_it() external {
        _startTask(1, 2, 1);
        _playCommit(1);
        vm.prank(vm.addr(trainers[0]));
        training.reveal(taskId, 1, _opening(trainers[0], 1));
        vm.warp(block.timestamp + 1 hours + 1);
        _expectPhase(Phase.Score, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingErrors.TrainingWrongPhase.selector, taskId, Phase.Reveal, Phase.Score
            )
        );
        vm.prank(vm.addr(trainers[1]));
        training.reveal(taskId, 1, _opening(trainers[1], 1));
        training.advance(taskId);
        vm.assertEq(uint256(training.task(taskId).phase), uint256(Phase.Score));
    }

    function test_a_round_in_which_nobody_acts_is_void_and_its_budget_is_kept() external {
        _startTask(2, 2, 1);
        vm.assertEq(training.budgetOf(taskId), POOL / 2);
        vm.warp(block.timestamp + 1 hours + 1);
        vm.expectEmit(address(training));
        emit ITrainingEvents.RoundVoided(taskId, 1);
        training.advance(taskId);
        _expectPhase(Phase.Commit, 2);
        vm.assertEq(training.budgetOf(taskId), POOL);
    }

    function test_a_validator_that_never_joins_does_not_stop_a_task() external {
        _makeMembers(1, 4);
        _createTask(_params(1, 1));
        _join(vm.addr(trainers[0]), 1);
        for (uint256 i; i < 3; ++i) {
            _join(vm.addr(validators[i]), 2);
        }
        vm.warp(block.timestamp + 1 hours + 1);
        training.advance(taskId);
        _playCommit(1);
        _playReveal(1);
        validators.pop();
        _playScores(1);
        _playAttest(1, _result(1, vm.addr(trainers[0]), POOL, POOL));
        _expectPhase(Phase.Finished, 1);
    }

    function test_expelling_the_last_open_commitments_lets_the_phase_close_early() external {
        _startTask(2, 3, 1);
        address mallory = vm.addr(trainers[2]);
        Result memory result = _result(1, vm.addr(trainers[0]), 0, 0);
        result.sanctions = _leaf(mallory, 3);
        _playRound(1, result);
        for (uint256 i; i < 2; ++i) {
            bytes32 commitment = _commitment(trainers[i], 2);
            vm.prank(vm.addr(trainers[i]));
            training.commit(taskId, 2, commitment);
        }
        _expectPhase(Phase.Commit, 2);
        training.sanction(taskId, mallory, 3, new bytes32[](0));
        _expectPhase(Phase.Reveal, 2);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingErrors.TrainingNotMember.selector, taskId, mallory)
        );
        _leave(mallory);
    }

    function test_a_trainer_that_joins_late_acts_from_the_next_round() external {
        _startTask(2, 2, 1);
        address alice = vm.addr(trainers[0]);
        _leave(alice);
        trainers[0] = uint256(keccak256("carol"));
        address carol = vm.addr(trainers[0]);
        _join(carol, 1);
        bytes32 commitment = _commitment(trainers[0], 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingErrors.TrainingActsNextRound.selector, taskId, carol)
        );
        vm.prank(carol);
        training.commit(taskId, 1, commitment);
        vm.expectEmit(address(training));
        emit ITrainingEvents.CommitSkipped(
            taskId, 1, 0, ITrainingErrors.TrainingActsNextRound.selector
        );
        _playCommit(1);
        vm.assertEq(training.task(taskId).commits, 1);
        _expectPhase(Phase.Reveal, 1);
        _playReveal(1);
        _playScores(1);
        _playAttest(1, _result(1, carol, 0, 0));
        vm.assertEq(training.task(taskId).active, 2);
        _playCommit(2);
        _expectPhase(Phase.Reveal, 2);
    }

    function test_a_task_ends_when_its_last_trainer_has_left() external {
        _startTask(9, 1, 1);
        _leave(vm.addr(trainers[0]));
        vm.warp(block.timestamp + 1 hours + 1);
        _expectPhase(Phase.Finished, 1);
        _leave(vm.addr(validators[0]));
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL);
    }

    function test_members_without_ether_join_by_signature_and_a_bad_entry_is_skipped() external {
        _makeMembers(2, 1);
        AllowList list = new AllowList(OWNER);
        TaskParams memory params = _params(1, 2);
        params.membership = address(list);
        _createTask(params);
        address[] memory accounts = new address[](2);
        (accounts[0], accounts[1]) = (vm.addr(trainers[0]), vm.addr(validators[0]));
        vm.prank(OWNER);
        list.add(accounts);
        SignedJoin[] memory batch = new SignedJoin[](3);
        uint256 deadline = block.timestamp + 1 hours;
        for (uint256 i; i < 3; ++i) {
            uint256 key = i < 2 ? trainers[i] : validators[0];
            _register(key, i < 2 ? 1 : 2, deadline);
            token.transfer(vm.addr(key), STAKE);
            batch[i] = _signedJoin(key, i < 2 ? 1 : 2, deadline);
        }
        vm.expectEmit(address(training));
        emit ITrainingEvents.JoinSkipped(taskId, 1, ITrainingErrors.TrainingNotAdmitted.selector);
        training.joinBatch(taskId, batch);
        TaskState memory state = training.task(taskId);
        vm.assertEq(state.trainers, 1);
        vm.assertEq(state.validators, 1);
        (uint256 bonded,) = registry.bondOf(address(training), taskId, vm.addr(trainers[0]));
        vm.assertEq(bonded, STAKE);
    }

    function _register(uint256 key, uint8 roles, uint256 deadline) private {
        address account = vm.addr(key);
        bytes32 typeHash = keccak256(
            "Register(address account,uint8 roles,bytes32 metadata,uint256 nonce,uint256 deadline)"
        );
        bytes32 message = keccak256(
            abi.encode(typeHash, account, roles, bytes32(0), registry.nonceOf(account), deadline)
        );
        (bytes32 r, bytes32 vs) = _signCompact(key, _typed(registry.domainSeparator(), message));
        registry.registerBySignature(IRegistry.Registration(account, roles, 0, deadline), r, vs);
    }

    function test_hashes_are_those_of_the_specification() external {
        _makeMembers(1, 1);
        taskId = "task";
        address alice = vm.addr(trainers[0]);
        vm.assertEq(
            training.updateCommitment(taskId, 7, alice, _opening(trainers[0], 7)),
            _commitment(trainers[0], 7)
        );
        TaskParams memory params = _params(1, 1);
        vm.assertEq(training.taskIdOf(params), keccak256(abi.encode(params)));
        Result memory result = _result(1, alice, 1, 1);
        vm.assertEq(
            training.resultDigest(taskId, 1, result), keccak256(abi.encode(taskId, 1, result))
        );
    }
}
