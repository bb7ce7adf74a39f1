// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery} from "../../../src/onchain/interfaces/IRecovery.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract FinishTest is RecoveryTest {
    function test_the_proposal_must_be_complete() external {
        uint256 id = _propose(OWNER);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        _expectUint(IRecovery.RecoveryNotComplete.selector, id);
        recovery.finish(id, _excluded(), state);
    }

    function test_the_window_must_pass() external {
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        _pass(2 days);
        _expectUint(IRecovery.RecoveryTooEarly.selector, START + 2 days);
        recovery.finish(id, _excluded(), state);
    }

    function test_a_refuted_proposal_is_not_carried_out() external {
        uint256 id = _propose(OWNER);
        _extend(id, _spoil(_steps(), 1));
        _refute(id);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        _expectUint(IRecovery.RecoveryRefuted.selector, id);
        recovery.finish(id, _excluded(), state);
    }

    function test_not_everybody_decides_what_is_left_out() external {
        _validate();
        uint256 id = _proposeAll(MALLORY);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        _expectUints(IRecovery.RecoveryNotApproved.selector, 0, 1);
        recovery.finish(id, _excluded(), state);
    }

    function test_nobody_decides_while_nothing_is_validated() external {
        uint256 id = _proposeAll(MALLORY);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        _expectUints(IRecovery.RecoveryNotApproved.selector, 0, 0);
        recovery.finish(id, _excluded(), state);
    }

    function test_the_state_is_the_proposed_one() external {
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _afterBob();
        _pass(2 days + 1);
        _expectHashes(
            IRecovery.RecoveryWrongState.selector, keccak256(_recovered()), keccak256(state)
        );
        recovery.finish(id, _excluded(), state);
    }

    function test_what_is_left_out_is_what_was_proposed() external {
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        uint256[] memory nonces = _excluded();
        nonces[0] = 1;
        _expect(abi.encodeWithSelector(IRecovery.RecoveryWrongExclusions.selector));
        recovery.finish(id, nonces, state);
        _expect(abi.encodeWithSelector(IRecovery.RecoveryWrongExclusions.selector));
        recovery.finish(id, new uint256[](0), state);
    }

    function test_a_roll_back_overtakes_a_proposal() external {
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        vm.prank(OWNER);
        trainer.rollBack(0);
        _expectUints(IRecovery.RecoveryOvertaken.selector, 0, 1);
        recovery.finish(id, _excluded(), state);
        vm.prank(OWNER);
        recovery.giveUp(id);
        vm.assertEq(recovery.balanceOf(OWNER), BOND);
    }

    function test_the_model_is_what_it_would_be_without_mallory() external {
        bytes memory corrupted = model.state();
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        vm.assertTrue(keccak256(corrupted) != keccak256(state));
        vm.assertEq(model.predict(hex"0001"), 0);
        _pass(2 days + 1);
        vm.expectEmit(address(recovery));
        emit IRecovery.Finished(id, 1);
        vm.prank(WENDY);
        recovery.finish(id, _excluded(), state);
        vm.assertEq(model.state(), state, "the state");
        vm.assertEq(model.predict(hex"0001"), 1);
        vm.assertEq(recovery.balanceOf(OWNER), BOND);
        vm.assertTrue(recovery.proposalOf(id).closed);
        vm.assertTrue(trainer.isLearnt(1));
        vm.assertFalse(trainer.isLearnt(2));
        vm.assertTrue(trainer.isLearnt(3));
        _expectUint(IRecovery.RecoveryClosed.selector, id);
        recovery.finish(id, _excluded(), state);
    }

    function test_a_model_that_grew_meanwhile_is_recovered_too() external {
        uint256 id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        vm.prank(OWNER);
        model.addFeatures(40);
        _pass(2 days + 1);
        recovery.finish(id, _excluded(), state);
        vm.assertEq(model.features(), 44);
        vm.assertEq(model.predict(hex"0001"), 1);
        vm.assertEq(model.state(), model.widen(state), "the state");
    }
}
