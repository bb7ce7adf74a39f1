// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {CodeStorage} from "../../../src/onchain/libraries/CodeStorage.sol";
import {VersionsTest} from "./VersionsTest.sol";

contract CheckpointTest is VersionsTest {
    function test_a_checkpoint_that_does_not_exist_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IVersions.VersionsUnknown.selector, 0));
        trainer.version(0);
    }

    function test_anybody_keeps_the_model_s_state_as_code() external {
        _teach(ALICE, 5);
        vm.roll(77);
        vm.prank(MALLORY);
        vm.assertEq(trainer.checkpoint(), 0);
        _teach(ALICE, 5);
        vm.roll(88);
        vm.assertEq(trainer.checkpoint(), 1);
        vm.assertEq(trainer.versionCount(), 2);
        (address pointer, uint256 blockNumber, uint256 nonce, uint256 epoch, bytes32 history) =
            trainer.version(1);
        vm.assertEq(blockNumber, 88);
        vm.assertEq(nonce, 2);
        vm.assertEq(epoch, 0);
        vm.assertEq(history, trainer.history());
        vm.assertEq(CodeStorage.read(pointer), model.state(), "the state");
        (pointer, blockNumber, nonce,, history) = trainer.version(0);
        vm.assertEq(blockNumber, 77);
        vm.assertEq(nonce, 1);
        vm.assertTrue(history != trainer.history());
        vm.assertTrue(keccak256(CodeStorage.read(pointer)) != keccak256(model.state()));
    }
}
