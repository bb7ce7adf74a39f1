// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {ModelsTest} from "./ModelsTest.sol";

contract PublishTest is ModelsTest {
    function test_a_stranger_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistryNotPublisher.selector, MALLORY)
        );
        vm.prank(MALLORY);
        models.publish(TASK, 0, "model", "root", "record");
    }

    function test_another_publishers_task_is_refused() external {
        _publish(TASK, 0);
        _expectForeign(PUBLISHER);
        vm.prank(RIVAL);
        models.publish(TASK, 1, "model", "root", "record");
    }

    function test_a_round_that_does_not_fit_is_refused() external {
        uint256 round = uint256(type(uint32).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector, uint8(32), round
            )
        );
        _publish(TASK, round);
    }

    function testFuzz_the_first_version_keeps_every_field(
        uint32 round,
        bytes32 model,
        bytes32 root,
        bytes32 record
    ) external {
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelPublished(TASK, 1, 0, round, model, root, record);
        vm.prank(PUBLISHER);
        vm.assertEq(models.publish(TASK, round, model, root, record), 1);
        IModelRegistry.ModelVersion memory version = models.version(TASK, 1);
        vm.assertEq(version.parent, 0);
        vm.assertEq(version.round, round);
        vm.assertEq(version.blockNumber, 1_000);
        vm.assertEq(version.model, model);
        vm.assertEq(version.modelRoot, root);
        vm.assertEq(version.record, record);
        vm.assertEq(models.publisherOf(TASK), PUBLISHER);
        vm.assertEq(models.headOf(TASK), 1);
        vm.assertEq(models.versionCount(TASK), 1);
    }

    function test_versions_are_numbered_for_each_task_and_grow_from_its_head() external {
        _publish(TASK, 0);
        vm.roll(1_001);
        vm.assertEq(_publish(OTHER_TASK, 0), 1);
        vm.assertEq(_publish(TASK, 1), 2);
        _rollBack(1);
        vm.roll(1_002);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelPublished(TASK, 3, 1, 2, bytes32(uint256(3)), "root", "record");
        vm.assertEq(_publish(TASK, 2), 3);
        vm.assertEq(models.version(TASK, 2).parent, 1);
        vm.assertEq(models.version(TASK, 3).parent, 1);
        vm.assertEq(models.version(TASK, 3).blockNumber, 1_002);
        vm.assertEq(models.headOf(TASK), 3);
        vm.assertEq(models.headOf(OTHER_TASK), 1);
        vm.assertEq(models.versionCount(TASK), 3);
        vm.assertEq(models.versionCount(OTHER_TASK), 1);
    }
}
