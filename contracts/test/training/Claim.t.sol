// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Hashes as MerkleHashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import {Phase, Result, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract ClaimTest is TrainingTest {
    /// @dev A tree of two leaves: alice's and bob's.
    function _settle(uint256 round, uint256 aliceEarned, uint256 bobEarned, uint256 paid) private {
        Result memory result = _result(round, alice, 0, paid);
        result.payouts =
            MerkleHashes.commutativeKeccak256(_leaf(alice, aliceEarned), _leaf(bob, bobEarned));
        vm.roll(round + 1);
        _playRound(round, result);
    }

    function _proof(address other, uint256 earned) private view returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = _leaf(other, earned);
    }

    function _expectBadProof(address account) private {
        _expectRefusal(TrainingBadProof.selector, account);
    }

    function test_RevertWhen_nothing_was_settled_yet() external {
        _expectBadProof(alice);
        training.claim(taskId, alice, 1, noProof);
        _begin(1);
        _expectBadProof(alice);
        training.claim(taskId, alice, 0, noProof);
    }

    function test_RevertWhen_the_proof_is_wrong(bytes32 node, uint256 amount) external {
        vm.assume(amount != 60);
        _begin(1);
        _settle(1, 60, 40, 100);
        bytes32[] memory proof = _proof(bob, 40);
        _expectBadProof(alice);
        training.claim(taskId, alice, amount, proof);
        _expectBadProof(MALLORY);
        training.claim(taskId, MALLORY, 60, proof);
        _expectBadProof(alice);
        training.claim(taskId, alice, 60, noProof);
        vm.assume(node != proof[0]);
        proof[0] = node;
        _expectBadProof(alice);
        training.claim(taskId, alice, 60, proof);
    }

    function test_RevertWhen_the_proof_is_longer_than_the_tree() external {
        _begin(1);
        _settle(1, 60, 40, 100);
        bytes32[] memory proof = new bytes32[](2);
        (proof[0], proof[1]) = (_leaf(bob, 40), bytes32("more"));
        _expectBadProof(alice);
        training.claim(taskId, alice, 60, proof);
    }

    function test_RevertWhen_the_proof_is_for_another_task() external {
        _begin(1);
        _settle(1, 60, 40, 100);
        bytes32[] memory proof = _proof(bob, 40);
        bytes32 first = taskId;
        _createTask(_params(2, 3));
        _joinAll();
        _settle(1, 50, 50, 100);
        _expectBadProof(alice);
        training.claim(taskId, alice, 60, proof);
        training.claim(first, alice, 60, proof);
    }

    function test_RevertWhen_the_proof_is_of_an_older_round() external {
        _begin(2);
        _settle(1, 60, 40, 100);
        _settle(2, 80, 60, 40);
        bytes32[] memory proof = _proof(bob, 40);
        _expectBadProof(alice);
        training.claim(taskId, alice, 60, proof);
    }

    function test_RevertWhen_a_sanction_passes_for_a_payout() external {
        _begin(1);
        Result memory result = _result(1, alice, 0, 100);
        result.sanctions = _leaf(MALLORY, 3);
        _playRound(1, result);
        _expectBadProof(MALLORY);
        training.claim(taskId, MALLORY, 3, noProof);
    }

    function test_RevertWhen_it_was_claimed_already() external {
        _begin(1);
        _settle(1, 60, 0, 100);
        training.claim(taskId, alice, 60, _proof(bob, 0));
        bytes32[] memory proof = _proof(bob, 0);
        vm.expectRevert(abi.encodeWithSelector(TrainingNothingToClaim.selector, taskId, alice, 60));
        training.claim(taskId, alice, 60, proof);
        proof = _proof(alice, 60);
        vm.expectRevert(abi.encodeWithSelector(TrainingNothingToClaim.selector, taskId, bob, 0));
        training.claim(taskId, bob, 0, proof);
    }

    function test_RevertWhen_a_later_tree_gives_less_than_was_claimed() external {
        _begin(2);
        _settle(1, 60, 40, 100);
        training.claim(taskId, alice, 60, _proof(bob, 40));
        _settle(2, 59, 41, 0);
        bytes32[] memory proof = _proof(bob, 41);
        vm.expectRevert(abi.encodeWithSelector(TrainingNothingToClaim.selector, taskId, alice, 59));
        training.claim(taskId, alice, 59, proof);
    }

    function test_RevertWhen_a_tree_promises_more_than_was_allocated() external {
        _begin(1);
        _settle(1, 60, 41, 100);
        training.claim(taskId, alice, 60, _proof(bob, 41));
        bytes32[] memory proof = _proof(alice, 60);
        vm.expectRevert(
            abi.encodeWithSelector(TrainingClaimsExceedAllocated.selector, taskId, 41, 40)
        );
        training.claim(taskId, bob, 41, proof);
    }

    function test_RevertWhen_an_inflated_tree_reaches_for_another_pool(uint256 inflated) external {
        inflated = _bound(inflated, 101, type(uint256).max);
        _createTask(_params(9, 3));
        _begin(1);
        _settle(1, inflated, 0, 100);
        bytes32[] memory proof = _proof(bob, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                TrainingClaimsExceedAllocated.selector, taskId, inflated, uint256(100)
            )
        );
        training.claim(taskId, alice, inflated, proof);
    }

    function test_anybody_claims_for_an_account_and_the_account_is_paid() external {
        _begin(1);
        _settle(1, 60, 40, 100);
        TaskState memory expected = training.task(taskId);
        bytes32[] memory proof = _proof(bob, 40);
        vm.expectEmit(address(training));
        emit Claimed(taskId, alice, 60, 60);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(training), alice, 60);
        vm.prank(MALLORY);
        training.claim(taskId, alice, 60, proof);
        expected.claimed = 60;
        _assertTask(expected);
        vm.assertEq(token.balanceOf(alice), 60);
        vm.assertEq(token.balanceOf(MALLORY), 0);
        vm.assertEq(training.member(taskId, alice).claimed, 60);
    }

    function test_claims_are_cumulative_over_rounds() external {
        _begin(3);
        _settle(1, 60, 40, 100);
        training.claim(taskId, alice, 60, _proof(bob, 40));
        _settle(2, 70, 90, 60);
        _settle(3, 100, 200, 140);
        vm.expectEmit(address(training));
        emit Claimed(taskId, bob, 200, 200);
        training.claim(taskId, bob, 200, _proof(alice, 100));
        vm.expectEmit(address(training));
        emit Claimed(taskId, alice, 40, 100);
        training.claim(taskId, alice, 100, _proof(bob, 200));
        vm.assertEq(token.balanceOf(alice), 100);
        vm.assertEq(token.balanceOf(bob), 200);
        training.refund(taskId);
        vm.assertEq(token.balanceOf(SPONSOR), POOL - 300);
        vm.assertEq(token.balanceOf(address(training)), 0);
    }

    function test_whoever_left_still_claims() external {
        _begin(2);
        _settle(1, 60, 40, 100);
        _leave(alice);
        training.claim(taskId, alice, 60, _proof(bob, 40));
        vm.assertEq(token.balanceOf(alice), 60);
    }

    function test_a_claim_outlives_the_task_and_its_refund() external {
        _begin(1);
        _settle(1, 60, 40, 100);
        training.refund(taskId);
        vm.warp(cheats.getBlockTimestamp() + 3_650 days);
        training.claim(taskId, bob, 40, _proof(alice, 60));
        vm.assertEq(token.balanceOf(bob), 40);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_no_tree_pays_more_than_was_allocated(
        uint128[3] calldata aliceEarned,
        uint128[3] calldata bobEarned,
        uint128[3] calldata paid
    ) external {
        _begin(3);
        for (uint256 i; i < 3; ++i) {
            uint256 budget = training.budgetOf(taskId);
            _settle(i + 1, aliceEarned[i], bobEarned[i], _bound(paid[i], 0, budget));
            _tryClaim(alice, aliceEarned[i], _proof(bob, bobEarned[i]));
            _tryClaim(bob, bobEarned[i], _proof(alice, aliceEarned[i]));
            TaskState memory state = training.task(taskId);
            vm.assertTrue(state.claimed <= state.allocated);
            vm.assertEq(token.balanceOf(address(training)), POOL - state.claimed);
            vm.assertEq(token.balanceOf(alice) + token.balanceOf(bob), state.claimed);
        }
    }

    function _tryClaim(address account, uint256 amount, bytes32[] memory proof) private {
        try training.claim(taskId, account, amount, proof) {} catch {}
    }
}
