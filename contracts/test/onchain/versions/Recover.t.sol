// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {IReplay} from "../../../src/onchain/interfaces/IReplay.sol";
import {Given} from "../TrainerTest.sol";
import {VersionsTest} from "./VersionsTest.sol";

contract RecoverTest is VersionsTest {
    address private constant HEALER = address(0x2001);

    function _enable() private {
        vm.prank(OWNER);
        trainer.enableRecovery(HEALER);
    }

    function _recover(uint256 end, uint256[] memory excluded, bytes memory state) private {
        vm.prank(HEALER);
        trainer.recover(0, end, excluded, state);
    }

    function _relearn(Given memory one) private {
        vm.prank(HEALER);
        trainer.relearn(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    function _only(uint256 nonce) private pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = nonce;
    }

    function test_only_the_deployer_names_the_recovery_contract_and_once() external {
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNotDeployer.selector, MALLORY));
        trainer.enableRecovery(MALLORY);
        _enable();
        vm.assertEq(trainer.recovery(), HEALER);
        vm.prank(OWNER);
        vm.expectRevert(
            abi.encodeWithSelector(IVersions.VersionsRecoveryAlreadyEnabled.selector, HEALER)
        );
        trainer.enableRecovery(MALLORY);
    }

    function test_only_the_recovery_contract_recovers_and_relearns() external {
        trainer.checkpoint();
        Given memory one = _teach(ALICE, 1);
        address[2] memory others = [OWNER, address(0)];
        for (uint256 i; i < 2; ++i) {
            if (i == 1) _enable();
            bytes memory refusal =
                abi.encodeWithSelector(IVersions.VersionsNotRecovery.selector, others[i]);
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            trainer.recover(0, 0, new uint256[](0), "");
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            trainer.relearn(one.features, one.label, one.time, one.contributor, one.nonce);
        }
    }

    function test_an_end_before_the_checkpoint_or_after_the_last_contribution_is_refused()
        external
    {
        _enable();
        _teach(ALICE, 1);
        trainer.checkpoint();
        _teach(ALICE, 1);
        uint256[2] memory ends = [uint256(0), 3];
        for (uint256 i; i < 2; ++i) {
            vm.prank(HEALER);
            vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsBadEnd.selector, ends[i]));
            trainer.recover(0, ends[i], new uint256[](0), "");
        }
        vm.prank(HEALER);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsUnknown.selector, 1));
        trainer.recover(1, 1, new uint256[](0), "");
    }

    function test_a_recovered_model_has_the_replayed_state_and_knows_what_was_replayed() external {
        _enable();
        trainer.checkpoint();
        bytes memory state = model.state();
        Given memory good = _teach(ALICE, 3);
        Given memory bad = _teach(MALLORY, -30);
        _teach(BOB, 2);
        Given memory late = _teach(CAROL, 1);
        IReplay replay = IReplay(address(model));
        state = replay.learnWith(state, good.features, 65_535);
        state = replay.learnWith(state, late.features, 65_535);
        vm.expectEmit(address(trainer));
        emit IVersions.Recovered(0, 3, 1, _only(bad.nonce));
        _recover(3, _only(bad.nonce), state);
        vm.assertEq(model.state(), state, "the state");
        vm.assertTrue(trainer.isLearnt(0));
        vm.assertFalse(trainer.isLearnt(1));
        vm.assertTrue(trainer.isLearnt(2));
        vm.assertFalse(trainer.isLearnt(3));
        _relearn(late);
        vm.assertTrue(trainer.isLearnt(3));
        (, uint256 count,) = trainer.totals();
        vm.assertEq(count, 4);
    }

    function test_relearning_goes_in_order_without_what_is_excluded() external {
        _enable();
        trainer.checkpoint();
        bytes memory state = model.state();
        Given memory bad = _lie(MALLORY);
        Given memory first = _add(ALICE, _sample(1, 2, 3), 1);
        Given memory second = _teach(BOB, 4);
        (,, uint256 memo) = trainer.recordOf(_keyOf(first));
        vm.assertEq(memo, 0);
        _recover(0, _only(bad.nonce), state);
        _expectNotNext(bad, 1);
        _expectNotNext(second, 1);
        vm.expectEmit(address(trainer));
        emit IVersions.Relearnt(first.nonce, 1);
        _relearn(first);
        (,, memo) = trainer.recordOf(_keyOf(first));
        vm.assertEq(memo, 1);
        _expectNotNext(first, 2);
        _relearn(second);
        Given memory next = _teach(CAROL, 1);
        _expectNotNext(next, 3);
        vm.warp(block.timestamp + 1 days);
        vm.assertTrue(_refund(first) > 0);
    }

    function test_what_has_no_record_any_more_is_relearnt_without_one() external {
        _enable();
        trainer.checkpoint();
        bytes memory state = model.state();
        Given memory one = _add(ALICE, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        _refund(one);
        _recover(0, new uint256[](0), state);
        _relearn(one);
        (uint256 claimable, uint256 initial, uint256 memo) = trainer.recordOf(_keyOf(one));
        vm.assertEq(claimable + initial + memo, 0);
    }

    function _expectNotNext(Given memory one, uint256 next) private {
        vm.prank(HEALER);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNotNext.selector, one.nonce, next));
        trainer.relearn(one.features, one.label, one.time, one.contributor, one.nonce);
    }
}
