// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract RollBackTest is TrainingTest {
    function _rollBack(uint256 version) private {
        vm.prank(SPONSOR);
        training.rollBack(taskId, version);
    }

    function test_RevertWhen_the_task_is_unknown() external {
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        _rollBack(1);
    }

    function test_RevertWhen_the_caller_is_not_the_sponsor() external {
        _taskIn(Phase.Finished);
        _expectRefusal(TrainingNotSponsor.selector, MALLORY);
        vm.prank(MALLORY);
        training.rollBack(taskId, 1);
    }

    function test_RevertWhen_the_task_is_not_idle() external {
        Phase[6] memory phases = [
            Phase.Joining,
            Phase.Reveal,
            Phase.Score,
            Phase.ScoreReveal,
            Phase.Attest,
            Phase.Cancelled
        ];
        for (uint256 i; i < phases.length; ++i) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(phases[i]);
            vm.expectRevert(abi.encodeWithSelector(TrainingTaskNotIdle.selector, taskId, phases[i]));
            _rollBack(1);
            cheats.revertToState(snapshot);
        }
    }

    function test_RevertWhen_a_trainer_has_committed() external {
        _begin(2);
        _commit(trainers[0], 1);
        vm.expectRevert(abi.encodeWithSelector(TrainingTaskNotIdle.selector, taskId, Phase.Commit));
        _rollBack(1);
    }

    function test_RevertWhen_the_version_is_the_head_or_does_not_exist() external {
        _taskIn(Phase.Finished);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistryAlreadyHead.selector, taskId, 2)
        );
        _rollBack(2);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistryUnknownVersion.selector, taskId, 3)
        );
        _rollBack(3);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistryUnknownVersion.selector, taskId, 0)
        );
        _rollBack(0);
    }

    function test_the_next_round_builds_on_the_version_rolled_back_to() external {
        _begin(2);
        _playRound(1, _result(1, alice, 0, 0));
        TaskState memory expected = training.task(taskId);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRolledBack(taskId, 1, 2);
        _rollBack(1);
        _assertTask(expected);
        vm.assertEq(models.headOf(taskId), 1);
        vm.roll(block.number + 1);
        _playRound(2, _result(2, alice, 0, 0));
        IModelRegistry.ModelVersion memory third = models.version(taskId, 3);
        vm.assertEq(third.parent, 1);
        vm.assertEq(third.round, 2);
    }

    function test_an_overdue_round_is_closed_before_it_is_rolled_back() external {
        _begin(3);
        _playRound(1, _result(1, alice, 0, 0));
        _late();
        vm.expectEmit(address(training));
        emit RoundVoided(taskId, 2);
        _rollBack(1);
        _assertPhase(Phase.Commit, 3);
    }

    function test_a_finished_task_can_be_rolled_back_to_any_version() external {
        _begin(2);
        _playRound(1, _result(1, alice, 0, 0));
        _playRound(2, _result(2, alice, 0, 0));
        _rollBack(1);
        _rollBack(3);
        _rollBack(2);
        vm.assertEq(models.headOf(taskId), 2);
        vm.assertEq(models.versionCount(taskId), 3);
    }
}
