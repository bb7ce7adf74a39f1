// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, SignedJoin, TaskParams} from "../../src/interfaces/TrainingTypes.sol";
import {
    ActingMembership,
    AngryMembership,
    BombMembership,
    NoBooleanMembership,
    ShortMembership,
    VerboseMembership
} from "./Hostile.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract HostileMembershipTest is TrainingTest {
    function _createWith(address membership) private {
        TaskParams memory params = _params(1, 3);
        params.membership = membership;
        _createTask(params);
        _deposit(alice, 1, STAKE);
    }

    function _aliceJoins() private {
        vm.prank(alice);
        training.join(taskId, 1, STAKE);
    }

    function _assertNobodyJoined() private view {
        vm.assertEq(training.task(taskId).trainers, 0);
        vm.assertEq(registry.freeOf(alice), STAKE);
    }

    function test_RevertWhen_the_membership_contract_reverts() external {
        _createWith(address(new AngryMembership()));
        vm.expectRevert(abi.encodeWithSelector(AngryMembership.Angry.selector, alice));
        _aliceJoins();
        _assertNobodyJoined();
    }

    function test_RevertWhen_the_membership_contract_refuses_at_length() external {
        _createWith(address(new BombMembership()));
        cheats.expectRevert();
        _aliceJoins();
        _assertNobodyJoined();
    }

    function test_RevertWhen_the_membership_contract_gives_no_boolean() external {
        _createWith(address(new NoBooleanMembership()));
        cheats.expectRevert();
        _aliceJoins();
        _assertNobodyJoined();
    }

    function test_RevertWhen_the_membership_contract_gives_too_little() external {
        _createWith(address(new ShortMembership()));
        cheats.expectRevert();
        _aliceJoins();
        _assertNobodyJoined();
    }

    function test_RevertWhen_there_is_no_membership_contract() external {
        _createWith(MALLORY);
        cheats.expectRevert();
        _aliceJoins();
        _assertNobodyJoined();
    }

    function test_RevertWhen_the_membership_contract_acts_while_it_is_asked() external {
        bytes32 victim = "victim";
        _createWith(
            address(
                new ActingMembership(address(training), abi.encodeCall(training.advance, (victim)))
            )
        );
        _expectRefusal(TrainingNotAdmitted.selector, alice);
        _aliceJoins();
        ActingMembership registers = new ActingMembership(
            address(registry), abi.encodeCall(registry.register, (uint8(1), bytes32(0)))
        );
        TaskParams memory params = _params(2, 3);
        params.membership = address(registers);
        _createTask(params);
        cheats.expectRevert();
        _aliceJoins();
        vm.assertEq(registry.rolesOf(address(registers)), 0);
    }

    function test_a_long_answer_that_begins_with_yes_is_a_yes() external {
        _createWith(address(new VerboseMembership()));
        _aliceJoins();
        vm.assertEq(training.task(taskId).trainers, 1);
    }

    function test_hostile_membership_contracts_do_not_break_a_batch() external {
        address[4] memory hostile = [
            address(new AngryMembership()),
            address(new BombMembership()),
            address(new NoBooleanMembership()),
            address(new ShortMembership())
        ];
        bytes4[4] memory reasons = [AngryMembership.Angry.selector, bytes4(0), 0, 0];
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = cheats.snapshotState();
            _createWith(hostile[i]);
            SignedJoin[] memory batch = new SignedJoin[](2);
            uint256 until = cheats.getBlockTimestamp();
            batch[0] = _signedJoin(trainers[0], 1, until);
            batch[1] = _signedJoin(trainers[1], 3, until);
            vm.expectEmit(address(training));
            emit JoinSkipped(taskId, 0, reasons[i]);
            vm.expectEmit(address(training));
            emit JoinSkipped(taskId, 1, TrainingUnknownRole.selector);
            training.joinBatch(taskId, batch);
            _assertNobodyJoined();
            cheats.revertToState(snapshot);
        }
    }

    function test_whoever_is_a_member_leaves_whatever_the_membership_contract_does() external {
        TaskParams memory params = _params(1, 10);
        params.membership = address(new VerboseMembership());
        _createTask(params);
        _joinAll();
        _pass();
        _assertPhase(Phase.Commit, 1);
        _leave(alice);
        vm.assertFalse(training.member(taskId, alice).seated);
    }
}
