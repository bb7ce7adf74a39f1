// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Training} from "../../src/Training.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract EnableTokenTest is TrainingTest {
    function test_RevertWhen_deployed_without_a_registry() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingBadParameter.selector, bytes32("registry")));
        new Training(IRegistry(MALLORY), models, OWNER);
    }

    function test_RevertWhen_deployed_without_a_model_registry() external {
        vm.expectRevert(
            abi.encodeWithSelector(TrainingBadParameter.selector, bytes32("modelRegistry"))
        );
        new Training(registry, IModelRegistry(MALLORY), OWNER);
    }

    function test_RevertWhen_the_caller_is_not_the_owner() external {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY)
        );
        vm.prank(MALLORY);
        training.enableToken(address(registry));
    }

    function test_RevertWhen_the_token_has_no_code() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingBadParameter.selector, bytes32("token")));
        vm.prank(OWNER);
        training.enableToken(MALLORY);
    }

    function test_RevertWhen_the_token_is_enabled_already() external {
        vm.expectRevert(
            abi.encodeWithSelector(TrainingTokenAlreadyEnabled.selector, address(token))
        );
        vm.prank(OWNER);
        training.enableToken(address(token));
    }

    function test_an_enabled_token_stays_enabled_when_the_owner_goes() external {
        vm.assertFalse(training.isTokenEnabled(address(models)));
        vm.expectEmit(address(training));
        emit TokenEnabled(address(models));
        vm.startPrank(OWNER);
        training.enableToken(address(models));
        training.renounceOwnership();
        vm.stopPrank();
        vm.assertTrue(training.isTokenEnabled(address(models)));
    }

    function test_the_owner_hands_over_in_two_steps() external {
        vm.prank(OWNER);
        training.transferOwnership(alice);
        vm.assertEq(training.owner(), OWNER);
        vm.prank(alice);
        training.acceptOwnership();
        vm.assertEq(training.owner(), alice);
        vm.prank(alice);
        training.enableToken(address(models));
    }
}
