// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {Given, TrainerTest} from "../TrainerTest.sol";

/// @notice A trainer that asks for deposits. An hour after the last contribution one costs 60 times
/// `BASE`, and the first one `BASE`.
abstract contract DepositTest is TrainerTest {
    uint256 internal constant BASE = 1 gwei;
    uint256 internal constant PRICE = 60 gwei;

    DepositRefundTake internal trainer;

    function setUp() public virtual override {
        super.setUp();
        trainer = _deploy(0, 0, 0);
        _bind(address(trainer));
    }

    function _deploy(uint256 refundWait, uint256 ownerWait, uint256 anyWait)
        internal
        returns (DepositRefundTake)
    {
        vm.prank(OWNER);
        return new DepositRefundTake(model, BASE, refundWait, ownerWait, anyWait);
    }

    /// @dev Adds an hour after whatever came before, with the right deposit.
    function _add(address from, bytes memory features, uint256 label)
        internal
        returns (Given memory)
    {
        vm.warp(block.timestamp + 1 hours);
        return _addNow(from, features, label);
    }

    function _addNow(address from, bytes memory features, uint256 label)
        internal
        returns (Given memory)
    {
        uint256 price = trainer.deposit();
        vm.prank(from);
        uint256 nonce = trainer.add{value: price}(features, label);
        return Given(features, label, block.timestamp, from, nonce);
    }

    function _refund(Given memory one) internal returns (uint256) {
        vm.prank(one.contributor);
        return trainer.refund(one.features, one.label, one.time, one.nonce);
    }

    function _report(address from, Given memory one) internal returns (uint256) {
        vm.prank(from);
        return trainer.report(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    function _clear(address from, Given memory one) internal returns (uint256) {
        vm.prank(from);
        return trainer.clear(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    /// @dev Gives the account validated contributions: the model says 0 to a sample of its own.
    function _validate(address account, uint256 times) internal {
        for (uint256 i; i < times; ++i) {
            Given memory one = _add(account, _sample(60, 61, 62), 0);
            vm.warp(block.timestamp + 1 days);
            _refund(one);
        }
    }

    /// @dev A lie, as long as nobody else said the same: it is learnt, but the model without it
    /// says 0.
    function _lie(address from) internal returns (Given memory) {
        return _add(from, _sample(1, 2, 3), 1);
    }

    function _claimable(Given memory one) internal view returns (uint256 claimable) {
        (claimable,,) = trainer.recordOf(_keyOf(one));
    }
}
