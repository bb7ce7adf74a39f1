// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IRecovery, Logged} from "../../../src/onchain/interfaces/IRecovery.sol";
import {IVersions} from "../../../src/onchain/interfaces/IVersions.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

contract RelearnTest is RecoveryTest {
    function setUp() public override {
        super.setUp();
        _add(BOB, hex"0003", 0);
        _add(CAROL, hex"00010003", 1);
    }

    function _data(uint256 from, uint256 to) private view returns (Logged[] memory data) {
        data = new Logged[](to - from);
        for (uint256 n = from; n < to; ++n) {
            data[n - from] = log[n];
        }
    }

    function _keys(uint256 from, uint256 to) private view returns (bytes32[] memory keys) {
        keys = new bytes32[](to - from);
        for (uint256 n = from; n < to; ++n) {
            keys[n - from] = _key(n);
        }
    }

    function _recover() private returns (uint256 id) {
        id = _proposeAll(OWNER);
        bytes memory state = _recovered();
        _pass(2 days + 1);
        recovery.finish(id, _excluded(), state);
    }

    function test_there_must_be_a_recovery() external {
        Logged[] memory data = _data(4, 6);
        _expectUint(IRecovery.RecoveryUnknownProposal.selector, 0);
        recovery.relearn(0, data, new bytes32[](0));
        uint256 id = _proposeAll(OWNER);
        _expectUint(IRecovery.RecoveryNotFinished.selector, id);
        recovery.relearn(id, data, new bytes32[](0));
    }

    function test_a_roll_back_ends_it() external {
        uint256 id = _recover();
        Logged[] memory data = _data(4, 6);
        vm.prank(OWNER);
        trainer.rollBack(0);
        _expectUints(IRecovery.RecoveryOvertaken.selector, 1, 2);
        recovery.relearn(id, data, new bytes32[](0));
    }

    function test_invented_contributions_are_refused() external {
        uint256 id = _recover();
        Logged[] memory data = _data(4, 6);
        data[1].label = 0;
        bytes18 history = bytes18(recovery.proposalOf(id).history);
        bytes32 key = keccak256(
            abi.encode(keccak256(data[1].features), uint256(0), data[1].time, CAROL, uint256(5))
        );
        history = bytes18(keccak256(abi.encode(history, _key(4))));
        history = bytes18(keccak256(abi.encode(history, key)));
        _expectHashes(IRecovery.RecoveryWrongHistory.selector, trainer.history(), history);
        recovery.relearn(id, data, new bytes32[](0));
    }

    function test_those_that_follow_must_be_named() external {
        uint256 id = _recover();
        Logged[] memory data = _data(4, 5);
        bytes18 history = bytes18(recovery.proposalOf(id).history);
        history = bytes18(keccak256(abi.encode(history, _key(4))));
        _expectHashes(IRecovery.RecoveryWrongHistory.selector, trainer.history(), history);
        recovery.relearn(id, data, new bytes32[](0));
    }

    function test_later_contributions_are_learnt_again_in_pages() external {
        uint256 id = _recover();
        bytes memory first = _learnt(_recovered(), 4);
        bytes memory second = _learnt(first, 5);
        vm.assertFalse(trainer.isLearnt(4));
        vm.expectEmit(address(trainer));
        emit IVersions.Relearnt(4, 0);
        recovery.relearn(id, _data(4, 5), _keys(5, 6));
        vm.assertEq(model.state(), first, "after one");
        vm.assertTrue(trainer.isLearnt(4));
        vm.assertFalse(trainer.isLearnt(5));
        vm.prank(WENDY);
        recovery.relearn(id, _data(5, 6), new bytes32[](0));
        vm.assertEq(model.state(), second, "after both");
        vm.assertTrue(trainer.isLearnt(5));
    }

    function test_nothing_is_relearnt_twice() external {
        uint256 id = _recover();
        recovery.relearn(id, _data(4, 6), new bytes32[](0));
        Logged[] memory data = _data(5, 6);
        bytes18 history = bytes18(keccak256(abi.encode(trainer.history(), _key(5))));
        _expectHashes(IRecovery.RecoveryWrongHistory.selector, trainer.history(), history);
        recovery.relearn(id, data, new bytes32[](0));
    }

    /// @notice What came after the recovery was learnt by the recovered model at once.
    function test_contributions_after_the_recovery_are_not_in_the_way() external {
        uint256 id = _recover();
        _add(ALICE, hex"0001", 1);
        recovery.relearn(id, _data(4, 6), new bytes32[](0));
        vm.assertTrue(trainer.isLearnt(6));
    }
}
