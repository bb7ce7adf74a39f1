// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery, Logged, PageData} from "../../../src/onchain/interfaces/IRecovery.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract ChallengeTest is RecoveryTest {
    function _challenge(
        uint256 id,
        PageData memory page,
        uint256 step,
        bytes memory state,
        Logged memory data
    ) private {
        vm.prank(WENDY);
        recovery.challenge(id, page, step, state, data);
    }

    function test_there_must_be_such_a_proposal() external {
        PageData memory page = _page(_steps());
        bytes memory state = _afterAlice();
        _expectUint(IRecovery.RecoveryUnknownProposal.selector, 0);
        _challenge(0, page, 0, state, log[1]);
    }

    function test_there_must_be_such_a_page() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        bytes memory state = _afterAlice();
        page.page = 1;
        _expectUints(IRecovery.RecoveryUnknownPage.selector, id, 1);
        _challenge(id, page, 0, state, log[1]);
        page = _page(_steps());
        page.before = 0;
        _expectUints(IRecovery.RecoveryUnknownPage.selector, id, 0);
        _challenge(id, page, 0, state, log[1]);
        page = _page(_spoil(_steps(), 1));
        _expectUints(IRecovery.RecoveryUnknownPage.selector, id, 0);
        _challenge(id, page, 0, state, log[1]);
    }

    function test_there_must_be_such_a_step() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        _expectUint(IRecovery.RecoveryUnknownStep.selector, 3);
        _challenge(id, page, 3, "", log[1]);
    }

    function test_what_is_left_out_makes_no_step() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        bytes memory state = _afterBob();
        _expectUint(IRecovery.RecoveryLeftOut.selector, 1);
        _challenge(id, page, 1, state, log[2]);
    }

    function test_the_step_is_made_by_its_contribution() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        bytes memory state = _afterAlice();
        _expectHashes(IRecovery.RecoveryWrongKey.selector, _key(1), _key(2));
        _challenge(id, page, 0, state, log[2]);
    }

    function test_the_state_is_the_one_before_the_step() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        bytes memory state = _afterAlice();
        _expectHashes(
            IRecovery.RecoveryWrongState.selector, keccak256(_afterBob()), keccak256(state)
        );
        _challenge(id, page, 2, state, log[3]);
    }

    function test_true_steps_hold() external {
        uint256 id = _proposeAll(ALICE);
        PageData memory page = _page(_steps());
        bytes memory state = _afterAlice();
        _expectUint(IRecovery.RecoveryStepHolds.selector, 0);
        _challenge(id, page, 0, state, log[1]);
        state = _afterBob();
        _expectUint(IRecovery.RecoveryStepHolds.selector, 2);
        _challenge(id, page, 2, state, log[3]);
    }

    function test_a_wrong_step_is_refuted_even_after_the_window() external {
        uint256 id = _propose(ALICE);
        bytes memory steps = _spoil(_steps(), 5);
        _extend(id, steps);
        _pass(9 days);
        PageData memory page = _page(steps);
        bytes memory state = _afterBob();
        vm.expectEmit(address(recovery));
        emit IRecovery.Refuted(id, WENDY, 50);
        _challenge(id, page, 2, state, log[3]);
        vm.assertEq(recovery.balanceOf(WENDY), 50);
        vm.assertEq(recovery.balanceOf(NOBODY), 51);
        vm.assertTrue(recovery.proposalOf(id).refuted);
        _expectUint(IRecovery.RecoveryRefuted.selector, id);
        _challenge(id, page, 2, state, log[3]);
    }

    function test_a_wrong_step_is_refuted_before_the_proposal_is_complete() external {
        uint256 id = _propose(ALICE);
        bytes memory steps = abi.encodePacked(_key(1), keccak256("a lie"));
        _extend(id, steps);
        PageData memory page = _page(steps);
        _challenge(id, page, 0, _afterAlice(), log[1]);
        vm.assertTrue(recovery.proposalOf(id).refuted);
    }
}
