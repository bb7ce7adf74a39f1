// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {VersionsTest} from "./VersionsTest.sol";

contract VoteTest is VersionsTest {
    function _start() private {
        _validate(ALICE, 2);
        _validate(BOB, 1);
        _validate(CAROL, 1);
        trainer.checkpoint();
        _teach(MALLORY, 9);
        trainer.checkpoint();
    }

    function _vote(address account, uint256 index) private {
        vm.prank(account);
        trainer.vote(index);
    }

    function test_an_unknown_checkpoint_is_refused() external {
        _start();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsUnknown.selector, 2));
        trainer.vote(2);
    }

    function test_who_has_no_validated_data_has_no_vote() external {
        _start();
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNoVote.selector, MALLORY));
        trainer.vote(0);
    }

    function test_half_of_the_weight_is_not_enough_and_more_is() external {
        _start();
        vm.expectEmit(address(trainer));
        emit IVersions.Voted(0, ALICE, 2, 2);
        _vote(ALICE, 0);
        vm.assertEq(_label(), 1);
        vm.assertEq(trainer.votesFor(0), 2);
        _vote(ALICE, 0);
        vm.assertEq(trainer.votesFor(0), 2);
        _vote(BOB, 0);
        vm.assertEq(_label(), 0);
        vm.assertEq(trainer.epoch(), 1);
        vm.assertEq(trainer.votesFor(0), 0);
    }

    function test_a_vote_moves_and_weighs_what_its_account_weighs_now() external {
        _start();
        _vote(BOB, 0);
        _teach(MALLORY, -20);
        _validate(BOB, 1);
        _vote(BOB, 1);
        vm.assertEq(trainer.votesFor(0), 0);
        vm.assertEq(trainer.votesFor(1), 2);
    }

    function test_a_vote_can_be_taken_back_once() external {
        _start();
        _vote(ALICE, 0);
        vm.expectEmit(address(trainer));
        emit IVersions.Retracted(0, ALICE);
        vm.prank(ALICE);
        trainer.retract();
        vm.assertEq(trainer.votesFor(0), 0);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNoVote.selector, ALICE));
        trainer.retract();
        _vote(BOB, 0);
        vm.assertEq(_label(), 1);
    }

    function test_votes_lapse_with_a_roll_back() external {
        _start();
        _vote(ALICE, 0);
        vm.prank(OWNER);
        trainer.rollBack(1);
        vm.assertEq(trainer.votesFor(0), 0);
        _vote(BOB, 0);
        vm.assertEq(trainer.epoch(), 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNoVote.selector, ALICE));
        trainer.retract();
        vm.assertEq(trainer.votesFor(0), 1);
    }
}
