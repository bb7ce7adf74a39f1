// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {MemberState, Phase, TaskParams, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract SanctionTest is TrainingTest {
    function _bonded(address account) private view returns (uint256 amount) {
        (amount,) = registry.bondOf(address(training), taskId, account);
    }

    function _expectSanctioned(address account, uint256 strikes, uint256 slashed) private {
        vm.expectEmit(address(registry));
        emit IRegistry.Slashed(address(training), taskId, account, slashed);
        vm.expectEmit(address(training));
        emit Sanctioned(taskId, account, strikes, slashed, strikes == 3);
    }

    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        _sanction(bob, 1);
    }

    function test_RevertWhen_nothing_was_settled_yet(uint256 strikes) external {
        _begin(1);
        _expectRefusal(TrainingBadProof.selector, bob);
        _sanction(bob, strikes);
    }

    function test_RevertWhen_the_proof_is_wrong(address account, uint256 strikes) external {
        vm.assume(account != bob || strikes != 1);
        _begin(2);
        _strike(1, bob, 1);
        _expectRefusal(TrainingBadProof.selector, account);
        _sanction(account, strikes);
    }

    function test_RevertWhen_a_payout_passes_for_a_sanction() external {
        _begin(1);
        _playRound(1, _result(1, alice, 3, 3));
        _expectRefusal(TrainingBadProof.selector, alice);
        _sanction(alice, 3);
    }

    function test_RevertWhen_the_proof_is_for_another_task() external {
        _begin(2);
        _strike(1, bob, 3);
        _createTask(_params(3, 3));
        _joinAll();
        _playRound(1, _result(1, alice, 0, 0));
        _expectRefusal(TrainingBadProof.selector, bob);
        _sanction(bob, 3);
    }

    function test_RevertWhen_the_account_never_joined() external {
        _begin(2);
        _strike(1, MALLORY, 1);
        _expectRefusal(TrainingNotMember.selector, MALLORY);
        _sanction(MALLORY, 1);
    }

    function test_RevertWhen_there_are_no_new_strikes() external {
        _begin(3);
        _strike(1, bob, 2);
        _sanction(bob, 2);
        _expectNoNewStrikes(2);
        _sanction(bob, 2);
        vm.roll(2);
        _strike(2, bob, 1);
        _expectNoNewStrikes(1);
        _sanction(bob, 1);
        vm.roll(3);
        _strike(3, bob, 0);
        _expectNoNewStrikes(0);
        _sanction(bob, 0);
    }

    function test_RevertWhen_the_account_has_three_strikes_already() external {
        _begin(2);
        _strike(1, bob, 3);
        _sanction(bob, 3);
        trainers[1] = trainers[2];
        trainers.pop();
        vm.roll(2);
        _strike(2, bob, type(uint256).max);
        _expectNoNewStrikes(type(uint256).max);
        _sanction(bob, type(uint256).max);
    }

    function _expectNoNewStrikes(uint256 strikes) private {
        vm.expectRevert(abi.encodeWithSelector(TrainingNoNewStrikes.selector, taskId, bob, strikes));
    }

    function test_strikes_cost_5_percent_then_20_percent_then_the_rest() external {
        _begin(4);
        MemberState memory member = training.member(taskId, bob);
        _strike(1, bob, 1);
        TaskState memory expected = training.task(taskId);
        _expectSanctioned(bob, 1, 5 ether);
        vm.prank(MALLORY);
        _sanction(bob, 1);
        _assertTask(expected);
        (member.strikes, member.round) = (1, 1);
        _assertMember(bob, member);
        vm.assertEq(token.balanceOf(TREASURY), 5 ether);
        vm.roll(2);
        _strike(2, bob, 2);
        _expectSanctioned(bob, 2, 20 ether);
        _sanction(bob, 2);
        vm.assertEq(_bonded(bob), 75 ether);
        vm.roll(3);
        _strike(3, bob, 3);
        expected = training.task(taskId);
        _expectSanctioned(bob, 3, 75 ether);
        _sanction(bob, 3);
        (expected.trainers, expected.active) = (2, 2);
        _assertTask(expected);
        (member.strikes, member.round, member.seated) = (3, 0, false);
        _assertMember(bob, member);
        vm.assertEq(token.balanceOf(TREASURY), STAKE);
        vm.assertEq(_bonded(bob), 0);
    }

    function test_penalties_are_rounded_down_and_never_exceed_the_stake(
        uint128 stake,
        uint8[3] calldata strikes
    ) external {
        stake = uint128(_bound(stake, 0, 1_000_000 ether));
        TaskParams memory params = _params(3, 1);
        params.trainerStake = stake;
        _createTask(params);
        (trainers[0], trainers[1]) = (trainers[1], trainers[0]);
        trainers.pop();
        trainers.pop();
        _joinWith(bob, 1, stake);
        for (uint256 i; i < 4; ++i) {
            _join(vm.addr(validators[i]), 2);
        }
        uint256 had;
        for (uint256 i; i < 3 && had < 3; ++i) {
            vm.roll(i + 1);
            _strike(i + 1, bob, strikes[i]);
            if (strikes[i] <= had) continue;
            uint256 left = _bonded(bob);
            _sanction(bob, strikes[i]);
            uint256 now_ = strikes[i] < 3 ? strikes[i] : 3;
            vm.assertEq(left - _bonded(bob), _penalty(stake, left, had, now_));
            had = now_;
        }
        vm.assertEq(token.balanceOf(TREASURY) + _bonded(bob), stake);
    }

    /// @dev The specification: 5 % for the first strike, 20 % for the second, then all that is left.
    function _penalty(uint256 stake, uint256 left, uint256 from, uint256 to)
        private
        pure
        returns (uint256)
    {
        if (to == 3) return left;
        if (from == 0 && to == 2) return stake / 4;
        return to == 1 ? stake / 20 : stake / 5;
    }

    function test_several_strikes_at_once_cost_their_sum() external {
        _begin(2);
        _strike(1, bob, 2);
        _expectSanctioned(bob, 2, 25 ether);
        _sanction(bob, 2);
    }

    function test_more_than_three_strikes_are_three() external {
        _begin(2);
        _strike(1, bob, type(uint256).max);
        _expectSanctioned(bob, 3, STAKE);
        _sanction(bob, type(uint256).max);
        vm.assertEq(training.member(taskId, bob).strikes, 3);
    }

    function test_a_validator_is_sanctioned_like_a_trainer() external {
        _begin(2);
        _strike(1, yuri, 1);
        _expectSanctioned(yuri, 1, 5 ether);
        _sanction(yuri, 1);
        vm.assertTrue(training.member(taskId, yuri).seated);
        vm.assertEq(training.task(taskId).seatedStake, 4 * STAKE);
    }

    function test_whoever_left_is_sanctioned_while_unbonding() external {
        _begin(2);
        _strike(1, bob, 2);
        _leave(bob);
        TaskState memory expected = training.task(taskId);
        _expectSanctioned(bob, 2, 25 ether);
        _sanction(bob, 2);
        _assertTask(expected);
        vm.warp(cheats.getBlockTimestamp() + BOND_DELAY);
        registry.release(address(training), taskId, bob);
        vm.assertEq(registry.freeOf(bob), 75 ether);
    }

    function test_an_expulsion_after_leaving_takes_the_stake_and_no_seat() external {
        _begin(2);
        _strike(1, bob, 3);
        _leave(bob);
        TaskState memory expected = training.task(taskId);
        _expectSanctioned(bob, 3, STAKE);
        _sanction(bob, 3);
        _assertTask(expected);
    }

    function test_a_stake_that_was_released_is_out_of_reach() external {
        _begin(2);
        _strike(1, bob, 3);
        _leave(bob);
        vm.warp(cheats.getBlockTimestamp() + BOND_DELAY);
        registry.release(address(training), taskId, bob);
        _expectSanctioned(bob, 3, 0);
        _sanction(bob, 3);
        vm.assertEq(registry.freeOf(bob), STAKE);
    }

    function test_a_sanction_outlives_the_task() external {
        _begin(1);
        _strike(1, bob, 3);
        _assertPhase(Phase.Finished, 1);
        TaskState memory expected = training.task(taskId);
        expected.trainers = 2;
        _expectSanctioned(bob, 3, STAKE);
        _sanction(bob, 3);
        _assertTask(expected);
    }

    function test_a_sanction_touches_no_bond_of_another_task() external {
        _createTask(_params(4, 3));
        _join(bob, 1);
        bytes32 other = taskId;
        _begin(2);
        _strike(1, bob, 3);
        _sanction(bob, 3);
        (uint256 bonded,) = registry.bondOf(address(training), other, bob);
        vm.assertEq(bonded, STAKE);
        vm.assertTrue(training.member(other, bob).seated);
    }

    function test_a_sanction_closes_an_overdue_phase_first() external {
        _begin(3);
        _strike(1, bob, 1);
        _late();
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 2);
        _sanction(bob, 1);
        _assertPhase(Phase.Commit, 3);
    }
}
