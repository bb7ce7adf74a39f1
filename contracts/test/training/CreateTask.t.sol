// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";

import {Phase, TaskParams, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract CreateTaskTest is TrainingTest {
    function _create(TaskParams memory params) private {
        vm.prank(SPONSOR);
        training.createTask(params);
    }

    function _assertBad(TaskParams memory params, bytes32 name) private {
        vm.expectRevert(abi.encodeWithSelector(TrainingBadParameter.selector, name));
        _create(params);
    }

    function test_RevertWhen_the_caller_is_not_the_sponsor() external {
        TaskParams memory params = _params(1, 3);
        taskId = training.taskIdOf(params);
        _expectRefusal(TrainingNotSponsor.selector, MALLORY);
        vm.prank(MALLORY);
        training.createTask(params);
    }

    function test_RevertWhen_the_task_exists() external {
        TaskParams memory params = _params(1, 3);
        _createTask(params);
        vm.expectRevert(abi.encodeWithSelector(TrainingTaskExists.selector, taskId));
        _create(params);
    }

    function test_RevertWhen_a_cancelled_task_is_created_again() external {
        TaskParams memory params = _params(1, 3);
        _createTask(params);
        vm.prank(SPONSOR);
        training.cancel(taskId);
        vm.expectRevert(abi.encodeWithSelector(TrainingTaskExists.selector, taskId));
        _create(params);
    }

    function test_RevertWhen_the_token_is_not_enabled() external {
        TaskParams memory params = _params(1, 3);
        params.token = address(registry);
        vm.expectRevert(abi.encodeWithSelector(TrainingTokenNotEnabled.selector, address(registry)));
        _create(params);
    }

    function test_RevertWhen_an_amount_is_out_of_range() external {
        TaskParams memory params = _params(1, 3);
        params.pool = 0;
        _assertBad(params, "pool");
        params.pool = uint256(type(uint128).max) + 1;
        _assertBad(params, "pool");
        params = _params(1, 3);
        params.trainerStake = uint256(type(uint128).max) + 1;
        _assertBad(params, "trainerStake");
        params = _params(1, 3);
        params.validatorStake = 0;
        _assertBad(params, "validatorStake");
        params.validatorStake = uint256(type(uint128).max) + 1;
        _assertBad(params, "validatorStake");
    }

    function test_RevertWhen_a_count_is_out_of_range() external {
        _assertBad(_params(0, 3), "rounds");
        _assertBad(_params(100_001, 3), "rounds");
        _assertBad(_params(1, 0), "maxTrainers");
        _assertBad(_params(1, 100_001), "maxTrainers");
        TaskParams memory params = _params(1, 3);
        params.quorumBps = 6_666;
        _assertBad(params, "quorumBps");
        params.quorumBps = 10_001;
        _assertBad(params, "quorumBps");
    }

    function test_RevertWhen_a_phase_is_empty_or_longer_than_30_days() external {
        uint32[2] memory times = [uint32(0), 30 days + 1];
        for (uint256 i; i < 2; ++i) {
            TaskParams memory params = _params(1, 3);
            params.joinTime = times[i];
            _assertBad(params, "joinTime");
            params = _params(1, 3);
            params.commitTime = times[i];
            _assertBad(params, "commitTime");
            params = _params(1, 3);
            params.revealTime = times[i];
            _assertBad(params, "revealTime");
            params = _params(1, 3);
            params.scoreTime = times[i];
            _assertBad(params, "scoreTime");
            params = _params(1, 3);
            params.scoreRevealTime = times[i];
            _assertBad(params, "scoreRevealTime");
            params = _params(1, 3);
            params.attestTime = times[i];
            _assertBad(params, "attestTime");
        }
    }

    function test_RevertWhen_the_committee_is_empty_or_too_large() external {
        TaskParams memory params = _params(1, 3);
        params.validators = new address[](0);
        _assertBad(params, "validators");
        params.validators = _committee(65);
        _assertBad(params, "validators");
    }

    function test_RevertWhen_the_committee_is_not_strictly_ascending() external {
        TaskParams memory params = _params(1, 3);
        (params.validators[0], params.validators[1]) = (params.validators[1], params.validators[0]);
        _assertBad(params, "validators");
        params.validators[0] = params.validators[1];
        _assertBad(params, "validators");
        params.validators = _committee(2);
        params.validators[0] = address(0);
        _assertBad(params, "validators");
    }

    function test_RevertWhen_the_pool_cannot_be_pulled() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(training), 0, POOL
            )
        );
        _create(_params(1, 3));
    }

    function test_a_new_task_holds_its_pool_and_waits_for_members() external {
        TaskParams memory params = _params(7, 3);
        params.membership = address(registry);
        bytes32 id = keccak256(abi.encode(params));
        token.transfer(SPONSOR, POOL + 1);
        vm.prank(SPONSOR);
        token.approve(address(training), POOL);

        vm.expectEmit(address(training));
        emit TaskCreated(id, params);
        vm.expectEmit(address(training));
        emit PhaseStarted(id, 0, Phase.Joining, _deadline());
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelPublished(id, 1, 0, 0, "model", "modelRoot", "spec");
        vm.expectEmit(address(token));
        emit IERC20.Transfer(SPONSOR, address(training), POOL);
        vm.prank(SPONSOR);
        taskId = training.createTask(params);

        vm.assertEq(taskId, id);
        vm.assertEq(token.balanceOf(address(training)), POOL);
        vm.assertEq(token.balanceOf(SPONSOR), 1);
        _assertNewTask();
        _assertCommittee();
        IModelRegistry.ModelVersion memory first = models.version(taskId, 1);
        vm.assertEq(first.model, "model");
        vm.assertEq(models.headOf(taskId), 1);
    }

    function _assertNewTask() private view {
        TaskState memory expected;
        (expected.phase, expected.deadline) = (Phase.Joining, _deadline());
        (expected.rounds, expected.quorumBps) = (7, 6_667);
        (expected.sponsor, expected.token, expected.pool) = (SPONSOR, address(token), POOL);
        _assertTask(expected);
    }

    function _assertCommittee() private view {
        for (uint256 i; i < validators.length; ++i) {
            vm.assertTrue(training.member(taskId, vm.addr(validators[i])).committee);
        }
        vm.assertFalse(training.member(taskId, MALLORY).committee);
    }

    function test_limits_are_inclusive() external {
        TaskParams memory params = _params(100_000, 100_000);
        (params.pool, params.trainerStake, params.validatorStake) = (1, 0, 1);
        params.quorumBps = 10_000;
        (params.joinTime, params.commitTime, params.revealTime) = (30 days, 1, 30 days);
        (params.scoreTime, params.scoreRevealTime, params.attestTime) = (1, 30 days, 1);
        params.validators = _committee(64);
        _createTask(params);
        TaskState memory state = training.task(taskId);
        vm.assertEq(state.rounds, 100_000);
        vm.assertEq(state.deadline, cheats.getBlockTimestamp() + 30 days);
        params.trainerStake = type(uint128).max;
        params.validatorStake = type(uint128).max;
        _createTask(params);
    }

    function test_tasks_with_equal_rules_are_told_apart_by_their_salt(bytes32 salt) external {
        vm.assume(salt != 0);
        TaskParams memory params = _params(1, 3);
        _createTask(params);
        bytes32 first = taskId;
        params.salt = salt;
        _createTask(params);
        vm.assertTrue(first != taskId);
        vm.assertEq(token.balanceOf(address(training)), 2 * POOL);
    }

    function _committee(uint256 count) private pure returns (address[] memory list) {
        list = new address[](count);
        for (uint160 i; i < count; ++i) {
            list[i] = address(i + 1);
        }
    }
}
