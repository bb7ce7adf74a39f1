// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery, ProposalState} from "../../../src/onchain/interfaces/IRecovery.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract ExtendTest is RecoveryTest {
    function test_there_must_be_such_a_proposal() external {
        _expectUint(IRecovery.RecoveryUnknownProposal.selector, 0);
        recovery.extend(0, new bytes(64));
    }

    function test_only_the_proposer_may() external {
        uint256 id = _propose(ALICE);
        bytes memory steps = _steps();
        _expect(abi.encodeWithSelector(IRecovery.RecoveryNotProposer.selector, id, MALLORY));
        vm.prank(MALLORY);
        recovery.extend(id, steps);
    }

    function test_a_complete_proposal_has_no_more_steps() external {
        uint256 id = _proposeAll(ALICE);
        _expectUint(IRecovery.RecoveryComplete.selector, id);
        vm.prank(ALICE);
        recovery.extend(id, new bytes(64));
    }

    function test_a_refuted_proposal_has_no_more_steps() external {
        uint256 id = _propose(ALICE);
        _extend(id, _spoil(_steps(), 1));
        _refute(id);
        _expectUint(IRecovery.RecoveryRefuted.selector, id);
        vm.prank(ALICE);
        recovery.extend(id, new bytes(64));
    }

    function _tryExtend(uint256 id, bytes memory steps) private {
        vm.prank(ALICE);
        recovery.extend(id, steps);
    }

    function test_a_page_is_whole_steps_that_fit_into_a_challenge() external {
        uint256 id = _propose(ALICE);
        _expectUint(IRecovery.RecoveryBadPage.selector, 0);
        _tryExtend(id, "");
        _expectUint(IRecovery.RecoveryBadPage.selector, 65);
        _tryExtend(id, new bytes(65));
        _expectUint(IRecovery.RecoveryBadPage.selector, 513 * 64);
        _tryExtend(id, new bytes(513 * 64));
    }

    function test_the_replay_ends_at_the_second_checkpoint() external {
        uint256 id = _propose(ALICE);
        _expectUints(IRecovery.RecoveryTooMany.selector, 3, 4);
        _tryExtend(id, new bytes(256));
    }

    function test_no_contribution_is_invented_forgotten_or_moved() external {
        uint256 id = _propose(ALICE);
        bytes[3] memory wrong;
        wrong[0] = _spoil(_steps(), 2);
        wrong[1] = abi.encodePacked(
            _key(2), bytes32(0), _key(1), keccak256(_afterBob()), _key(3), keccak256(_recovered())
        );
        wrong[2] = abi.encodePacked(_key(1), bytes32(0), _key(1), bytes32(0), _key(3), bytes32(0));
        (,,,, bytes32 expected) = trainer.version(1);
        for (uint256 i; i < 3; ++i) {
            (,,,, bytes32 history) = trainer.version(0);
            for (uint256 n; n < 3; ++n) {
                bytes memory steps = wrong[i];
                bytes32 key;
                assembly ("memory-safe") {
                    key := mload(add(add(steps, 0x20), mul(n, 0x40)))
                }
                history = bytes18(keccak256(abi.encode(history, key)));
            }
            _expectHashes(IRecovery.RecoveryWrongHistory.selector, expected, history);
            _tryExtend(id, wrong[i]);
        }
    }

    function test_steps_come_in_pages() external {
        uint256 id = _propose(ALICE);
        _pass(1 days);
        bytes memory first = abi.encodePacked(_key(1), keccak256(_afterBob()), _key(2), bytes32(0));
        vm.expectEmit(address(recovery));
        emit IRecovery.StepsProposed(id, 0, 1, keccak256(_afterAlice()), first);
        _tryExtend(id, first);
        vm.assertEq(recovery.proposalOf(id).stateHash, keccak256(_afterBob()));
        bytes memory second = abi.encodePacked(_key(3), keccak256(_recovered()));
        vm.expectEmit(address(recovery));
        emit IRecovery.StepsProposed(id, 1, 3, keccak256(_afterBob()), second);
        vm.expectEmit(address(recovery));
        emit IRecovery.ProposalComplete(id, START + 3 days);
        _tryExtend(id, second);
        ProposalState memory state = recovery.proposalOf(id);
        vm.assertEq(state.pages, 2);
        vm.assertEq(state.next, 4);
        vm.assertEq(state.windowEnd, START + 3 days);
        vm.assertEq(state.stateHash, keccak256(_recovered()));
        vm.assertEq(state.excludedHash, keccak256(abi.encode(bytes32(0), uint256(2))));
        (,,,, bytes32 history) = trainer.version(1);
        vm.assertEq(state.history, history);
    }
}
