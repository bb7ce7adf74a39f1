// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Vm} from "../Vm.sol";

/// @notice A ModelRegistry with one publisher.
abstract contract ModelsTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    address internal constant OWNER = address(0x1001);
    address internal constant PUBLISHER = address(0x1002);
    address internal constant RIVAL = address(0x1003);
    address internal constant MALLORY = address(0x1005);
    bytes32 internal constant TASK = "task";
    bytes32 internal constant OTHER_TASK = "other task";

    ModelRegistry internal models;

    function setUp() public virtual {
        vm.roll(1_000);
        models = new ModelRegistry(OWNER);
        vm.startPrank(OWNER);
        models.enablePublisher(PUBLISHER);
        models.enablePublisher(RIVAL);
        vm.stopPrank();
    }

    function _publish(bytes32 taskId, uint256 round) internal returns (uint256) {
        vm.prank(PUBLISHER);
        return models.publish(taskId, round, bytes32(round + 1), "root", "record");
    }

    function _rollBack(uint256 number) internal {
        vm.prank(PUBLISHER);
        models.rollBack(TASK, number);
    }

    function _expectUnknown(uint256 number) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelRegistryUnknownVersion.selector, TASK, number
            )
        );
    }

    function _expectForeign(address publisher) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelRegistryForeignTask.selector, TASK, publisher
            )
        );
    }
}
