// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery} from "../../../src/onchain/interfaces/IRecovery.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract GiveUpTest is RecoveryTest {
    function _giveUp(address account, uint256 id) private {
        vm.prank(account);
        recovery.giveUp(id);
    }

    function test_only_the_proposer_may() external {
        uint256 id = _propose(ALICE);
        _pass(2 days + 1);
        _expect(abi.encodeWithSelector(IRecovery.RecoveryNotProposer.selector, id, MALLORY));
        _giveUp(MALLORY, id);
    }

    /// @notice Whoever posted a lie cannot run from the challenge.
    function test_the_window_must_pass() external {
        uint256 id = _propose(ALICE);
        _pass(1 days);
        _extend(id, _spoil(_steps(), 1));
        _pass(2 days);
        _expectUint(IRecovery.RecoveryTooEarly.selector, START + 3 days);
        _giveUp(ALICE, id);
    }

    function test_a_refuted_proposal_returns_nothing() external {
        uint256 id = _propose(ALICE);
        _extend(id, _spoil(_steps(), 1));
        _refute(id);
        _pass(2 days + 1);
        _expectUint(IRecovery.RecoveryRefuted.selector, id);
        _giveUp(ALICE, id);
    }

    function test_an_idle_proposal_returns_its_bond_once() external {
        uint256 id = _propose(ALICE);
        _pass(2 days + 1);
        vm.expectEmit(address(recovery));
        emit IRecovery.GivenUp(id);
        _giveUp(ALICE, id);
        vm.prank(ALICE);
        vm.assertEq(recovery.withdraw(), BOND);
        vm.assertEq(address(recovery).balance, 0);
        _expectUint(IRecovery.RecoveryClosed.selector, id);
        _giveUp(ALICE, id);
    }
}
