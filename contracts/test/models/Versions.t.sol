// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ModelsTest} from "./ModelsTest.sol";

/// @notice What can be read: versions, and heads now and in the past.
contract VersionsTest is ModelsTest {
    function test_version_0_is_unknown() external {
        _publish(TASK, 0);
        _expectUnknown(0);
        models.version(TASK, 0);
    }

    function test_a_version_to_come_is_unknown() external {
        _publish(TASK, 0);
        _expectUnknown(2);
        models.version(TASK, 2);
    }

    function test_a_block_number_that_does_not_fit_is_refused() external {
        uint256 number = uint256(type(uint48).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector, uint8(48), number
            )
        );
        models.headAt(TASK, number);
    }

    function test_a_task_without_versions_has_no_head_and_no_publisher() external view {
        vm.assertEq(models.headOf(TASK), 0);
        vm.assertEq(models.headAt(TASK, 1_000), 0);
        vm.assertEq(models.versionCount(TASK), 0);
        vm.assertEq(models.publisherOf(TASK), address(0));
    }

    function test_of_several_heads_in_a_block_the_last_counts() external {
        _publish(TASK, 0);
        _publish(TASK, 1);
        _rollBack(1);
        vm.assertEq(models.headAt(TASK, 1_000), 1);
        vm.assertEq(models.headAt(TASK, 999), 0);
    }

    /// @dev A naive history against the checkpoints.
    function testFuzz_the_head_at_a_block_is_what_was_last_published_by_then(
        uint8[8] calldata gaps,
        uint256 asked
    ) external {
        uint256 number = 1_000;
        uint256 expected;
        asked = 995 + asked % 100;
        for (uint256 i; i < gaps.length; ++i) {
            number += gaps[i] % 12;
            vm.roll(number);
            uint256 version = _publish(TASK, i);
            if (number <= asked) expected = version;
        }
        vm.assertEq(models.headAt(TASK, asked), expected);
    }
}
