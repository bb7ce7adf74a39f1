// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {ModelsTest} from "./ModelsTest.sol";

contract ModelRollBackTest is ModelsTest {
    function test_a_task_that_is_not_there_is_refused() external {
        _expectForeign(address(0));
        _rollBack(1);
    }

    function test_another_publishers_task_is_refused() external {
        _publish(TASK, 0);
        _publish(TASK, 1);
        _expectForeign(PUBLISHER);
        vm.prank(RIVAL);
        models.rollBack(TASK, 1);
    }

    function test_version_0_is_refused() external {
        _publish(TASK, 0);
        _expectUnknown(0);
        _rollBack(0);
    }

    function test_a_version_to_come_is_refused() external {
        _publish(TASK, 0);
        _expectUnknown(2);
        _rollBack(2);
    }

    function test_the_head_itself_is_refused() external {
        _publish(TASK, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistryAlreadyHead.selector, TASK, 1)
        );
        _rollBack(1);
    }

    function testFuzz_any_other_version_becomes_the_head_and_history_stays(
        uint256 count,
        uint256 number
    ) external {
        count = 2 + count % 6;
        number = 1 + number % (count - 1);
        for (uint256 round; round < count; ++round) {
            _publish(TASK, round);
        }
        vm.roll(1_005);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRolledBack(TASK, number, count);
        _rollBack(number);
        vm.assertEq(models.headOf(TASK), number);
        vm.assertEq(models.headAt(TASK, 1_000), count);
        vm.assertEq(models.versionCount(TASK), count);
        vm.assertEq(models.version(TASK, count).model, bytes32(count));
        vm.roll(1_006);
        _rollBack(count);
        vm.assertEq(models.headOf(TASK), count);
        vm.assertEq(models.headAt(TASK, 1_005), number);
    }
}
