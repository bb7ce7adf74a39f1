// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Training} from "../../src/Training.sol";
import {MemberState, Phase, SignedJoin, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract JoinBySignatureTest is TrainingTest {
    uint256 private _until;

    function setUp() public override {
        super.setUp();
        _createTask(_params(1, 10));
        _until = cheats.getBlockTimestamp() + 30 minutes;
        token.transfer(alice, STAKE);
        vm.prank(alice);
        registry.register(1, 0);
    }

    function _assertBadSignature(SignedJoin memory signed) private {
        _expectRefusal(TrainingBadSignature.selector, signed.join.account);
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_the_task_is_unknown() external {
        taskId = "unknown";
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_the_signature_has_expired() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        vm.warp(_until + 1);
        vm.expectRevert(abi.encodeWithSelector(TrainingExpired.selector, _until));
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_another_account_signed() external {
        SignedJoin memory signed = _signedJoin(MALLORY_KEY, 1, _until);
        signed.join.account = alice;
        _assertBadSignature(signed);
    }

    function test_RevertWhen_what_was_signed_is_altered(uint256 seed) external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        if (seed % 4 == 0) signed.join.account = MALLORY;
        if (seed % 4 == 1) signed.join.role = 2;
        if (seed % 4 == 2) signed.join.stake = _bound(seed, STAKE + 1, type(uint256).max);
        if (seed % 4 == 3) signed.join.deadline = _bound(seed, _until + 1, type(uint256).max);
        _assertBadSignature(signed);
    }

    function test_RevertWhen_the_signature_is_for_another_task() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        _createTask(_params(2, 10));
        _assertBadSignature(signed);
    }

    function test_RevertWhen_the_signature_is_for_another_chain() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        cheats.chainId(5_777);
        _assertBadSignature(signed);
    }

    function test_RevertWhen_the_signature_is_for_another_contract() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        Training other = new Training(registry, models, OWNER);
        _expectRefusal(TrainingBadSignature.selector, alice);
        other.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_the_signature_is_malleated_or_malformed() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        bytes32 vs = signed.vs;
        signed.vs = _flip(vs);
        _assertBadSignature(signed);
        signed.vs = vs ^ bytes32(uint256(1 << 255));
        _assertBadSignature(signed);
        signed.vs = 0;
        _assertBadSignature(signed);
        signed.vs = bytes32(type(uint256).max);
        _assertBadSignature(signed);
        (signed.r, signed.vs) = (0, vs);
        _assertBadSignature(signed);
        signed.r = bytes32(type(uint256).max);
        _assertBadSignature(signed);
    }

    function test_RevertWhen_a_garbage_signature_recovers_the_zero_account(bytes32 r, bytes32 vs)
        external
    {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        (signed.join.account, signed.r, signed.vs) = (address(0), r, vs);
        _assertBadSignature(signed);
    }

    function test_RevertWhen_a_signature_is_used_again() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        training.joinBySignature(taskId, signed);
        _expectRefusal(TrainingAlreadyJoined.selector, alice);
        training.joinBySignature(taskId, signed);
        _leave(alice);
        _expectRefusal(TrainingAlreadyJoined.selector, alice);
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_there_is_no_allowance() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        signed.permit.value = 0;
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, STAKE
            )
        );
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_the_permit_is_forged() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        signed.permit = _permit(MALLORY_KEY, STAKE, _until);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, STAKE
            )
        );
        training.joinBySignature(taskId, signed);
    }

    function test_RevertWhen_the_account_has_too_few_tokens() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        vm.prank(alice);
        token.transfer(MALLORY, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, alice, STAKE - 1, STAKE
            )
        );
        training.joinBySignature(taskId, signed);
    }

    function test_anybody_relays_a_join_and_the_stake_comes_from_the_account() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        TaskState memory expected = training.task(taskId);
        vm.warp(_until);
        vm.expectEmit(address(training));
        emit Joined(taskId, alice, 1, STAKE);
        vm.expectEmit(address(registry));
        emit IRegistry.Bonded(address(training), taskId, alice, STAKE);
        vm.prank(MALLORY);
        training.joinBySignature(taskId, signed);
        expected.trainers = 1;
        _assertTask(expected);
        MemberState memory member;
        (member.role, member.seated, member.stake) = (1, true, STAKE);
        _assertMember(alice, member);
        vm.assertEq(token.balanceOf(alice), 0);
        (uint256 bonded,) = registry.bondOf(address(training), taskId, alice);
        vm.assertEq(bonded, STAKE);
    }

    function test_the_free_balance_is_used_before_tokens(uint256 free) external {
        free = _bound(free, 0, 2 * STAKE);
        token.approve(address(registry), free);
        registry.depositFor(alice, free);
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        training.joinBySignature(taskId, signed);
        uint256 used = free < STAKE ? free : STAKE;
        vm.assertEq(registry.freeOf(alice), free - used);
        vm.assertEq(token.balanceOf(alice), used);
    }

    function test_a_permit_that_somebody_else_used_first_does_not_stop_a_join() external {
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        vm.prank(MALLORY);
        token.permit(
            alice,
            address(registry),
            signed.permit.value,
            signed.permit.deadline,
            signed.permit.v,
            signed.permit.r,
            signed.permit.s
        );
        training.joinBySignature(taskId, signed);
        vm.assertEq(training.task(taskId).trainers, 1);
    }

    function test_a_standing_allowance_needs_no_permit() external {
        vm.prank(alice);
        token.approve(address(registry), STAKE);
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        signed.permit.value = 0;
        training.joinBySignature(taskId, signed);
        vm.assertEq(training.task(taskId).trainers, 1);
    }

    function test_a_validator_joins_by_signature() external {
        token.transfer(victor, STAKE);
        vm.prank(victor);
        registry.register(2, 0);
        training.joinBySignature(taskId, _signedJoin(validators[0], 2, _until));
        vm.assertEq(training.task(taskId).validators, 1);
        vm.assertEq(training.task(taskId).seatedStake, STAKE);
    }

    function test_a_join_by_signature_advances_an_overdue_task_first() external {
        _join(bob, 1);
        _join(victor, 2);
        _until = cheats.getBlockTimestamp() + 3 hours;
        SignedJoin memory signed = _signedJoin(trainers[0], 1, _until);
        _late();
        training.joinBySignature(taskId, signed);
        _assertPhase(Phase.Commit, 1);
        vm.assertEq(training.task(taskId).active, 1);
        vm.assertEq(training.task(taskId).trainers, 2);
    }
}
