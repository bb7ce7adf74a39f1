// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Points} from "../../../src/onchain/Points.sol";
import {Given, TrainerTest} from "../TrainerTest.sol";

/// @notice A trainer for points. Teaching moves the bias only.
abstract contract PointsTest is TrainerTest {
    Points internal trainer;

    function setUp() public virtual override {
        super.setUp();
        vm.prank(OWNER);
        trainer = new Points(model, 0);
        _bind(address(trainer));
    }

    function _add(address from, bytes memory features, uint256 label)
        internal
        returns (Given memory)
    {
        vm.prank(from);
        uint256 nonce = trainer.add(features, label);
        return Given(features, label, block.timestamp, from, nonce);
    }

    function _judge(Given memory one) internal returns (uint256) {
        return trainer.validate(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    function _report(address from, Given memory one) internal {
        vm.prank(from);
        trainer.report(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    /// @dev Gives right data now and validates them a day later.
    function _earn(address from, bytes memory features) internal returns (uint256 points) {
        Given memory one = _add(from, features, 0);
        vm.warp(block.timestamp + 1 days);
        return _judge(one);
    }

    /// @dev Ten tokens from `first` on: sketches of far apart ones differ a lot.
    function _tokens(uint16 first) internal pure returns (bytes memory out) {
        for (uint16 i; i < 16; ++i) {
            out = abi.encodePacked(out, first + i);
        }
    }
}
