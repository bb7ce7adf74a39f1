// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {ModelsTest} from "./ModelsTest.sol";

contract EnablePublisherTest is ModelsTest {
    function test_only_the_owner_enables() external {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY)
        );
        vm.prank(MALLORY);
        models.enablePublisher(MALLORY);
    }

    function test_a_second_time_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelRegistryPublisherAlreadyEnabled.selector, PUBLISHER
            )
        );
        vm.prank(OWNER);
        models.enablePublisher(PUBLISHER);
    }

    function testFuzz_an_enabled_publisher_may_publish(address publisher) external {
        vm.assume(publisher != PUBLISHER && publisher != RIVAL && publisher != address(vm));
        vm.assertFalse(models.isPublisher(publisher));
        vm.expectEmit(address(models));
        emit IModelRegistry.PublisherEnabled(publisher);
        vm.prank(OWNER);
        models.enablePublisher(publisher);
        vm.assertTrue(models.isPublisher(publisher));
        vm.assertTrue(models.isPublisher(PUBLISHER));
        vm.prank(publisher);
        vm.assertEq(models.publish(TASK, 0, "model", "root", "record"), 1);
    }
}
