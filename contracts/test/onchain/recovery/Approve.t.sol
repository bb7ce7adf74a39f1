// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery} from "../../../src/onchain/interfaces/IRecovery.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract ApproveTest is RecoveryTest {
    function _approve(address account, uint256 id) private {
        vm.prank(account);
        recovery.approve(id);
    }

    function test_only_a_complete_proposal_can_be_judged() external {
        uint256 id = _propose(ALICE);
        _expectUint(IRecovery.RecoveryNotComplete.selector, id);
        _approve(BOB, id);
    }

    function test_who_gave_nothing_good_has_no_vote() external {
        uint256 id = _proposeAll(ALICE);
        _expect(abi.encodeWithSelector(IRecovery.RecoveryNoVote.selector, MALLORY));
        _approve(MALLORY, id);
    }

    function test_nobody_approves_twice() external {
        _validate();
        uint256 id = _proposeAll(ALICE);
        _approve(BOB, id);
        _expect(abi.encodeWithSelector(IRecovery.RecoveryAlreadyApproved.selector, BOB));
        _approve(BOB, id);
    }

    function test_votes_weigh_what_was_validated() external {
        _validate();
        uint256 id = _proposeAll(ALICE);
        vm.expectEmit(address(recovery));
        emit IRecovery.Approved(id, BOB, 1);
        _approve(BOB, id);
        vm.assertEq(recovery.proposalOf(id).votes, 1);
        _pass(2 days + 1);
        _finish(id);
    }
}
