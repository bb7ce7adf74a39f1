// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Recovery} from "../../../src/onchain/Recovery.sol";
import {IRecovery, ProposalState} from "../../../src/onchain/interfaces/IRecovery.sol";
import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract ProposeTest is RecoveryTest {
    function test_a_recovery_has_a_trainer_a_bond_and_a_sane_window() external {
        _expectUint(IRecovery.RecoveryBadParameter.selector, uint256(bytes32("trainer")));
        new Recovery(ALICE, BOND, 0);
        _expectUint(IRecovery.RecoveryBadParameter.selector, uint256(bytes32("bond")));
        new Recovery(address(trainer), 0, 0);
        _expectUint(IRecovery.RecoveryBadParameter.selector, uint256(bytes32("bond")));
        new Recovery(address(trainer), 1 << 96, 0);
        _expectUint(IRecovery.RecoveryBadParameter.selector, uint256(bytes32("window")));
        new Recovery(address(trainer), BOND, 366 days);
        vm.assertEq(recovery.window(), 2 days);
        vm.assertEq(recovery.bond(), BOND);
        vm.assertEq(recovery.trainer(), address(trainer));
        vm.assertEq(new Recovery(address(trainer), BOND, 5).window(), 5);
    }

    function test_the_bond_is_exact() external {
        _expectUints(IRecovery.RecoveryWrongBond.selector, BOND, BOND - 1);
        recovery.propose{value: BOND - 1}(0, 1);
    }

    function test_the_checkpoints_must_be_there() external {
        _expectUint(IVersions.VersionsUnknown.selector, 2);
        recovery.propose{value: BOND}(0, 2);
    }

    function test_something_must_lie_between_the_checkpoints() external {
        _expectUints(IRecovery.RecoveryBadRange.selector, 4, 1);
        recovery.propose{value: BOND}(1, 0);
        _expectUints(IRecovery.RecoveryBadRange.selector, 1, 1);
        recovery.propose{value: BOND}(0, 0);
    }

    function test_the_state_must_fit_into_a_challenge() external {
        vm.startPrank(OWNER);
        model = new SparsePerceptron(Shape(2, 65_535, 1, 8, false), "");
        trainer = new DepositRefundTake(model, BASE, 0, 0, 0);
        model.bind(address(trainer));
        vm.stopPrank();
        recovery = new Recovery(address(trainer), BOND, 0);
        trainer.checkpoint();
        _add(ALICE, hex"0000", 1);
        trainer.checkpoint();
        _expectUint(IRecovery.RecoveryBadParameter.selector, uint256(bytes32("state")));
        recovery.propose{value: BOND}(0, 1);
    }

    function test_a_proposal_starts_from_its_first_checkpoint() external {
        vm.expectEmit(address(recovery));
        emit IRecovery.Proposed(0, ALICE, 0, 1, 1);
        vm.assertEq(_propose(ALICE), 0);
        ProposalState memory state = recovery.proposalOf(0);
        vm.assertEq(state.proposer, ALICE);
        vm.assertEq(state.bond, BOND);
        vm.assertEq(state.from, 0);
        vm.assertEq(state.to, 1);
        vm.assertEq(state.next, 1);
        vm.assertEq(state.end, 4);
        vm.assertEq(state.windowEnd, START + 2 days);
        vm.assertEq(state.stateHash, keccak256(_afterAlice()));
        (,,,, bytes32 history) = trainer.version(0);
        vm.assertEq(state.history, history);
        vm.assertEq(recovery.proposalCount(), 1);
    }

    function test_there_is_no_other_proposal() external {
        _expectUint(IRecovery.RecoveryUnknownProposal.selector, 0);
        recovery.proposalOf(0);
    }

    /// @notice A model that grew since the first checkpoint is replayed at the size that it has now.
    function test_an_older_state_is_widened() external {
        vm.prank(OWNER);
        model.addFeatures(40);
        (address pointer,,,,) = trainer.version(0);
        bytes memory code = pointer.code;
        bytes memory older = new bytes(code.length - 2);
        for (uint256 i; i < older.length; ++i) {
            older[i] = code[i + 2];
        }
        uint256 id = _propose(ALICE);
        vm.assertEq(recovery.proposalOf(id).stateHash, keccak256(model.widen(older)));
    }
}
