// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {Given} from "../TrainerTest.sol";
import {VersionsTest} from "./VersionsTest.sol";

contract RollBackTest is VersionsTest {
    function _rollBack(uint256 index) private {
        vm.prank(OWNER);
        trainer.rollBack(index);
    }

    function test_others_than_the_deployer_are_refused() external {
        trainer.checkpoint();
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsNotDeployer.selector, MALLORY));
        trainer.rollBack(0);
    }

    function test_an_unknown_checkpoint_is_refused() external {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsUnknown.selector, 3));
        trainer.rollBack(3);
    }

    function test_the_model_gets_its_old_state_back() external {
        _add(ALICE, _sample(1, 2, 3), 1);
        trainer.checkpoint();
        bytes memory state = model.state();
        _add(MALLORY, _sample(1, 2, 3), 0);
        _teach(MALLORY, -9);
        vm.assertEq(_label(), 0);
        vm.expectEmit(address(trainer));
        emit IVersions.RolledBack(0, 1);
        _rollBack(0);
        vm.assertEq(model.state(), state, "the state");
        vm.assertEq(trainer.epoch(), 1);
        vm.assertTrue(trainer.isLearnt(0));
        vm.assertFalse(trainer.isLearnt(1));
        vm.assertFalse(trainer.isLearnt(2));
        vm.assertFalse(trainer.isLearnt(3));
        _teach(ALICE, 1);
        vm.assertTrue(trainer.isLearnt(3));
    }

    /// @dev 0 to 1 | v0 | 2 | v1 | back to v0 | 3 | v2 | on to v1 | 4 | back to v2 | 5
    function test_lineage_is_followed_back_and_forth() external {
        _teach(ALICE, 1);
        _teach(ALICE, 1);
        trainer.checkpoint();
        _teach(ALICE, 1);
        trainer.checkpoint();
        _rollBack(0);
        _teach(ALICE, 1);
        trainer.checkpoint();
        _expectLearnt("110100");
        _rollBack(1);
        _expectLearnt("111000");
        _teach(ALICE, 1);
        _expectLearnt("111010");
        _rollBack(2);
        _teach(ALICE, 1);
        _expectLearnt("110101");
    }

    function _expectLearnt(bytes memory wanted) private view {
        for (uint256 i; i < wanted.length; ++i) {
            vm.assertEq(trainer.isLearnt(i) ? 1 : 0, uint8(wanted[i]) - 48);
        }
    }

    function test_what_a_roll_back_removed_is_judged_as_it_stands() external {
        trainer.checkpoint();
        Given memory lie = _lie(MALLORY);
        Given memory truth = _teach(ALICE, 5);
        _rollBack(0);
        _teach(BOB, 1);
        vm.warp(block.timestamp + 1 days);
        // With its memo the lie would have its sample taken out of a model that does not know it.
        vm.assertEq(model.predict(lie.features), 1);
        vm.assertFalse(model.agrees(lie.features, 1, 1));
        vm.assertTrue(_refund(lie) > 0);
        vm.assertTrue(_refund(truth) > 0);
    }

    function test_a_roll_back_does_not_help_a_lie_that_stays_in_the_model() external {
        Given memory lie = _lie(MALLORY);
        trainer.checkpoint();
        _teach(ALICE, 1);
        _rollBack(0);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositModelDisagrees.selector, _keyOf(lie))
        );
        _refund(lie);
    }

    function test_a_model_that_grew_gets_an_older_state_in_its_new_dimensions() external {
        _add(ALICE, _sample(1, 2, 3), 1);
        trainer.checkpoint();
        vm.startPrank(OWNER);
        model.addFeatures(100);
        model.addClasses(1);
        vm.stopPrank();
        bytes memory state = model.state();
        _add(MALLORY, _sample(1, 2, 150), 2);
        _rollBack(0);
        vm.assertEq(model.state(), state, "the state");
        vm.assertEq(model.predict(_sample(1, 2, 3)), 1);
    }
}
