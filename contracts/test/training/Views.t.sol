// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Opening, Phase, Result, TaskParams} from "../../src/interfaces/TrainingTypes.sol";
import {TrainingTest} from "./TrainingTest.sol";

contract ViewsTest is TrainingTest {
    function test_an_unknown_task_and_an_unknown_member_are_all_zeros() external view {
        (Phase phase, uint256 round) = training.phaseOf("unknown");
        vm.assertTrue(phase == Phase.None);
        vm.assertEq(round, 0);
        vm.assertTrue(training.task("unknown").phase == Phase.None);
        vm.assertEq(training.budgetOf("unknown"), 0);
        vm.assertEq(training.member("unknown", MALLORY).role, 0);
        vm.assertEq(training.tallyOf("unknown"), 0);
    }

    function test_the_contract_names_its_registries() external view {
        vm.assertEq(training.registry(), address(registry));
        vm.assertEq(training.modelRegistry(), address(models));
    }

    function test_there_is_a_budget_while_a_round_runs() external {
        for (uint8 p = uint8(Phase.Joining); p <= uint8(Phase.Cancelled); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            bool runs = p >= uint8(Phase.Commit) && p <= uint8(Phase.Attest);
            vm.assertEq(training.budgetOf(taskId), runs ? POOL : 0);
            cheats.revertToState(snapshot);
        }
    }

    function test_phaseOf_counts_a_phase_as_over_one_second_after_its_deadline() external {
        for (uint8 p = uint8(Phase.Commit); p <= uint8(Phase.Attest); ++p) {
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            _onTime();
            (Phase phase, uint256 round) = training.phaseOf(taskId);
            vm.assertEq(uint256(phase), p);
            _late();
            (phase, round) = training.phaseOf(taskId);
            vm.assertEq(uint256(phase), uint256(Phase.Finished));
            vm.assertEq(round, 1);
            cheats.revertToState(snapshot);
        }
    }

    function test_the_domain_separator_is_that_of_EIP_712() external {
        vm.assertEq(training.domainSeparator(), _domain(block.chainid));
        cheats.chainId(5_777);
        vm.assertEq(training.domainSeparator(), _domain(5_777));
    }

    function _domain(uint256 chain) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Ostrom Training"),
                keccak256("1"),
                chain,
                address(training)
            )
        );
    }

    function test_the_id_of_a_task_covers_every_parameter(uint8 field) external view {
        TaskParams memory params = _params(2, 3);
        bytes32 before = training.taskIdOf(params);
        field = field % 10;
        if (field == 0) params.sponsor = MALLORY;
        if (field == 1) params.token = MALLORY;
        if (field == 2) params.pool += 1;
        if (field == 3) params.trainerStake += 1;
        if (field == 4) params.attestTime += 1;
        if (field == 5) params.membership = MALLORY;
        if (field == 6) params.validators[0] = address(1);
        if (field == 7) params.spec = "other";
        if (field == 8) params.modelRoot = "other";
        if (field == 9) params.salt = "other";
        vm.assertTrue(training.taskIdOf(params) != before);
        vm.assertEq(training.taskIdOf(params), keccak256(abi.encode(params)));
    }

    function test_hashes_are_those_of_the_specification(
        bytes32 task,
        uint256 round,
        address account,
        Opening calldata o,
        Result calldata result
    ) external view {
        vm.assertEq(
            training.updateCommitment(task, round, account, o),
            keccak256(abi.encode(task, round, account, o.update, o.chunkRoot, o.samples, o.salt))
        );
        vm.assertEq(
            training.scoreCommitment(task, round, account, o.update, o.salt),
            keccak256(abi.encode(task, round, account, o.update, o.salt))
        );
        vm.assertEq(
            training.resultDigest(task, round, result), keccak256(abi.encode(task, round, result))
        );
    }
}
